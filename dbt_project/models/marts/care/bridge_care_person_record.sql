-- Grain: one row per entity, record and role that the care zone may link. Rebuilt whole when linkage changes.
{{ config(materialized='table') }}

with person_link as (
    select * from {{ ref('stg_person_link') }}
),

{{ records_of_zone('care', 'person_key as care_person_key') }}

select * from final
