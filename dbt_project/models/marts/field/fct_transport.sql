-- Grain: one row per agency and trip.
-- Generated from seeds/standard/transport.yml; do not edit; change that and run `crisis standard write`.
with transport as (
    select * from {{ ref('stg_transport') }} as transport
    where {{ in_window('transport') }}
),

final as (
    select
        agency_id,
        transport_id,
        month,
        month_basis,
        transport_number,
        contact_number,
        contact_id,
        incident_number,
        incident_id,
        hold_number,
        hold_id,
        unit_number,
        transport_mode_code,
        transport_mode_local,
        destination_code,
        destination_local,
        facility_number,
        transport_miles,
        left_scene_at,
        left_scene_local_at,
        at_destination_at,
        at_destination_local_at,
        destination_handoff_at,
        destination_handoff_local_at,
        officer_released_at,
        officer_released_local_at,
        drop_off_refused,
        refusal_reason_code,
        refusal_reason_local,
        restraint_used,
        handcuffs_used,
        charge_usd,
        withheld_fields,
        stamp_imputed,
        extras
    from transport
)

select * from final
