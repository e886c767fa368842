-- Grain: one row per agency and report of force, current version.
-- Generated from seeds/standard/force_event.yml; do not edit; change that and run `crisis standard write`.
with force_event as (
    select * from {{ source('input', 'force_event') }} as force_event
    where {{ in_window('force_event') }}
),

final as (
    select
        agency_id,
        force_event_id,
        month,
        month_basis,
        force_event_number,
        contact_number,
        contact_id,
        incident_number,
        incident_id,
        occurred_at,
        occurred_local_at,
        reported_at,
        reported_local_at,
        force_used,
        force_level_code,
        force_level_local,
        force_type_codes,
        force_type_local,
        subject_resistance_code,
        subject_resistance_local,
        subject_armed,
        subject_impaired,
        subject_approached_officer,
        ambush,
        force_officer_count,
        contact_reason_code,
        contact_reason_local,
        location_type_code,
        location_type_local,
        precinct,
        weapon_type_code,
        weapon_type_local,
        technique_codes,
        technique_local,
        supervisor_on_scene,
        supervisor_consulted,
        fbi_reportable,
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
    from force_event
)

select * from final
