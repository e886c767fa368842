{# How far from its call a contact may lie. Wider than any shift: forms are dated late, and clocks differ. #}
{% macro contact_earliest_seconds() -%} -1800 {%- endmacro %}
{# A contact of which the day alone is known may be dated up to a day before its call. #}
{% macro dated_contact_earliest_seconds() -%} -86400 {%- endmacro %}
{% macro is_midnight(local_at) -%}
    coalesce({{ seconds_between("date_trunc('day', " ~ local_at ~ ")", local_at) }} = 0, false)
{%- endmacro %}
{# A number that the form copies from CAD is believed up to a week after the call. #}
{% macro numbered_contact_latest_seconds() -%} 604800 {%- endmacro %}
{# Without a number, a contact takes place while the call is open; calls are seldom open for six hours. #}
{% macro scored_contact_latest_seconds() -%} 21600 {%- endmacro %}
{# Near the arrival: ten minutes. #}
{% macro near_arrival_seconds() -%} 600 {%- endmacro %}

{# Weights (bits of evidence) that a pair needs in sum, and by how much it must beat the next best of either side. #}
{% macro contact_link_threshold() -%} 8 {%- endmacro %}
{% macro contact_link_margin() -%} 3 {%- endmacro %}

{# The evidence's weight: agreeing, disagreeing, or none where one side does not say. #}
{% macro evidence_weight(evidence, left, right) -%}
    case
        when {{ left }} is null or {{ right }} is null then 0
        when {{ left }} = {{ right }} then {{ evidence }}_agree
        else {{ evidence }}_disagree
    end
{%- endmacro %}

{# The weights of all evidence as columns of one row: <evidence>_agree and <evidence>_disagree. #}
{% macro weight_columns(evidence) -%}
    {%- for code in evidence -%}
    max(case when evidence_code = '{{ code }}' then agree_weight end) as {{ code }}_agree,
        max(case when evidence_code = '{{ code }}' then disagree_weight end) as {{ code }}_disagree
        {{- ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
