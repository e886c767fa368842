-- Grain: one row per agency, month and kind of join. Rebuilt whole.
{{ config(materialized='table') }}

with contact_link as (
    select * from {{ ref('bridge_contact_incident') }}
),

booking as (
    select * from {{ ref('fct_jail_booking') }}
),

incident as (
    select * from {{ ref('fct_incident') }}
),

contact as (
    select * from {{ ref('fct_contact') }}
),

person_record as (
    select * from {{ ref('bridge_person_record') }}
),

unit_response as (
    select * from {{ ref('fct_unit_response') }}
),

contact_to_incident as (
    select
        agency_id,
        month,
        'contact_to_incident' as join_code,
        link_method_code <> 'not_applicable' as is_applicable,
        incident_id is not null as is_joined,
        link_method_code = 'score' as is_by_score
    from contact_link
),

unit_to_incident as (
    select
        agency_id,
        month,
        'unit_response_to_incident' as join_code,
        true as is_applicable,
        is_linked_to_incident as is_joined,
        false as is_by_score
    from unit_response
),

-- A booking is joined by the event or the contact that the jail writes down.
booking_to_event as (
    select
        booking.agency_id,
        booking.month,
        'booking_to_event' as join_code,
        true as is_applicable,
        coalesce(incident.incident_id, contact.contact_id) is not null as is_joined,
        false as is_by_score
    from booking
    left join incident
        on booking.incident_id = incident.incident_id
    left join contact
        on booking.contact_id = contact.contact_id
),

-- Anonymous records and a person's first record have nobody to be joined to.
record_to_person as (
    select
        agency_id,
        month,
        entity || '_' || role_code || '_to_person' as join_code,
        true as is_applicable,
        not is_anonymous as is_joined,
        match_method_code = 'probabilistic' as is_by_score
    from person_record
),

every_join as (
    select * from contact_to_incident
    union all
    select * from unit_to_incident
    union all
    select * from booking_to_event
    union all
    select * from record_to_person
),

counted as (
    select
        agency_id,
        month,
        join_code,
        count(*) as considered_count,
        count(case when not is_applicable then 1 end) as not_applicable_count,
        count(case when is_applicable and is_joined then 1 end) as joined_count,
        count(case when is_applicable and is_joined and is_by_score then 1 end) as joined_by_score_count,
        count(case when is_applicable and not is_joined then 1 end) as lost_count
    from every_join
    group by agency_id, month, join_code
),

final as (
    select
        *,
        {{ share('lost_count', '(joined_count + lost_count)') }} as lost_share
    from counted
)

select * from final
