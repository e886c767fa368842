{#
  Windows that tell episodes apart, in days: an episode ends when the person is at liberty for longer without an
  event. Each is reported; none is the right one.
#}
{% macro episode_windows() -%} {{ return([7, 14, 30, 90]) }} {%- endmacro %}

{#
  CTEs that number the episodes of each person in each window; the last is `numbered`: the events with window_days,
  event_number, free_at (when the person was free again), days_at_liberty_before (since the event before that ended
  last; time in jail or in hospital does not count), episode_number and last_known_at (the last event of all).
#}
{% macro episodes(event, key) -%}
window_length as (
    {{ numbers_listed(episode_windows(), 'window_days') }}
),

-- A stay without an end is taken to end where it began: it cannot be known when the person was free.
freed as (
    select
        *,
        case when is_confined and ended_at > started_at then ended_at else started_at end as free_at,
        max(started_at) over () as last_known_at
    from {{ event }}
),

placed as (
    select
        freed.*,
        window_length.window_days,
        row_number() over (
            partition by freed.{{ key }}, window_length.window_days
            order by freed.started_at, freed.event_kind_code, freed.record_id
        ) as event_number,
        max(freed.free_at) over (
            partition by freed.{{ key }}, window_length.window_days
            order by freed.started_at, freed.event_kind_code, freed.record_id
            rows between unbounded preceding and 1 preceding
        ) as free_before_at
    from freed
    cross join window_length
),

parted as (
    select
        *,
        {{ seconds_between('free_before_at', 'started_at') }} as seconds_at_liberty,
        free_before_at is null
        or {{ seconds_between('free_before_at', 'started_at') }} > window_days * 86400 as is_first_of_episode
    from placed
),

numbered as (
    select
        *,
        cast(sum(case when is_first_of_episode then 1 else 0 end) over (
            partition by {{ key }}, window_days
            order by event_number
            rows between unbounded preceding and current row
        ) as bigint) as episode_number,
        case when is_first_of_episode then round(seconds_at_liberty / 86400.0, 2) end as days_at_liberty_before
    from parted
)
{%- endmacro %}

{# The CTE `final`: one row per person, window and episode of `numbered`; kinds: the events that are counted apart. #}
{% macro episode_summary(key, kinds) -%}
final as (
    select
        {{ key }},
        window_days,
        episode_number,
        min(started_at) as started_at,
        max(free_at) as ended_at,
        min(agency_id) as first_agency_id,
        {{ id_of_earliest('contact_id', 'started_at') }} as first_contact_id,
        {{ path_in_order('event_kind_code', 'event_number') }} as path_codes,
        count(*) as event_count,
        {%- for kind in kinds %}
        count(case when event_kind_code = '{{ kind }}' then 1 end) as {{ kind }}_count,
        {%- endfor %}
        count(case when enforcement_code in ('booked', 'arrested_unspecified') then 1 end) as arrest_count,
        count(case when legal_hold_code = 'involuntary' then 1 end) as involuntary_hold_contact_count,
        min(days_at_liberty_before) as days_at_liberty_before,
        {{ seconds_between('max(free_at)', 'max(last_known_at)') }} >= window_days * 86400 as is_follow_up_complete
    from numbered
    group by {{ key }}, window_days, episode_number
)
{%- endmacro %}

{# One row a number of a list. #}
{% macro numbers_listed(numbers, name) -%}
    {%- for number in numbers -%}
    select {{ number }} as {{ name }}
    {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#
  CTEs that take a person's stays that touch or overlap as one; the last is named `name`: (key, started_at, ended_at).
  Reads the CTE `stay` with the same columns, none of them null.
#}
{% macro merged_stays(name, key) -%}
stay_parted as (
    select
        *,
        case
            when started_at <= max(ended_at) over (
                partition by {{ key }} order by started_at, ended_at rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as is_new
    from stay
),

stay_numbered as (
    select
        *,
        sum(is_new) over (
            partition by {{ key }} order by started_at, ended_at rows between unbounded preceding and current row
        ) as stay_number
    from stay_parted
),

{{ name }} as (
    select
        {{ key }},
        min(started_at) as started_at,
        max(ended_at) as ended_at
    from stay_numbered
    group by {{ key }}, stay_number
)
{%- endmacro %}
