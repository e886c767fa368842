-- Grain: one row per agency, entity and field of the standard. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency_field as (
    select * from {{ source('input', 'agency_field') }}
),

final as (
    select
        agency_id,
        entity,
        field,
        is_mapped
    from agency_field
)

select * from final
