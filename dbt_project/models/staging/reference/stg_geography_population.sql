-- Grain: one row per agency, area and first day of validity, current version.
-- Generated from seeds/standard/geography_population.yml; do not edit; change that and run `crisis standard write`.
with geography_population as (
    select * from {{ source('input', 'geography_population') }} as geography_population
    where {{ in_window('geography_population') }}
),

final as (
    select
        agency_id,
        geography_population_id,
        month,
        month_basis,
        geoid,
        valid_from_date,
        geography_level_code,
        geography_level_local,
        valid_to_date,
        area_name,
        population_count,
        adult_population_count,
        land_square_miles,
        rural,
        poverty_share,
        withheld_fields,
        stamp_imputed,
        extras
    from geography_population
)

select * from final
