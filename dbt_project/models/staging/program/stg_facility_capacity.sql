-- Grain: one row per agency, facility, kind of place and time, current version.
-- Generated from seeds/standard/facility_capacity.yml; do not edit; change that and run `crisis standard write`.
with facility_capacity as (
    select * from {{ source('input', 'facility_capacity') }} as facility_capacity
    where {{ in_window('facility_capacity') }}
),

final as (
    select
        agency_id,
        facility_capacity_id,
        month,
        month_basis,
        facility_number,
        observed_at,
        observed_local_at,
        capacity_kind_code,
        capacity_kind_local,
        facility_name,
        licensed_count,
        staffed_count,
        occupied_count,
        open_count,
        waiting_count,
        closed_to_drop_off,
        drop_off_count,
        police_drop_off_count,
        refused_drop_off_count,
        refusal_reason_codes,
        refusal_reason_local,
        drop_off_minutes,
        withheld_fields,
        stamp_imputed,
        extras
    from facility_capacity
)

select * from final
