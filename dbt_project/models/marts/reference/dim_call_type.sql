-- Grain: one row per standard call type. Rebuilt whole by each run.
{{ config(materialized='table') }}

with call_type as (
    select * from {{ ref('codes_call_type') }}
),

final as (
    select
        call_type_code,
        label,
        definition,
        bh_kind_code,
        bh_tier,
        source
    from call_type
)

select * from final
