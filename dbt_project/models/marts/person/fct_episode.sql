-- Grain: one row per person, window and episode. Rebuilt whole.
{{ config(materialized='table') }}

with event as (
    select * from {{ ref('fct_person_event') }}
),

{{ episodes('event', 'person_key') }},

{{ episode_summary('person_key', ['contact', 'booking']) }}

select * from final
