"""The sheriff's office: officers and their training, the roster of shifts, and the programs with their budgets."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.county.draws import draw
from orchestration.county.names import names
from orchestration.county.parameters import Parameters, lookup_sql
from orchestration.county.period import DAY, Period
from orchestration.county.programs import BY_KEY, PROGRAMS
from orchestration.county.waiting import SHIFTS, Pools

LEAST_OFFICERS = 88
CLINICIANS = ("core", "mct")  # programs with clinicians of their own
SHIFT_NAMES, SHIFT_HOURS = ("DAY", "EVE", "NIGHT"), 8


def make_officers(con: duckdb.DuckDBPyConnection, seed: int, pools: Pools) -> pa.Array:
    """Names of the officers: at least 88, five for each unit of the day shift. Creates ``officer`` as well.

    The first quarter was trained before the period, the second in the training wave.
    """
    per_pool = pools.units[:, 0] if pools.each is not None else pools.units[:1, 0]
    each = pools.each if pools.each is not None else np.ones(1, dtype=np.int64)
    n = max(LEAST_OFFICERS, int((per_pool * each).sum()) * 5) // 4 * 4
    last = names("english", "last")
    index = np.minimum(np.searchsorted(last.edges, draw(seed, "officer", 0, n), "right"), len(last.texts) - 1)
    listed = pa.array([f"{last.texts[k]} #{1000 + officer * 7}" for officer, k in enumerate(index)])
    con.register("officer", pa.table({"officer": np.arange(n), "officer_name": listed}))
    return listed


def exports(period: Period, p: Parameters, pools: Pools, officers: int) -> dict[str, str]:
    """Queries by feed: roster, training, positions."""
    return {
        "roster": _roster_sql(period, p, pools),
        "training": _training_sql(period, p, officers),
        "positions": _positions_sql(period, p),
    }


def shift_sql(period: Period, s: str, pool: str) -> str:
    """SQL: number of the shift on which a pool's unit is at an instant; null where the roster begins later or has ended."""
    shift, begins = SHIFT_HOURS * 3600, SHIFTS[0][0] * 3600 - period.offsets[0][1]  # standard time all the year
    since = f"({s} - {begins})"
    day = f"strftime(clock({since} // {DAY} * {DAY} + {begins}), '%y%m%d')"
    name = lookup_sql(f"{since} % {DAY} // {shift}", dict(enumerate(SHIFT_NAMES)))
    first, last = (-((begins - edge) // shift) * shift + begins for edge in (period.begin, period.end))
    return f"case when {s} >= {first} and {s} < {last} then 'S' || {day} || '-' || {pool} || '-' || {name} end"


def _roster_sql(period: Period, p: Parameters, pools: Pools) -> str:
    """One row per pool and shift. The CIT officers on duty are the share that the calls use, rounded by turns."""
    count = pools.count
    kinds = "0" if pools.each is None else f"{[int(k) for k in np.repeat(np.arange(4), pools.each)]}[pool + 1]"
    units = [[int(u) for u in row] for row in pools.units]
    cit = [p["cit_day"], p["cit_evening"], p["cit_night"]]
    wave = BY_KEY["cit"].start(period, "B")
    core = BY_KEY["core"]
    core_on = " or ".join(f"(district in ('{d}', 'ALL') and start_s >= {core.start(period, d)})" for d in core.starts)
    first, last = period.begin // DAY - 1, period.end // DAY
    return f"""
with cells as (
    select day, pool, shift, {kinds} as kind from range({first}, {last}) as d (day), range({count}) as a (pool),
        range(3) as b (shift)
),
timed as (
    select *, day * {DAY} - {period.offsets[0][1]} + {SHIFTS[0][0] * 3600} + shift * 28800 as start_s,
        {"'ALL'" if pools.each is None else "substr('ABCD', kind + 1, 1)"} as district,
        {units}[kind + 1][shift + 1] as units
    from cells
),
staffed as (
    select *, units * ({[round(1000 * c) for c in cit]}[shift + 1] + case when district = 'B' and start_s >= {wave}
        then {round(1000 * p["cit_wave"])} else 0 end) as milli, ({core_on}) and shift < 2 as has_core
    from timed
)
select 'S' || strftime(clock(start_s - shift * 28800), '%y%m%d') || '-' || pool || '-' || {list(SHIFT_NAMES)}[shift + 1] as ShiftNumber,
    clock(start_s) as Started, clock(start_s + 28800) as Ended, 'PATROL ' || district || pool as Team, district as Area,
    units as Planned, units - cast((day * 7 + pool * 3 + shift) % 11 = 0 as integer) as Present,
    milli // 1000 + cast((day * 389 + pool * 83) % 1000 < milli % 1000 as integer) as CITOfficers,
    cast(has_core as integer) as Clinicians, cast(has_core as integer) as CoTeams,
    case when (day + pool) % 5 = 0 then 2.5 else 0 end as OvertimeHours, case when has_core then 'Y' else 'N' end as ProgramOn
from staffed where start_s >= {period.begin} and start_s < {period.end} order by day, shift, pool
"""


def _training_sql(period: Period, p: Parameters, officers: int) -> str:
    """One row per course and officer: crisis intervention training of 40 hours, and de-escalation for all."""
    quarter = officers // 4
    wave = BY_KEY["cit"].start(period, "B")
    return f"""
select 'TR' || substr(cast(1000000 + officer * 2 + course as varchar), 2) as RecordNumber,
    case course when 0 then 'CIT40' else 'DEESC' end as Course, case course when 0 then 40 else 8 end as Hours,
    day_text(completed) as Completed,
    case course when 0 then day_text(completed + {p.whole("cit_valid_days")} * {DAY}) end as ValidUntil,
    'Fictional Academy' as Instructor, 'R-' || cast(1000 + officer as varchar) as OfficerNumber, officer_name as OfficerName
from (
    select *, case when course = 1 then {period.begin} - (30 + officer % 300) * {DAY}
        when officer < {quarter} then {period.begin} - (90 + officer * 13 % 1500) * {DAY}
        else {wave} - (1 + officer % 10) * {DAY} end as completed
    from officer, range(2) as c (course) where course = 1 or officer < {2 * quarter}
)
order by officer, course
"""


def seats(seed: int, period: Period, p: Parameters) -> pa.Table:
    """Positions of the programs' clinicians by month, from half a year before: whether chance has the holder leave."""
    months = range(-6, period.months)
    rows = [
        (key, seat, month) for key in CLINICIANS for seat in range(p.whole(f"clinicians.{key}")) for month in months
    ]
    gone = draw(seed, "positions", 0, len(rows)) < p.below("clinician_turnover", scale=1 / 12)
    return pa.table(
        {**dict(zip(("key", "seat", "month"), map(list, zip(*rows, strict=True)), strict=True)), "gone": gone}
    )


def _positions_sql(period: Period, p: Parameters) -> str:
    """Counts of the clinicians' positions on the last day of each month, over ``seat``.

    A position that somebody leaves stays open for ``vacant_months`` months, that of leaving included.
    """
    months = p.whole("vacant_months")
    ends = {n: f"{period.firsts[n + 1] - timedelta(days=1):%Y-%m-%d}" for n in range(period.months)}
    numbers = {key: BY_KEY[key].number for key in CLINICIANS}
    return f"""
with left_seat as (
    select *, gone and not coalesce(bool_or(gone) over (
        partition by key, seat order by month rows between {months} preceding and 1 preceding), false) as has_left
    from seat
),
open_seat as (
    select *, bool_or(has_left) over (
        partition by key, seat order by month rows between {months - 1} preceding and current row) as is_open
    from left_seat
)
select 'PC' || cast(month + 1 as varchar) || '-' || {lookup_sql("key", numbers)} as CountNumber,
    {lookup_sql("month", ends)} as CountedOn, {lookup_sql("key", numbers)} as Program, 'CLINICIAN' as Role,
    count(*) as Funded, count(*) filter (where not is_open) as Filled, count(*) filter (where has_left) as Gone
from open_seat where month >= 0 group by key, month order by month, key
"""


def programs_sql(period: Period, p: Parameters) -> str:
    """One row per program, with what a year costs and what the start cost."""
    parts = []
    for g in PROGRAMS:
        begins = min(g.start(period, district) for district in g.starts)
        parts.append(
            f"select '{g.number}' as ProgramNumber, '{g.name}' as Name, '{g.model}' as Model, 'FULL' as Phase, "
            f"'{g.roles}' as Roles, '{'|'.join(g.starts)}' as Districts, 'district' as AreaKind, "
            f"day_text({begins}) as Started, '{g.hours[0]:02d}-{g.hours[1]:02d}' as Hours, "
            f"'{', '.join(g.types)}' as Rule, {period.firsts[0].year} as BudgetYear, "
            f"{p.whole(f'cost.{g.key}.year') / 100:.2f} as YearBudget, {p.whole(f'cost.{g.key}.start_up') / 100:.2f} as StartUp"
        )
    return " union all ".join(parts)


def budget_rows(period: Period, p: Parameters) -> list[tuple[str, str, float, str, int]]:
    """Rows of the truth's costs: program, item, quantity, unit and cents: start-up, and the part of a year that it ran."""
    rows = []
    for g in PROGRAMS:
        begins = min(g.start(period, district) for district in g.starts)
        days = max(0, round((period.end - begins) / DAY))
        rows.append((g.key, "start_up", 1, "program", p.whole(f"cost.{g.key}.start_up")))
        rows.append((g.key, "budget", days, "day", p.whole(f"cost.{g.key}.year") * days // 365))
    return rows
