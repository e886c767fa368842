"""Trips of people to jail, hospital or a crisis center: the sheriff's log, with what ambulances charged."""

from __future__ import annotations

DRAWS = ("a", "b")
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


def trips_sql() -> str:
    """Rows of the export over ``trip``: causes with draws and a running number ``n``; hidden columns begin with _."""
    return """
select left_s as _s, n as _n, case when outcome = 'AMBULANCE TO ED' then span_trip(a) end as _charge,
    'TP' || substr(cast(1000000000 + n + 1 as varchar), 2) as TripNumber, number as IncidentNumber,
    case when outcome = 'AMBULANCE TO ED' then 'AMB' when patrol = 0 then 'MCT' else 'CAR' end as Carrier,
    case when place = 'jail' then 'JAIL' when outcome in ('CRISIS CENTER', 'DETOX') then outcome
        when outcome = 'VOL ADMISSION' then 'HOSPITAL' else 'ER' end as Destination,
    clock(left_s) as LeftScene, clock(left_s + ride) as AtDestination, clock(left_s + ride + handed) as HandedOver,
    'N' as TurnedAway, cast(_charge as decimal(12, 2)) / 100 as Charge
from trip
"""
