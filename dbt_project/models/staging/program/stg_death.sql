-- Grain: one row per agency and death, current version.
-- Generated from seeds/standard/death.yml; do not edit; change that and run `crisis standard write`.
with death as (
    select * from {{ source('input', 'death') }} as death
    where {{ in_window('death') }}
),

final as (
    select
        agency_id,
        death_id,
        month,
        month_basis,
        death_number,
        death_date,
        manner_of_death_code,
        manner_of_death_local,
        overdose,
        during_response,
        in_custody,
        death_source_code,
        death_source_local,
        incident_number,
        incident_id,
        contact_number,
        contact_id,
        force_event_number,
        force_event_id,
        booking_number,
        booking_id,
        enrollment_number,
        enrollment_id,
        location_type_code,
        location_type_local,
        county_fips,
        age_years,
        age_band_code,
        age_band_local,
        sex_gender_code,
        sex_gender_local,
        race_ethnicity_codes,
        race_ethnicity_local,
        withheld_fields,
        stamp_imputed,
        extras
    from death
)

select * from final
