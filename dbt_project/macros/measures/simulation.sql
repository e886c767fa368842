{# What a simulation draws, from numbers between 0 and 1 that hang on the row and the draw alone. #}

{# How often each figure is drawn; its Monte Carlo error stands beside it. #}
{% macro draw_count() -%} 2000 {%- endmacro %}

{# Of a triangular distribution, from one such number; the mode itself where low and high are one. #}
{% macro triangular(uniform, low, mode, high) -%}
    case
        when {{ high }} = {{ low }} then {{ mode }}
        when {{ uniform }} < ({{ mode }} - {{ low }}) / ({{ high }} - {{ low }})
            then {{ low }} + sqrt({{ uniform }} * ({{ high }} - {{ low }}) * ({{ mode }} - {{ low }}))
        else {{ high }} - sqrt((1 - {{ uniform }}) * ({{ high }} - {{ low }}) * ({{ high }} - {{ mode }}))
    end
{%- endmacro %}

{# Of a standard normal distribution, from two such numbers (Box and Muller 1958). #}
{% macro standard_normal(first, second) -%}
    sqrt(-2 * ln(1 - {{ first }})) * cos(2 * pi() * {{ second }})
{%- endmacro %}

{# Standard error of a share by Agresti and Coull (1998): of none or all of few it is not zero. #}
{% macro share_error(events, n) -%}
    sqrt((({{ events }}) + 2.0) * (({{ n }}) - ({{ events }}) + 2.0) / power(({{ n }}) + 4.0, 3))
{%- endmacro %}

{# A share drawn around what was seen, cut at none and all. #}
{% macro drawn_share(seen, error, normal) -%}
    least(greatest({{ seen }} + {{ error }} * {{ normal }}, 0), 1)
{%- endmacro %}

{#
  Half the distance between the shares of the draws that lie one standard error of the count on either side of a share:
  the Monte Carlo error of that quantile (order statistics of a binomial count).
#}
{% macro quantile_error(column, share) -%}
    {%- set error = (share * (1 - share) / (draw_count() | trim | int)) ** 0.5 -%}
    ({{ percentile_nearest_rank(column, (share + error) | round(6)) }} - {{ percentile_nearest_rank(column, (share - error) | round(6)) }}) / 2
{%- endmacro %}
