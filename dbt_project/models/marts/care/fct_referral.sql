-- Grain: one row per agency and service offered or arranged.
-- Generated from seeds/standard/referral.yml; do not edit; change that and run `crisis standard write`.
with referral as (
    select * from {{ ref('stg_referral') }} as referral
    where {{ in_window('referral') }}
),

final as (
    select
        agency_id,
        referral_id,
        month,
        month_basis,
        referral_number,
        contact_number,
        contact_id,
        incident_number,
        incident_id,
        crisis_line_contact_number,
        crisis_line_contact_id,
        program_number,
        program_id,
        provider_number,
        referred_at,
        referred_local_at,
        referral_type_code,
        referral_type_local,
        offered,
        accepted,
        decline_reason_code,
        decline_reason_local,
        warm_handoff,
        appointment_at,
        appointment_local_at,
        first_kept_at,
        first_kept_local_at,
        referral_status_code,
        referral_status_local,
        as_of_date,
        evidence_code,
        evidence_local,
        consent_number,
        consent_id,
        legal_basis_code,
        legal_basis_local,
        part2_protected,
        withheld_fields,
        stamp_imputed,
        extras
    from referral
)

select * from final
