-- Grain: one row per record of a crisis contact, booking, hold, ED visit, hospital stay or referral.
with contact as (
    select * from {{ ref('fct_contact') }}
),

incident as (
    select * from {{ ref('fct_incident') }}
),

jail_booking as (
    select * from {{ ref('fct_jail_booking') }}
),

hold as (
    select * from {{ ref('stg_hold') }}
),

ed_visit as (
    select * from {{ ref('stg_ed_visit') }}
),

inpatient_stay as (
    select * from {{ ref('stg_inpatient_stay') }}
),

referral as (
    select * from {{ ref('stg_referral') }}
),

-- A contact begins with its call.
contact_event as (
    select
        'contact' as event_kind_code,
        'contact' as entity,
        contact.contact_id as record_id,
        contact.agency_id,
        contact.month,
        coalesce(incident.received_at, contact.occurred_at, contact.reported_at) as started_at,
        coalesce(contact.occurred_at, contact.reported_at) as ended_at,
        false as is_confined,
        false as is_care,
        contact.linked_incident_id as incident_id,
        contact.contact_id,
        contact.response_model_code,
        contact.enforcement_code,
        contact.legal_hold_code,
        contact.destination_code
    from contact
    left join incident
        on contact.linked_incident_id = incident.incident_id
),

booking_event as (
    select
        'booking' as event_kind_code,
        'jail_booking' as entity,
        jail_booking_id as record_id,
        agency_id,
        month,
        booked_at as started_at,
        released_at as ended_at,
        true as is_confined,
        false as is_care,
        incident_id,
        contact_id
    from jail_booking
),

hold_event as (
    select
        'hold' as event_kind_code,
        'hold' as entity,
        hold_id as record_id,
        agency_id,
        month,
        started_at,
        released_at as ended_at,
        true as is_confined,
        true as is_care,
        incident_id,
        contact_id
    from hold
),

ed_event as (
    select
        'ed_visit' as event_kind_code,
        'ed_visit' as entity,
        ed_visit_id as record_id,
        agency_id,
        month,
        arrived_at as started_at,
        departed_at as ended_at,
        true as is_confined,
        true as is_care,
        incident_id,
        contact_id
    from ed_visit
),

stay_event as (
    select
        'inpatient_stay' as event_kind_code,
        'inpatient_stay' as entity,
        inpatient_stay_id as record_id,
        agency_id,
        month,
        admitted_at as started_at,
        discharged_at as ended_at,
        true as is_confined,
        true as is_care,
        cast(null as varchar) as incident_id,
        contact_id
    from inpatient_stay
),

referral_event as (
    select
        'referral' as event_kind_code,
        'referral' as entity,
        referral_id as record_id,
        agency_id,
        month,
        referred_at as started_at,
        referred_at as ended_at,
        false as is_confined,
        true as is_care,
        incident_id,
        contact_id
    from referral
),

other_event as (
    select * from booking_event
    union all
    select * from hold_event
    union all
    select * from ed_event
    union all
    select * from stay_event
    union all
    select * from referral_event
),

final as (
    select * from contact_event
    union all
    select
        *,
        'not_applicable' as response_model_code,
        'not_applicable' as enforcement_code,
        'not_applicable' as legal_hold_code,
        'not_applicable' as destination_code
    from other_event
)

select * from final
