{#
  The window is data: meta.layer_window holds the (agency, month) pairs that a layer writes (offset 0) and the
  neighbor months that it may read (offsets -1 and +1). It is never a variable, so dbt keeps its parsed manifest.
#}

{# True for the rows of a relation whose month the layer writes, or reads at most so many months before or after. #}
{% macro in_window(relation_alias, lookback_months=0, lookahead_months=0) -%}
    ({{ relation_alias }}.agency_id, {{ relation_alias }}.month) in (
        select
            layer_window.agency_id,
            layer_window.read_month
        from {{ source('meta', 'layer_window') }} as layer_window
        where layer_window.offset_months between {{ -lookback_months }} and {{ lookahead_months }}
    )
{%- endmacro %}


{#
  True for the pairs of a row and a row that it reads whose months lie at most so far apart. Without it, a run
  over many months would join rows that a run over one month cannot see, and the two would differ.
#}
{% macro months_near(relation_alias, read_alias, lookback_months=0, lookahead_months=0) -%}
    ({{ relation_alias }}.agency_id, {{ relation_alias }}.month, {{ read_alias }}.month) in (
        select
            layer_window.agency_id,
            layer_window.month,
            layer_window.read_month
        from {{ source('meta', 'layer_window') }} as layer_window
        where layer_window.offset_months between {{ -lookback_months }} and {{ lookahead_months }}
    )
{%- endmacro %}
