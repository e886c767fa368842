-- Grain: one row per agency and booking.
with jail_booking as (
    select * from {{ ref('stg_jail_booking') }} as jail_booking
    where {{ in_window('jail_booking') }}
)

select * from jail_booking
