-- Makes met_wellness__exposure; reads met_staffing__cit_certified, which staffing.sql makes.

-- A beat lies in one sector, so a unit's sector is that of its call's beat: no join of the two facts is needed.
create or replace temp table beat_sector as
select agency_id, beat as incident_beat, any_value(sector) as sector
from warehouse.marts.fct_incident
where beat is not null
group by all;

-- The last arrival of a unit in a sector and month: in a window that ends with a later month, or not.
create or replace temp table unit_month as
select
    agency_id, sector, unit_number,
    max(on_scene_local_at)::date as last_arrival, min(on_scene_local_at)::date as first_arrival
from warehouse.marts.fct_unit_response
left join beat_sector using (agency_id, incident_beat)
where on_scene_local_at is not null and is_linked_to_incident
group by agency_id, sector, unit_number, date_trunc('month', on_scene_local_at);

-- Only calls of a crisis, a suicide, a death or a hold count.
create or replace temp table exposing_call as
with held as (
    select distinct linked_incident_id as incident_id
    from warehouse.marts.fct_contact
    where legal_hold_code = 'involuntary' and linked_incident_id is not null
)

select
    incident_id, sector,
    coalesce(bh_any = 'yes', false) as is_crisis,
    coalesce(
        call_type_initial_bh_kind_code = 'suicide' or call_type_final_bh_kind_code = 'suicide', false
    ) as is_suicide,
    coalesce(call_type_initial_code = 'DEATH' or call_type_final_code = 'DEATH', false) as is_death,
    held.incident_id is not null as is_hold
from warehouse.marts.fct_incident
left join held using (incident_id)
where is_crisis or is_suicide or is_death or is_hold;

create or replace temp table exposed_day as
with arrival as (
    select
        agency_id, sector, on_scene_local_at::date as event_day, is_crisis, is_suicide, is_death, is_hold,
        officer_count, cleared_at, shift_id
    from warehouse.marts.fct_unit_response
    join exposing_call using (incident_id)
    where on_scene_local_at is not null
),

seen as (
    select
        agency_id, sector, event_day, unnest([
            case when is_crisis then 'WE1' end, case when is_suicide then 'WE2' end, case when is_death then 'WE3' end
        ]) as metric_id,
        officer_count as amount
    from arrival
    union all
    -- Seconds past the end of the unit's own shift.
    select
        agency_id, sector, event_day, 'WE4',
        greatest(0, epoch_us(cleared_at) // 1000000 - epoch_us(ended_at) // 1000000) * officer_count
    from arrival
    left join (select shift_id, ended_at from warehouse.marts.fct_shift) as shift using (shift_id)
    where is_hold
)

select
    agency_id, metric_id, sector, event_day,
    count(*) as considered_count, count(amount) as known_count, sum(amount) as amount
from seen
where metric_id is not null
group by all
union all
select
    agency_id, 'WE5', null, occurred_local_at::date, count(*), count(missed_work_days), sum(missed_work_days)
from warehouse.staging.stg_injury
where injury_party_code = 'officer' and occurred_local_at is not null
group by all;

create or replace temp table span as
with month as (
    select distinct agency_id, month, last_day(strptime(month, '%Y-%m')) as last_day
    from warehouse.marts.fct_agency_month
)

select
    agency_id, month, last_day, window_days,
    least(window_days, greatest(0, last_day - min(first_arrival) + 1)) as observed_days
from month
join unit_month using (agency_id)
cross join (values (30), (90), (365)) as length (window_days)
group by agency_id, month, last_day, window_days;

create or replace temp table sector_window as
select agency_id, month, window_days, sector, count(distinct unit_number) as unit_count
from span
join unit_month using (agency_id)
where last_day - last_arrival between 0 and window_days - 1
group by all;

create table met_wellness__exposure as
with summed as (
    select
        agency_id, month, metric_id, window_days,
        case when metric_id <> 'WE5' then if(unit_count >= 11, sector, 'groups_too_small') end as sector,
        sum(considered_count) as considered_count, sum(known_count) as known_count, sum(amount) as amount
    from span
    join exposed_day using (agency_id)
    left join sector_window using (agency_id, month, window_days, sector)
    where last_day - event_day between 0 and window_days - 1
    group by all
),

sliced as (
    select
        agency_id, month, metric_id, window_days, grouping(sector) = 0 as by_sector, sector,
        sum(considered_count) as considered_count, sum(known_count) as known_count, sum(amount) as amount
    from summed
    group by agency_id, month, metric_id, window_days, rollup (sector)
),

-- Told of groups of at least 11 officers alone: so many units came, or so many hold a certificate.
told as (
    select agency_id, month, window_days, observed_days
    from span
    left join sector_window using (agency_id, month, window_days)
    left join met_staffing__cit_certified using (agency_id, month)
    group by agency_id, month, window_days, observed_days
    having greatest(max(unit_count), max(certified_count)) >= 11
),

metric_month as (
    select agency_id, month, unnest(['WE1', 'WE2', 'WE3']) as metric_id
    from warehouse.marts.fct_agency_month
    where entity = 'incident' and row_count > 0
    union all
    select agency_id, month, 'WE4' from warehouse.marts.fct_agency_month where entity = 'contact' and row_count > 0
    union all
    select distinct agency_id, month, 'WE5'
    from span
    where agency_id in (select agency_id from warehouse.staging.stg_injury)
)

select
    agency_id, month, metric_id, 'not_applicable' as identification_method_code, window_days,
    case when by_sector then 'sector' else 'all' end as slice_code,
    case when by_sector then sector else 'all' end as slice_value,
    observed_days,
    coalesce(considered_count, 0)::bigint as considered_count, coalesce(known_count, 0)::bigint as known_count,
    coalesce(considered_count - known_count, 0)::bigint as unknown_count,
    case when known_count > 0 then round(amount / if(metric_id = 'WE4', 3600, 1), 2) end as amount
from metric_month
join told using (agency_id, month)
left join (from sliced where metric_id <> 'WE5' or not by_sector)
    using (agency_id, month, metric_id, window_days);
