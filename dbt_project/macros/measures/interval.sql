{# A longer interval between two stamps of a call is taken for a wrong stamp: one day. #}
{% macro longest_interval_seconds() -%} 86400 {%- endmacro %}

{#
  Two columns: <name>_seconds (null unless valid) and <name>_status_code (valid, missing, negative, absurd,
  or not_applicable where the condition says that there is no such interval). Nothing is repaired.
#}
{% macro interval_columns(name, start_at, end_at, not_applicable=none, longest_seconds=longest_interval_seconds()) -%}
    {%- set seconds = seconds_between(start_at, end_at) -%}
    cast(case
        {%- if not_applicable %}
        when {{ not_applicable }} then null
        {%- endif %}
        when {{ seconds }} between 0 and {{ longest_seconds }} then {{ seconds }}
    end as integer) as {{ name }}_seconds,
    case
        {%- if not_applicable %}
        when {{ not_applicable }} then 'not_applicable'
        {%- endif %}
        when {{ seconds }} is null then 'missing'
        when {{ seconds }} < 0 then 'negative'
        when {{ seconds }} > {{ longest_seconds }} then 'absurd'
        else 'valid'
    end as {{ name }}_status_code
{%- endmacro %}
