-- Grain: one row per agency and contact form.
with contact as (
    select * from {{ ref('stg_contact') }} as contact
    where {{ in_window('contact') }}
),

outcome as (
    select * from {{ ref('int_contact_outcome') }}
),

incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident', lookback_months=1) }}
),

linked as (
    select
        contact.agency_id,
        contact.contact_id,
        incident.received_at
    from contact
    inner join incident
        on
            contact.agency_id = incident.agency_id
            and contact.incident_id = incident.incident_id
    where {{ months_near('contact', 'incident', lookback_months=1) }}
),

final as (
    select
        contact.agency_id,
        contact.contact_id,
        contact.month,
        contact.month_basis,
        contact.contact_number,
        contact.incident_number,
        contact.incident_id,
        contact.occurred_at,
        contact.occurred_local_at,
        contact.reported_at,
        contact.reported_local_at,
        contact.call_source_code,
        contact.call_source_local,
        contact.call_type_initial_code,
        contact.call_type_initial_local,
        contact.call_type_final_code,
        contact.call_type_final_local,
        contact.contact_mode_code,
        contact.contact_mode_local,
        contact.contact_reason_code,
        contact.contact_reason_local,
        contact.response_model_code,
        contact.response_model_local,
        contact.suicide_risk_code,
        contact.suicide_risk_local,
        contact.violence_threat,
        contact.weapon_present,
        contact.weapon_type_code,
        contact.weapon_type_local,
        contact.veteran,
        contact.cit_requested,
        contact.cit_dispatched,
        contact.cit_arrived,
        contact.clinician_arrived,
        contact.supervisor_on_scene,
        contact.force_used,
        contact.handcuffs_used,
        contact.injury,
        contact.arrestable_offense,
        contact.officer_discretion_basis_code,
        contact.officer_discretion_basis_local,
        contact.officer_minutes,
        contact.clinician_minutes,
        contact.beat,
        contact.sector,
        contact.precinct,
        contact.withheld_fields,
        outcome.primary_disposition_code,
        outcome.primary_category_code,
        outcome.primary_basis_code,
        coalesce(outcome.disposition_count, 0) as disposition_count,
        coalesce(outcome.known_disposition_count, 0) as known_disposition_count,
        outcome.contact_id is not null as has_disposition,
        coalesce(outcome.enforcement_code, 'not_recorded') as enforcement_code,
        coalesce(outcome.legal_hold_code, 'not_recorded') as legal_hold_code,
        coalesce(outcome.destination_code, 'not_recorded') as destination_code,
        coalesce(outcome.service_code, 'not_recorded') as service_code,
        linked.contact_id is not null as is_linked_to_incident,
        {{
            interval_columns(
                'call_to_contact', 'linked.received_at', 'contact.occurred_at',
                not_applicable='contact.incident_number is null'
            )
        }}
    from contact
    left join outcome
        on
            contact.agency_id = outcome.agency_id
            and contact.contact_id = outcome.contact_id
            and contact.month = outcome.month
    left join linked
        on
            contact.agency_id = linked.agency_id
            and contact.contact_id = linked.contact_id
)

select * from final
