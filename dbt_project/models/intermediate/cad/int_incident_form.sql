-- Grain: one row per agency and CAD event of the window that a contact form of its month or the month after names.
with incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident') }}
),

contact as (
    select * from {{ ref('stg_contact') }} as contact
    where
        {{ in_window('contact', lookahead_months=1) }}
        and contact.incident_number is not null
),

final as (
    select
        incident.agency_id,
        incident.incident_id,
        count(*) as contact_count
    from contact
    inner join incident
        on
            contact.agency_id = incident.agency_id
            and contact.incident_id = incident.incident_id
    where {{ months_near('incident', 'contact', lookahead_months=1) }}
    group by incident.agency_id, incident.incident_id
)

select * from final
