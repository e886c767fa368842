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

{# Destinations of the standard that a contact can be known to have. 'none': the person stayed. #}
{% macro destinations() -%}
    {{ return([
        'none', 'ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'crisis_facility', 'sobering', 'clinic', 'jail',
        'juvenile_facility', 'shelter', 'home', 'family'
    ]) }}
{%- endmacro %}

{% macro emergency_departments() -%} ('ed', 'psychiatric_ed') {%- endmacro %}

{% macro hospital_or_jail() -%}
    ('ed', 'psychiatric_ed', 'hospital', 'inpatient_psych', 'jail', 'juvenile_facility')
{%- endmacro %}

{# Whether a list of codes, with | between, holds the code. Null where the list is not there. #}
{% macro list_holds(codes, code) -%}
    position('|{{ code }}|' in '|' || {{ codes }} || '|') > 0
{%- endmacro %}

{# The same for a code that stands in a column. #}
{% macro list_names(codes, column) -%}
    position('|' || {{ column }} || '|' in '|' || {{ codes }} || '|') > 0
{%- endmacro %}

{# The band as sent, else by the age in years, else why it is not known. #}
{% macro age_band(band, years) -%}
    case
        when {{ band }} is not null and {{ band }} not in {{ unknown_codes() }} then {{ band }}
        {%- for band_code, last in [
            ('0-11', 11), ('12-17', 17), ('18-24', 24), ('25-34', 34), ('35-44', 44), ('45-54', 54), ('55-64', 64),
            ('65-74', 74), ('75-89', 89)
        ] %}
        when {{ years }} <= {{ last }} then '{{ band_code }}'
        {%- endfor %}
        when {{ years }} > 89 then '90+'
        else coalesce({{ band }}, 'not_recorded')
    end
{%- endmacro %}

{#
  What a contact answers, as (metric, column of int_contact_answer): M16 arrest, M18 no arrest, M21 hold,
  M22 destination, M23 force (by level: M23b), M24 injury (by party: M24b by the form, M24c by reports of force),
  M25 de-escalation, M26 handcuffs and restraint, M27 in the community.
#}
{% macro contact_answers() -%}
    {%- set found = [('M16', 'arrested'), ('M18', 'not_arrested'), ('M21', 'involuntary_hold')] -%}
    {%- for code in destinations() -%}{%- do found.append(('M22', 'destination_' ~ code)) -%}{%- endfor -%}
    {%- do found.append(('M23', 'any_force')) -%}
    {%- for name in ['level_2_or_more', 'level_3_or_more', 'level_1_only', 'level_2_only'] -%}
        {%- do found.append(('M23b', 'force_' ~ name)) -%}
    {%- endfor -%}
    {%- do found.append(('M24', 'any_injury')) -%}
    {%- for party in ['subject', 'officer', 'clinician', 'bystander'] -%}
        {%- do found.append(('M24b', party ~ '_injured')) -%}
        {%- do found.append(('M24c', party ~ '_injured_in_force')) -%}
    {%- endfor -%}
    {%- do found.extend([
        ('M25', 'technique_used'), ('M25', 'force_despite_technique'), ('M26', 'handcuffed'), ('M26b', 'restrained'),
        ('M27', 'resolved_in_community')
    ]) -%}
    {{ return(found) }}
{%- endmacro %}

{# Six hours of the agency's clock, as the strata of comparison take them. #}
{% macro hour_block(local_at) -%}
    case
        when {{ local_at }} is null then 'not_recorded'
        when extract(hour from {{ local_at }}) < 6 then '00-05'
        when extract(hour from {{ local_at }}) < 12 then '06-11'
        when extract(hour from {{ local_at }}) < 18 then '12-17'
        else '18-23'
    end
{%- endmacro %}

{# What is compared between groups, as (metric, column of int_contact_answer_ever). #}
{% macro equity_answers() -%}
    {{ return([
        ('EQ1', 'met_by_team'), ('EQ1', 'met_by_cit_police'), ('EQ2', 'arrested'), ('EQ2', 'involuntary_hold'),
        ('EQ2', 'taken_to_ed'), ('EQ2', 'resolved_in_community'), ('EQ3', 'any_force'), ('EQ4', 'handcuffed')
    ]) }}
{%- endmacro %}
