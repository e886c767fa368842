-- Grain: one row per entity, record and role that the justice zone may link. Rebuilt whole when linkage changes.
{{ config(materialized='table') }}

with person_link as (
    select * from {{ ref('stg_person_link') }}
    where zone_code = 'justice'
),

final as (
    select
        agency_id,
        entity,
        record_id,
        role_code,
        month,
        person_key,
        is_anonymous,
        match_method_code,
        match_weight
    from person_link
)

select * from final
