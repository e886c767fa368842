{#
  A table by agency and month, of which a run rewrites the window only.

  No table yet: create it with the contract's types and not-null columns, and insert.
  A table that holds months outside of the window: in one transaction, delete the window and insert.
  A table that lies within the window, or whose columns are not the contract's: drop, create and insert,
  in one transaction. If the columns differ and the table holds months outside of the window, stop.
#}
{% materialization window_table, adapter="duckdb" -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {{ get_assert_columns_equivalent(sql) }}

    {%- set build = [] -%}
    {%- set keeps_months = false -%}
    {%- if existing is not none -%}
        {%- if not existing.is_table -%}
            {%- do build.append('drop ' ~ existing.type ~ ' ' ~ existing) -%}
        {%- else -%}
            {%- set keeps_months = window_table_keeps_months(existing) -%}
            {%- set changes = window_table_changes(existing) if keeps_months else [] -%}
            {%- if keeps_months and changes -%}
                {%- do exceptions.raise_compiler_error(
                    this ~ " has other columns than its contract: " ~ changes | join(', ')
                    ~ ". It holds months outside of this run's window, which would be lost."
                    ~ " Rebuild all months of the layer."
                ) -%}
            {%- elif keeps_months -%}
                {%- do build.append(window_table_delete_sql(existing)) -%}
            {%- else -%}
                {%- do build.append('drop table ' ~ existing) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
    {%- if not keeps_months -%}
        {%- do build.append('create table ' ~ target_relation ~ ' ' ~ get_table_columns_and_constraints()) -%}
    {%- endif -%}
    {%- do build.append(
        'insert into ' ~ target_relation ~ ' (' ~ model.columns.keys() | join(', ') ~ ') '
        ~ get_select_subquery(sql)
    ) -%}

    {# One transaction: a failing statement leaves the old table as it was. #}
    {%- call statement('main') -%}
        {{ build | join(';\n') }}
    {%- endcall -%}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}


{# Whether the table holds a month that this run does not write. Stops at the first such row. #}
{% macro window_table_keeps_months(relation) -%}
    {%- set rows = run_query(
        'select 1 from ' ~ relation ~ ' as kept where not exists (select 1 from ' ~ source('meta', 'layer_window')
        ~ ' as layer_window where layer_window.offset_months = 0 and layer_window.agency_id = kept.agency_id'
        ~ ' and layer_window.month = kept.month) limit 1'
    ) -%}
    {{ return(rows.rows | length > 0) }}
{%- endmacro %}


{% macro window_table_delete_sql(relation) -%}
    {{ return(
        'delete from ' ~ relation ~ ' where (agency_id, month) in (select agency_id, month from '
        ~ source('meta', 'layer_window') ~ ' where offset_months = 0)'
    ) }}
{%- endmacro %}


{# What differs between a table and its model's contract: a list of texts, empty when they are the same. #}
{% macro window_table_changes(relation) -%}
    {%- set contract = {} -%}
    {%- for column in get_column_schema_from_query(get_empty_schema_sql(model.columns)) -%}
        {%- do contract.update({column.name | lower: column.dtype | lower}) -%}
    {%- endfor -%}
    {%- set table = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do table.update({column.name | lower: column.dtype | lower}) -%}
    {%- endfor -%}
    {%- set changes = [] -%}
    {%- for name in contract if name not in table -%}
        {%- do changes.append('+' ~ name) -%}
    {%- endfor -%}
    {%- for name in table if name not in contract -%}
        {%- do changes.append('-' ~ name) -%}
    {%- endfor -%}
    {%- for name in contract if name in table and table[name] != contract[name] -%}
        {%- do changes.append(name ~ ' ' ~ table[name] ~ ' -> ' ~ contract[name]) -%}
    {%- endfor -%}
    {{ return(changes) }}
{%- endmacro %}
