-- Grain: one row per agency, month, metric, slice and value of the slice; the slice 'all' is the total. Rebuilt whole.
{{ config(materialized='table') }}
{%- set slices = ['program'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability_ever') }}
    where metric_id in ('PG3', 'PG4')
),

position_count as (
    select
        agency_id,
        month,
        {{ slice_value('program_number') }} as program,
        funded_fte,
        filled_fte,
        left_fte,
        funded_fte is not null and filled_fte is not null as is_filled_known,
        left_fte is not null and filled_fte is not null as is_left_known
    from {{ ref('stg_position_count') }}
    where
        responder_role_code = 'clinician'
        and month <> 'unknown'
),

-- Vacancy looks at the month's own counts, turnover at those of the twelve months to it.
observed as (
    select
        metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        position_count.month as counted_month,
        position_count.program,
        position_count.funded_fte,
        case
            when metric_row.metric_id = 'PG3' and position_count.is_filled_known then position_count.funded_fte
            when metric_row.metric_id = 'PG4' and position_count.is_left_known then position_count.filled_fte
        end as known_fte,
        case
            when metric_row.metric_id = 'PG3' and position_count.is_filled_known
                then position_count.funded_fte - position_count.filled_fte
            when metric_row.metric_id = 'PG4' and position_count.is_left_known then position_count.left_fte
        end as counted_fte
    from metric_row
    inner join position_count
        on
            metric_row.agency_id = position_count.agency_id
            and {{ month_number('position_count.month') }}
            between {{ month_number('metric_row.month') }} - case metric_row.metric_id when 'PG4' then 11 else 0 end
            and {{ month_number('metric_row.month') }}
    where metric_row.month <> 'unknown'
),

summed as (
    select
        agency_id,
        month,
        metric_id,
        {{ slice_columns(slices) }},
        count(distinct counted_month) as month_count,
        coalesce(sum(funded_fte), 0) as considered_fte,
        coalesce(sum(case when known_fte is null then funded_fte end), 0) as unknown_fte,
        coalesce(sum(known_fte), 0) / count(distinct counted_month) as denominator_fte,
        coalesce(sum(counted_fte), 0) as numerator_fte
    from observed
    group by {{ sliced_by(['agency_id', 'month', 'metric_id'], slices) }}
),

counted as (
    select
        *,
        {{ share('numerator_fte', 'denominator_fte') }} as position_share
    from summed
),

final as (
    select
        {{ metric_columns('position') }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('month_count') }},
        {{ available_value('considered_fte') }},
        {{ available_value('unknown_fte') }},
        {{ available_value('denominator_fte') }},
        {{ available_value('numerator_fte') }},
        {{ available_value('position_share') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
)

select * from final
