{#
  Breakdowns of a metric. All are grouped in one scan: the total has slice_code and slice_value 'all', and the rows of
  each other slice_code add up to it, since what is not known is a value of its own. slices: the columns to group by.
#}

{# Grouping sets: the total, and one for each slice. keys: the columns that every row keeps. #}
{% macro sliced_by(keys, slices) -%}
    grouping sets (
        ({{ keys | join(', ') }}),
        {%- for slice in slices %}
        ({{ keys | join(', ') }}, {{ slice }}){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# The columns slice_code and slice_value of a row that `sliced_by` made. #}
{% macro slice_columns(slices) -%}
    case
            {%- for slice in slices %}
            when grouping({{ slice }}) = 0 then '{{ slice }}'
            {%- endfor %}
            else 'all'
        end as slice_code,
        case
            {%- for slice in slices %}
            when grouping({{ slice }}) = 0 then {{ slice }}
            {%- endfor %}
            else 'all'
        end as slice_value
{%- endmacro %}

{# A value to slice by: text, with a bucket of its own for what is not there. #}
{% macro slice_value(expression) -%}
    coalesce(cast({{ expression }} as varchar), 'not_recorded')
{%- endmacro %}
