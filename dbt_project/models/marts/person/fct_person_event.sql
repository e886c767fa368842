-- Grain: one row per person and event: contacts and bookings. Rebuilt whole.
{{ config(materialized='table') }}

with link as (
    select * from {{ ref('bridge_person_record') }}
    where
        role_code = 'subject'
        and person_key is not null
),

event as (
    select * from {{ ref('int_person_event') }}
    where
        started_at is not null
        and not is_care
),

final as (
    select
        link.person_key,
        event.event_kind_code,
        event.agency_id,
        event.record_id,
        event.month,
        event.started_at,
        event.ended_at,
        event.is_confined,
        event.incident_id,
        event.contact_id,
        event.response_model_code,
        event.enforcement_code,
        event.legal_hold_code,
        event.destination_code
    from event
    inner join link
        on
            event.entity = link.entity
            and event.record_id = link.record_id
)

select * from final
