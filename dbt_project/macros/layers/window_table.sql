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

    {%- set build = [] -%}
    {%- set is_table = existing is not none and existing.is_table -%}
    {%- set keeps_months, changes = window_table_state(existing) if is_table else (false, none) -%}
    {%- if keeps_months and changes -%}
        {%- do exceptions.raise_compiler_error(
            this ~ " has other columns than its contract: " ~ changes
            ~ ". It holds months outside of this run's window, which would be lost."
            ~ " Rebuild all months of the layer."
        ) -%}
    {%- elif keeps_months -%}
        {%- do build.append(window_table_delete_sql(existing)) -%}
    {%- else -%}
        {# A changed query rebuilds every month, so it is held against the contract here; this plans it once more. #}
        {{ get_assert_columns_equivalent(sql) }}
        {%- if existing is not none -%}
            {%- do build.append('drop ' ~ existing.type ~ ' ' ~ existing) -%}
        {%- endif -%}
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


{#
  Two facts of a table, in one query: whether it holds a month that this run does not write, and what differs
  between its columns and its model's contract (a text, null when they are the same).
#}
{% macro window_table_state(relation) -%}
    {%- set rows = run_query(
        "with contract as (select column_name, column_type from (describe " ~ get_empty_schema_sql(model.columns)
        ~ ")), held as (select name as column_name, type as column_type from pragma_table_info('"
        ~ relation.schema ~ "." ~ relation.identifier ~ "'))"
        ~ " select exists (select 1 from " ~ relation ~ " as kept where not exists (select 1 from "
        ~ source('meta', 'layer_window') ~ " as layer_window where layer_window.offset_months = 0"
        ~ " and layer_window.agency_id = kept.agency_id and layer_window.month = kept.month)) as keeps_months,"
        ~ " (select string_agg(case when held.column_name is null then '+' || contract.column_name"
        ~ " when contract.column_name is null then '-' || held.column_name else contract.column_name || ' '"
        ~ " || held.column_type || ' -> ' || contract.column_type end, ', ' order by column_name)"
        ~ " from contract full join held using (column_name)"
        ~ " where held.column_type is distinct from contract.column_type) as changes"
    ).rows[0] -%}
    {{ return((rows[0], rows[1])) }}
{%- endmacro %}


{% macro window_table_delete_sql(relation) -%}
    {{ return(
        'delete from ' ~ relation ~ ' where (agency_id, month) in (select agency_id, month from '
        ~ source('meta', 'layer_window') ~ ' where offset_months = 0)'
    ) }}
{%- endmacro %}
