{#
  What all metric tables share. A metric starts from its rows in int_metric_availability (one per agency, month
  and identification method, alias metric_row) and joins what was counted (alias counted).
#}

{#
  The rows of a relation, once for each population that they belong to: all calls, and BH calls by each flag there is.
  One scan: a row is taken four times and kept as often as it belongs.
#}
{% macro by_population(relation) -%}
    {%- set methods = ['call_type_initial', 'call_type_final', 'field_form'] %}
    select
        {{ relation }}.*,
        population.identification_method_code
    from {{ relation }}
    cross join (
        select 'not_applicable' as identification_method_code
        {%- for method in methods %}
        union all
        select '{{ method }}' as identification_method_code
        {%- endfor %}
    ) as population
    where
        population.identification_method_code = 'not_applicable'
        {%- for method in methods %}
        or (population.identification_method_code = '{{ method }}' and {{ relation }}.bh_{{ method }} = 'yes')
        {%- endfor %}
{%- endmacro %}

{# The first columns of every metric table. #}
{% macro metric_columns(population_code=none) -%}
    metric_row.agency_id,
        metric_row.month,
        metric_row.metric_id,
        metric_row.identification_method_code,
        {% if population_code -%}
        '{{ population_code }}'
        {%- else -%}
        case when metric_row.identification_method_code = 'not_applicable' then 'all' else 'bh' end
        {%- endif %} as population_code,
        metric_row.availability_code,
        metric_row.availability_reason
{%- endmacro %}

{#
  The agency of a metric's row where the metric is available: what counts are joined by. A condition beside the keys
  of a left join would make DuckDB compare every row with every other.
#}
{% macro available_agency() -%}
    case when metric_row.availability_code = 'available' then metric_row.agency_id end
{%- endmacro %}

{# A count is zero where nothing was counted, and null where the metric is not available. #}
{% macro available_count(column) -%}
    cast(case when metric_row.availability_code = 'available' then coalesce(counted.{{ column }}, 0) end as bigint)
            as {{ column }}
{%- endmacro %}

{# A value is null where the metric is not available, whatever was computed. #}
{% macro available_value(column) -%}
    case when metric_row.availability_code = 'available' then counted.{{ column }} end as {{ column }}
{%- endmacro %}

{# A share of a count of at least one, rounded; null for a denominator of zero. #}
{% macro share(numerator, denominator) -%}
    case when {{ denominator }} > 0 then round(cast({{ numerator }} as double) / {{ denominator }}, 6) end
{%- endmacro %}

{# Seconds as hours, rounded. Null if nothing is known: that is not zero hours. #}
{% macro known_hours(seconds, known_count) -%}
    case when {{ known_count }} > 0 then round(cast({{ seconds }} as double) / 3600, 4) end
{%- endmacro %}
