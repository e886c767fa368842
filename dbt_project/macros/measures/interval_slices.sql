{#
  CTEs that sum intervals of a fact up by population and slice in one scan; the last is `<name>_summed`, with columns
  <metric_id>_known_count and so on. intervals: {metric_id: interval}. The relation has week_hour, call_beat and
  priority_rank; the CTE `target` has one column a metric, in seconds. without_unit: whether no unit was sent.
  Left out and counted: duplicates, officer-initiated and cancelled calls (domain test T19).
#}
{% macro summed_by_slice(relation, intervals, slices, name, without_unit='false') -%}
{{ name }}_population as (
    {{- by_population(relation) }}
),

{{ name }}_judged as (
    select
        agency_id,
        month,
        identification_method_code,
        response_scope_code,
        exclusion_code,
        is_exclusion_known,
        {{ slice_value('call_beat') }} as beat,
        {{ slice_value('priority_rank') }} as priority,
        {{ slice_value('week_hour') }} as hour_of_week,
        -- Who is known by the type at open has the kind of that type.
        case
            when identification_method_code = 'call_type_initial' then {{ slice_value('call_type_initial_bh_kind_code') }}
            else {{ slice_value('call_type_final_bh_kind_code') }}
        end as bh_kind,
        {{ without_unit }} as is_without_unit,
        {%- if 'response_model' in slices %}
        {{ slice_value('response_model_code') }} as response_model,
        {%- endif %}
        {%- for metric_id, interval in intervals.items() %}
        case when exclusion_code = 'none' then {{ interval }}_status_code end as {{ metric_id }}_status_code,
        case when exclusion_code = 'none' then {{ interval }}_seconds end as {{ metric_id }}_seconds
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ name }}_population
),

{{ name }}_summed as (
    select
        agency_id,
        month,
        identification_method_code,
        {{ slice_columns(slices) }},
        case
            when min(response_scope_code) = max(response_scope_code) then min(response_scope_code) else 'mixed'
        end as response_scope_code,
        count(*) as considered_count,
        count(case when exclusion_code = 'duplicate' then 1 end) as duplicate_count,
        count(case when exclusion_code = 'self_initiated' then 1 end) as self_initiated_count,
        count(case when exclusion_code = 'cancelled' then 1 end) as cancelled_count,
        {%- for metric_id in intervals %}
        {%- set status = metric_id ~ '_status_code' %}
        {%- set seconds = metric_id ~ '_seconds' %}
        count(case when {{ status }} = 'not_applicable' then 1 end) as {{ metric_id }}_not_applicable_count,
        count({{ seconds }}) as {{ metric_id }}_known_count,
        count(case when {{ status }} in {{ missing_statuses() }} then 1 end) as {{ metric_id }}_missing_count,
        count(case when {{ status }} in {{ missing_statuses() }} and is_without_unit then 1 end)
            as {{ metric_id }}_no_unit_count,
        count(case when {{ status }} in {{ unusable_statuses() }} then 1 end) as {{ metric_id }}_invalid_count,
        count(case when {{ status }} <> 'not_applicable' and not is_exclusion_known then 1 end)
            as {{ metric_id }}_exclusion_unknown_count,
        count(case when {{ seconds }} <= target.{{ metric_id }} then 1 end) as {{ metric_id }}_within_target_number,
        {{ percentiles_interpolated(seconds, [0.5, 0.75, 0.9, 0.95]) }} as {{ metric_id }}_interpolated,
        {{ percentile_nearest_rank(seconds, 0.9) }} as {{ metric_id }}_p90_nearest_rank_seconds
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ name }}_judged
    cross join target
    group by {{ sliced_by(['agency_id', 'month', 'identification_method_code'], slices) }}
)
{%- endmacro %}
