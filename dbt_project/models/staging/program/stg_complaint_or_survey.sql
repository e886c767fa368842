-- Grain: one row per agency and complaint, praise or survey answer, current version.
-- Generated from seeds/standard/complaint_or_survey.yml; do not edit; change that and run `crisis standard write`.
with complaint_or_survey as (
    select * from {{ source('input', 'complaint_or_survey') }} as complaint_or_survey
    where {{ in_window('complaint_or_survey') }}
),

final as (
    select
        agency_id,
        complaint_or_survey_id,
        month,
        month_basis,
        complaint_or_survey_number,
        feedback_kind_code,
        feedback_kind_local,
        submitted_date,
        respondent_role_code,
        respondent_role_local,
        incident_number,
        incident_id,
        contact_number,
        contact_id,
        program_number,
        program_id,
        facility_number,
        complaint_type_code,
        complaint_type_local,
        complaint_finding_code,
        complaint_finding_local,
        decided_date,
        rating_code,
        rating_local,
        improvement_reported,
        survey_name,
        language_code,
        language_local,
        interpreter_needed,
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
    from complaint_or_survey
)

select * from final
