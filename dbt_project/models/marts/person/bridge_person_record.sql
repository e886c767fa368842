-- Grain: one row per entity, record and role that the justice zone may link. Rebuilt whole when linkage changes.
{{ config(materialized='table') }}

with person_link as (
    select * from {{ ref('stg_person_link') }}
),

{{ records_of_zone('justice', 'person_key') }}

select * from final
