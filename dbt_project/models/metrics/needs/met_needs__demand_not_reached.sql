-- Grain: one row per agency, month, slice and value of the slice; the slice 'all' is the total.
{%- set slices = ['hour_of_week', 'beat', 'beat_and_hour_of_week'] %}
{%- set classes = ['reached', 'sent_not_arrived', 'program_off', 'teams_busy', 'not_sent', 'hours_unknown'] %}
with metric_row as (
    select * from {{ ref('int_metric_availability') }}
    where metric_id = 'ND1'
),

incident as (
    select * from {{ ref('fct_incident') }} as incident
    where
        {{ in_window('incident') }}
        and incident.exclusion_code = 'none'
        and incident.bh_call_type_initial = 'yes'
),

team_response as (
    select * from {{ ref('fct_unit_response') }} as unit_response
    where
        {{ in_window('unit_response', lookback_months=1, lookahead_months=1) }}
        and unit_response.response_model_code in ({{ quoted(team_models()) }})
),

shift as (
    select * from {{ ref('fct_shift') }} as shift
    where
        {{ in_window('shift', lookback_months=1) }}
        and shift.program_operating in ('yes', 'no')
),

-- Once for each day that it touches: a key to join by, where times alone would compare all calls with all shifts.
shift_day as (
    select
        *,
        {{ each_integer(epoch_day('started_at'), epoch_day('ended_at')) }} as day_number
    from shift
),

sent as (
    select
        incident.incident_id,
        count(team_response.on_scene_at) > 0 as has_arrived
    from incident
    inner join team_response on incident.incident_id = team_response.incident_id
    where {{ months_near('incident', 'team_response', lookahead_months=1) }}
    group by incident.incident_id
),

-- Whether the roster says that a program worked at the time in the call's area.
covered as (
    select
        incident.incident_id,
        count(case when shift.program_operating = 'yes' then 1 end) > 0 as is_operating
    from incident
    inner join shift_day as shift
        on
            incident.agency_id = shift.agency_id
            and {{ epoch_day('incident.received_at') }} = shift.day_number
            and incident.received_at >= shift.started_at
            and incident.received_at < shift.ended_at
            and (
                shift.geography_level_code in ('city', 'county', 'state')
                or shift.geoid in (incident.beat, incident.sector, incident.precinct)
            )
    where {{ months_near('incident', 'shift', lookback_months=1) }}
    group by incident.incident_id
),

-- Teams that worked in the month, and those of them that were on another call when this one came in.
team as (
    select
        agency_id,
        month,
        count(distinct unit_number) as team_count
    from team_response
    group by agency_id, month
),

busy as (
    select
        incident.incident_id,
        count(distinct team_response.unit_number) as busy_count
    from incident
    inner join team_response
        on
            incident.agency_id = team_response.agency_id
            and incident.month = team_response.month
            and incident.received_at >= team_response.dispatched_at
            and incident.received_at < team_response.cleared_at
    group by incident.incident_id
),

classed as (
    select
        incident.agency_id,
        incident.month,
        case
            when incident.received_local_at is null then 'not_recorded'
            else {{ hour_of_week('incident.received_local_at') }}
        end as hour_of_week,
        {{ slice_value('incident.beat') }} as beat,
        case
            when sent.has_arrived then 'reached'
            when sent.incident_id is not null then 'sent_not_arrived'
            when covered.incident_id is null then 'hours_unknown'
            when not covered.is_operating then 'program_off'
            when busy.busy_count >= team.team_count then 'teams_busy'
            else 'not_sent'
        end as class_code
    from incident
    left join sent on incident.incident_id = sent.incident_id
    left join covered on incident.incident_id = covered.incident_id
    left join busy on incident.incident_id = busy.incident_id
    left join team
        on
            incident.agency_id = team.agency_id
            and incident.month = team.month
),

placed as (
    select
        *,
        beat || ', ' || hour_of_week as beat_and_hour_of_week
    from classed
),

summed as (
    select
        agency_id,
        month,
        {{ slice_columns(slices) }},
        {%- for class in classes %}
        count(case when class_code = '{{ class }}' then 1 end) as {{ class }}_count,
        {%- endfor %}
        count(*) as considered_count
    from placed
    group by {{ sliced_by(['agency_id', 'month'], slices) }}
),

counted as (
    select
        *,
        considered_count - reached_count as not_reached_count,
        {{ share('considered_count - reached_count', 'considered_count') }} as not_reached_share
    from summed
),

final as (
    select
        {{ metric_columns('call') }},
        coalesce(counted.slice_code, 'all') as slice_code,
        coalesce(counted.slice_value, 'all') as slice_value,
        {{ available_count('considered_count') }},
        {{ available_count('not_reached_count') }},
        {%- for class in classes %}
        {{ available_count(class ~ '_count') }},
        {%- endfor %}
        {{ available_value('not_reached_share') }}
    from metric_row
    left join counted
        on
            {{ available_agency() }} = counted.agency_id
            and metric_row.month = counted.month
)

select * from final
