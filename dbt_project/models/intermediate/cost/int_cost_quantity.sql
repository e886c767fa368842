-- Grain: one row per agency and month of the window, component, identification method and response model (all, too).
{%- set by_model = "grouping sets ((agency_id, month, identification_method_code),"
    " (agency_id, month, identification_method_code, response_model_code))" %}
{%- set slices = "case when grouping(response_model_code) = 1 then 'all' else 'response_model' end as slice_code,
        case when grouping(response_model_code) = 1 then 'all' else response_model_code end as slice_value," %}
{%- set of_units = {
    'officer_time': ['true', 'officer_seconds'],
    'clinician_time': ['true', 'clinician_seconds'],
    'handover_wait': ['at_destination_at is not null', 'wall_seconds * officer_count'],
    'vehicle': ['true', 'vehicle_miles'],
} %}
{%- set of_contacts = contact_amounts() %}
{%- set of_facilities = {
    'ambulance_trip': ['fct_transport', "case when transport_mode_code = 'ems' then 1"
        " when transport_mode_code not in " ~ unknown_codes() ~ " then 0 end"],
    'jail_day': ['fct_jail_booking', 'stay_seconds'],
    'ed_visit': ['fct_ed_visit', '1'],
    'inpatient_day': ['fct_inpatient_stay', "case when discharged_at >= admitted_at then "
        ~ seconds_between('admitted_at', 'discharged_at') ~ " end"],
    'overtime': ['fct_shift', 'overtime_hours'],
} %}
with unit_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where {{ in_window('unit_response') }}
),

contact as (
    select
        *,
        'field_form' as identification_method_code
    from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact') }}
),

-- Populations overlap, so units are added up once before.
unit_alike as (
    select
        {%- for name, (where, amount) in of_units.items() %}
        {{ component_tally(name, amount, where) }},
        {%- endfor %}
        agency_id,
        month,
        response_model_code,
        response_scope_code,
        bh_call_type_initial,
        bh_call_type_final,
        bh_field_form
    from unit_response
    group by
        agency_id,
        month,
        response_model_code,
        response_scope_code,
        bh_call_type_initial,
        bh_call_type_final,
        bh_field_form
),

population as (
    {{- by_population('unit_alike') }}
),

-- First times over all units are nobody's time.
unit_tally as (
    select
        {%- for name in of_units %}
        {{ component_sum(name, "response_scope_code = 'unit'") }},
        {%- endfor %}
        {{ slices }}
        agency_id,
        month,
        identification_method_code
    from population
    group by {{ by_model }}
),

contact_tally as (
    select
        agency_id,
        month,
        identification_method_code,
        {{ slices }}
        {%- for name, amount in of_contacts.items() %}
        {{ component_tally(name, amount) }},
        {%- endfor %}
        count(*) as row_count
    from contact
    group by {{ by_model }}
),
{% for name, (fact, amount) in of_facilities.items() %}
{{ name }}_tally as (
    select
        fact.agency_id,
        fact.month,
        'not_applicable' as identification_method_code,
        'all' as slice_code,
        'all' as slice_value,
        {{ component_tally(name, amount) }}
    from {{ ref(fact) }} as fact
    where {{ in_window('fact') }}
    group by fact.agency_id, fact.month
),
{% endfor %}
final as (
    {%- for name in of_units %}
    select
        {{ component_columns(name) }}
    from unit_tally
    union all
    {%- endfor %}
    {%- for name in of_contacts %}
    select
        {{ component_columns(name) }}
    from contact_tally
    union all
    {%- endfor %}
    {%- for name in of_facilities %}
    select
        {{ component_columns(name) }}
    from {{ name }}_tally
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from final
