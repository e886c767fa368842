-- Grain: one row per agency and month of the window, entity and field that a metric or a join needs.
{%- set entities = {
    'incident': ['fct_incident', ['received_at', 'closed_at', 'call_type_initial_code', 'call_type_final_code',
        'call_source_code', 'priority_initial', 'cad_disposition_code', 'cancelled', 'duplicate', 'beat']],
    'unit_response': ['fct_unit_response', ['incident_number', 'dispatched_at', 'enroute_at', 'on_scene_at',
        'cleared_at', 'unit_type_code', 'response_model_code', 'officer_count', 'clinician_count']],
    'contact': ['fct_contact', ['incident_number', 'occurred_at', 'reported_at', 'response_model_code', 'force_used',
        'injury', 'arrestable_offense', 'officer_discretion_basis_code', 'suicide_risk_code', 'age_band_code',
        'sex_gender_code', 'housing_status_code', 'beat']],
    'contact_disposition': ['bridge_contact_disposition', ['disposition_code']],
    'jail_booking': ['fct_jail_booking', ['incident_number', 'booked_at', 'released_at', 'charge_level_code',
        'release_type_code']],
} %}
{%- set answers = ['cancelled', 'duplicate', 'force_used', 'injury', 'arrestable_offense'] %}
with agency_month as (
    select * from {{ ref('fct_agency_month') }} as agency_month
    where {{ in_window('agency_month') }}
),

agency_field as (
    select * from {{ ref('stg_agency_field') }}
    where is_mapped
),
{% for entity, (table, fields) in entities.items() %}
{{ entity }}_tally as (
    select
        fact.agency_id,
        fact.month,
        {%- for field in fields %}
        {%- if field.endswith('_code') %}
        count(case when fact.{{ field }} not in {{ unknown_codes() }} then 1 end) as {{ field }}_known,
        count(case when fact.{{ field }} = 'other' then 1 end) as {{ field }}_unmapped,
        {%- elif field in answers %}
        count(case when fact.{{ field }} in ('yes', 'no') then 1 end) as {{ field }}_known,
        {%- else %}
        count(fact.{{ field }}) as {{ field }}_known,
        {%- endif %}
        {%- endfor %}
        count(*) as considered_count
    from {{ ref(table) }} as fact
    where {{ in_window('fact') }}
    group by fact.agency_id, fact.month
),
{% endfor %}
counted as (
    {%- for entity, (table, fields) in entities.items() %}
    {%- set outer_loop = loop %}
    {%- for field in fields %}
    select
        agency_id,
        month,
        '{{ entity }}' as entity,
        '{{ field }}' as field,
        considered_count,
        {{ field }}_known as known_count,
        {% if field.endswith('_code') %}{{ field }}_unmapped{% else %}0{% endif %} as unmapped_count
    from {{ entity }}_tally
    {%- if not (outer_loop.last and loop.last) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
),

field as (
    {%- for entity, (table, fields) in entities.items() %}
    {%- set outer_loop = loop %}
    {%- for field in fields %}
    select
        '{{ entity }}' as entity,
        '{{ field }}' as field
    {%- if not (outer_loop.last and loop.last) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
),

final as (
    select
        agency_month.agency_id,
        agency_month.month,
        field.entity,
        field.field,
        agency_field.agency_id is not null as is_sent,
        coalesce(counted.considered_count, 0) as considered_count,
        coalesce(counted.known_count, 0) as known_count,
        coalesce(counted.unmapped_count, 0) as unmapped_count
    from agency_month
    inner join field on agency_month.entity = field.entity
    left join agency_field
        on
            agency_month.agency_id = agency_field.agency_id
            and field.entity = agency_field.entity
            and field.field = agency_field.field
    left join counted
        on
            agency_month.agency_id = counted.agency_id
            and agency_month.month = counted.month
            and field.entity = counted.entity
            and field.field = counted.field
)

select * from final
