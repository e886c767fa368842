-- Grain: one row per person (of the care zone) and event, whatever its kind. Rebuilt whole.
{{ config(materialized='table') }}

with record as (
    select * from {{ ref('bridge_care_person_record') }}
),

event as (
    select * from {{ ref('int_person_event') }}
    where started_at is not null
),

{{ events_of_people('care_person_key') }}

select * from final
