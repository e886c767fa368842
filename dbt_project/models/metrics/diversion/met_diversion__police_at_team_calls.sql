-- Grain: one row per agency, month, metric and team that has no police of its own; all_teams is the total.
{%- set teams = ['mobile_crisis', 'alternative_no_police'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id in ('M29', 'M30')
),

incident as (
    select * from {{ ref('fct_incident') }} as incident
    where
        {{ in_window('incident') }}
        and coalesce(incident.exclusion_code <> 'duplicate', true)
),

team as (
    {%- for team in ['all_teams'] + teams %}
    select '{{ team }}' as team_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- Calls that such a team reached: no other counts.
team_call as (
    select distinct unit_response.incident_id
    from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and unit_response.response_model_code in ({{ quoted(teams) }})
        and unit_response.on_scene_at is not null
        and not {{ is_police('unit_response') }}
),

-- Those calls and who came when: of police, and of each team.
call as (
    select
        incident.agency_id,
        incident.month,
        incident.incident_id,
        {%- for team in teams %}
        min(case
            when unit_response.response_model_code = '{{ team }}' and not {{ is_police('unit_response') }}
                then unit_response.on_scene_at
        end) as {{ team }}_at,
        {%- endfor %}
        min(case when {{ is_police('unit_response') }} then unit_response.on_scene_at end) as police_at,
        count(case
            when
                {{ is_police('unit_response') }}
                and unit_response.on_scene_at is null
                and unit_response.cancelled_at is null
                then 1
        end) as police_unknown_count
    from incident
    inner join team_call on incident.incident_id = team_call.incident_id
    inner join {{ ref('fct_unit_response') }} as unit_response
        on incident.incident_id = unit_response.incident_id
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and {{ months_near('incident', 'unit_response', lookahead_months=1) }}
    group by incident.agency_id, incident.month, incident.incident_id
),

-- Calls that a team reached. Two teams at one call count in the total once.
met as (
    {%- for team in ['all_teams'] + teams %}
    {%- set team_at = 'least(' ~ teams | join('_at, ') ~ '_at)' if team == 'all_teams' else team ~ '_at' %}
    select
        agency_id,
        month,
        '{{ team }}' as team_code,
        {{ team_at }} as team_at,
        police_at,
        police_unknown_count
    from call
    where {{ team_at }} is not null
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- Backup comes after the team; whether police were there at all is another question.
answered as (
    select
        agency_id,
        month,
        team_code,
        'M29' as metric_id,
        case
            when police_at < team_at then 'not_applicable'
            when police_at >= team_at then 'yes'
            when police_unknown_count > 0 then 'unknown'
            else 'no'
        end as answer
    from met
    union all
    select
        agency_id,
        month,
        team_code,
        'M30' as metric_id,
        case
            when police_at is not null then 'no'
            when police_unknown_count > 0 then 'unknown'
            else 'yes'
        end as answer
    from met
),

summed as (
    select
        agency_id,
        month,
        team_code,
        metric_id,
        count(*) as considered_count,
        count(case when answer = 'not_applicable' then 1 end) as police_first_count,
        count(case when answer = 'unknown' then 1 end) as unknown_count,
        count(case when answer in ('yes', 'no') then 1 end) as denominator_count,
        count(case when answer = 'yes' then 1 end) as outcome_count
    from answered
    group by agency_id, month, team_code, metric_id
),

counted as (
    select
        *,
        {{ share('outcome_count', 'denominator_count') }} as outcome_share
    from summed
),

final as (
    select
        {{ metric_columns('team_call') }},
        team.team_code,
        {{ available_count('considered_count') }},
        {{ available_count('police_first_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('outcome_count') }},
        {{ available_value('outcome_share') }}
    from metric_row
    cross join team
    left join counted
        on
            metric_row.agency_id = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.metric_id = counted.metric_id
            and team.team_code = counted.team_code
)

select * from final
