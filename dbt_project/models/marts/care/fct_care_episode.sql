-- Grain: one row per person, window and episode. Rebuilt whole.
{{ config(materialized='table') }}

with event as (
    select * from {{ ref('fct_care_event') }}
),

{{ episodes('event', 'care_person_key') }},

{{ episode_summary('care_person_key', ['contact', 'booking', 'hold', 'ed_visit', 'inpatient_stay', 'referral']) }}

select * from final
