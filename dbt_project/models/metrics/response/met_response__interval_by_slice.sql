-- Grain: one row per agency, month, interval, population and value of a slice.
{{ config(rows_in_one_go=2000000) }}
{%- set of_calls = {'M01': 'call_processing', 'M05': 'incident_response', 'M06': 'bh_capable_response'} %}
{%- set of_units = {'M02': 'turnout', 'M03': 'travel', 'M04': 'response', 'M07': 'scene', 'M09': 'wall'} %}
{%- set call_slices = ['beat', 'priority', 'hour_of_week', 'bh_kind'] %}
{%- set unit_slices = call_slices + ['response_model'] %}
{%- set metric_ids = (of_calls.keys() | list) + (of_units.keys() | list) %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('{{ metric_ids | join("', '") }}')
),

response_target as (
    select * from {{ ref('response_target') }}
),

-- One row: the target of each metric.
target as (
    select
        {%- for metric_id in metric_ids %}
        max(case when metric_id = '{{ metric_id }}' then target_seconds end) as {{ metric_id }},
        {%- endfor %}
        count(*) as target_count
    from response_target
),

-- By the hour in which the call came.
incident as (
    select
        fact.*,
        {{ hour_of_week('fact.received_local_at') }} as week_hour,
        fact.beat as call_beat,
        fact.priority_initial_rank as priority_rank
    from {{ ref('fct_incident') }} as fact
    where {{ in_window('fact') }}
),

-- By the hour in which the unit was dispatched.
unit_response as (
    select
        fact.*,
        {{ hour_of_week('fact.dispatched_local_at') }} as week_hour,
        fact.incident_beat as call_beat,
        fact.incident_priority_rank as priority_rank
    from {{ ref('fct_unit_response') }} as fact
    where {{ in_window('fact') }}
),

{{ summed_by_slice('incident', of_calls, call_slices, 'call', without_unit='not has_unit_response') }},

{{ summed_by_slice('unit_response', of_units, unit_slices, 'unit') }},

counted as (
    {%- for metric_id in metric_ids %}
    select
        agency_id,
        month,
        '{{ metric_id }}' as metric_id,
        identification_method_code,
        slice_code,
        slice_value,
        response_scope_code,
        considered_count,
        duplicate_count,
        self_initiated_count,
        cancelled_count,
        {{ metric_id }}_not_applicable_count as not_applicable_count,
        {{ metric_id }}_missing_count + {{ metric_id }}_invalid_count + {{ metric_id }}_known_count as eligible_count,
        {{ metric_id }}_known_count as known_count,
        {{ metric_id }}_missing_count as missing_count,
        {{ metric_id }}_no_unit_count as no_unit_count,
        {{ metric_id }}_invalid_count as invalid_count,
        {{ metric_id }}_exclusion_unknown_count as exclusion_unknown_count,
        {{ metric_id }}_within_target_number as within_target_number,
        {{ metric_id }}_interpolated as interpolated,
        {{ metric_id }}_p90_nearest_rank_seconds as p90_nearest_rank_seconds
    from {{ 'call' if metric_id in of_calls else 'unit' }}_summed
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        {{ metric_columns() }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        case
            when metric_row.availability_code = 'available'
                then coalesce(counted.response_scope_code, 'not_applicable')
        end as response_scope_code,
        {%- for column in [
            'considered_count', 'duplicate_count', 'self_initiated_count', 'cancelled_count', 'not_applicable_count',
            'eligible_count', 'known_count', 'missing_count', 'no_unit_count', 'invalid_count', 'exclusion_unknown_count'
        ] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ share('counted.known_count', 'counted.eligible_count') }} as known_share,
        {%- for name in ['median', 'p75_interpolated', 'p90_interpolated', 'p95_interpolated'] %}
        round({{ list_value('counted.interpolated', loop.index) }}, 6) as {{ name }}_seconds,
        {%- endfor %}
        counted.p90_nearest_rank_seconds,
        response_target.target_key,
        response_target.target_seconds as target_limit,
        response_target.source as target_source,
        cast(case
            when response_target.metric_id is not null and metric_row.availability_code = 'available'
                then coalesce(counted.within_target_number, 0)
        end as bigint)
            as within_target_number,
        case
            when response_target.metric_id is not null
                then {{ share('counted.within_target_number', 'counted.known_count') }}
        end as within_target_share
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
            and metric_row.identification_method_code = counted.identification_method_code
    left join response_target on metric_row.metric_id = response_target.metric_id
)

select * from final
