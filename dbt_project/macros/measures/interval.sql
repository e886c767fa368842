{# A longer interval between two stamps of a call is taken for a wrong stamp: one day. #}
{% macro longest_interval_seconds() -%} 86400 {%- endmacro %}

{# True where the notes on a row's stamps (field:rule,field:rule) name the field with one of the rules. #}
{% macro stamp_noted(field, rules, notes) -%}
    (
        {{ notes }} <> '' and (
            {%- for rule in rules %}
            {{ 'or ' if not loop.first }}position(',{{ field }}:{{ rule }},' in ',' || {{ notes }} || ',') > 0
            {%- endfor %}
        )
    )
{%- endmacro %}

{# Rules that leave an instant in doubt by an hour, and the one that moved it. By the order of events it is sure. #}
{% macro doubtful_rules() -%} {{ return(['dst_ambiguous', 'dst_skipped']) }} {%- endmacro %}
{% macro repairing_rules() -%} {{ return(['midnight_rollover']) }} {%- endmacro %}

{# What happened to a stamp, as a number that grows with its weight: of several stamps the largest counts. #}
{% macro stamp_weight(field, notes) -%}
    case
        when {{ notes }} = '' or {{ notes }} is null then 0
        when {{ stamp_noted(field, doubtful_rules(), notes) }} then 2
        when {{ stamp_noted(field, repairing_rules(), notes) }} then 1
        else 0
    end
{%- endmacro %}

{# The weight as a word, as <name>_stamp_code columns hold it. #}
{% macro stamp_word(weight) -%}
    case {{ weight }} when 2 then 'ambiguous' when 1 then 'imputed' else 'as_sent' end
{%- endmacro %}

{#
  Whether one end of an interval is 'ambiguous' or 'imputed'. An end is a column, whose notes stand under its own
  name; or [columns], of which the first that is there counts; or {at, stamp}: a column and the word on it.
#}
{% macro end_is(end, word, notes) -%}
    {%- if end is mapping -%}
        {{ end.stamp }} = '{{ word }}'
    {%- else -%}
        {%- set columns = [end] if end is string else end -%}
        {%- set rules = doubtful_rules() if word == 'ambiguous' else repairing_rules() -%}
        {%- for column in columns -%}
            {%- if not loop.last -%} case when {{ column }} is not null then {% endif -%}
            {{ stamp_noted(column.split('.')[-1], rules, notes) }}
            {%- if not loop.last %} else {% endif -%}
        {%- endfor -%}
        {%- for column in columns[1:] %} end{% endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro either_end_is(start, end, word, notes) -%}
    {{ end_is(start, word, notes) }} or {{ end_is(end, word, notes) }}
{%- endmacro %}

{# True where no note stands on the row's stamps at all. #}
{% macro ends_as_sent(start, end, notes) -%}
    {%- set said = [] -%}
    {%- for one in [start, end] -%}
        {%- do said.append(one.stamp ~ " = 'as_sent'" if one is mapping else notes ~ " = ''") -%}
    {%- endfor -%}
    {{ said | unique | join(' and ') }}
{%- endmacro %}

{% macro end_at(end) -%}
    {%- if end is mapping -%} {{ end.at }}
    {%- elif end is string -%} {{ end }}
    {%- else -%} coalesce({{ end | join(', ') }})
    {%- endif -%}
{%- endmacro %}

{#
  Two columns, <name>_seconds and <name>_status_code. The status is the first that holds of: not_applicable (the
  condition says that there is no such interval), missing_start, missing_end, ambiguous (an end may be an hour off),
  negative, over_limit, imputed (an end was moved by a day), valid. Only valid and imputed have seconds.
  start, end: see end_is. notes: the column with the notes on the row's stamps.
#}
{% macro interval_columns(
    name, start, end, not_applicable=none, longest_seconds=longest_interval_seconds(), notes='stamp_imputed'
) -%}
    {%- set start_at = end_at(start) -%}
    {%- set stop_at = end_at(end) -%}
    {%- set seconds = seconds_between(start_at, stop_at) -%}
    {%- set in_range = seconds ~ ' between 0 and ' ~ longest_seconds -%}
    {%- set is_ambiguous = either_end_is(start, end, 'ambiguous', notes) -%}
    cast(case
        {%- if not_applicable %}
        when {{ not_applicable }} then null
        {%- endif %}
        when {{ in_range }} then case when {{ is_ambiguous }} then null else {{ seconds }} end
    end as integer) as {{ name }}_seconds,
    case
        {%- if not_applicable %}
        when {{ not_applicable }} then 'not_applicable'
        {%- endif %}
        {#- Nearly every row is done here: without this line the model takes twice as long. #}
        when {{ ends_as_sent(start, end, notes) }} and {{ in_range }} then 'valid'
        when {{ start_at }} is null then 'missing_start'
        when {{ stop_at }} is null then 'missing_end'
        when {{ is_ambiguous }} then 'ambiguous'
        when {{ seconds }} < 0 then 'negative'
        when {{ seconds }} > {{ longest_seconds }} then 'over_limit'
        when {{ either_end_is(start, end, 'imputed', notes) }} then 'imputed'
        else 'valid'
    end as {{ name }}_status_code
{%- endmacro %}

{# Status codes of an interval whose seconds are known, not there, or there but of no use. #}
{% macro known_statuses() -%} ('valid', 'imputed') {%- endmacro %}
{% macro missing_statuses() -%} ('missing_start', 'missing_end') {%- endmacro %}
{% macro unusable_statuses() -%} ('ambiguous', 'negative', 'over_limit') {%- endmacro %}
