-- Grain: one row per agency, month, way of telling eligible calls, team, slice and value of the slice.
{%- set teams = {
    'any_team': team_models(),
    'co_response': ['co_response_ride_along', 'co_response_separate', 'co_response_telehealth'],
    'mobile_crisis': ['mobile_crisis'],
    'alternative_no_police': ['alternative_no_police']
} %}
{%- set stages = ['sent', 'arrived', 'engaged', 'served', 'police_without_team'] %}
{%- set slices = ['hour_of_day', 'beat', 'reason'] %}
{%- set keys = ['agency_id', 'month', 'program_eligible', 'bh_call_type_initial'] + slices %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'M28'
),

incident as (
    select
        incident.agency_id,
        incident.month,
        incident.incident_id,
        incident.program_eligible,
        incident.bh_call_type_initial,
        extract(hour from incident.received_local_at) as hour_of_day,
        incident.beat,
        incident.ineligible_reason_code as reason
    from {{ ref('fct_incident') }} as incident
    where
        {{ in_window('incident') }}
        and incident.exclusion_code = 'none'
),

-- Of other calls no stage is asked.
eligible as (
    select * from incident
    where program_eligible = 'yes' or bh_call_type_initial = 'yes'
),

unit_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where {{ in_window('unit_response', lookahead_months=1) }}
),

contact as (
    select * from {{ ref('fct_contact') }} as contact
    where {{ in_window('contact', lookahead_months=1) }}
),

unit as (
    select
        eligible.incident_id,
        {%- for team, models in teams.items() %}
        count(case when unit_response.response_model_code in ({{ quoted(models) }}) then 1 end) > 0 as {{ team }}_sent,
        count(case when unit_response.response_model_code in ({{ quoted(models) }}) then unit_response.on_scene_at end)
        > 0 as {{ team }}_arrived,
        {%- endfor %}
        count(case when unit_response.response_model_code in {{ unknown_codes() }} then 1 end) > 0 as has_unknown_unit,
        count(case when {{ is_police('unit_response') }} then unit_response.on_scene_at end) > 0 as is_police_there
    from eligible
    inner join unit_response on eligible.incident_id = unit_response.incident_id
    where {{ months_near('eligible', 'unit_response', lookahead_months=1) }}
    group by eligible.incident_id
),

form as (
    select
        eligible.incident_id,
        {%- for team, models in teams.items() %}
        count(case when contact.response_model_code in ({{ quoted(models) }}) then 1 end) > 0 as {{ team }}_wrote,
        count(case
            when contact.response_model_code in ({{ quoted(models) }}) and {{ is_met('contact') }} then 1
        end) > 0 as {{ team }}_met,
        count(case
            when
                contact.response_model_code in ({{ quoted(models) }})
                and {{ is_met('contact') }}
                and (contact.service_code in {{ services() }} or contact.destination_code in {{ places_of_care() }})
                then 1
        end) > 0 as {{ team }}_helped,
        {%- endfor %}
        count(*) as form_count
    from eligible
    inner join contact on eligible.incident_id = contact.linked_incident_id
    where {{ months_near('eligible', 'contact', lookahead_months=1) }}
    group by eligible.incident_id
),

-- Stages lie in each other: who wrote a form arrived, and who arrived was sent.
staged as (
    select
        {%- for key in keys %}
        eligible.{{ key }},
        {%- endfor %}
        {%- for team in teams %}
        coalesce(unit.{{ team }}_sent, false) or coalesce(form.{{ team }}_wrote, false) as is_{{ team }}_sent,
        coalesce(unit.{{ team }}_arrived, false) or coalesce(form.{{ team }}_wrote, false) as is_{{ team }}_arrived,
        coalesce(form.{{ team }}_met, false) as is_{{ team }}_engaged,
        coalesce(form.{{ team }}_helped, false) as is_{{ team }}_served,
        coalesce(
            unit.is_police_there and not unit.{{ team }}_sent and not unit.has_unknown_unit, false
        ) and not coalesce(form.{{ team }}_wrote, false) as is_{{ team }}_police_without_team,
        {%- endfor %}
        unit.incident_id is null as is_without_unit
    from eligible
    left join unit on eligible.incident_id = unit.incident_id
    left join form on eligible.incident_id = form.incident_id
),

