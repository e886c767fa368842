-- Makes met_response__interval_by_slice and, out of its rows for all, the four tables of one interval each.

set variable target = (select map(list(metric_id), list(target_seconds)) from warehouse.reference.response_target);

-- The months and populations of the calls and of the unit responses, numbered: one short key to group by.
-- A unit's call type is that of its call: nobody knows it in a month without calls.
create or replace temp table cell as
with filled as (
    from warehouse.marts.fct_agency_month where row_count > 0
)

select cast(row_number() over () as usmallint) as cell_id, entity, agency_id, month, method
from filled
cross join (values ('not_applicable'), ('call_type_initial'), ('call_type_final'), ('field_form')) as method (method)
where
    entity = 'incident'
    or (
        entity = 'unit_response'
        and (method not like 'call_type%' or (agency_id, month) in (
            select (agency_id, month) from filled where entity = 'incident'
        ))
    );

create or replace temp macro is_in(method, initial, final, form) as case method
    when 'call_type_initial' then initial = 'yes'
    when 'call_type_final' then final = 'yes'
    when 'field_form' then form = 'yes'
    else true
end;
create or replace temp macro kind(method, initial, final) as
    coalesce(case when method = 'call_type_initial' then initial else final end, 'not_recorded');
create or replace temp macro hour_of_week(local_at) as isodow(local_at) * 100 + hour(local_at);
create or replace temp macro hour_text(number) as (number // 100) || '_' || lpad((number % 100)::varchar, 2, '0');
create or replace temp macro scope_bit(code) as
    case code when 'unit' then 1 when 'first_arriving' then 2 when 'not_applicable' then 4 else 8 end;

-- Three counts in one sum: missing, invalid and within the target, each below 2**21 in a month.
create or replace temp macro bits(metric, seconds, status) as case
    when seconds <= getvariable('target')[metric] then 1::bigint << 42
    when status in ('missing_start', 'missing_end') then 1
    when status in ('ambiguous', 'negative', 'over_limit') then 1::bigint << 21
end;
create or replace temp macro interval_of(metric, seconds, status, is_exclusion_known, has_unit) as {
    'metric_id': metric,
    'known_count': count(seconds),
    'bits': coalesce(sum(bits(metric, seconds, status)), 0),
    'no_unit_count': count(case when has_unit then null when status in ('missing_start', 'missing_end') then 1 end),
    'exclusion_unknown_count': count(case when is_exclusion_known then null when status <> 'not_applicable' then 1 end),
    'p': quantile_cont(seconds, [0.5, 0.75, 0.9, 0.95]),
    'p90_nearest_rank_seconds': quantile_disc(seconds, 0.9)
};

create or replace temp macro call_of(population) as table
select
    cell_id, response_scope_code, exclusion_code, is_exclusion_known, has_unit_response,
    priority_initial_rank as priority, hour_of_week(received_local_at) as hour_of_week,
    coalesce(beat, 'not_recorded') as beat,
    kind(population, call_type_initial_bh_kind_code, call_type_final_bh_kind_code) as bh_kind,
    case when exclusion_code = 'none' then call_processing_seconds end as seconds_1,
    case when exclusion_code = 'none' then call_processing_status_code end as status_1,
    case when exclusion_code = 'none' then incident_response_seconds end as seconds_5,
    case when exclusion_code = 'none' then incident_response_status_code end as status_5,
    case when exclusion_code = 'none' then bh_capable_response_seconds end as seconds_6,
    case when exclusion_code = 'none' then bh_capable_response_status_code end as status_6
from warehouse.marts.fct_incident
join (from cell where entity = 'incident' and method = population) using (agency_id, month)
where is_in(population, bh_call_type_initial, bh_call_type_final, bh_field_form);

create or replace temp macro unit_of(population) as table
select
    cell_id, response_scope_code, exclusion_code, is_exclusion_known,
    incident_priority_rank as priority, hour_of_week(dispatched_local_at) as hour_of_week,
    coalesce(incident_beat, 'not_recorded') as beat,
    coalesce(response_model_code, 'not_recorded') as response_model,
    kind(population, call_type_initial_bh_kind_code, call_type_final_bh_kind_code) as bh_kind,
    case when exclusion_code = 'none' then turnout_seconds end as seconds_2,
    case when exclusion_code = 'none' then turnout_status_code end as status_2,
    case when exclusion_code = 'none' then travel_seconds end as seconds_3,
    case when exclusion_code = 'none' then travel_status_code end as status_3,
    case when exclusion_code = 'none' then response_seconds end as seconds_4,
    case when exclusion_code = 'none' then response_status_code end as status_4,
    case when exclusion_code = 'none' then scene_seconds end as seconds_7,
    case when exclusion_code = 'none' then scene_status_code end as status_7,
    case when exclusion_code = 'none' then wall_seconds end as seconds_9,
    case when exclusion_code = 'none' then wall_status_code end as status_9
from warehouse.marts.fct_unit_response
join (from cell where entity = 'unit_response' and method = population) using (agency_id, month)
where is_in(population, bh_call_type_initial, bh_call_type_final, bh_field_form);

create or replace temp table interval_row as
with call as (
    from call_of('not_applicable')
    union all from call_of('call_type_initial')
    union all from call_of('call_type_final')
    union all from call_of('field_form')
),

unit as (
    from unit_of('not_applicable')
    union all from unit_of('call_type_initial')
    union all from unit_of('call_type_final')
    union all from unit_of('field_form')
),

summed as (
    select
        cell_id, beat, priority, hour_of_week, bh_kind, null as response_model,
        grouping(beat) = 0 as by_beat, grouping(priority) = 0 as by_priority,
        grouping(hour_of_week) = 0 as by_hour, grouping(bh_kind) = 0 as by_kind, false as by_model,
        bit_or(scope_bit(response_scope_code)) as scope_bits,
        count(*) as considered_count,
        count(case when exclusion_code = 'duplicate' then 1 end) as duplicate_count,
        count(case when exclusion_code = 'self_initiated' then 1 end) as self_initiated_count,
        count(case when exclusion_code = 'cancelled' then 1 end) as cancelled_count,
        [
            interval_of('M01', seconds_1, status_1, is_exclusion_known, has_unit_response),
            interval_of('M05', seconds_5, status_5, is_exclusion_known, has_unit_response),
            interval_of('M06', seconds_6, status_6, is_exclusion_known, has_unit_response)
        ] as measure
    from call
    group by cell_id, grouping sets ((), (beat), (priority), (hour_of_week), (bh_kind))
    union all
    select
        cell_id, beat, priority, hour_of_week, bh_kind, response_model,
        grouping(beat) = 0, grouping(priority) = 0, grouping(hour_of_week) = 0, grouping(bh_kind) = 0,
        grouping(response_model) = 0,
        bit_or(scope_bit(response_scope_code)),
        count(*),
        count(case when exclusion_code = 'duplicate' then 1 end),
        count(case when exclusion_code = 'self_initiated' then 1 end),
        count(case when exclusion_code = 'cancelled' then 1 end),
        [
            interval_of('M02', seconds_2, status_2, is_exclusion_known, true),
            interval_of('M03', seconds_3, status_3, is_exclusion_known, true),
            interval_of('M04', seconds_4, status_4, is_exclusion_known, true),
            interval_of('M07', seconds_7, status_7, is_exclusion_known, true),
            interval_of('M09', seconds_9, status_9, is_exclusion_known, true)
        ]
    from unit
    group by cell_id, grouping sets ((), (beat), (priority), (hour_of_week), (bh_kind), (response_model))
),

told as (
    select * exclude (measure), unnest(measure, recursive := true)
    from summed
)

select
    cell.agency_id, cell.month, told.metric_id, cell.method as identification_method_code,
    case
        when by_beat then 'beat' when by_priority then 'priority' when by_hour then 'hour_of_week'
        when by_kind then 'bh_kind' when by_model then 'response_model' else 'all'
    end as slice_code,
    case
        when by_beat then beat
        when by_priority then coalesce(priority::varchar, 'not_recorded')
        when by_hour then coalesce(hour_text(hour_of_week), 'not_recorded')
        when by_kind then bh_kind
        when by_model then response_model
        else 'all'
    end as slice_value,
    case scope_bits when 1 then 'unit' when 2 then 'first_arriving' when 4 then 'not_applicable'
        when 8 then 'not_recorded' else 'mixed' end
        as response_scope_code,
    considered_count, duplicate_count, self_initiated_count, cancelled_count,
    known_count, (bits & 2097151)::bigint as missing_count, (bits >> 21 & 2097151)::bigint as invalid_count,
    known_count + missing_count + invalid_count as eligible_count,
    considered_count - duplicate_count - self_initiated_count - cancelled_count - eligible_count
        as not_applicable_count,
    no_unit_count, exclusion_unknown_count,
    p[1] as median_seconds, p[2] as p75_interpolated_seconds, p[3] as p90_interpolated_seconds,
    p[4] as p95_interpolated_seconds, p90_nearest_rank_seconds,
    case when getvariable('target')[metric_id] is not null then (bits >> 42)::bigint end as within_target_number
from told
join cell using (cell_id);

create table met_response__interval_by_slice as
from interval_row;

create or replace temp view interval_for_all as
select
    agency_id, month, metric_id, identification_method_code, response_scope_code,
    considered_count, duplicate_count, self_initiated_count, cancelled_count,
    eligible_count, known_count, missing_count, invalid_count,
    no_unit_count, not_applicable_count as cancelled_unit_count, exclusion_unknown_count,
    median_seconds, p90_nearest_rank_seconds, p90_interpolated_seconds
from interval_row
where slice_code = 'all';

create table met_response__call_processing as
select * exclude (cancelled_unit_count) from interval_for_all where metric_id = 'M01';
create table met_response__incident_response as
select * exclude (cancelled_unit_count) from interval_for_all where metric_id = 'M05';
create table met_response__unit_response as
select * exclude (no_unit_count) from interval_for_all where metric_id = 'M04';
create table met_response__scene_time as
select * exclude (no_unit_count) from interval_for_all where metric_id = 'M07';
