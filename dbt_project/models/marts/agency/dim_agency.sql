-- Grain: one row per agency. Rebuilt whole by each run.
{{ config(materialized='table') }}

with agency as (
    select * from {{ ref('stg_agency') }}
),

final as (
    select
        agency_id,
        agency_name,
        agency_type_code,
        time_zone,
        state,
        county_fips,
        ori,
        population_served,
        cad_vendor,
        priority_direction_code,
        is_fictional
    from agency
)

select * from final