-- Calls that have all in common that is sliced by, and those of them that came to each stage.
tally as (
    select
        {{ keys | join(',\n        ') }},
        count(*) as call_count,
        {%- for team in teams %}
        {%- for stage in stages %}
        0 as {{ team }}_{{ stage }},
        {%- endfor %}
        {%- endfor %}
        0 as without_unit
    from incident
    group by {{ keys | join(', ') }}
    union all
    select
        {{ keys | join(',\n        ') }},
        0 as call_count,
        {%- for team in teams %}
        {%- for stage in stages %}
        count(case when is_{{ team }}_{{ stage }} then 1 end) as {{ team }}_{{ stage }},
        {%- endfor %}
        {%- endfor %}
        count(case when is_without_unit then 1 end) as without_unit
    from staged
    group by {{ keys | join(', ') }}
),

coded as (
    select
        *,
        coalesce(lpad(cast(hour_of_day as varchar), 2, '0'), 'not_recorded') as hour_of_day_code,
        coalesce(beat, 'not_recorded') as beat_code,
        coalesce(reason, 'not_recorded') as reason_code
    from tally
),

population as (
    select
        *,
        'program' as identification_method_code,
        case when program_eligible in ('yes', 'no') then program_eligible else 'unknown' end as eligible
    from coded
    union all
    select
        *,
        'call_type_initial' as identification_method_code,
        case when bh_call_type_initial in ('yes', 'no') then bh_call_type_initial else 'unknown' end as eligible
    from coded
),

-- One scan: every slice of every team and stage.
summed as (
    select
        agency_id,
        month,
        identification_method_code,
        case
            {%- for slice in slices %}
            when grouping({{ slice }}_code) = 0 then '{{ slice }}'
            {%- endfor %}
            else 'all'
        end as slice_code,
        coalesce(
            {%- for slice in slices %}
            {{ slice }}_code,
            {%- endfor %}
            'all'
        ) as slice_value,
        {%- for team in teams %}
        {%- for stage in stages %}
        sum(case when eligible = 'yes' then {{ team }}_{{ stage }} else 0 end) as {{ team }}_{{ stage }},
        {%- endfor %}
        {%- endfor %}
        sum(call_count) as considered_count,
        sum(case when eligible = 'no' then call_count else 0 end) as not_eligible_count,
        sum(case when eligible = 'unknown' then call_count else 0 end) as eligibility_unknown_count,
        sum(case when eligible = 'yes' then call_count else 0 end) as eligible_count,
        sum(case when eligible = 'yes' then without_unit else 0 end) as no_unit_count
    from population
    group by grouping sets (
        {%- for slice in slices %}
        (agency_id, month, identification_method_code, {{ slice }}_code),
        {%- endfor %}
        (agency_id, month, identification_method_code)
    )
),

team as (
    {%- for team in teams %}
    select '{{ team }}' as team_code
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

staged_by_team as (
    select
        summed.agency_id,
        summed.month,
        summed.identification_method_code,
        summed.slice_code,
        summed.slice_value,
        team.team_code,
        {%- for stage in stages %}
        case team.team_code
            {%- for team in teams %}
            when '{{ team }}' then summed.{{ team }}_{{ stage }}
            {%- endfor %}
        end as {{ stage }}_count,
        {%- endfor %}
        summed.considered_count,
        summed.not_eligible_count,
        summed.eligibility_unknown_count,
        summed.eligible_count,
        summed.no_unit_count
    from summed
    cross join team
),

counted as (
    select
        *,
        {{ share('sent_count', 'eligible_count') }} as sent_share,
        {{ share('arrived_count', 'sent_count') }} as arrived_share,
        {{ share('engaged_count', 'arrived_count') }} as engaged_share,
        {{ share('served_count', 'engaged_count') }} as served_share,
        {{ share('served_count', 'eligible_count') }} as served_of_eligible_share,
        {{ share('police_without_team_count', 'eligible_count') }} as police_without_team_share
    from staged_by_team
),

final as (
    select
        {{ metric_columns('eligible_call') }},
        team.team_code,
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('not_eligible_count') }},
        {{ available_count('eligibility_unknown_count') }},
        {{ available_count('eligible_count') }},
        {{ available_count('sent_count') }},
        {{ available_count('arrived_count') }},
        {{ available_count('engaged_count') }},
        {{ available_count('served_count') }},
        {{ available_count('police_without_team_count') }},
        {{ available_count('no_unit_count') }},
        {{ available_value('sent_share') }},
        {{ available_value('arrived_share') }},
        {{ available_value('engaged_share') }},
        {{ available_value('served_share') }},
        {{ available_value('served_of_eligible_share') }},
        {{ available_value('police_without_team_share') }}
    from metric_row
    cross join team
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and metric_row.identification_method_code = counted.identification_method_code
            and team.team_code = counted.team_code
)

select * from final
