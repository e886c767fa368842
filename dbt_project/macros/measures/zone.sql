{# What the marts of both zones of linkage share: the people of law enforcement, and those of care. #}

{# CTEs of a zone's linked records, from `person_link`; the last is `final`. key: the person, by the zone's own name. #}
{% macro records_of_zone(zone, key) -%}
final as (
    select
        agency_id,
        entity,
        record_id,
        role_code,
        month,
        {{ key }},
        is_anonymous,
        match_method_code,
        match_weight
    from person_link
    where zone_code = '{{ zone }}'
)
{%- endmacro %}

{# CTEs of the events of a zone's people as subjects, from `record` and `event`; the last is `final`. #}
{% macro events_of_people(key) -%}
link as (
    select * from record
    where
        role_code = 'subject'
        and {{ key }} is not null
),

final as (
    select
        link.{{ key }},
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
{%- endmacro %}
