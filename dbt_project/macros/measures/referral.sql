{# What is told of referrals, as (metric, basis, outcome, window in days; 0 where there is no window). #}
{% macro referral_results() -%}
    {%- set found = [
        ('M31', 'offered', 'accepted', 0), ('M31', 'offered', 'declined', 0), ('M31b', 'contact', 'offered', 0),
        ('M34', 'accepted', 'engaged', 30), ('M34', 'accepted', 'engaged', 90),
        ('M35', 'accepted', 'outcome_unknown', 30)
    ] -%}
    {%- for days in [7, 14, 30, 90] -%}
        {%- do found.extend([
            ('M32', 'offered', 'linked', days), ('M32', 'accepted', 'linked', days), ('M32b', 'contact', 'linked', days)
        ]) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# Months since the year 0 of a month written as YYYY-MM: months apart are told by subtraction. #}
{% macro month_number(month) -%}
    (cast(substr({{ month }}, 1, 4) as integer) * 12 + cast(substr({{ month }}, 6, 2) as integer))
{%- endmacro %}
