-- Makes the four met_staffing tables; offered load and headcount read met_workload__demand, which workload.sql makes.

create or replace temp table agency_month as
select distinct agency_id, month, last_day(strptime(month, '%Y-%m')) as last_day
from warehouse.marts.fct_agency_month;

-- Officers trained, as of the month's last day.
create table met_staffing__cit_certified as
select
    agency_id, agency_month.month, 'M13' as metric_id, 'not_applicable' as identification_method_code,
    count(*) as considered_count,
    count(*) filter (completed_date is null) as undated_count,
    count(*) filter (completed_date > last_day) as later_count,
    count(*) filter (completed_date <= last_day and expires_date < last_day) as expired_count,
    count(*) filter (completed_date <= last_day and coalesce(expires_date >= last_day, true)) as certified_count
from agency_month
join warehouse.staging.stg_training_record as record using (agency_id)
where course_code = 'cit_40h'
group by all;

-- Cover by trained officers: of contacts, and of hours on duty.
create or replace temp macro hour_of_week(local_at) as isodow(local_at) * 100 + hour(local_at);
create or replace temp macro hour_text(number) as
    coalesce((number // 100) || '_' || lpad((number % 100)::varchar, 2, '0'), 'not_recorded');
create or replace temp macro is_answer(answer) as answer in ('yes', 'no');
-- Of those asked with yes: how many were answered, and how many with yes.
create or replace temp macro part_of(metric, part, asked, answer) as {
    'metric_id': metric, 'part_code': part,
    'considered_count': count(*),
    'unknown_count': count(*) filter (not is_answer(asked) or (asked = 'yes' and not is_answer(answer))),
    'denominator_count': count(*) filter (asked = 'yes' and is_answer(answer)),
    'numerator_count': count(*) filter (asked = 'yes' and answer = 'yes'),
    'expected_share': null::double
};

create table met_staffing__cit_coverage as
with contact as (
    select
        agency_id, month, coalesce(beat, 'not_recorded') as area, hour_of_week(occurred_local_at) as hour_of_week,
        cit_requested, cit_dispatched, cit_arrived
    from warehouse.marts.fct_contact
),

shift_hour as (
    select
        agency_id, month, coalesce(geoid, 'not_recorded') as area, cit_officer_count, actual_personnel_count,
        epoch_us(started_at) // 3600000000 as first_hour, started_local_at,
        unnest(range((epoch_us(ended_at) // 1000000 - epoch_us(started_at) // 1000000 + 3599) // 3600)) as n
    from warehouse.marts.fct_shift
),

-- One row an hour and area; null where a shift does not say.
cell as (
    select
        agency_id, month, area, hour_of_week(min(started_local_at + to_hours(n))) as hour_of_week,
        case when count(cit_officer_count) = count(*) then sum(cit_officer_count) end as trained,
        case when count(actual_personnel_count) = count(*) then sum(actual_personnel_count) end as on_duty
    from shift_hour
    group by agency_id, month, area, first_hour + n
),

agency_share as (
    select agency_id, month, sum(trained) / nullif(sum(on_duty), 0) as trained_share
    from cell
    where trained is not null and on_duty is not null
    group by all
),

summed as (
    select
        agency_id, month, area, hour_of_week,
        grouping(area) = 0 as by_area, grouping(hour_of_week) = 0 as by_hour,
        [
            part_of('M14', 'arrived', 'yes', cit_arrived),
            part_of('M14', 'dispatched_of_requested', cit_requested, cit_dispatched),
            part_of('M14', 'arrived_of_dispatched', cit_dispatched, cit_arrived)
        ] as measure
    from contact
    group by agency_id, month, grouping sets ((), (area), (hour_of_week))
    union all
    select
        agency_id, month, area, hour_of_week, grouping(area) = 0, grouping(hour_of_week) = 0,
        [
            {
                'metric_id': 'M14b', 'part_code': 'hours_covered', 'considered_count': count(*),
                'unknown_count': count(*) - count(trained), 'denominator_count': count(trained),
                'numerator_count': count(*) filter (trained >= 1),
                'expected_share': avg(1 - power(1 - trained_share, on_duty))
            },
            {
                'metric_id': 'M13', 'part_code': 'trained_officer_hours',
                'considered_count': coalesce(sum(on_duty), 0)::bigint,
                'unknown_count': coalesce(sum(on_duty) filter (trained is null), 0)::bigint,
                'denominator_count': coalesce(sum(on_duty) filter (trained is not null), 0)::bigint,
                'numerator_count': coalesce(sum(trained) filter (on_duty is not null), 0)::bigint,
                'expected_share': null::double
            }
        ]
    from cell
    left join agency_share using (agency_id, month)
    group by agency_id, month, grouping sets ((), (area), (hour_of_week))
),

-- An agency that sends shifts has a row also in the months without any.
silent as (
    select
        agency_id, month, null as area, null as hour_of_week, false as by_area, false as by_hour,
        unnest(['M13', 'M14b']) as metric_id, 'none' as part_code,
        0 as considered_count, 0 as unknown_count, 0 as denominator_count, 0 as numerator_count, null as expected_share
    from agency_month
    where
        agency_id in (select agency_id from warehouse.marts.fct_shift)
        and (agency_id, month) not in (select (agency_id, month) from warehouse.marts.fct_shift)
),

told as (
    select * exclude (measure), unnest(measure, recursive := true) from summed
    union all
    from silent
)

select
    agency_id, month, metric_id,
    case when metric_id = 'M14' then 'field_form' else 'not_applicable' end as identification_method_code,
    part_code,
    case when by_area then 'area' when by_hour then 'hour_of_week' else 'all' end as slice_code,
    case when by_area then area when by_hour then hour_text(hour_of_week) else 'all' end as slice_value,
    considered_count, unknown_count, denominator_count, numerator_count, round(expected_share, 6) as expected_share
from told;

-- Offered load: Erlang C by the hour of the week, for as many units as could be needed.
set variable staffing = (
    select map(list(parameter_key), list(value)) from warehouse.reference.staffing_parameter
);

create table met_staffing__offered_load as
with weekday as (
    select month, iso_day_of_week, count(*) as hours_observed
    from warehouse.marts.dim_date
    group by all
),

loaded as (
    select
        row_number() over () as cell_id,
        agency_id, month, identification_method_code, hour_of_week, hours_observed,
        response_count, known_count, officer_known_count,
        unit_seconds / known_count as service_seconds,
        response_count / hours_observed as arrival_rate,
        arrival_rate * service_seconds / 3600 as load
    from met_workload__demand as demand
    join weekday using (month)
    where
        slice_code = 'hour_of_week' and hour_of_week <> 'not_recorded'
        and iso_day_of_week = hour_of_week[1]::integer and unit_seconds > 0
),

spread as (
    select cell_id, load, unnest(range(floor(load + 3 * sqrt(load) + 3)::bigint + 1)) as units
    from loaded
),

mass as (
    select
        *,
        exp(units * ln(load) - load - lgamma(units + 1)) as mass,
        sum(mass) over (partition by cell_id order by units) - mass as below
    from spread
),

waiting as (
    select
        cell_id, units, mass * units / (units - load) as tail, tail / (below + tail) as wait_share
    from mass
    where units > load
),

judged as (
    select
        * exclude (tail),
        wait_share * service_seconds / (units - load) as mean_wait,
        wait_share * exp(-(units - load) * getvariable('staffing')['wait_limit_seconds'] / service_seconds)
            as longer_share
    from waiting
    join loaded using (cell_id)
),

needed as (
    select cell_id, min(units) as units_needed
    from judged
    where longer_share <= getvariable('staffing')['wait_longer_share']
    group by cell_id
)

select
    agency_id, month, 'M40' as metric_id, identification_method_code, hour_of_week, units as units_on_duty,
    hours_observed, response_count, known_count, officer_known_count,
    round(arrival_rate, 6) as responses_an_hour, round(service_seconds, 3) as mean_task_seconds,
    round(load, 6) as offered_load, round(wait_share, 6) as wait_share, round(mean_wait, 3) as mean_wait_seconds,
    round(longer_share, 6) as longer_than_limit_share, coalesce(units = units_needed, false) as is_units_needed
from judged
left join needed using (cell_id);

create table met_staffing__headcount as
with needed as (
    select
        agency_id, month, identification_method_code,
        count(*) as hours_with_work, sum(units_on_duty)::bigint as unit_hours_a_week
    from met_staffing__offered_load
    where is_units_needed
    group by all
)

select
    agency_id, month, 'M44' as metric_id, identification_method_code, response_count, officer_known_count,
    coalesce(hours_with_work, 0) as hours_with_work, unit_hours_a_week,
    round(unit_hours_a_week * getvariable('staffing')['days_per_year'] / 7, 4) as unit_hours_a_year,
    round(officer_seconds / officer_known_count / (unit_seconds / known_count), 6) as officers_per_unit,
    getvariable('staffing')['net_hours_per_year'] as net_hours_a_year,
    round(24 * getvariable('staffing')['days_per_year'] / net_hours_a_year, 6) as relief_factor,
    round(
        unit_hours_a_week * getvariable('staffing')['days_per_year'] / 7
        * (officer_seconds / officer_known_count / (unit_seconds / known_count)) / net_hours_a_year, 4
    ) as officers_needed,
    ceil(officers_needed)::bigint as headcount
from met_workload__demand
left join needed using (agency_id, month, identification_method_code)
where slice_code = 'all';
