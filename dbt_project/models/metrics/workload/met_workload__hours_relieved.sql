-- Grain: one row per agency, month and team; any_team is the total, and the other teams may overlap.
{%- set teams = {
    'any_team': team_models(),
    'co_response': ['co_response_ride_along', 'co_response_separate', 'co_response_telehealth'],
    'mobile_crisis': ['mobile_crisis'],
    'alternative_no_police': ['alternative_no_police']
} %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M08b'
),

-- Most calls were met by police alone for a known time, and fct_incident has their hours. Of the others units are read.
asked as (
    select incident.incident_id
    from {{ ref('fct_incident') }} as incident
    where
        {{ in_window('incident') }}
        and incident.exclusion_code = 'none'
        and incident.officer_seconds is null
    union
    select unit_response.incident_id
    from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and not coalesce(
            unit_response.response_scope_code = 'unit'
            and unit_response.response_model_code in ('police_only', 'cit_police'),
            false
        )
),

incident as (
    select
        incident.agency_id,
        incident.month,
        incident.incident_id,
        incident.call_type_initial_code,
        {{ hour_block('incident.received_local_at') }} as hour_block_code
    from {{ ref('fct_incident') }} as incident
    inner join asked on incident.incident_id = asked.incident_id
    where
        {{ in_window('incident') }}
        and incident.exclusion_code = 'none'
),

unit_response as (
    select
        unit_response.incident_id,
        unit_response.response_model_code,
        unit_response.response_model_code in ({{ quoted(team_models()) }}) as is_team,
        {{ is_police('unit_response') }} as is_police,
        unit_response.on_scene_at,
        unit_response.cancelled_at,
        unit_response.officer_seconds,
        unit_response.clinician_seconds
    from {{ ref('fct_unit_response') }} as unit_response
    inner join incident on unit_response.incident_id = incident.incident_id
    where
        {{ in_window('unit_response', lookahead_months=1) }}
        and {{ months_near('incident', 'unit_response', lookahead_months=1) }}
        and unit_response.response_scope_code = 'unit'
),

-- Hours of police who are no team's; a unit that was called off without a time took none.
summed_call as (
    select
        incident_id,
        count(case when is_team then 1 end) > 0 as is_team_sent,
        count(case when response_model_code in {{ unknown_codes() }} then 1 end) > 0 as has_unknown_unit,
        count(case when is_police and not is_team then on_scene_at end) > 0 as is_police_there,
        count(case
            when
                (is_police or is_team)
                and officer_seconds is null
                and (on_scene_at is not null or cancelled_at is null)
                then 1
        end) = 0 as is_known,
        cast(coalesce(sum(case when is_police and not is_team then officer_seconds end), 0) as bigint) as police_seconds
    from unit_response
    group by incident_id
),

met as (
    select
        incident.agency_id,
        incident.month,
        incident.call_type_initial_code,
        incident.hour_block_code,
        summed_call.*
    from summed_call
    inner join incident on summed_call.incident_id = incident.incident_id
),

