-- Grain: one row per agency and month with at least one input row. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency_month as (
    select * from {{ source('input', 'agency_month') }}
),

final as (
    select
        agency_id,
        month
    from agency_month
)

select * from final
