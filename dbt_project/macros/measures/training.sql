{# What the training tables tell of contacts, as (metric, outcome): techniques, then force and injury. #}
{% macro training_outcomes() -%}
    {{ return([
        ('TR1', 'any_technique'), ('TR1', 'verbal_deescalation'), ('TR1', 'time_distance'), ('TR1', 'active_listening'),
        ('TR1', 'family_or_peer'), ('TR1', 'clinician_led'), ('TR1', 'telehealth'),
        ('TR2', 'any_force'), ('TR3', 'any_injury'), ('TR3', 'subject_injured'), ('TR3', 'officer_injured')
    ]) }}
{%- endmacro %}

{# Whether a crisis-trained officer was there, as the form of the time says; a team without police has none to train. #}
{% macro training_at_the_time(contact) -%}
    case
        when {{ contact }}.response_model_code in ('mobile_crisis', 'alternative_no_police') then 'no_police'
        when {{ contact }}.cit_arrived = 'yes' or {{ contact }}.response_model_code = 'cit_police' then 'trained'
        when {{ contact }}.cit_arrived = 'no' then 'not_trained'
        else 'not_recorded'
    end
{%- endmacro %}
