-- Grain: one row per agency, CAD event, unit and status change, current version.
-- Generated from seeds/standard/unit_status_event.yml; do not edit; change that and run `crisis standard write`.
with unit_status_event as (
    select * from {{ source('input', 'unit_status_event') }} as unit_status_event
    where {{ in_window('unit_status_event') }}
),

final as (
    select
        agency_id,
        unit_status_event_id,
        month,
        month_basis,
        incident_number,
        incident_id,
        unit_number,
        event_sequence,
        unit_status_code,
        unit_status_local,
        status_at,
        status_local_at,
        clock_fold,
        withheld_fields,
        stamp_imputed,
        extras
    from unit_status_event
)

select * from final
