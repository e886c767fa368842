-- Grain: one row per person and event: contacts and bookings. Rebuilt whole.
{{ config(materialized='table') }}

with record as (
    select * from {{ ref('bridge_person_record') }}
),

event as (
    select * from {{ ref('int_person_event') }}
    where
        started_at is not null
        and not is_care
),

{{ events_of_people('person_key') }}

select * from final
