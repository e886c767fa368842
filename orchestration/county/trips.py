"""Trips of people to jail, hospital or a crisis center: the sheriff's log, with what ambulances charged."""

from __future__ import annotations

from orchestration.county.parameters import Parameters
from orchestration.county.period import DAY, Period

DRAWS = ("a", "b")
_AT_CENTER = "outcome in ('CRISIS CENTER', 'DETOX')"
# The seconds in which an ambulance reaches the hospital, and those of handing a person over.
AMBULANCE_DRIVE, HANDING_OVER = 900, 120


def causes_sql() -> str:
    """Trips of the block: a unit took the person to ``place``, or an ambulance took the person to the hospital."""
    return f"""
select i, number, subject as p, place, outcome, patrol, ride, handed, 0 as copy_no,
    s + d + case when patrol > 0 then e1 else g4 + e4 end - ride - handed - {HANDING_OVER} as left_s
from followed where place is not null and is_met
union all
select i, number, subject, 'hospital', outcome, patrol, {AMBULANCE_DRIVE}, 0, 0,
    s + d + case when patrol > 0 then e1 else g4 + e4 end
from followed where is_contact and outcome = 'AMBULANCE TO ED'
"""


def trips_sql(p: Parameters) -> str:
    """Rows of the export over ``trip``: causes with draws and a running number ``n``; hidden columns begin with _.

    A crisis center that turns a person away is left after a third of the time of handing over, for the hospital.
    """
    return f"""
with leg as (
    select *, {_AT_CENTER} and b < {p.below("refused_drop_off")} as is_refused from trip
),
gone as (select *, unnest(range(1 + cast(is_refused as integer))) as leg from leg)
select left_s + case leg when 1 then ride + handed // 3 else 0 end as _s, n as _n,
    case when outcome = 'AMBULANCE TO ED' then span_trip(a) end as _charge, leg as _leg,
    'TP' || substr(cast(1000000000 + n + 1 as varchar), 2) || case leg when 1 then '-2' else '' end as TripNumber,
    number as IncidentNumber,
    case when outcome = 'AMBULANCE TO ED' then 'AMB' when patrol = 0 then 'MCT' else 'CAR' end as Carrier,
    case when place = 'jail' then 'JAIL' when {_AT_CENTER} and leg = 0 then outcome
        when outcome = 'VOL ADMISSION' then 'HOSPITAL' else 'ER' end as Destination,
    left_s + ride + case leg when 1 then handed * 2 // 3 else 0 end as _at, clock(_s) as LeftScene,
    clock(_at) as AtDestination,
    case when leg = 1 or not is_refused then clock(left_s + ride + handed) end as HandedOver,
    case when leg = 0 and is_refused then 'Y' else 'N' end as TurnedAway,
    cast(_charge as decimal(12, 2)) / 100 as Charge
from gone
"""


# Arrivals at the crisis center: the noon that follows, the kind of place, whether police came, whether it was turned away.
START = "create table arrival (noon bigint, kind varchar, is_police boolean, is_refused boolean, n bigint)"


def _noon(period: Period) -> int:
    """Seconds after a day of the epoch at which it is noon, on standard time all the year."""
    return DAY // 2 - period.offsets[0][1]


def center_sql(period: Period) -> str:
    """Adds the arrivals of the block's trips, which ``out`` holds, to those before."""
    return f"""
insert into arrival
select cast((_at - {_noon(period)} + {DAY - 1}) // {DAY} as bigint), Destination, Carrier = 'CAR', TurnedAway = 'Y', count(*)
from out where Destination in ('CRISIS CENTER', 'DETOX') group by all
"""


def capacity_sql(period: Period, p: Parameters) -> str:
    """What the crisis center reports each noon: people stay for less than a day, so those of the day before are there."""
    room = p.whole("center_percent")
    first, last = period.begin // DAY, period.end // DAY - 1
    return f"""
with day as (
    select noon, kind, noon * {DAY} + {_noon(period)} as s
    from range({first}, {last}) as d (noon), (values ('CRISIS CENTER'), ('DETOX')) as k (kind)
),
counted as (
    select s, kind, coalesce(sum(n), 0) as came, coalesce(sum(n) filter (where is_police), 0) as by_police,
        coalesce(sum(n) filter (where is_refused), 0) as refused
    from day left join arrival using (noon, kind) group by all
),
sized as (
    select *, greatest(1, cast(sum(came - refused) over (partition by kind) as bigint) * {room}
        // (100 * count(*) over (partition by kind)) + 1) as staffed from counted
)
select 'CC-1' as Facility, 'Cedar Crisis Center (fictional)' as FacilityName, clock(s) as ObservedAt, kind as PlaceKind,
    staffed as Staffed, least(staffed, came - refused) as Occupied, staffed - least(staffed, came - refused) as Free,
    case when came - refused >= staffed then 'Y' else 'N' end as ClosedToDropOff, came as DropOffs,
    by_police as PoliceDropOffs, refused as TurnedAway
from sized order by s, kind
"""
