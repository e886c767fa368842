-- Grain: one row per agency and appointment or service.
-- Generated from seeds/standard/service_linkage.yml; do not edit; change that and run `crisis standard write`.
with service_linkage as (
    select * from {{ ref('stg_service_linkage') }} as service_linkage
    where {{ in_window('service_linkage') }}
),

final as (
    select
        agency_id,
        service_linkage_id,
        month,
        month_basis,
        service_linkage_number,
        referral_number,
        referral_id,
        program_number,
        program_id,
        provider_number,
        referral_type_code,
        referral_type_local,
        service_at,
        service_local_at,
        kept,
        contact_mode_code,
        contact_mode_local,
        service_minutes,
        evidence_code,
        evidence_local,
        charge_usd,
        paid_usd,
        consent_number,
        consent_id,
        legal_basis_code,
        legal_basis_local,
        part2_protected,
        withheld_fields,
        stamp_imputed,
        extras
    from service_linkage
)

select * from final
