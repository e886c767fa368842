-- Grain: one row per agency and agreement; the newest version counts, current version.
-- Generated from seeds/standard/sharing_agreement.yml; do not edit; change that and run `crisis standard write`.
with sharing_agreement as (
    select * from {{ source('input', 'sharing_agreement') }} as sharing_agreement
    where {{ in_window('sharing_agreement') }}
),

final as (
    select
        agency_id,
        sharing_agreement_id,
        month,
        month_basis,
        agreement_number,
        agreement_type_code,
        agreement_type_local,
        partner_name,
        partner_type_code,
        partner_type_local,
        sharing_purpose_codes,
        sharing_purpose_local,
        legal_basis_code,
        legal_basis_local,
        entities_covered,
        reidentification_barred,
        safeguards_required,
        redisclosure_allowed,
        signed_date,
        start_date,
        end_date,
        withheld_fields,
        stamp_imputed,
        extras
    from sharing_agreement
)

select * from final
