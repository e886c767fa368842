-- Grain: one row per agency, landed file and entity. Rebuilt whole by each run.
{{ config(materialized='table') }}

with reconciliation as (
    select * from {{ ref('stg_reconciliation') }}
),

final as (
    select
        agency_id,
        source_file,
        entity,
        feed,
        rows_landed,
        rows_accepted,
        rows_rejected,
        rows_superseded,
        rows_folded,
        rows_not_applicable,
        rows_landed
        - rows_accepted
        - rows_rejected
        - rows_superseded
        - rows_folded
        - rows_not_applicable as rows_unexplained
    from reconciliation
)

select * from final
