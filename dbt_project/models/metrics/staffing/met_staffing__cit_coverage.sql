-- Grain: one row per agency, month, part of the question and value of a slice.
{%- set keys = ['agency_id', 'month'] %}
{%- set slices = ['area', 'hour_of_week'] %}
{#- Part: (denominator, numerator), as answers of a contact form. #}
{%- set parts = {
    'arrived': ("'yes'", 'cit_arrived'),
    'dispatched_of_requested': ('cit_requested', 'cit_dispatched'),
    'arrived_of_dispatched': ('cit_dispatched', 'cit_arrived'),
} %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('M13', 'M14', 'M14b')
),

contact as (
    select
        contact.*,
        {{ slice_value('contact.beat') }} as area,
        {{ slice_value(hour_of_week('contact.occurred_local_at')) }} as hour_of_week
    from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact') }}
),

contact_summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        {%- for part, (asked, answer) in parts.items() %}
        count(*) as {{ part }}_considered,
        count(case when {{ asked }} = 'yes' and {{ answer }} in ('yes', 'no') then 1 end) as {{ part }}_denominator,
        count(case when {{ asked }} = 'yes' and {{ answer }} = 'yes' then 1 end) as {{ part }}_numerator,
        count(
            case
                when {{ asked }} not in ('yes', 'no') or ({{ asked }} = 'yes' and {{ answer }} not in ('yes', 'no'))
                    then 1
            end
        ) as {{ part }}_unknown,
        {%- endfor %}
        count(*) as contact_count
    from contact
    group by {{ sliced_by(keys, slices) }}
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
        shift.cit_officer_count,
        shift.actual_personnel_count
    from {{ ref('fct_shift') }} as shift
    inner join number on {{ seconds_between('shift.started_at', 'shift.ended_at') }} > number.n * 3600
    where {{ in_window('shift') }}
),

-- One row an hour and area: how many are on duty, and how many of these are trained; null where a shift does not say.
cell as (
    select
        agency_id,
        month,
        area,
        hour_number,
        {{ slice_value(hour_of_week('min(local_at)')) }} as hour_of_week,
        case when count(cit_officer_count) = count(*) then sum(cit_officer_count) end as trained,
        case when count(actual_personnel_count) = count(*) then sum(actual_personnel_count) end as on_duty
    from shift_hour
    group by agency_id, month, area, hour_number
),

agency_share as (
    select
        agency_id,
        month,
        cast(sum(trained) as double) / nullif(sum(on_duty), 0) as trained_share
    from cell
    where trained is not null and on_duty is not null
    group by agency_id, month
),

cell_summed as (
    select
        cell.agency_id,
        cell.month,
        {{ slice_columns(slices) }},
        count(*) as considered_count,
        count(cell.trained) as denominator_count,
        count(case when cell.trained >= 1 then 1 end) as numerator_count,
        count(*) - count(cell.trained) as unknown_count,
        sum(case when cell.trained is not null and cell.on_duty is not null then cell.on_duty end) as officer_hours,
        sum(case when cell.on_duty is not null then cell.trained end) as trained_officer_hours,
        sum(case when cell.trained is null then cell.on_duty end) as untold_officer_hours,
        avg(1 - power(1 - agency_share.trained_share, cell.on_duty)) as expected_share
    from cell
    left join agency_share
        on
            cell.agency_id = agency_share.agency_id
            and cell.month = agency_share.month
    group by {{ sliced_by(['cell.agency_id', 'cell.month'], slices) }}
),

counted as (
    {%- for part in parts %}
    select
        agency_id,
        month,
        'M14' as metric_id,
        '{{ part }}' as part_code,
        slice_code,
        slice_value,
        {{ part }}_considered as considered_count,
        {{ part }}_unknown as unknown_count,
        {{ part }}_denominator as denominator_count,
        {{ part }}_numerator as numerator_count,
        cast(null as double) as expected_share
    from contact_summed
    union all
    {%- endfor %}
    select
        agency_id,
        month,
        'M14b' as metric_id,
        'hours_covered' as part_code,
        slice_code,
        slice_value,
        considered_count,
        unknown_count,
        denominator_count,
        numerator_count,
        expected_share
    from cell_summed
    union all
    select
        agency_id,
        month,
        'M13' as metric_id,
        'trained_officer_hours' as part_code,
        slice_code,
        slice_value,
        coalesce(officer_hours, 0) + coalesce(untold_officer_hours, 0) as considered_count,
        coalesce(untold_officer_hours, 0) as unknown_count,
        coalesce(officer_hours, 0) as denominator_count,
        coalesce(trained_officer_hours, 0) as numerator_count,
        cast(null as double) as expected_share
    from cell_summed
),

final as (
    select
        {{ metric_columns('contact') }},
        coalesce(counted.part_code, 'none') as part_code,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('numerator_count') }},
        {{ share('counted.numerator_count', 'counted.denominator_count') }} as coverage_share,
        round(counted.expected_share, 6) as expected_share
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
)

select * from final
