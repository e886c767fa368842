-- Grain: one row per agency and month.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M17'
),

contact as (
    select * from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact') }}
),

-- Only where there was probable cause and the officer was free to choose can a booking be avoided.
classed as (
    select
        agency_id,
        month,
        enforcement_code,
        case
            when arrestable_offense = 'no' then 'no_offense'
            when arrestable_offense <> 'yes' then 'offense_unknown'
            when officer_discretion_basis_code in ('warrant', 'mandatory_arrest') then 'no_discretion'
            -- "No probable cause" contradicts the answer, so it tells nothing.
            when officer_discretion_basis_code = 'no_pc' then 'discretion_unknown'
            when officer_discretion_basis_code in {{ unknown_codes() }} then 'discretion_unknown'
            else 'eligible'
        end as class_code
    from contact
),

summed as (
    select
        agency_id,
        month,
        count(*) as considered_count,
        count(case when class_code = 'no_offense' then 1 end) as arrestable_offense_no_count,
        count(case when class_code = 'offense_unknown' then 1 end) as arrestable_offense_unknown_count,
        count(case when class_code = 'no_discretion' then 1 end) as no_discretion_count,
        count(case when class_code = 'discretion_unknown' then 1 end) as discretion_unknown_count,
        count(case when class_code = 'eligible' then 1 end) as eligible_count,
        count(case when class_code = 'eligible' and enforcement_code = 'booked' then 1 end) as booked_count,
        count(case when class_code = 'eligible' and enforcement_code in ('cited', 'none') then 1 end)
            as not_booked_count
    from classed
    group by agency_id, month
),

counted as (
    select
        *,
        booked_count + not_booked_count as denominator_count,
        eligible_count - booked_count - not_booked_count as booking_unknown_count,
        {{ share('arrestable_offense_unknown_count', 'considered_count') }} as arrestable_offense_unknown_share,
        {{ share('not_booked_count', '(booked_count + not_booked_count)') }} as jail_diversion_share
    from summed
),

final as (
    select
        {{ metric_columns('contact') }},
        {{ available_count('considered_count') }},
        {{ available_count('arrestable_offense_no_count') }},
        {{ available_count('arrestable_offense_unknown_count') }},
        {{ available_count('no_discretion_count') }},
        {{ available_count('discretion_unknown_count') }},
        {{ available_count('eligible_count') }},
        {{ available_count('booking_unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('booked_count') }},
        {{ available_count('not_booked_count') }},
        {{ available_value('arrestable_offense_unknown_share') }},
        {{ available_value('jail_diversion_share') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
