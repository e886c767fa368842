-- Grain: one row per agency, CAD event, unit and assignment; or one per event where only first-unit times are sent.
with unit_response as (
    select * from {{ ref('stg_unit_response') }} as unit_response
    where {{ in_window('unit_response') }}
),

incident as (
    select * from {{ ref('fct_incident') }} as incident
    where {{ in_window('incident', lookback_months=1) }}
),

-- A unit belongs to an event of its own month or the month before; a farther one is a wrong stamp or number.
near as (
    select * from {{ source('meta', 'layer_window') }}
    where offset_months between -1 and 0
),

final as (
    select
        unit_response.agency_id,
        unit_response.unit_response_id,
        unit_response.month,
        unit_response.month_basis,
        unit_response.incident_number,
        unit_response.incident_id,
        unit_response.unit_number,
        unit_response.assignment_number,
        unit_response.response_scope_code,
        unit_response.response_scope_local,
        unit_response.unit_type_code,
        unit_response.unit_type_local,
        unit_response.response_model_code,
        unit_response.response_model_local,
        unit_response.officer_count,
        unit_response.clinician_count,
        unit_response.dispatched_at,
        unit_response.dispatched_local_at,
        unit_response.acknowledged_at,
        unit_response.acknowledged_local_at,
        unit_response.enroute_at,
        unit_response.enroute_local_at,
        unit_response.on_scene_at,
        unit_response.on_scene_local_at,
        unit_response.at_person_at,
        unit_response.at_person_local_at,
        unit_response.left_scene_at,
        unit_response.left_scene_local_at,
        unit_response.at_destination_at,
        unit_response.at_destination_local_at,
        unit_response.destination_handoff_at,
        unit_response.destination_handoff_local_at,
        unit_response.cleared_at,
        unit_response.cleared_local_at,
        unit_response.cancelled_at,
        unit_response.cancelled_local_at,
        unit_response.staged_at,
        unit_response.staged_local_at,
        unit_response.scene_handoff_at,
        unit_response.scene_handoff_local_at,
        unit_response.responder_order,
        unit_response.personnel_count,
        unit_response.cit_officer_count,
        unit_response.peer_count,
        unit_response.medic_count,
        unit_response.shift_number,
        unit_response.shift_id,
        unit_response.program_number,
        unit_response.program_id,
        unit_response.relieved_by_unit_number,
        unit_response.relieved_at,
        unit_response.relieved_local_at,
        unit_response.vehicle_miles,
        unit_response.turnout_seconds,
        unit_response.turnout_status_code,
        unit_response.travel_seconds,
        unit_response.travel_status_code,
        unit_response.response_seconds,
        unit_response.response_status_code,
        unit_response.scene_seconds,
        unit_response.scene_status_code,
        unit_response.task_seconds,
        unit_response.task_status_code,
        unit_response.transport_seconds,
        unit_response.transport_status_code,
        unit_response.wall_seconds,
        unit_response.wall_status_code,
        -- First times over all units are nobody's time on task.
        case
            when unit_response.response_scope_code = 'unit'
                then unit_response.task_seconds * unit_response.officer_count
        end as officer_seconds,
        case
            when unit_response.response_scope_code = 'unit'
                then unit_response.task_seconds * unit_response.clinician_count
        end as clinician_seconds,
        near.month is not null as is_linked_to_incident,
        case when near.month is not null then incident.month end as incident_month,
        coalesce(
            near.month is not null and incident.first_arriving_unit_response_id = unit_response.unit_response_id, false
        ) as is_first_arriving,
        case when near.month is not null then incident.exclusion_code else 'none' end as exclusion_code,
        coalesce(near.month is not null and incident.is_exclusion_known, false) as is_exclusion_known,
        {%- for flag in ['bh_call_type_initial', 'bh_call_type_final', 'bh_field_form'] %}
        case when near.month is not null then incident.{{ flag }} else 'unknown' end as {{ flag }},
        {%- endfor %}
        case when near.month is not null then incident.beat end as incident_beat,
        case when near.month is not null then incident.priority_initial_rank end as incident_priority_rank,
        {%- for column in ['call_type_initial_bh_kind_code', 'call_type_final_bh_kind_code'] %}
        case when near.month is not null then incident.{{ column }} else 'unknown' end as {{ column }},
        {%- endfor %}
        unit_response.withheld_fields,
        unit_response.stamp_imputed,
        unit_response.extras
    from unit_response
    left join incident
        on
            unit_response.agency_id = incident.agency_id
            and unit_response.incident_id = incident.incident_id
    left join near
        on
            unit_response.agency_id = near.agency_id
            and unit_response.month = near.month
            and incident.month = near.read_month
)

select * from final
