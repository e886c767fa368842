{# Who came to a call: teams of behavioral health, and police. #}

{# Models of response with a behavioral-health worker or community responder. Crisis training alone is police. #}
{% macro team_models() -%}
    {{ return([
        'co_response_ride_along', 'co_response_separate', 'co_response_telehealth', 'mobile_crisis',
        'alternative_no_police'
    ]) }}
{%- endmacro %}

{% macro quoted(codes) -%} '{{ codes | join("', '") }}' {%- endmacro %}

{# Whether a unit has police: by its model of response, by its type, or by the officers on it. #}
{% macro is_police(unit) -%}
    coalesce(
        {{ unit }}.response_model_code in ('police_only', 'cit_police', 'co_response_ride_along', 'co_response_separate', 'co_response_telehealth')
        or {{ unit }}.unit_type_code in ('patrol', 'cit_patrol', 'co_responder', 'supervisor', 'k9')
        or {{ unit }}.officer_count > 0,
        false
    )
{%- endmacro %}

{# Whether a contact form does not say that nobody was met. #}
{% macro is_met(contact) -%}
    coalesce({{ contact }}.primary_disposition_code not in {{ nobody_met() }}, true)
{%- endmacro %}

{% macro nobody_met() -%}
    ('unable_to_contact', 'gone_on_arrival', 'unfounded', 'cancelled', 'duplicate')
{%- endmacro %}

{% macro services() -%}
    ('referral_made', 'provider_notified', 'mobile_crisis_handoff', 'phone_line')
{%- endmacro %}

{% macro places_of_care() -%}
    ('ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'crisis_facility', 'sobering', 'clinic', 'shelter')
{%- endmacro %}
