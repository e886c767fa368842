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
        stay_seconds,
        stay_status_code,
        withheld_fields
    from jail_booking
)

select * from final
