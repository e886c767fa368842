-- Grain: one row per agency and call, text or chat, current version.
-- Generated from seeds/standard/crisis_line_contact.yml; do not edit; change that and run `crisis standard write`.
with crisis_line_contact as (
    select * from {{ source('input', 'crisis_line_contact') }} as crisis_line_contact
    where {{ in_window('crisis_line_contact') }}
),

final as (
    select
        agency_id,
        crisis_line_contact_id,
        month,
        month_basis,
        crisis_line_contact_number,
        crisis_line_code,
        crisis_line_local,
        contact_channel_code,
        contact_channel_local,
        incident_number,
        incident_id,
        contact_number,
        contact_id,
        received_at,
        received_local_at,
        answered_at,
        answered_local_at,
        ended_at,
        ended_local_at,
        abandoned,
        received_from_911,
        transfer_accepted,
        returned_to_911,
        transferred_to_911,
        rescue_requested,
        rescue_without_consent,
        mobile_crisis_requested,
        mobile_crisis_sent,
        crisis_line_outcome_code,
        crisis_line_outcome_local,
        third_party,
        suicide_risk_code,
        suicide_risk_local,
        imminent_risk,
        violence_threat,
        crisis_nature_codes,
        crisis_nature_local,
        county_fips,
        zip5,
        veteran,
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
        consent_number,
        consent_id,
        legal_basis_code,
        legal_basis_local,
        part2_protected,
        withheld_fields
    from crisis_line_contact
)

select * from final
