-- Grain: one row per agency and CAD event of the window to which a form of its month or the month after is linked.
with incident as (
    select * from {{ ref('stg_incident') }} as incident
    where {{ in_window('incident') }}
),

link as (
    select * from {{ ref('bridge_contact_incident') }} as link
    where
        {{ in_window('link', lookahead_months=1) }}
        and link.incident_id is not null
),

final as (
    select
        incident.agency_id,
        incident.incident_id,
        count(*) as contact_count
    from link
    inner join incident
        on
            link.agency_id = incident.agency_id
            and link.incident_id = incident.incident_id
    where {{ months_near('incident', 'link', lookahead_months=1) }}
    group by incident.agency_id, incident.incident_id
)

select * from final
