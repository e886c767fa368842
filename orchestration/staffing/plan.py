"""A staffing plan of one agency: read from a release, worked out by hour of the week, written as tables."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from pathlib import Path

import duckdb
import numpy as np

from orchestration.staffing import WEEK, StaffingError, hour_of_week
from orchestration.staffing.cover import Cover, Pattern, cover
from orchestration.staffing.erlang import longer_than_share, units_needed
from orchestration.staffing.forecast import LEAST_DAYS, Forecast, HeldOut, forecast, held_out

POPULATIONS = {
    "all": "not_applicable",
    "call_type_initial": "call_type_initial",
    "call_type_final": "call_type_final",
    "field_form": "field_form",
}
WHAT = ("units", "gap", "cit")
LEAST_BEAT_CALLS = 1000
ROSTER_MONTHS = 3
BUSY_DAY = 10


@dataclass(frozen=True)
class Demand:
    """Counts by whole day and hour of the agency's clock. calls, responses: (days, 24); by_beat: calls of each beat.

    service_seconds: mean time on task by hour of the week, (168,). officers_per_unit: mean, weighted by time.
    """

    first: date
    calls: np.ndarray
    responses: np.ndarray
    by_beat: dict[str, np.ndarray]
    service_seconds: np.ndarray
    officers_per_unit: float


@dataclass(frozen=True)
class Roster:
    """By hour of the week, over the newest months of the roster: officers on duty, and hours without a trained one.

    on_duty: mean, (168,). bare: areas on average without a trained officer, (168,). months: which ones; empty if none.
    """

    on_duty: np.ndarray
    bare: np.ndarray
    months: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """At most ``share`` waits longer than ``limit_seconds``; hours that one person works in a year; what an hour costs."""

    limit_seconds: float
    share: float
    net_hours_a_year: float
    officer_hour_usd: float
    price_year: int


@dataclass(frozen=True)
class Plan:
    """All that the tables print. Arrays by hour of the week, (168,)."""

    agency_id: str
    population: str
    weeks: int
    demand: Demand
    holidays: dict[date, str]
    calls: Forecast
    responses: Forecast
    calls_held_out: HeldOut | None
    responses_held_out: HeldOut | None
    beats: dict[str, Forecast]
    beats_left_out: tuple[str, ...]
    roster: Roster
    target: Target
    load: np.ndarray
    units: np.ndarray
    longer_share: np.ndarray
    officers: np.ndarray
    what: str
    cover: Cover

    @property
    def relief_factor(self) -> float:
        """Persons on the payroll that one post around the clock takes."""
        return 24 * 365 / self.target.net_hours_a_year

    @property
    def headcount(self) -> int:
        """Officers on the payroll that the shifts take."""
        return ceil(round(self.cover.paid_hours * 365 / 7 / self.target.net_hours_a_year, 4))


def make_plan(
    con: duckdb.DuckDBPyConnection,
    agency_id: str,
    patterns: Sequence[Pattern],
    population: str = "all",
    weeks: int = 4,
    what: str = "units",
    most_hours: float | None = None,
) -> Plan:
    """A plan over a release. what: cover all units needed, the gap to the roster, or hours without a trained officer.

    Raises StaffingError; duckdb.Error where the reader may not open the internal tier.
    """
    demand = read_demand(con, agency_id, POPULATIONS[population])
    target, roster = read_target(con), read_roster(con, agency_id)
    days = len(demand.calls)
    holidays = holidays_of(con, agency_id, demand.first, days + weeks * 7)
    calls = forecast(demand.calls, demand.first, weeks, holidays)
    responses = forecast(demand.responses, demand.first, weeks, holidays)
    usual, _, _ = responses.by_hour_of_week(holidays)
    load = usual * demand.service_seconds / 3600
    pairs = list(zip(load, demand.service_seconds, strict=True))
    units = np.array([units_needed(a, s, target.limit_seconds, target.share) for a, s in pairs])
    longer = np.array(
        [longer_than_share(a, c, s, target.limit_seconds) if c else 0.0 for (a, s), c in zip(pairs, units, strict=True)]
    )
    officers = np.ceil(np.round(units * demand.officers_per_unit, 6)).astype(int)
    big = [b for b, seen in demand.by_beat.items() if seen.sum() >= LEAST_BEAT_CALLS]
    return Plan(
        agency_id, population, weeks, demand, holidays, calls, responses,
        held_out(demand.calls, demand.first, weeks, holidays),
        held_out(demand.responses, demand.first, weeks, holidays),
        {b: forecast(demand.by_beat[b], demand.first, weeks, holidays) for b in big},
        tuple(b for b in demand.by_beat if b not in big),
        roster, target, load, units, longer, officers, what,
        cover(_required(what, officers, roster), patterns, target.officer_hour_usd, most_hours),
    )  # fmt: skip


def _required(what: str, officers: np.ndarray, roster: Roster) -> np.ndarray:
    """Officers to cover: all needed, those beyond the mean on duty, or one for each area without a trained one."""
    if what == "units":
        return officers
    if not roster.months:
        raise StaffingError(
            "the agency sends no roster with officers and their training; only --cover units can be told"
        )
    if what == "gap":
        return np.maximum(officers - np.floor(roster.on_duty + 1e-9), 0).astype(int)
    return np.ceil(np.round(roster.bare, 6)).astype(int)


def read_demand(con: duckdb.DuckDBPyConnection, agency_id: str, method: str) -> Demand:
    """Calls, responses and time on task of the release, over its last whole days without a gap."""
    chosen = "true" if method == "not_applicable" else f"bh_{method} = 'yes'"
    by_day = con.execute(
        "select agency_id, cast(received_local_at as date) as day, count(*) from internal.fct_incident"
        " where received_local_at is not null group by all order by all"
    ).fetchall()
    seen = {day: n for agency, day, n in by_day if agency == agency_id}
    if not seen:
        known = sorted({agency for agency, *_ in by_day})
        raise StaffingError(
            f"no calls of '{agency_id}' with a time in this release; there are calls of: {', '.join(known) or 'nobody'}"
        )
    first, last = whole_days(seen)
    days = (last - first).days + 1
    if days < LEAST_DAYS:
        raise StaffingError(
            f"{max(days, 0)} whole days of calls without a gap are too few for a forecast; it needs {LEAST_DAYS}. Load earlier months."
        )

    def counted(table: str, instant: str, more: str, beat: str = "''") -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, day, hour, n in con.execute(
            f"""select coalesce({beat}, 'not_recorded'), date_diff('day', ?, cast({instant} as date)), hour({instant}), count(*)
                from internal.{table} where agency_id = ? and {chosen} and {more}
                and cast({instant} as date) between ? and ? group by all order by all""",
            [first, agency_id, first, last],
        ).fetchall():
            found.setdefault(name, np.zeros((days, 24), dtype=int))[day, hour] = n
        return found

    by_beat = counted("fct_incident", "received_local_at", "true", "beat")
    responses = counted("fct_unit_response", "dispatched_local_at", "response_scope_code = 'unit'")
    if not responses:
        raise StaffingError("the release has no unit responses with a time of dispatch for these calls")
    task = {
        hour: (seconds, known)
        for hour, seconds, known in con.execute(
            """select hour_of_week, sum(unit_seconds), sum(known_count) from internal.met_workload__demand
               where agency_id = ? and identification_method_code = ? and slice_code = 'hour_of_week' group by all""",
            [agency_id, method],
        ).fetchall()
        if known
    }
    if not task:
        raise StaffingError("no time on task is known; see `crisis metrics show M08` for what the agency does not send")
    whole = sum(s for s, _ in task.values()) / sum(n for _, n in task.values())
    service = np.array(
        [float(task[h][0] / task[h][1]) if h in task else float(whole) for h in map(hour_of_week, range(WEEK))]
    )
    unit, known, officer, officer_known = con.execute(
        """select sum(unit_seconds), sum(known_count), sum(officer_seconds), sum(officer_known_count)
           from internal.met_workload__demand where agency_id = ? and identification_method_code = ? and slice_code = 'all'""",
        [agency_id, method],
    ).fetchone()
    if not officer_known:
        raise StaffingError("no number of officers in a unit is known; the agency does not send it")
    return Demand(
        first, sum(by_beat.values()), responses[""], by_beat, service, float(officer / officer_known / (unit / known))
    )


def whole_days(seen: dict[date, int]) -> tuple[date, date]:
    """First and last of the whole days since the last gap. seen: calls by day.

    The days at both ends are left out: they may be cut. Where ten calls or more come on an average day, a day without
    any is a gap in the data (chance makes one in 20,000).
    """
    first, last = min(seen), max(seen)
    if sum(seen.values()) >= BUSY_DAY * len(seen):
        while last - timedelta(days=1) in seen and last > first:
            last -= timedelta(days=1)
        first, last = last, max(seen)
    return first + timedelta(days=1), last - timedelta(days=1)


def read_roster(con: duckdb.DuckDBPyConnection, agency_id: str) -> Roster:
    """Officers on duty and hours without a trained one, over the newest months that the roster tells."""
    rows = con.execute(
        """select month, metric_id, slice_value, denominator_count, denominator_count - numerator_count
           from internal.met_staffing__cit_coverage
           where agency_id = ? and slice_code = 'hour_of_week' and metric_id in ('M13', 'M14b')
           and availability_code = 'available' and slice_value <> 'not_recorded' and denominator_count > 0""",
        [agency_id],
    ).fetchall()
    months = tuple(sorted({m for m, *_ in rows})[-ROSTER_MONTHS:])
    on_duty, bare, seen = np.zeros(WEEK), np.zeros(WEEK), np.zeros(7)
    for month in months:
        day = date.fromisoformat(f"{month}-01")
        while f"{day:%Y-%m}" == month:
            seen[day.weekday()] += 1
            day += timedelta(days=1)
    for month, metric, hour, there, without in rows:
        if month in months:
            at = (int(hour[0]) - 1) * 24 + int(hour[2:])
            if metric == "M13":
                on_duty[at] += there / seen[at // 24]
            else:
                bare[at] += without / seen[at // 24]
    return Roster(on_duty, bare, months)


def read_target(con: duckdb.DuckDBPyConnection) -> Target:
    """The target and prices that the release's own tables used."""
    row = con.execute(
        """select (select max(wait_limit) from internal.met_staffing__offered_load),
            (select max(wait_limit_target) from internal.met_staffing__offered_load),
            (select max(net_hours_a_year) from internal.met_staffing__headcount), max(rate_central_usd), max(price_year)
           from internal.met_cost__cost_per_response where item_code = 'officer_hour'"""
    ).fetchone()
    if None in row:
        raise StaffingError(
            "the release holds no offered load, headcount or price of an officer's hour; see `crisis gates`"
        )
    return Target(*(float(v) for v in row[:4]), int(row[4]))


