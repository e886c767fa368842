{#
  A table by agency and month, of which a run rewrites the window only.

  A table that holds months outside of the window: in one transaction, delete the window and insert.
  No table yet, one that lies within the window, or one whose columns are not the contract's: made anew.
  If the columns differ and the table holds months outside of the window, stop.
#}
{% materialization window_table, adapter="duckdb" -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set is_table = existing is not none and existing.is_table -%}
    {%- set keeps_months, changes = window_table_state(existing) if is_table else (false, none) -%}
    {%- if keeps_months and changes -%}
        {%- do exceptions.raise_compiler_error(
            this ~ " has other columns than its contract: " ~ changes
            ~ ". It holds months outside of this run's window, which would be lost."
            ~ " Rebuild all months of the layer."
        ) -%}
    {%- elif keeps_months -%}
        {{ return(write_table([window_table_delete_sql(existing)])) }}
    {%- else -%}
        {{ return(write_table(made_anew_sql(existing))) }}
    {%- endif -%}
{%- endmaterialization %}


{# A table that each run writes as a whole. dbt's own makes a second one, renames both and drops the first. #}
{% materialization table, adapter="duckdb" -%}
    {{ return(write_table(made_anew_sql(load_cached_relation(this)))) }}
{%- endmaterialization %}


{# Inserts the model's rows, after these statements and in one transaction with them: a failure leaves all as it was. #}
{% macro write_table(before) %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set insert_sql -%}
        insert into {{ target_relation }} ({{ model.columns.keys() | join(', ') }}) {{ get_select_subquery(sql) }}
    {%- endset -%}
    {%- set inserts = [] -%}
    {%- for month in months_apart() -%}
        {%- do inserts.append(insert_sql ~ " where month = '" ~ month ~ "'") -%}
    {%- endfor -%}
    {%- call statement('main') -%}
        {{ (before + (inserts or [insert_sql])) | join(';\n') }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmacro %}


{#
  The months of the window where the model is to be run for each by itself, none where in one go: a window of more
  calls and unit responses than its `rows_in_one_go`. Percentiles hold every value in memory, so a month bounds it.
#}
{% macro months_apart() %}
    {%- set rows_in_one_go = config.get('rows_in_one_go') -%}
    {%- if not rows_in_one_go -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set counted = api.Relation.create(database=this.database, schema='marts', identifier='fct_agency_month') -%}
    {%- set window_month = "select distinct agency_id, month from " ~ source('meta', 'layer_window') ~ " where offset_months = 0" -%}
    {{ return(run_query(
        "select distinct month from (" ~ window_month ~ ") where (select sum(counted.row_count) from " ~ counted
        ~ " as counted inner join (" ~ window_month ~ ") as window_month using (agency_id, month)"
        ~ " where counted.entity in ('incident', 'unit_response')) > " ~ rows_in_one_go ~ " order by month"
    ).columns[0].values()) }}
{% endmacro %}


{#
  Statements that make a table with its contract's types and not-null columns, in place of what is there.
  A changed query writes every row anew, so here it is held against the contract: stops where they differ.
#}
{% macro made_anew_sql(existing) %}
    {%- set changes = run_query(
        "select " ~ contract_changes_sql("describe (" ~ sql ~ "\n)", 'column_name', 'column_type')
    ).rows[0][0] -%}
    {%- if changes -%}
        {%- do exceptions.raise_compiler_error(
            this ~ ": the query has other columns than the contract: " ~ changes ~ ". Mend one of them."
        ) -%}
    {%- endif -%}
    {%- set made = [] -%}
    {%- if existing is not none -%}
        {%- do made.append('drop ' ~ existing.type ~ ' ' ~ existing) -%}
    {%- endif -%}
    {%- do made.append('create table ' ~ this ~ ' ' ~ get_table_columns_and_constraints()) -%}
    {{ return(made) }}
{% endmacro %}


{#
  Two facts of a table, in one query: whether it holds a month that this run does not write, and what differs
  between its columns and its model's contract (a text, null when they are the same).
#}
{% macro window_table_state(relation) -%}
    {%- set rows = run_query(
        "select exists (select 1 from " ~ relation ~ " as kept where not exists (select 1 from "
        ~ source('meta', 'layer_window') ~ " as layer_window where layer_window.offset_months = 0"
        ~ " and layer_window.agency_id = kept.agency_id and layer_window.month = kept.month)) as keeps_months, "
        ~ contract_changes_sql(
            "from pragma_table_info('" ~ relation.schema ~ "." ~ relation.identifier ~ "')", 'name', 'type'
        )
    ).rows[0] -%}
    {{ return((rows[0], rows[1])) }}
{%- endmacro %}


{#
  A scalar subquery: what would have to change for these columns to be the contract's, null when they are.
  columns_sql gives a row for each column, with its name and its type.
#}
{% macro contract_changes_sql(columns_sql, name_column, type_column) -%}
    (
        with contract as (
            select column_name, column_type from (describe {{ get_empty_schema_sql(model.columns) }})
        ),
        held as (
            select {{ name_column }} as column_name, {{ type_column }} as column_type from ({{ columns_sql }})
        )
        select
            string_agg(
                case
                    when held.column_name is null then '+' || contract.column_name
                    when contract.column_name is null then '-' || held.column_name
                    else contract.column_name || ' ' || held.column_type || ' -> ' || contract.column_type
                end,
                ', ' order by column_name
            )
        from contract
        full join held using (column_name)
        where held.column_type is distinct from contract.column_type
    ) as changes
{%- endmacro %}


{% macro window_table_delete_sql(relation) -%}
    {{ return(
        'delete from ' ~ relation ~ ' where (agency_id, month) in (select agency_id, month from '
        ~ source('meta', 'layer_window') ~ ' where offset_months = 0)'
    ) }}
{%- endmacro %}
