{#
  The four response-time metrics: the totals of one interval. extra: one more count that the metric prints, as
  {name: column of met_response__interval_by_slice}.
#}
{% macro interval_summary(metric_id, extra) -%}
select
    interval_row.agency_id,
    interval_row.month,
    interval_row.metric_id,
    interval_row.identification_method_code,
    interval_row.population_code,
    interval_row.availability_code,
    interval_row.availability_reason,
    interval_row.response_scope_code,
    interval_row.considered_count,
    interval_row.duplicate_count,
    interval_row.self_initiated_count,
    interval_row.cancelled_count,
    interval_row.eligible_count,
    interval_row.known_count,
    interval_row.missing_count,
    interval_row.invalid_count,
    {%- for name, column in extra.items() %}
    interval_row.{{ column }} as {{ name }},
    {%- endfor %}
    interval_row.exclusion_unknown_count,
    interval_row.known_share,
    interval_row.median_seconds,
    interval_row.p90_nearest_rank_seconds,
    interval_row.p90_interpolated_seconds
from {{ ref('met_response__interval_by_slice') }} as interval_row
where
    {{ in_window('interval_row') }}
    and interval_row.metric_id = '{{ metric_id }}'
    and interval_row.slice_code = 'all'
{%- endmacro %}
