-- Grain: one row per agency and month.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M18'
),

contact as (
    select * from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact') }}
),

-- A citation is not an arrest; an arrest whose booking is not told is.
summed as (
    select
        agency_id,
        month,
        count(*) as considered_count,
        count(case when enforcement_code in ('booked', 'arrested_unspecified') then 1 end) as arrested_count,
        count(case when enforcement_code = 'cited' then 1 end) as cited_count,
        count(case when enforcement_code in ('cited', 'none') then 1 end) as not_arrested_count
    from contact
    group by agency_id, month
),

counted as (
    select
        *,
        arrested_count + not_arrested_count as denominator_count,
        considered_count - arrested_count - not_arrested_count as unknown_count,
        {{ share('not_arrested_count', '(arrested_count + not_arrested_count)') }} as share_not_arrested
    from summed
),

final as (
    select
        {{ metric_columns('contact') }},
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('arrested_count') }},
        {{ available_count('not_arrested_count') }},
        {{ available_count('cited_count') }},
        {{ available_value('share_not_arrested') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
