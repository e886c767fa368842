{#
  Whether a unit can serve a behavioral-health crisis: a clinician or an officer with crisis intervention training is
  in it, by the unit's own counts or by its kind. Null where neither tells.
#}
{% macro is_bh_capable(unit) -%}
    case
        when
            {{ unit }}.clinician_count > 0
            or {{ unit }}.cit_officer_count > 0
            or {{ unit }}.unit_type_code in ('cit_patrol', 'co_responder', 'mobile_crisis')
            or {{ unit }}.response_model_code in ('cit_police', 'co_response_ride_along', 'mobile_crisis')
            then true
        when
            {{ unit }}.cit_officer_count = 0
            or {{ unit }}.unit_type_code not in {{ unknown_codes() }}
            or {{ unit }}.response_model_code not in {{ unknown_codes() }}
            then false
    end
{%- endmacro %}
