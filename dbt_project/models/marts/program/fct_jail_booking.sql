-- Grain: one row per agency and booking.
with jail_booking as (
    select * from {{ ref('stg_jail_booking') }} as jail_booking
    where {{ in_window('jail_booking') }}
),

final as (
    select
        agency_id,
        jail_booking_id,
        month,
        month_basis,
        booking_number,
        incident_number,
        incident_id,
        booked_at,
        booked_local_at,
        released_at,
        released_local_at,
        charge_level_code,
        charge_level_local,
        release_type_code,
        release_type_local,
        contact_number,
        contact_id,
        report_number,
        facility_number,
        nibrs_offense_code,
        nibrs_offense_local,
        charge_count,
        warrant_only,
        bh_screen_result_code,
        bh_screen_result_local,
        serious_mental_illness,
        substance_use_disorder,
        jail_housing_code,
        jail_housing_local,
        housing_status_code,
        housing_status_local,
        veteran,
        age_years,
        age_band_code,
        age_band_local,
        sex_gender_code,
        sex_gender_local,
        race_ethnicity_codes,
        race_ethnicity_local,
        stay_seconds,
        stay_status_code,
        withheld_fields,
        stamp_imputed,
        extras
    from jail_booking
)

select * from final
