-- Grain: one row per agency, CAD event, unit and assignment; or one per event where only first-unit times are sent.
{%- set cancelled_before_arrival = 'cancelled_at is not null and on_scene_at is null' -%}
{%- set cancelled_before_enroute = 'cancelled_at is not null and enroute_at is null and on_scene_at is null' -%}
{%- set no_transport = 'at_destination_at is null and destination_handoff_at is null' %}
with unit_response as (
    select * from {{ source('input', 'unit_response') }} as unit_response
    where {{ in_window('unit_response') }}
),

final as (
    select
        agency_id,
        unit_response_id,
        month,
        month_basis,
        incident_number,
        incident_id,
        unit_number,
        assignment_number,
        response_scope_code,
        response_scope_local,
        unit_type_code,
        unit_type_local,
        response_model_code,
        response_model_local,
        officer_count,
        clinician_count,
        dispatched_at,
        dispatched_local_at,
        acknowledged_at,
        acknowledged_local_at,
        enroute_at,
        enroute_local_at,
        on_scene_at,
        on_scene_local_at,
        at_person_at,
        at_person_local_at,
        left_scene_at,
        left_scene_local_at,
        at_destination_at,
        at_destination_local_at,
        destination_handoff_at,
        destination_handoff_local_at,
        cleared_at,
        cleared_local_at,
        cancelled_at,
        cancelled_local_at,
        staged_at,
        staged_local_at,
        scene_handoff_at,
        scene_handoff_local_at,
        responder_order,
        personnel_count,
        cit_officer_count,
        peer_count,
        medic_count,
        shift_number,
        shift_id,
        program_number,
        program_id,
        relieved_by_unit_number,
        relieved_at,
        relieved_local_at,
        vehicle_miles,
        {{ interval_columns('turnout', 'dispatched_at', 'enroute_at', not_applicable=cancelled_before_enroute) }},
        {{ interval_columns('travel', 'enroute_at', 'on_scene_at', not_applicable=cancelled_before_arrival) }},
        {{ interval_columns('response', 'dispatched_at', 'on_scene_at', not_applicable=cancelled_before_arrival) }},
        {{
            interval_columns(
                'scene', 'on_scene_at', ['left_scene_at', 'cleared_at'], not_applicable=cancelled_before_arrival
            )
        }},
        {{ interval_columns('task', 'dispatched_at', 'cleared_at') }},
        {{ interval_columns('transport', 'left_scene_at', 'at_destination_at', not_applicable=no_transport) }},
        {{ interval_columns('wall', 'at_destination_at', 'destination_handoff_at', not_applicable=no_transport) }},
        withheld_fields,
        stamp_imputed,
        extras
    from unit_response
)

select * from final
