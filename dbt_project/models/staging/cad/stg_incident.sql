-- Grain: one row per agency and CAD event, current version.
with incident as (
    select * from {{ source('input', 'incident') }} as incident
    where {{ in_window('incident') }}
),

agency as (
    select * from {{ source('input', 'agency') }}
),

call_source as (
    select * from {{ ref('codes_call_source') }}
),

call_type as (
    select * from {{ ref('codes_call_type') }}
),

final as (
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
        -- These three are null where the agency does not say.
        call_source.is_self_initiated,
        case
            when incident.duplicate = 'yes' or incident.linked_incident_number is not null then true
            when incident.duplicate = 'no' then false
        end as is_duplicate,
        case when incident.cancelled in ('yes', 'no') then incident.cancelled = 'yes' end as is_cancelled,
        initial_type.bh_tier as call_type_initial_bh_tier,
        final_type.bh_tier as call_type_final_bh_tier,
        coalesce(initial_type.bh_kind_code, 'unknown') as call_type_initial_bh_kind_code,
        coalesce(final_type.bh_kind_code, 'unknown') as call_type_final_bh_kind_code,
        {{ bh_answer('incident.call_type_initial_code', 'initial_type.bh_tier') }} as bh_call_type_initial,
        {{ bh_answer('incident.call_type_final_code', 'final_type.bh_tier') }} as bh_call_type_final,
        -- A scale on which a high number is urgent has no known top, so it gives no rank.
        case when agency.priority_direction_code = '1_high' then incident.priority_initial end as priority_initial_rank,
        case when agency.priority_direction_code = '1_high' then incident.priority_final end as priority_final_rank,
        incident.withheld_fields,
        incident.stamp_imputed,
        incident.extras
    from incident
    left join agency on incident.agency_id = agency.agency_id
    left join call_source on incident.call_source_code = call_source.call_source_code
    left join call_type as initial_type on incident.call_type_initial_code = initial_type.call_type_code
    left join call_type as final_type on incident.call_type_final_code = final_type.call_type_code
)

select * from final
