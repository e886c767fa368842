-- Grain: one row per person, window and episode. Rebuilt whole.
{{ config(materialized='table') }}

with event as (
    select * from {{ ref('fct_care_event') }}
),

{{ episodes('event', 'care_person_key') }},

final as (
    select
        care_person_key,
        window_days,
        episode_number,
        min(started_at) as started_at,
        max(free_at) as ended_at,
        min(agency_id) as first_agency_id,
        {{ id_of_earliest('contact_id', 'started_at') }} as first_contact_id,
        {{ path_in_order('event_kind_code', 'event_number') }} as path_codes,
        count(*) as event_count,
        count(case when event_kind_code = 'contact' then 1 end) as contact_count,
        count(case when event_kind_code = 'booking' then 1 end) as booking_count,
        count(case when event_kind_code = 'hold' then 1 end) as hold_count,
        count(case when event_kind_code = 'ed_visit' then 1 end) as ed_visit_count,
        count(case when event_kind_code = 'inpatient_stay' then 1 end) as inpatient_stay_count,
        count(case when event_kind_code = 'referral' then 1 end) as referral_count,
        count(case when enforcement_code in ('booked', 'arrested_unspecified') then 1 end) as arrest_count,
        count(case when legal_hold_code = 'involuntary' then 1 end) as involuntary_hold_contact_count,
        min(days_at_liberty_before) as days_at_liberty_before,
        {{ seconds_between('max(free_at)', 'max(last_known_at)') }} >= window_days * 86400 as is_follow_up_complete
    from numbered
    group by care_person_key, window_days, episode_number
)

select * from final
