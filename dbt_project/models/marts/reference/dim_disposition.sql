-- Grain: one row per standard disposition. Rebuilt whole by each run.
{{ config(materialized='table') }}

with disposition as (
    select * from {{ ref('codes_disposition') }}
),

final as (
    select
        disposition_code,
        label,
        definition,
        category_code,
        enforcement_code,
        legal_hold_code,
        destination_code,
        service_code,
        primary_rank,
        source
    from disposition
)

select * from final
