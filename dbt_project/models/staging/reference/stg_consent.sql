-- Grain: one row per agency and consent; the newest version counts, current version.
-- Generated from seeds/standard/consent.yml; do not edit; change that and run `crisis standard write`.
with consent as (
    select * from {{ source('input', 'consent') }} as consent
    where {{ in_window('consent') }}
),

final as (
    select
        agency_id,
        consent_id,
        month,
        month_basis,
        consent_number,
        consent_status_code,
        consent_status_local,
        consent_scope_codes,
        consent_scope_local,
        legal_basis_code,
        legal_basis_local,
        part2_protected,
        discloser_name,
        recipient_name,
        agreement_number,
        agreement_id,
        given_date,
        expires_date,
        revoked_at,
        revoked_local_at,
        withheld_fields,
        stamp_imputed,
        extras
    from consent
)

select * from final
