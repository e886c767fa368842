{#
  What int_cost_quantity counts of a component: rows considered, those whose amount is known, those with some of it, and
  the sum of the known. amount: null where not known. condition: which rows can have an amount at all.
#}
{% macro component_tally(name, amount, condition='true') -%}
    count(case when {{ condition }} then 1 end) as {{ name }}_considered,
        count(case when {{ condition }} then {{ amount }} end) as {{ name }}_known,
        count(case when {{ condition }} and {{ amount }} > 0 then 1 end) as {{ name }}_event,
        sum(case when {{ condition }} then cast({{ amount }} as decimal(18, 4)) end) as {{ name }}_base
{%- endmacro %}

{# The same of rows that were tallied before: sums over those that the condition holds for. #}
{% macro component_sum(name, condition) -%}
cast(sum(case when {{ condition }} then {{ name }}_considered else 0 end) as bigint) as {{ name }}_considered,
        cast(sum(case when {{ condition }} then {{ name }}_known else 0 end) as bigint) as {{ name }}_known,
        cast(sum(case when {{ condition }} then {{ name }}_event else 0 end) as bigint) as {{ name }}_event,
        sum(case when {{ condition }} then {{ name }}_base end) as {{ name }}_base
{%- endmacro %}

{# The row of one component from a tally of several. #}
{% macro component_columns(name) -%}
    agency_id,
        month,
        '{{ name }}' as component_code,
        identification_method_code,
        slice_code,
        slice_value,
        {{ name }}_considered as considered_count,
        {{ name }}_known as known_count,
        {{ name }}_event as event_count,
        {{ name }}_base as base_sum
{%- endmacro %}

{# What the known quantity costs at one price, to the cent; null where nothing is known or the part has no price. #}
{% macro component_cost(kind, bound) -%}
    case
            when quantity.known_count > 0
                then cast(
                    round(quantity.base_sum * priced.{{ kind }}_rate_{{ bound }}_usd / priced.base_per_unit, 2)
                    as decimal(18, 2)
                )
        end as {{ kind }}_{{ bound }}_usd
{%- endmacro %}

{# Of a contact form: what happened (1), did not (0), or is not known (null), by component. #}
{% macro contact_events() -%}
    {{ return({
        'booking': "case when enforcement_code = 'booked' then 1 when enforcement_code in ('cited', 'none') then 0 end",
        'ed_arrival': "case when destination_code in ('ed', 'psychiatric_ed') then 1"
            " when destination_code <> 'hospital' and destination_code not in " ~ unknown_codes() ~ " then 0 end",
        'force': "case force_used when 'yes' then 1 when 'no' then 0 end",
        'injury': "case injury when 'yes' then 1 when 'no' then 0 end",
    }) }}
{%- endmacro %}

{# What a contact form tells of, by component: events, and minutes of writing its report. #}
{% macro contact_amounts() -%}
    {{ return(dict(contact_events(), report_writing='report_minutes')) }}
{%- endmacro %}
