{#
  The four response-time metrics: one interval of a fact, summed up by agency, month and population.
  Left out and counted: duplicates, officer-initiated and cancelled calls (domain test T19).
  extra_count, extra_condition: one more count that the metric prints, over the outcome_code of a row.
#}
{% macro interval_summary(metric_id, fact, interval, extra_count, extra_condition) -%}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = '{{ metric_id }}'
),

fact as (
    select
        fact.*,
        fact.{{ interval }}_seconds as seconds,
        case
            when fact.exclusion_code <> 'none' then fact.exclusion_code else fact.{{ interval }}_status_code
        end as outcome_code
    from {{ fact }} as fact
    where {{ in_window('fact') }}
),

population as (
    {{- by_population('fact') }}
),

judged as (
    select
        *,
        outcome_code in {{ known_statuses() }}
        or outcome_code in {{ missing_statuses() }}
        or outcome_code in {{ unusable_statuses() }} as is_eligible,
        case when outcome_code in {{ known_statuses() }} then seconds end as known_seconds
    from population
),

counted as (
    select
        agency_id,
        month,
        identification_method_code,
        case
            when min(response_scope_code) = max(response_scope_code) then min(response_scope_code) else 'mixed'
        end as response_scope_code,
        count(*) as considered_count,
        count(case when outcome_code = 'duplicate' then 1 end) as duplicate_count,
        count(case when outcome_code = 'self_initiated' then 1 end) as self_initiated_count,
        count(case when outcome_code = 'cancelled' then 1 end) as cancelled_count,
        count(case when is_eligible then 1 end) as eligible_count,
        count(known_seconds) as known_count,
        count(case when outcome_code in {{ missing_statuses() }} then 1 end) as missing_count,
        count(case when outcome_code in {{ unusable_statuses() }} then 1 end) as invalid_count,
        count(case when {{ extra_condition }} then 1 end) as {{ extra_count }},
        {{ share('count(known_seconds)', 'count(case when is_eligible then 1 end)') }} as known_share,
        count(case when is_eligible and not is_exclusion_known then 1 end) as exclusion_unknown_count,
        round({{ percentile_interpolated('known_seconds', 0.5) }}, 6) as median_seconds,
        {{ percentile_nearest_rank('known_seconds', 0.9) }} as p90_nearest_rank_seconds,
        round({{ percentile_interpolated('known_seconds', 0.9) }}, 6) as p90_interpolated_seconds
    from judged
    group by agency_id, month, identification_method_code
),

final as (
    select
        {{ metric_columns() }},
        case when metric_row.availability_code = 'available' then coalesce(counted.response_scope_code, 'not_applicable') end
            as response_scope_code,
        {%- for column in [
            'considered_count', 'duplicate_count', 'self_initiated_count', 'cancelled_count', 'eligible_count',
            'known_count', 'missing_count', 'invalid_count', extra_count, 'exclusion_unknown_count'
        ] %}
        {{ available_count(column) }},
        {%- endfor %}
        {{ available_value('known_share') }},
        {{ available_value('median_seconds') }},
        {{ available_value('p90_nearest_rank_seconds') }},
        {{ available_value('p90_interpolated_seconds') }}
    from metric_row
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
)

select * from final
{%- endmacro %}
