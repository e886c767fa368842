-- Makes met_workload__demand, met_workload__hours_on_task and met_workload__hours_relieved.

-- Demand and hours on task: one scan of each fact by hour, beat and the three answers on behavioral health.
create or replace temp macro hour_of_week(local_at) as isodow(local_at) * 100 + hour(local_at);
create or replace temp macro hour_text(number) as
    coalesce((number // 100) || '_' || lpad((number % 100)::varchar, 2, '0'), 'not_recorded');

create or replace temp table call_load as
select
    agency_id, month, hour_of_week(received_local_at) as hour_of_week, coalesce(beat, 'not_recorded') as area,
    bh_call_type_initial = 'yes' as by_initial, bh_call_type_final = 'yes' as by_final,
    bh_field_form = 'yes' as by_form,
    count(*) as call_count,
    count(case when exclusion_code = 'duplicate' then 1 end) as duplicate_count,
    count(case when exclusion_code = 'self_initiated' then 1 end) as self_initiated_count,
    count(case when exclusion_code = 'cancelled' then 1 end) as cancelled_count
from warehouse.marts.fct_incident
group by all;

create or replace temp table unit_load as
select
    agency_id, month, hour_of_week(dispatched_local_at) as hour_of_week,
    coalesce(incident_beat, 'not_recorded') as area,
    bh_call_type_initial = 'yes' as by_initial, bh_call_type_final = 'yes' as by_final,
    bh_field_form = 'yes' as by_form,
    response_scope_code = 'unit' as is_by_unit,
    count(*) as response_count,
    count(task_seconds) as known_count,
    count(case when task_status_code in ('missing_start', 'missing_end') then 1 end) as missing_count,
    count(case when task_status_code in ('ambiguous', 'negative', 'over_limit') then 1 end) as invalid_count,
    count(officer_seconds) as officer_known_count,
    count(clinician_seconds) as clinician_known_count,
    sum(task_seconds) as unit_seconds,
    sum(officer_seconds) as officer_seconds,
    sum(clinician_seconds) as clinician_seconds
from warehouse.marts.fct_unit_response
group by all;

-- The populations of a row, numbered as in method_name.
create or replace temp macro methods(by_initial, by_final, by_form) as case
    when by_initial or by_final or by_form
        then list_filter([1, if(by_initial, 2, null), if(by_final, 3, null), if(by_form, 4, null)], lambda n: n > 0)
    else [1]
end;
create or replace temp macro method_name(method) as
    (['not_applicable', 'call_type_initial', 'call_type_final', 'field_form'])[method];

-- A unit's call type is that of its call: nobody knows it, nor the demand, in a month without calls.
create or replace temp table call_month as
select agency_id, month from warehouse.marts.fct_agency_month where entity = 'incident' and row_count > 0;

create table met_workload__demand as
with either as (
    select
        agency_id, month, unnest(methods(by_initial, by_final, by_form)) as method, hour_of_week, area,
        call_count, duplicate_count, self_initiated_count, cancelled_count,
        0 as response_count, 0 as known_count, 0 as officer_known_count,
        null as unit_seconds, null as officer_seconds
    from call_load
    union all
    select
        agency_id, month, unnest(methods(by_initial, by_final, by_form)), hour_of_week, area, 0, 0, 0, 0,
        response_count, known_count, officer_known_count, unit_seconds, officer_seconds
    from unit_load
    where is_by_unit
),

counted as (
    select
        agency_id, month, method, hour_of_week, area,
        grouping(hour_of_week) = 0 as by_hour, grouping(area) = 0 as by_area,
        sum(call_count)::bigint as call_count,
        sum(duplicate_count)::bigint as duplicate_count,
        sum(self_initiated_count)::bigint as self_initiated_count,
        sum(cancelled_count)::bigint as cancelled_count,
        sum(response_count)::bigint as response_count,
        sum(known_count)::bigint as known_count,
        sum(officer_known_count)::bigint as officer_known_count,
        sum(unit_seconds)::bigint as unit_seconds,
        sum(officer_seconds)::bigint as officer_seconds
    from either
    group by agency_id, month, method, cube (hour_of_week, area)
)

select
    agency_id, month, 'M11' as metric_id, method_name(method) as identification_method_code,
    case
        when by_hour and by_area then 'hour_of_week_beat' when by_hour then 'hour_of_week'
        when by_area then 'beat' else 'all'
    end as slice_code,
    case when by_hour then hour_text(hour_of_week) else 'all' end as hour_of_week,
    case when by_area then area else 'all' end as area,
    call_count, duplicate_count, self_initiated_count, cancelled_count,
    response_count, known_count, officer_known_count,
    unit_seconds, unit_seconds / 3600 as unit_hours, officer_seconds, officer_seconds / 3600 as officer_hours
from counted
join call_month using (agency_id, month);

create table met_workload__hours_on_task as
with expanded as (
    select *, unnest(methods(by_initial, by_final, by_form)) as method
    from unit_load
)

select
    agency_id, month, 'M08' as metric_id, method_name(method) as identification_method_code,
    sum(response_count)::bigint as considered_count,
    coalesce(sum(response_count) filter (not is_by_unit), 0)::bigint as not_by_unit_count,
    coalesce(sum(response_count) filter (is_by_unit), 0)::bigint as response_count,
    coalesce(sum(known_count) filter (is_by_unit), 0)::bigint as known_count,
    coalesce(sum(missing_count) filter (is_by_unit), 0)::bigint as missing_count,
    coalesce(sum(invalid_count) filter (is_by_unit), 0)::bigint as invalid_count,
    sum(officer_known_count)::bigint as officer_known_count,
    (sum(case when is_by_unit then response_count else 0 end) - sum(officer_known_count))::bigint
        as officer_unknown_count,
    sum(clinician_known_count)::bigint as clinician_known_count,
    (sum(case when is_by_unit then response_count else 0 end) - sum(clinician_known_count))::bigint
        as clinician_unknown_count,
    sum(unit_seconds) filter (is_by_unit) / 3600 as unit_hours,
    sum(officer_seconds) / 3600 as officer_hours,
    sum(clinician_seconds) / 3600 as clinician_hours
from expanded
where method in (1, 4) or (agency_id, month) in (select (agency_id, month) from call_month)
group by agency_id, month, method;

-- Hours relieved. Most calls had only police without a team, with all hours known: their hours stand in fct_incident.
-- Only the other calls are built from their units.
create or replace temp macro team_of(model) as case
    when model like 'co_response_%' then 'co_response'
    when model in ('mobile_crisis', 'alternative_no_police') then model
end;
create or replace temp macro untold(code) as
    code in ('not_recorded', 'withheld', 'other', 'unknown', 'refused', 'not_applicable');
create or replace temp macro hour_block(local_at) as hour(local_at) // 6;

create or replace temp table other_unit as
with unit as (
    select
        incident_id, officer_seconds, clinician_seconds, on_scene_at is not null as is_there,
        on_scene_at is null and cancelled_at is not null as is_called_off,
        team_of(response_model_code) as team,
        untold(response_model_code) as is_untold,
        coalesce(
            response_model_code in ('police_only', 'cit_police')
            or unit_type_code in ('patrol', 'cit_patrol', 'co_responder', 'supervisor', 'k9')
            or officer_count > 0, false
        ) as is_police
    from warehouse.marts.fct_unit_response
    where response_scope_code = 'unit' and exclusion_code = 'none' and is_linked_to_incident
)

from unit
where incident_id in (
    select incident_id from unit where team is not null or is_untold or not is_police or officer_seconds is null
);

create or replace temp table other_call as
select
    incident_id,
    bool_or(team is not null) as is_team_sent,
    bool_or(is_untold) as has_untold_unit,
    coalesce(bool_or(is_police and team is null and is_there), false) as is_police_there,
    not bool_or((is_police or team is not null) and officer_seconds is null and not is_called_off) as is_known,
    coalesce(sum(officer_seconds) filter (is_police and team is null), 0) / 3600 as police_hours
from other_unit
group by incident_id;

create table met_workload__hours_relieved as
with incident as (
    select
        agency_id, month, incident_id, call_type_initial_code as call_type,
        hour_block(received_local_at) as hour_block, arrived_unit_count, officer_seconds
    from warehouse.marts.fct_incident
    where exclusion_code = 'none' and unit_count > 0
),

police_call as (
    select agency_id, month, call_type, hour_block, officer_seconds / 3600 as police_hours
    from incident
    where arrived_unit_count > 0 and incident_id not in (select incident_id from other_call)
    union all
    select agency_id, month, call_type, hour_block, police_hours
    from other_call
    join incident using (incident_id)
    where is_police_there and is_known and not is_team_sent and not has_untold_unit
),

-- What police without a team spent at calls of the same type and hours, in the same month.
baseline as (
    select
        agency_id, month, call_type, hour_block, count(*) as baseline_count,
        avg(police_hours) as mean_hours, var_samp(police_hours) as variance
    from police_call
    where not untold(call_type) and hour_block is not null
    group by all
    having count(*) >= 2
),

team_unit as (
    select incident_id, unnest(['any_team', team]) as team_code, is_there, officer_seconds, clinician_seconds
    from other_unit
    where team is not null
),

team_there as (
    select
        incident_id, team_code,
        sum(officer_seconds) as officer_seconds, sum(clinician_seconds) as clinician_seconds
    from team_unit
    group by all
    having bool_or(is_there)
),

stratum as (
    select
        agency_id, month, call_type, hour_block, team_code,
        count(*) as considered_count,
        count(*) filter (is_known and not has_untold_unit) as stratum_count,
        sum(police_hours) filter (is_known and not has_untold_unit) as police_hours,
        sum(team_there.officer_seconds) filter (is_known and not has_untold_unit) as team_officer_seconds,
        sum(clinician_seconds) filter (is_known and not has_untold_unit) as team_clinician_seconds
    from team_there
    join other_call using (incident_id)
    join incident using (incident_id)
    group by all
),

summed as (
    select
        agency_id, month, team_code,
        sum(considered_count)::bigint as considered_count,
        sum(considered_count - stratum_count)::bigint as unknown_count,
        coalesce(sum(stratum_count) filter (baseline_count is null), 0)::bigint as unmatched_count,
        coalesce(sum(stratum_count) filter (baseline_count is not null), 0)::bigint as denominator_count,
        coalesce(sum(baseline_count) filter (stratum_count > 0), 0)::bigint as baseline_count,
        sum(stratum_count * mean_hours) as expected_hours,
        sum(police_hours) filter (baseline_count is not null) as police_hours,
        sum(team_officer_seconds) filter (baseline_count is not null) / 3600 as team_officer_hours,
        sum(team_clinician_seconds) filter (baseline_count is not null) / 3600 as team_clinician_hours,
        -- Chance in what those calls would have taken, and in the mean that tells it.
        1.959964 * sqrt(
            sum(stratum_count * variance * (1 + stratum_count / baseline_count)) filter (stratum_count > 0)
        ) as half_width
    from stratum
    left join baseline using (agency_id, month, call_type, hour_block)
    group by all
)

select
    agency_id, month, 'M08b' as metric_id, 'not_applicable' as identification_method_code, team_code,
    coalesce(considered_count, 0) as considered_count, coalesce(unknown_count, 0) as unknown_count,
    coalesce(unmatched_count, 0) as unmatched_count, coalesce(denominator_count, 0) as denominator_count,
    coalesce(baseline_count, 0) as baseline_count,
    round(expected_hours, 4) as expected_officer_hours, round(police_hours, 4) as police_officer_hours,
    round(expected_hours - police_hours, 4) as relieved_officer_hours,
    round(expected_hours - police_hours - half_width, 4) as relieved_low_officer_hours,
    round(expected_hours - police_hours + half_width, 4) as relieved_high_officer_hours,
    round(team_officer_hours, 4) as team_officer_hours, round(team_clinician_hours, 4) as team_clinician_hours,
    round(expected_hours - police_hours - team_officer_hours, 4) as net_officer_hours
from call_month
cross join (values ('any_team'), ('co_response'), ('mobile_crisis'), ('alternative_no_police')) as team (team_code)
left join summed using (agency_id, month, team_code);