def holidays_of(con: duckdb.DuckDBPyConnection, agency_id: str, first: date, days: int) -> dict[date, str]:
    """Public holidays of the agency's state, else of the United States, in the days from ``first``."""
    import holidays

    (state,) = con.execute("select max(state) from internal.dim_agency where agency_id = ?", [agency_id]).fetchone()
    years = range(first.year, (first + timedelta(days=days)).year + 1)
    known = holidays.US.subdivisions
    found = holidays.US(subdiv=state if state in known else None, years=years)
    return {d: name for d, name in sorted(found.items()) if first <= d < first + timedelta(days=days)}


def write_tables(plan: Plan, folder: Path) -> list[Path]:
    """The plan's CSV files; a file of the same name is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def write(name: str, head: Sequence[str], rows) -> None:
        path = folder / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *rows])
        written.append(path)

    both = plan.calls, plan.responses
    write(
        "forecast_by_hour",
        ["date", "holiday", "hour", *(f"{n}_{v}" for n in ("calls", "responses") for v in ("expected", "low", "high"))],
        (
            [day, plan.holidays.get(day, ""), hour]
            + [v for f in both for v in (_round(f.expected[i, hour]), int(f.low[i, hour]), int(f.high[i, hour]))]
            for i, day in enumerate(plan.calls.days)
            for hour in range(24)
        ),
    )
    calls, responses = (f.by_hour_of_week(plan.holidays) for f in both)
    write(
        "by_hour_of_week",
        ["hour_of_week", "calls_expected", "calls_low", "calls_high", "responses_expected", "responses_low", "responses_high",
         "mean_task_seconds", "offered_load", "units_needed", "longer_than_limit_share", "officers_needed",
         "officers_on_duty_mean", "areas_without_trained_officer_mean", "to_cover", "covered", "over", "under"],
        (
            [hour_of_week(h), _round(calls[0][h]), int(calls[1][h]), int(calls[2][h]), _round(responses[0][h]),
             int(responses[1][h]), int(responses[2][h]), _round(plan.demand.service_seconds[h]), _round(plan.load[h]),
             plan.units[h], _round(plan.longer_share[h]), plan.officers[h],
             *([_round(plan.roster.on_duty[h]), _round(plan.roster.bare[h])] if plan.roster.months else ["", ""]),
             plan.cover.required[h], plan.cover.on_duty[h], plan.cover.over[h], plan.cover.under[h]]
            for h in range(WEEK)
        ),
    )  # fmt: skip
    write(
        "by_beat",
        ["beat", "hour_of_week", "calls_expected", "calls_low", "calls_high"],
        (
            [beat, hour_of_week(h), _round(told[0][h]), int(told[1][h]), int(told[2][h])]
            for beat, told in ((b, f.by_hour_of_week(plan.holidays)) for b, f in plan.beats.items())
            for h in range(WEEK)
        ),
    )
    write(
        "shifts",
        ["weekday", "start_hour", "shift_hours", "pattern", "officers", "paid_hours_a_week", "cost_a_week_usd"],
        (
            [s.weekday + 1, s.start_hour, s.hours, s.pattern, s.officers, s.paid_hours, f"{s.cost:.2f}"]
            for s in plan.cover.shifts
        ),
    )
    return written


def _round(value: float) -> float:
    return round(float(value), 4)
