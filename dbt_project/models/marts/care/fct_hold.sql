-- Grain: one row per agency and hold.
-- Generated from seeds/standard/hold.yml; do not edit; change that and run `crisis standard write`.
with hold as (
    select * from {{ ref('stg_hold') }} as hold
    where {{ in_window('hold') }}
),

final as (
    select
        agency_id,
        hold_id,
        month,
        month_basis,
        hold_number,
        contact_number,
        contact_id,
        incident_number,
        incident_id,
        hold_type_code,
        hold_type_local,
        statute,
        hold_initiator_code,
        hold_initiator_local,
        hold_criterion_codes,
        hold_criterion_local,
        started_at,
        started_local_at,
        released_at,
        released_local_at,
        hold_outcome_code,
        hold_outcome_local,
        place_of_safety_code,
        place_of_safety_local,
        facility_number,
        age_years,
        age_band_code,
        age_band_local,
        sex_gender_code,
        sex_gender_local,
        race_ethnicity_codes,
        race_ethnicity_local,
        consent_number,
        consent_id,
        legal_basis_code,
        legal_basis_local,
        part2_protected,
        withheld_fields,
        stamp_imputed,
        extras
    from hold
)

select * from final
