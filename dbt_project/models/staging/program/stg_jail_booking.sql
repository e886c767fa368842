-- Grain: one row per agency and booking, current version.
with jail_booking as (
    select * from {{ source('input', 'jail_booking') }} as jail_booking
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
        -- A stay lasts days: only one of more than ten years is taken for a wrong stamp.
        {{ interval_columns('stay', 'booked_at', 'released_at', longest_seconds=315360000) }},
        withheld_fields
    from jail_booking
)

select * from final
