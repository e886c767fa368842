-- Grain: one row per agency, month, population, hour of the week and beat, with totals over either and over both.
{%- set keys = ['agency_id', 'month', 'identification_method_code'] %}
{%- set call_counts = ['call_count', 'duplicate_count', 'self_initiated_count', 'cancelled_count'] %}
{%- set flags = ['bh_call_type_initial', 'bh_call_type_final', 'bh_field_form'] %}
{%- set unit_counts = ['response_count', 'known_count', 'officer_known_count'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M11'
),

incident as (
    select * from {{ ref('fct_incident') }} as incident
    where {{ in_window('incident') }}
),

unit_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response') }}
        and unit_response.response_scope_code = 'unit'
),

-- By the hour in which the call came.
call_tally as (
    select
        agency_id,
        month,
        {%- for flag in flags %}
        {{ flag }},
        {%- endfor %}
        {{ iso_day_of_week('received_local_at') }} as day_of_week,
        extract(hour from received_local_at) as hour_of_day,
        beat,
        min(received_local_at) as local_at,
        count(*) as call_count,
        count(case when exclusion_code = 'duplicate' then 1 end) as duplicate_count,
        count(case when exclusion_code = 'self_initiated' then 1 end) as self_initiated_count,
        count(case when exclusion_code = 'cancelled' then 1 end) as cancelled_count,
        {%- for column in unit_counts %}
        0 as {{ column }},
        {%- endfor %}
        null as unit_seconds,
        null as officer_seconds
    from incident
    group by all
),

-- By the hour in which the unit was dispatched: the whole task counts there, also what reaches into later hours.
unit_tally as (
    select
        agency_id,
        month,
        {%- for flag in flags %}
        {{ flag }},
        {%- endfor %}
        {{ iso_day_of_week('dispatched_local_at') }} as day_of_week,
        extract(hour from dispatched_local_at) as hour_of_day,
        incident_beat as beat,
        min(dispatched_local_at) as local_at,
        {%- for column in call_counts %}
        0 as {{ column }},
        {%- endfor %}
        count(*) as response_count,
        count(task_seconds) as known_count,
        count(officer_seconds) as officer_known_count,
        sum(task_seconds) as unit_seconds,
        sum(officer_seconds) as officer_seconds
    from unit_response
    group by all
),

either as (
    select * from call_tally
    union all
    select * from unit_tally
),

tally as (
    select
        *,
        {{ slice_value(hour_of_week('local_at')) }} as hour_of_week,
        {{ slice_value('beat') }} as area
    from either
),

population as (
    {{- by_population('tally') }}
),

counted as (
    select
        {{ keys | join(',\n        ') }},
        case
            when grouping(hour_of_week) = 0 and grouping(area) = 0 then 'hour_of_week_beat'
            when grouping(hour_of_week) = 0 then 'hour_of_week'
            when grouping(area) = 0 then 'beat'
            else 'all'
        end as slice_code,
        case when grouping(hour_of_week) = 0 then hour_of_week else 'all' end as hour_of_week,
        case when grouping(area) = 0 then area else 'all' end as area,
        {%- for column in call_counts + unit_counts %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        sum(unit_seconds) as unit_seconds,
        sum(officer_seconds) as officer_seconds
    from population
    group by grouping sets (
        ({{ keys | join(', ') }}),
        ({{ keys | join(', ') }}, hour_of_week),
        ({{ keys | join(', ') }}, area),
        ({{ keys | join(', ') }}, hour_of_week, area)
    )
),

final as (
    select
        {{ metric_columns() }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.hour_of_week, 'all') as hour_of_week,
        coalesce(counted.area, 'all') as area,
        {%- for column in call_counts + unit_counts %}
        {{ available_count(column) }},
        {%- endfor %}
        cast(case when counted.known_count > 0 then counted.unit_seconds end as bigint) as unit_seconds,
        {{ known_hours('counted.unit_seconds', 'counted.known_count') }} as unit_hours,
        cast(case when counted.officer_known_count > 0 then counted.officer_seconds end as bigint) as officer_seconds,
        {{ known_hours('counted.officer_seconds', 'counted.officer_known_count') }} as officer_hours
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
)

select * from final
