{# A number from 0 up to 1 that hangs on a text alone: the same on every machine, in every order, with any threads. #}
{% macro stable_uniform(text) -%}
    {{ return(adapter.dispatch('stable_uniform')(text)) }}
{%- endmacro %}

{# The first 52 bits of MD5, which is no secret here but spreads evenly. #}
{% macro default__stable_uniform(text) -%}
    (cast(conv(substr(md5({{ text }}), 1, 13), 16, 10) as double) / 4503599627370496)
{%- endmacro %}

{% macro duckdb__stable_uniform(text) -%}
    (cast(cast('0x' || substr(md5({{ text }}), 1, 13) as bigint) as double) / 4503599627370496)
{%- endmacro %}
