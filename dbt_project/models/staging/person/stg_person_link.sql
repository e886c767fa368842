-- Grain: one row per zone, entity, record and role. Rebuilt whole when linkage changes.
{{ config(materialized='table') }}

with person_link as (
    select * from {{ source('input', 'person_link') }}
),

final as (
    select
        agency_id,
        month,
        entity,
        entity_id as record_id,
        role_code,
        zone as zone_code,
        person_key,
        is_anonymous,
        match_method_code,
        match_weight
    from person_link
)

select * from final