-- The teams' own hours, at calls that they reached.
team_there as (
    {%- for team, models in teams.items() %}
    select
        incident_id,
        '{{ team }}' as team_code,
        sum(officer_seconds) as officer_seconds,
        sum(clinician_seconds) as clinician_seconds
    from unit_response
    where response_model_code in ({{ quoted(models) }})
    group by incident_id
    having count(on_scene_at) > 0
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- What police without a team spent at calls.
police_call as (
    select
        incident.agency_id,
        incident.month,
        incident.call_type_initial_code,
        {{ hour_block('incident.received_local_at') }} as hour_block_code,
        incident.officer_seconds as police_seconds
    from {{ ref('fct_incident') }} as incident
    left join asked on incident.incident_id = asked.incident_id
    where
        {{ in_window('incident') }}
        and incident.exclusion_code = 'none'
        and incident.arrived_unit_count > 0
        and asked.incident_id is null
    union all
    select
        agency_id,
        month,
        call_type_initial_code,
        hour_block_code,
        police_seconds
    from met
    where
        is_police_there
        and is_known
        and not is_team_sent
        and not has_unknown_unit
),

-- The same of calls of the same type and hours, in the same month.
baseline as (
    select
        agency_id,
        month,
        call_type_initial_code,
        hour_block_code,
        count(*) as baseline_count,
        avg(police_seconds) as mean_seconds,
        var_samp(police_seconds) as variance
    from police_call
    where
        call_type_initial_code not in {{ unknown_codes() }}
        and hour_block_code <> 'not_recorded'
    group by agency_id, month, call_type_initial_code, hour_block_code
    having count(*) >= 2
),

by_team as (
    select
        met.agency_id,
        met.month,
        team_there.team_code,
        met.call_type_initial_code,
        met.hour_block_code,
        {%- for role in ['officer', 'clinician'] %}
        sum(case when met.is_known and not met.has_unknown_unit then team_there.{{ role }}_seconds end)
            as team_{{ role }}_seconds,
        {%- endfor %}
        count(*) as considered_count,
        count(case when not met.is_known or met.has_unknown_unit then 1 end) as unknown_count,
        count(case when met.is_known and not met.has_unknown_unit then 1 end) as stratum_count,
        sum(case when met.is_known and not met.has_unknown_unit then met.police_seconds end) as police_seconds
    from met
    inner join team_there on met.incident_id = team_there.incident_id
    group by met.agency_id, met.month, team_there.team_code, met.call_type_initial_code, met.hour_block_code
),

matched as (
    select
        by_team.*,
        baseline.baseline_count,
        by_team.stratum_count * baseline.mean_seconds as expected_seconds,
        -- Chance in what those calls would have taken, and in the mean that tells it.
        by_team.stratum_count * baseline.variance
        + by_team.stratum_count * by_team.stratum_count * baseline.variance / baseline.baseline_count as error_squared
    from by_team
    left join baseline
        on
            by_team.agency_id = baseline.agency_id
            and by_team.month = baseline.month
            and by_team.call_type_initial_code = baseline.call_type_initial_code
            and by_team.hour_block_code = baseline.hour_block_code
),

summed as (
    select
        agency_id,
        month,
        team_code,
        sum(considered_count) as considered_count,
        sum(unknown_count) as unknown_count,
        sum(case when baseline_count is null then stratum_count else 0 end) as unmatched_count,
        sum(case when baseline_count is not null then stratum_count else 0 end) as denominator_count,
        sum(case when stratum_count > 0 then baseline_count end) as baseline_count,
        sum(expected_seconds) as expected_seconds,
        sum(case when baseline_count is not null then police_seconds end) as police_seconds,
        sum(case when baseline_count is not null then team_officer_seconds end) as team_officer_seconds,
        sum(case when baseline_count is not null then team_clinician_seconds end) as team_clinician_seconds,
        1.959964 * sqrt(sum(case when stratum_count > 0 then error_squared end)) as half_width_seconds
    from matched
    group by agency_id, month, team_code
),

counted as (
    select
        *,
        expected_seconds - police_seconds as relieved_seconds,
        expected_seconds - police_seconds - team_officer_seconds as net_seconds
    from summed
),

team as (
    {%- for team in teams %}
    select '{{ team }}' as team_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        {{ metric_columns('community_call') }},
        team.team_code,
        {{ available_count('considered_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('unmatched_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('baseline_count') }},
        round(counted.expected_seconds / 3600.0, 4) as expected_officer_hours,
        round(counted.police_seconds / 3600.0, 4) as police_officer_hours,
        round(counted.relieved_seconds / 3600.0, 4) as relieved_officer_hours,
        round((counted.relieved_seconds - counted.half_width_seconds) / 3600.0, 4) as relieved_low_officer_hours,
        round((counted.relieved_seconds + counted.half_width_seconds) / 3600.0, 4) as relieved_high_officer_hours,
        round(counted.team_officer_seconds / 3600.0, 4) as team_officer_hours,
        round(counted.team_clinician_seconds / 3600.0, 4) as team_clinician_hours,
        round(counted.net_seconds / 3600.0, 4) as net_officer_hours
    from metric_row
    cross join team
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and team.team_code = counted.team_code
)

select * from final
