-- Grain: one row per agency and visit.
-- Generated from seeds/standard/ed_visit.yml; do not edit; change that and run `crisis standard write`.
with ed_visit as (
    select * from {{ ref('stg_ed_visit') }} as ed_visit
    where {{ in_window('ed_visit') }}
),

final as (
    select
        agency_id,
        ed_visit_id,
        month,
        month_basis,
        visit_number,
        facility_number,
        contact_number,
        contact_id,
        incident_number,
        incident_id,
        hold_number,
        hold_id,
        arrived_at,
        arrived_local_at,
        triaged_at,
        triaged_local_at,
        medically_cleared_at,
        medically_cleared_local_at,
        disposition_decided_at,
        disposition_decided_local_at,
        departed_at,
        departed_local_at,
        transport_mode_code,
        transport_mode_local,
        complaint_group_code,
        complaint_group_local,
        dx_group_code,
        dx_group_local,
        legal_status_code,
        legal_status_local,
        ed_disposition_code,
        ed_disposition_local,
        restraint_used,
        housing_status_code,
        housing_status_local,
        insurance_code,
        insurance_local,
        charge_usd,
        paid_usd,
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
    from ed_visit
)

select * from final
