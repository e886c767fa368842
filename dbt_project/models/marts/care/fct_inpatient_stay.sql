-- Grain: one row per agency and stay.
-- Generated from seeds/standard/inpatient_stay.yml; do not edit; change that and run `crisis standard write`.
with inpatient_stay as (
    select * from {{ ref('stg_inpatient_stay') }} as inpatient_stay
    where {{ in_window('inpatient_stay') }}
),

final as (
    select
        agency_id,
        inpatient_stay_id,
        month,
        month_basis,
        stay_number,
        visit_number,
        visit_id,
        facility_number,
        contact_number,
        contact_id,
        hold_number,
        hold_id,
        admitted_at,
        admitted_local_at,
        discharged_at,
        discharged_local_at,
        psychiatric_unit,
        dx_group_code,
        dx_group_local,
        legal_status_code,
        legal_status_local,
        inpatient_disposition_code,
        inpatient_disposition_local,
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
    from inpatient_stay
)

select * from final
