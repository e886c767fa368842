-- Grain: one row per agency, month and part: eligible_not_sent, not_eligible_sent.
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'PG5'
),

incident as (
    select * from {{ ref('fct_incident') }} as incident
    where
        {{ in_window('incident') }}
        and incident.exclusion_code = 'none'
),

unit_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where {{ in_window('unit_response', lookahead_months=1) }}
),

-- Calls that others than police alone were sent to, and whether a team was among them.
other_sent as (
    select
        incident.incident_id,
        count(case when unit_response.response_model_code in ({{ quoted(team_models()) }}) then 1 end) > 0 as is_team,
        count(case when unit_response.response_model_code in {{ unknown_codes() }} then 1 end) > 0 as is_unknown
    from incident
    inner join unit_response on incident.incident_id = unit_response.incident_id
    where
        {{ months_near('incident', 'unit_response', lookahead_months=1) }}
        and (
            unit_response.response_model_code in ({{ quoted(team_models()) }})
            or unit_response.response_model_code in {{ unknown_codes() }}
        )
    group by incident.incident_id
),

-- Of the calls that some unit was sent to: the rule's answer, and what was done.
done as (
    select
        incident.agency_id,
        incident.month,
        incident.program_eligible,
        case when other_sent.is_team then 'yes' when other_sent.is_unknown then 'unknown' else 'no' end as team_sent
    from incident
    left join other_sent on incident.incident_id = other_sent.incident_id
    where incident.has_unit_response
),

part as (
    select
        'eligible_not_sent' as part_code,
        'yes' as rule_answer,
        'no' as override_answer
    union all
    select
        'not_eligible_sent' as part_code,
        'no' as rule_answer,
        'yes' as override_answer
),

summed as (
    select
        done.agency_id,
        done.month,
        part.part_code,
        count(*) as considered_count,
        count(case when done.program_eligible not in ('yes', 'no') then 1 end) as eligibility_unknown_count,
        count(case when done.program_eligible = part.rule_answer and done.team_sent = 'unknown' then 1 end)
            as unknown_count,
        count(case when done.program_eligible = part.rule_answer and done.team_sent <> 'unknown' then 1 end)
            as denominator_count,
        count(case when done.program_eligible = part.rule_answer and done.team_sent = part.override_answer then 1 end)
            as override_count
    from done
    cross join part
    group by done.agency_id, done.month, part.part_code
),

counted as (
    select
        *,
        {{ share('override_count', 'denominator_count') }} as override_share
    from summed
),

final as (
    select
        {{ metric_columns('community_call') }},
        part.part_code,
        {{ available_count('considered_count') }},
        {{ available_count('eligibility_unknown_count') }},
        {{ available_count('unknown_count') }},
        {{ available_count('denominator_count') }},
        {{ available_count('override_count') }},
        {{ available_value('override_share') }}
    from metric_row
    cross join part
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
            and part.part_code = counted.part_code
)

select * from final
