-- Grain: one row per agency, landed file and entity. Rebuilt whole by each run.
{{ config(materialized='table') }}

with reconciliation as (
    select * from {{ source('input', 'reconciliation') }}
),

final as (
    select
        agency_id,
        feed,
        source_file,
        entity,
        rows_landed,
        rows_accepted,
        rows_rejected,
        rows_superseded,
        rows_folded,
        rows_not_applicable
    from reconciliation
)

select * from final
