{# Whole seconds from one instant to another; both instants are cut to the second first. #}
{% macro seconds_between(start_at, end_at) -%}
    {{ return(adapter.dispatch('seconds_between')(start_at, end_at)) }}
{%- endmacro %}

{% macro default__seconds_between(start_at, end_at) -%}
    (unix_timestamp({{ end_at }}) - unix_timestamp({{ start_at }}))
{%- endmacro %}

{# Two epochs are subtracted: date_diff would load the calendar for each row and is thirty times slower. #}
{% macro duckdb__seconds_between(start_at, end_at) -%}
    (epoch_us({{ end_at }}) // 1000000 - epoch_us({{ start_at }}) // 1000000)
{%- endmacro %}


{# Whole hours since 1970 of an instant: a key to join by. #}
{% macro epoch_hour(instant) -%}
    {{ return(adapter.dispatch('epoch_hour')(instant)) }}
{%- endmacro %}

{% macro default__epoch_hour(instant) -%}
    cast(floor(unix_timestamp({{ instant }}) / 3600) as bigint)
{%- endmacro %}

{% macro duckdb__epoch_hour(instant) -%}
    (epoch_us({{ instant }}) // 3600000000)
{%- endmacro %}


{# Number of the weekday of a date: 1 is Monday, 7 is Sunday. #}
{% macro iso_day_of_week(day) -%}
    {{ return(adapter.dispatch('iso_day_of_week')(day)) }}
{%- endmacro %}

{# Spark counts from Monday = 0. #}
{% macro default__iso_day_of_week(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}

{% macro duckdb__iso_day_of_week(day) -%}
    isodow({{ day }})
{%- endmacro %}


{# Month of a date, as 'YYYY-MM'. #}
{% macro month_of(day) -%}
    {{ return(adapter.dispatch('month_of')(day)) }}
{%- endmacro %}

{% macro default__month_of(day) -%}
    date_format({{ day }}, 'yyyy-MM')
{%- endmacro %}

{% macro duckdb__month_of(day) -%}
    strftime({{ day }}, '%Y-%m')
{%- endmacro %}


{# One row a day, both ends included; the column is calendar_date. #}
{% macro days(first_day, last_day) -%}
    {{ return(adapter.dispatch('days')(first_day, last_day)) }}
{%- endmacro %}

{% macro default__days(first_day, last_day) -%}
    select explode(sequence(date '{{ first_day }}', date '{{ last_day }}', interval 1 day)) as calendar_date
{%- endmacro %}

{% macro duckdb__days(first_day, last_day) -%}
    select cast(unnest(generate_series(date '{{ first_day }}', date '{{ last_day }}', interval 1 day)) as date) as calendar_date
{%- endmacro %}


{# Hour of the week of a time on the clock: weekday (1 is Monday) and hour as one text, such as '1_00' or '7_23'. #}
{% macro hour_of_week(local_at) -%}
    {{ return(adapter.dispatch('hour_of_week')(local_at)) }}
{%- endmacro %}

{% macro default__hour_of_week(local_at) -%}
    concat(cast(weekday({{ local_at }}) + 1 as string), '_', date_format({{ local_at }}, 'HH'))
{%- endmacro %}

{% macro duckdb__hour_of_week(local_at) -%}
    strftime({{ local_at }}, '%u_%H')
{%- endmacro %}


{# One row a whole number, both ends included; the column is n. #}
{% macro integers(first, last) -%}
    {{ return(adapter.dispatch('integers')(first, last)) }}
{%- endmacro %}

{% macro default__integers(first, last) -%}
    select explode(sequence({{ first }}, {{ last }})) as n
{%- endmacro %}

{% macro duckdb__integers(first, last) -%}
    select cast(unnest(generate_series({{ first }}, {{ last }})) as integer) as n
{%- endmacro %}


{# A number of hours, to add to a time. #}
{% macro hours(number) -%}
    {{ return(adapter.dispatch('hours')(number)) }}
{%- endmacro %}

{% macro default__hours(number) -%}
    make_dt_interval(0, {{ number }}, 0, 0)
{%- endmacro %}

{% macro duckdb__hours(number) -%}
    to_hours({{ number }})
{%- endmacro %}


{# The date so many days before a date. #}
{% macro days_before(day, number) -%}
    {{ return(adapter.dispatch('days_before')(day, number)) }}
{%- endmacro %}

{% macro default__days_before(day, number) -%}
    date_sub({{ day }}, {{ number }})
{%- endmacro %}

{% macro duckdb__days_before(day, number) -%}
    ({{ day }} - ({{ number }}))
{%- endmacro %}


{# Whole days since 1970 of an instant: a key to join by. #}
{% macro epoch_day(instant) -%}
    cast(floor({{ epoch_hour(instant) }} / 24) as bigint)
{%- endmacro %}


{# In a select list: one row for each whole number from the first to the last. #}
{% macro each_integer(first, last) -%}
    {{ return(adapter.dispatch('each_integer')(first, last)) }}
{%- endmacro %}

{% macro default__each_integer(first, last) -%}
    explode(sequence({{ first }}, {{ last }}))
{%- endmacro %}

{% macro duckdb__each_integer(first, last) -%}
    unnest(generate_series({{ first }}, {{ last }}))
{%- endmacro %}
