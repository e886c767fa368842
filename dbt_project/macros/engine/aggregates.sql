{# Percentile between the two nearest values. Nulls are left out. Gives null for no values. #}
{% macro percentile_interpolated(column, share) -%}
    {{ return(adapter.dispatch('percentile_interpolated')(column, share)) }}
{%- endmacro %}

{% macro default__percentile_interpolated(column, share) -%}
    percentile_cont({{ share }}) within group (order by {{ column }})
{%- endmacro %}


{# The smallest value that at least this share of the values do not exceed. Nulls are left out. #}
{% macro percentile_nearest_rank(column, share) -%}
    {{ return(adapter.dispatch('percentile_nearest_rank')(column, share)) }}
{%- endmacro %}

{% macro default__percentile_nearest_rank(column, share) -%}
    percentile_disc({{ share }}) within group (order by {{ column }})
{%- endmacro %}


{# The distinct texts of a group in order, joined. #}
{% macro string_agg_sorted(column, separator) -%}
    {{ return(adapter.dispatch('string_agg_sorted')(column, separator)) }}
{%- endmacro %}

{% macro default__string_agg_sorted(column, separator) -%}
    array_join(array_sort(collect_set({{ column }})), '{{ separator }}')
{%- endmacro %}

{% macro duckdb__string_agg_sorted(column, separator) -%}
    string_agg(distinct {{ column }}, '{{ separator }}' order by {{ column }})
{%- endmacro %}


{# The id of the row with the earliest instant; the smaller id wins a tie. Rows without an instant are left out. #}
{% macro id_of_earliest(id, instant) -%}
    {{ return(adapter.dispatch('id_of_earliest')(id, instant)) }}
{%- endmacro %}

{% macro default__id_of_earliest(id, instant) -%}
    min_by({{ id }}, struct({{ instant }}, {{ id }})) filter (where {{ instant }} is not null)
{%- endmacro %}

{% macro duckdb__id_of_earliest(id, instant) -%}
    min_by({{ id }}, row({{ instant }}, {{ id }})) filter (where {{ instant }} is not null)
{%- endmacro %}


{# The texts of a group in the order of a number, joined by '>'. #}
{% macro path_in_order(column, place) -%}
    {{ return(adapter.dispatch('path_in_order')(column, place)) }}
{%- endmacro %}

{% macro default__path_in_order(column, place) -%}
    array_join(transform(array_sort(collect_list(struct({{ place }}, {{ column }}))), x -> x.{{ column }}), '>')
{%- endmacro %}

{% macro duckdb__path_in_order(column, place) -%}
    string_agg({{ column }}, '>' order by {{ place }})
{%- endmacro %}


{# Several interpolated percentiles of one column as a list, in the order of the shares; one pass and one sort. #}
{% macro percentiles_interpolated(column, shares) -%}
    {{ return(adapter.dispatch('percentiles_interpolated')(column, shares)) }}
{%- endmacro %}

{% macro default__percentiles_interpolated(column, shares) -%}
    percentile({{ column }}, array({{ shares | join(', ') }}))
{%- endmacro %}

{% macro duckdb__percentiles_interpolated(column, shares) -%}
    quantile_cont({{ column }}, [{{ shares | join(', ') }}])
{%- endmacro %}


{# One value of a list, counted from 1. #}
{% macro list_value(list, place) -%}
    {{ return(adapter.dispatch('list_value')(list, place)) }}
{%- endmacro %}

{% macro default__list_value(list, place) -%}
    element_at({{ list }}, {{ place }})
{%- endmacro %}

{% macro duckdb__list_value(list, place) -%}
    {{ list }}[{{ place }}]
{%- endmacro %}
