-- Grain: one row per agency and CAD event.
{%- set first_dispatched = {'at': 'first_dispatched_at', 'stamp': 'first_dispatched_stamp_code'} %}
{%- set first_on_scene = {'at': 'first_on_scene_at', 'stamp': 'first_on_scene_stamp_code'} %}
{%- set first_bh_capable = {
    'at': 'first_bh_capable_on_scene_at', 'stamp': 'first_bh_capable_on_scene_stamp_code'
} %}
{%- set last_cleared = {'at': 'last_cleared_at', 'stamp': 'last_cleared_stamp_code'} %}
with incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident') }}
),

response as (
    select * from {{ ref('int_incident_response') }}
),

form as (
    select * from {{ ref('int_incident_form') }}
),

form_agency as (
    select agency_id
    from {{ ref('stg_agency_field') }}
    where entity = 'contact' and field = 'incident_number' and is_mapped
),

form_month as (
    select distinct
        contact.agency_id,
        contact.month
    from {{ ref('stg_contact') }} as contact
    where
        {{ in_window('contact') }}
        and contact.incident_number is not null
),

joined as (
    select
        incident.agency_id,
        incident.incident_id,
        incident.month,
        incident.month_basis,
        incident.incident_number,
        incident.linked_incident_number,
        incident.linked_incident_id,
        incident.duplicate,
        incident.call_source_code,
        incident.call_source_local,
        incident.received_at,
        incident.received_local_at,
        incident.entered_at,
        incident.entered_local_at,
        incident.call_taking_completed_at,
        incident.call_taking_completed_local_at,
        incident.closed_at,
        incident.closed_local_at,
        incident.call_type_initial_code,
        incident.call_type_initial_local,
        incident.call_type_final_code,
        incident.call_type_final_local,
        incident.priority_initial,
        incident.priority_final,
        incident.cad_disposition_code,
        incident.cad_disposition_local,
        incident.cancelled,
        incident.report_written,
        incident.cit_requested,
        incident.clinician_requested,
        incident.transferred_to_988,
        incident.received_from_988,
        incident.location_type_code,
        incident.location_type_local,
        incident.beat,
        incident.sector,
        incident.precinct,
        incident.zip5,
        incident.answered_at,
        incident.answered_local_at,
        incident.dispatch_notified_at,
        incident.dispatch_notified_local_at,
        incident.bh_flagged,
        incident.triage_level,
        incident.program_number,
        incident.program_id,
        incident.program_eligible,
        incident.ineligible_reason_code,
        incident.ineligible_reason_local,
        incident.crisis_line_contact_number,
        incident.crisis_line_contact_id,
        incident.report_number,
        incident.held,
        incident.held_seconds,
        incident.reopened,
        incident.interpreter_needed,
        incident.tract_geoid,
        incident.neighborhood,
        incident.narrative_bh,
        incident.narrative_bh_kind_codes,
        incident.narrative_bh_kind_local,
        incident.is_self_initiated,
        incident.is_duplicate,
        incident.is_cancelled,
        incident.call_type_initial_bh_tier,
        incident.call_type_final_bh_tier,
        incident.call_type_initial_bh_kind_code,
        incident.call_type_final_bh_kind_code,
        incident.bh_call_type_initial,
        incident.bh_call_type_final,
        incident.priority_initial_rank,
        incident.priority_final_rank,
        incident.withheld_fields,
        incident.stamp_imputed,
        incident.extras,
        response.first_dispatched_at,
        response.first_enroute_at,
        response.first_on_scene_at,
        response.last_cleared_at,
        response.first_bh_capable_on_scene_at,
        response.first_arriving_unit_response_id,
        {%- for instant in ['first_dispatched', 'first_on_scene', 'last_cleared', 'first_bh_capable_on_scene'] %}
        response.{{ instant }}_stamp_code,
        {%- endfor %}
        coalesce(response.bh_capable_arrived, 'unknown') as bh_capable_arrived,
        coalesce(response.response_scope_code, 'not_applicable') as response_scope_code,
        response.unit_count,
        response.arrived_unit_count,
        response.task_valid_unit_count,
        response.unit_seconds,
        response.officer_seconds,
        response.clinician_seconds,
        response.incident_id is not null as has_unit_response,
        -- Silence is a no only in a month in which the agency's forms name events at all.
        case
            when form_agency.agency_id is null then 'not_applicable'
            when form.incident_id is not null then 'yes'
            when form_month.agency_id is not null then 'no'
            else 'unknown'
        end as bh_field_form
    from incident
    left join response
        on
            incident.agency_id = response.agency_id
            and incident.incident_id = response.incident_id
    left join form
        on
            incident.agency_id = form.agency_id
            and incident.incident_id = form.incident_id
    left join form_agency on incident.agency_id = form_agency.agency_id
    left join form_month
        on
            incident.agency_id = form_month.agency_id
            and incident.month = form_month.month
),

final as (
    select
        *,
        {{
            interval_columns(
                'call_processing', 'received_at', first_dispatched, not_applicable='is_self_initiated'
            )
        }},
        {{
            interval_columns(
                'incident_response', 'received_at', first_on_scene, not_applicable='is_self_initiated'
            )
        }},
        {{
            interval_columns(
                'bh_capable_response', 'received_at', first_bh_capable,
                not_applicable="is_self_initiated or bh_capable_arrived = 'no'"
            )
        }},
        case
            when is_duplicate then 'duplicate'
            when is_self_initiated then 'self_initiated'
            when is_cancelled then 'cancelled'
            else 'none'
        end as exclusion_code,
        is_duplicate is not null and is_self_initiated is not null and is_cancelled is not null as is_exclusion_known,
        {{ interval_columns('elapsed_scene', first_on_scene, last_cleared) }},
        narrative_bh as bh_narrative,
        -- No program record is linked yet.
        'not_recorded' as bh_program,
        case
            when 'yes' in (bh_call_type_initial, bh_call_type_final, bh_field_form, narrative_bh) then 'yes'
            when 'no' in (bh_call_type_initial, bh_call_type_final, bh_field_form, narrative_bh) then 'no'
            else 'unknown'
        end as bh_any
    from joined
)

select * from final
