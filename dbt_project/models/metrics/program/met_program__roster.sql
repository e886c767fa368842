-- Grain: one row per agency, month, metric, slice and value of the slice.
{%- set keys = ['agency_id', 'month'] %}
{%- set slices = ['area', 'hour_of_week'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('PG1', 'PG2')
),

number as (
    {{ integers(0, 47) }}
),

-- Every hour that a shift reaches into, by its instant: a night in which the clocks change has as many as it has.
shift_hour as (
    select
        shift.agency_id,
        shift.month,
        {{ slice_value('shift.geoid') }} as area,
        {{ epoch_hour('shift.started_at') }} + number.n as hour_number,
        shift.started_local_at + {{ hours('number.n') }} as local_at,
        shift.program_operating,
        shift.clinician_count
    from {{ ref('fct_shift') }} as shift
    inner join number on {{ seconds_between('shift.started_at', 'shift.ended_at') }} > number.n * 3600
    where {{ in_window('shift') }}
),

-- One row an hour and area: did a program work, and was a clinician on duty; unknown where a shift does not say.
cell as (
    select
        agency_id,
        month,
        area,
        {{ slice_value(hour_of_week('min(local_at)')) }} as hour_of_week,
        case
            when count(case when program_operating = 'yes' then 1 end) > 0 then 'yes'
            when count(case when program_operating = 'no' then 1 end) = count(*) then 'no'
            else 'unknown'
        end as worked,
        case
            when sum(clinician_count) > 0 then 'yes'
            when count(clinician_count) = count(*) then 'no'
            else 'unknown'
        end as has_clinician
    from shift_hour
    group by agency_id, month, area, hour_number
),

summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        count(*) as hour_count,
        count(case when worked = 'unknown' then 1 end) as worked_unknown_count,
        count(case when worked = 'yes' then 1 end) as worked_count,
        count(case when worked = 'yes' and has_clinician = 'unknown' then 1 end) as clinician_unknown_count,
        count(case when worked = 'yes' and has_clinician = 'yes' then 1 end) as clinician_count
    from cell
    group by {{ sliced_by(keys, slices) }}
),

either as (
    select
        agency_id,
        month,
        'PG1' as metric_id,
        slice_code,
        slice_value,
        hour_count as considered_count,
        worked_unknown_count as unknown_count,
        hour_count - worked_unknown_count as denominator_count,
        worked_count as numerator_count
    from summed
    union all
    select
        agency_id,
        month,
        'PG2' as metric_id,
        slice_code,
        slice_value,
        worked_count as considered_count,
        clinician_unknown_count as unknown_count,
        worked_count - clinician_unknown_count as denominator_count,
        clinician_count as numerator_count
    from summed
),

counted as (
    select
        *,
        {{ share('numerator_count', 'denominator_count') }} as hours_share
    from either
),

final as (
    select
        {{ metric_columns('roster_hour') }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('numerator_count') }},
        {{ available_value('hours_share') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
)

select * from final
