-- Grain: one row per agency and enrollment.
-- Generated from seeds/standard/program_enrollment.yml; do not edit; change that and run `crisis standard write`.
with program_enrollment as (
    select * from {{ ref('stg_program_enrollment') }} as program_enrollment
    where {{ in_window('program_enrollment') }}
),

final as (
    select
        agency_id,
        program_enrollment_id,
        month,
        month_basis,
        enrollment_number,
        program_number,
        program_id,
        referral_number,
        referral_id,
        contact_number,
        contact_id,
        enrolled_at,
        enrolled_local_at,
        exited_at,
        exited_local_at,
        exit_reason_code,
        exit_reason_local,
        assigned_arm,
        assigned_at,
        assigned_local_at,
        housing_status_code,
        housing_status_local,
        insurance_code,
        insurance_local,
        dx_group_code,
        dx_group_local,
        age_years,
        age_band_code,
        age_band_local,
        sex_gender_code,
        sex_gender_local,
        race_ethnicity_codes,
        race_ethnicity_local,
        language_code,
        language_local,
        interpreter_needed,
        veteran,
        consent_number,
        consent_id,
        legal_basis_code,
        legal_basis_local,
        part2_protected,
        withheld_fields,
        stamp_imputed,
        extras
    from program_enrollment
)

select * from final
