{#
  Formulas of cost that more than one place uses: the metrics of agencies, and the checks of published arithmetic
  (evaluations/published), which evaluate these very macros.
#}

{# What a number of events comes to at one price, to the cent (domain M48). #}
{% macro valued(count, unit_cost) -%}
    cast(round({{ count }} * {{ unit_cost }}, 2) as decimal(18, 2))
{%- endmacro %}

{# What a program costs per event, to the cent; null where there is none (domain M46, M50). #}
{% macro cost_per_outcome(cost, outcomes) -%}
    case when {{ outcomes }} > 0 then cast(round({{ cost }} / {{ outcomes }}, 2) as decimal(18, 2)) end
{%- endmacro %}

{# Benefit less cost, to the cent (domain M49). #}
{% macro net_benefit(benefit, cost) -%}
    cast({{ benefit }} - {{ cost }} as decimal(18, 2))
{%- endmacro %}

{# Benefit over cost; null where nothing was spent (domain M49). #}
{% macro benefit_cost_ratio(benefit, cost) -%}
    case when {{ cost }} > 0 then round(cast({{ benefit }} as double) / {{ cost }}, 6) end
{%- endmacro %}

{# People who work the hours of a year, of whom each works net_hours (domain M44). #}
{% macro people_for_hours(hours, net_hours) -%}
    round({{ hours }} / {{ net_hours }}, 4)
{%- endmacro %}
