-- Grain: one row per person (of the care zone) and event, whatever its kind. Rebuilt whole.
{{ config(materialized='table') }}

with link as (
    select * from {{ ref('bridge_care_person_record') }}
    where
        role_code = 'subject'
        and care_person_key is not null
),

event as (
    select * from {{ ref('int_person_event') }}
    where started_at is not null
),

final as (
    select
        link.care_person_key,
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
