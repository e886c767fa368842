{# Codes that say nothing about the thing itself. 'other' is a value that the list has no code for. #}
{% macro unknown_codes() -%}
    ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable')
{%- endmacro %}

{# Whether a call type is explicit behavioral health, as an answer; why it is not known stays readable. #}
{% macro bh_answer(code, tier) -%}
    case
        when {{ tier }} = 1 then 'yes'
        when {{ tier }} in (2, 3) then 'no'
        when {{ code }} in ('not_recorded', 'withheld') then {{ code }}
        else 'unknown'
    end
{%- endmacro %}

{# Of a group's codes the one that stands first in the order; 'not_recorded' counts as 'unknown'. #}
{% macro highest_code(column, order) -%}
    case
        {%- for code in order[:-1] %}
        when count(case when {{ column }} in ({{ "'unknown', 'not_recorded'" if code == 'unknown' else "'" ~ code ~ "'" }}) then 1 end) > 0
            then '{{ code }}'
        {%- endfor %}
        else '{{ order[-1] }}'
    end
{%- endmacro %}

{# Of a group's codes the first, by rank, that names something; else 'unknown' if any is not known; else 'none'. #}
{% macro first_code(column, rank) -%}
    coalesce(
        min_by({{ column }}, {{ rank }}) filter (where {{ column }} not in ('none', 'unknown', 'not_recorded')),
        max(case when {{ column }} in ('unknown', 'not_recorded') then 'unknown' end),
        'none'
    )
{%- endmacro %}
