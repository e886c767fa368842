"""Writes the landing files of the fictional Cedar County, for demos, tests and benchmarks.

Nothing in these files is real. Persons carry weighted common names, telephone numbers 555-01xx,
streets that do not exist, unassigned postal codes and coordinates near zero.

Every draw is a piece of ``md5_number_lower(seed, purpose, row)``; times are whole seconds; sums are over
integers; the output is ordered. So the same arguments give the same bytes with any number of threads.
(The bytes of a .gz file depend on the zlib at hand as well; the text inside does not.)
All rows are made by SQL in blocks of ``BLOCK`` calls, so memory does not grow with ``calls``.

Files, for start 2024-01 and 6 months:

- ``cad_incidents_2024-01_2024-06.csv``       one row per event, some rows twice
- ``cad_incidents_2024-04_corrected.csv``     a later export of one month
- ``cad_units_2024-01_2024-06.csv.gz``        one row per event and unit
- ``contact_forms_2024-01_2024-06.xlsx``      one row per form and disposition
- ``jail_bookings_2024-01_2024-06.csv``       one row per booking
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import duckdb

ZONE = ZoneInfo("America/Denver")
FEEDS = ("cad", "units", "forms", "bookings")
BLOCK = 250_000  # calls worked on at a time; even, because a duplicate follows its master
XLSX_ROW_LIMIT = 1_048_575  # rows of a sheet below its header

# Rates: name -> (value, where it comes from). "invented" = chosen for the demo, claims nothing.
RATES: dict[str, tuple[float, str]] = {
    # what is behind a call, and how it is seen
    "bh_community": (0.20, "about 21 % by narratives: Police Chief, 'Elusive nature' (domain 2.8)"),
    "bh_on_view": (0.06, "invented: lower than among calls from the community"),
    "bh_type_at_open": (0.05, "gives about 1 % by call type: Koziarski 2022, 0.9 % (domain 2.8)"),
    "bh_type_false": (0.001, "invented: explicit type, other matter"),
    "form_written": (0.60, "officers not completing forms: CSG/PERF/BJA (domain 1.7); share invented"),
    "form_outreach": (0.008, "invented: forms without a call, per call"),
    # call type at close
    "bh_upgrade": (0.04, "invented: recoded to an explicit type at close"),
    "bh_downgrade": (
        0.12,
        "Minneapolis 2020: emotionally disturbed person to welfare check is the main change",
    ),
    "type_change": (0.08, "Minneapolis 2020: problem differs at close in 10.9 % of events, all causes"),
    "priority_change": (0.06, "invented"),
    # how events end
    "duplicate": (0.03, "invented: a second call about the same event, linked to the first"),
    "cancelled": (0.06, "invented"),
    "phone": (0.10, "invented: closed by telephone, among calls of low priority"),
    "cancelled_after_dispatch": (0.50, "invented"),
    "co_responder": (0.20, "invented: share of BH events in program hours"),
    "mobile_crisis": (0.08, "invented: share of BH events in program hours"),
    "mobile_crisis_alone": (0.35, "invented: mobile crisis without police"),
    "cit_officer": (0.25, "about 20 to 25 % of patrol: Memphis model (domain M13)"),
    "force": (0.016, "Seattle: 149 of about 9,300 contacts (domain M23)"),
    "injury": (0.010, "invented"),
    "arrestable": (0.16, "invented: probable cause without arrest"),
    "arrestable_dk": (0.10, "invented: 'DK' on the form"),
    "arrestable_blank": (0.06, "invented: left blank"),
    "form_without_disposition": (0.03, "Seattle: 108 of 3,000 rows without a disposition"),
    "second_disposition": (0.25, "invented; the Seattle form allows several"),
    "booking_without_event": (0.20, "invented: jails seldom keep the event's number"),
    "familiar_contacts": (
        0.15,
        "contacts of a few persons: Houston, King County (domain M37, M38); share invented",
    ),
    # dirt of real exports
    "redacted_sensitive": (
        0.80,
        "Minneapolis 2020: emotionally disturbed, domestic and sex-crime calls withheld",
    ),
    "redacted_any": (0.01, "invented"),
    "missing_arrival": (0.06, "Minneapolis 2020: 15.4 %; lower here"),
    "negative_interval": (0.005, "Minneapolis 2020: 148 of 14,199 assigned before queued"),
    "placeholder": (0.003, "1900-01-01 for missing: Seattle"),
    "placeholder_form": (0.04, "Seattle: 199 of 1,000 occurrences are 1900-01-01; lower here"),
    "padded_beat": (0.10, "Seattle: 81 % of beats are padded; lower here"),
    "unmapped_type": (0.001, "invented: 'ZZTEST 99' is in no code file, on purpose"),
    "unparsable_time": (0.001, "invented: such a row must be rejected"),
    "doubled_row": (0.003, "invented: the same row twice in one file"),
    "doubled_disposition": (0.010, "one-to-many export: Seattle"),
    "late_disposition": (0.10, "invented: filled in by the corrected export only"),
    "wrong_date": (0.10, "invented: last day of the month before dated a day late, until corrected"),
    "missing_officer_count": (0.02, "invented"),
}

# Spans of time: name -> (seconds at quantiles 0, .1, .5, .9 and 1). All invented but of usual size;
# the slowest tenth of hospital hand-offs takes the two and a half hours that TAC prints, and more.
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
SPANS: dict[str, tuple[int, int, int, int, int]] = {
    "entry": (12, 25, 60, 150, 600),
    "taking": (30, 60, 120, 300, 1200),
    "processing_urgent": (10, 30, 80, 300, 1800),
    "processing_routine": (20, 120, 600, 3600, 14400),
    "gap": (0, 5, 60, 400, 1800),
    "turnout": (2, 8, 35, 90, 400),
    "travel_urgent": (30, 100, 270, 600, 2400),
    "travel_routine": (30, 120, 420, 1000, 3600),
    "travel_team": (240, 600, 1400, 3000, 7200),
    "scene": (30, 240, 1200, 3600, 18000),
    "scene_team": (300, 1200, 3000, 6000, 14400),
    "team_delay": (30, 200, 700, 2400, 7200),
    "drive": (120, 300, 720, 1500, 3600),
    "wall_hospital": (300, 1200, 3600, 9000, 21600),
    "wall_jail": (300, 900, 2100, 4500, 10800),
    "cancel": (20, 60, 240, 900, 3600),
    "phone": (120, 300, 780, 1800, 7200),
    "closing": (0, 5, 60, 400, 3600),
    "writing": (600, 1800, 7200, 28800, 172800),
    "booking_lag": (300, 1200, 2700, 7200, 30000),
    "stay": (3600, 14400, 79200, 777600, 10368000),
}
BH_SCENE_PERCENT = 160  # Gresham, Oregon: BH calls 43.9 to 181.8 % longer (domain 2.8)

# Call types: local code -> (priority, weight among other calls, among BH calls, on view). Weights invented.
# fmt: off
TYPES: dict[str, tuple[int, int, int, int]] = {
    "MENTAL": (2, 0, 0, 0),
    "SUICID": (1, 0, 0, 0),
    "OVRDOS": (1, 0, 0, 0),
    "DEMENT": (3, 0, 0, 0),
    "WELCHK": (3, 50, 250, 15),
    "DISTRB": (3, 80, 180, 10),
    "UNWANT": (3, 55, 130, 5),
    "SUSPPR": (3, 60, 80, 20),
    "UNKTRB": (2, 30, 70, 0),
    "FAMDST": (2, 60, 90, 0),
    "DOMVIO": (1, 40, 20, 0),
    "INTOXP": (3, 20, 40, 5),
    "CITAST": (4, 60, 60, 10),
    "THREAT": (2, 20, 25, 0),
    "HARASS": (4, 20, 10, 0),
    "NOISEC": (5, 60, 10, 0),
    "MEDAST": (2, 50, 30, 0),
    "SICKPR": (2, 30, 20, 0),
    "MISSPR": (2, 15, 20, 0),
    "ALARMB": (3, 110, 0, 0),
    "BURGLR": (2, 40, 2, 0),
    "THEFTR": (4, 100, 5, 0),
    "SHOPLF": (4, 30, 5, 0),
    "VANDAL": (4, 40, 5, 0),
    "ASSALT": (1, 30, 15, 0),
    "SEXOFF": (2, 10, 2, 0),
    "CRASHP": (3, 80, 0, 0),
    "CRASHI": (1, 30, 2, 0),
    "PARKIN": (5, 50, 0, 10),
    "ANIMAL": (4, 40, 1, 0),
    "FOLLOW": (5, 40, 3, 15),
    "911HUP": (3, 60, 10, 0),
    "FRAUDR": (5, 30, 2, 0),
    "WARRNT": (3, 10, 2, 15),
    "TRSTOP": (5, 0, 0, 560),
    "SUBSTP": (4, 0, 0, 110),
    "PATCHK": (5, 0, 0, 260),
}
# fmt: on
UNMAPPED_TYPE = "ZZTEST 99"
EXPLICIT = {"mental_health": "MENTAL", "suicide": "SUICID", "substance": "OVRDOS", "cognitive": "DEMENT"}
SENSITIVE_TYPES = ("MENTAL", "SUICID", "DOMVIO", "SEXOFF")

# How a BH contact ends: text of the form -> (weight, close code of the event, place of transport or none).
# Arrests about 6 in 100: between the 2 and 13 % of Steadman 2000 (domain M16). Other weights invented,
# in the order of the Seattle form's counts.
# fmt: off
OUTCOMES: dict[str, tuple[int, str, str]] = {
    "BOOKED": (32, "BKD", "jail"),
    "CITED": (14, "CIT", ""),
    "WARRANT ARREST": (8, "BKD", "jail"),
    "ARRESTED": (6, "ARR", "jail"),
    "INVOL HOLD": (150, "TRH", "hospital"),
    "ED TRANSPORT": (80, "TRH", "hospital"),
    "AMBULANCE TO ED": (50, "TRH", ""),
    "VOL ADMISSION": (40, "TRH", "hospital"),
    "CRISIS CENTER": (50, "CRS", "hospital"),
    "DETOX": (20, "CRS", "hospital"),
    "MCT HANDOFF": (40, "CRS", ""),
    "PROVIDER TOLD": (50, "AST", ""),
    "SUD REFERRAL": (20, "AST", ""),
    "CRISIS LINE": (20, "AST", ""),
    "RESOURCES GIVEN": (110, "AST", ""),
    "RESOURCES DECLINED": (90, "ADV", ""),
    "HOME": (30, "AST", ""),
    "FAMILY": (30, "AST", ""),
    "SHELTER": (20, "AST", ""),
    "RESOLVED": (80, "AST", ""),
    "NO ACTION": (40, "ADV", ""),
    "UNABLE TO CONTACT": (20, "UTL", ""),
}
# fmt: off
MIXES: dict[str, dict[str, int]] = {
    # Minneapolis 2020: 63 % by 9-1-1; the other sources are invented.
    "source": {"911": 520, "NONEMERG": 240, "ONVIEW": 190, "ALARM": 25, "AGENCY": 15, "LOBBY": 5, "988": 5},
    "kind": {"mental_health": 55, "suicide": 20, "substance": 17, "cognitive": 8},
    "type_other": {k: v[1] for k, v in TYPES.items() if v[1]},
    "type_bh": {k: v[2] for k, v in TYPES.items() if v[2]},
    "type_on_view": {k: v[3] for k, v in TYPES.items() if v[3]},
    "outcome_bh": {k: v[0] for k, v in OUTCOMES.items()},
    "close_other": {
        "RPT": 240,
        "AST": 180,
        "ADV": 180,
        "GOA": 110,
        "UTL": 60,
        "UNF": 50,
        "FAL": 60,
        "WRN": 60,
        "CIT": 30,
        "BKD": 25,
        "ARR": 5,
    },
    "location": {
        "RESIDENCE": 50,
        "STREET": 22,
        "STORE": 12,
        "SCHOOL": 3,
        "SHELTER": 2,
        "HOSPITAL": 3,
        "PARK": 3,
        "BUS STATION": 2,
        "CITY HALL": 1,
        "JAIL": 1,
        "UNK": 1,
    },
    "patrol_units": {"1": 56, "2": 32, "3": 12},
    "second": {"RESOURCES GIVEN": 4, "PROVIDER TOLD": 3, "SUD REFERRAL": 1, "CRISIS LINE": 1, "FAMILY": 1},
    "charge": {"MISD": 60, "FEL": 25, "HOLD": 10, "INF": 5},
    "release": {"BOND": 40, "PR": 30, "TIME": 15, "DROP": 6, "DIVERT": 4, "XFER": 5},
    "suicide_risk": {"NONE": 55, "IDEATION": 22, "THREAT": 10, "ATTEMPT": 5, "DK": 8},
    "weapon": {"KNIFE": 55, "FIREARM": 15, "BLUNT": 20, "OTHER": 10},
}
# fmt: on
# Weights of demand on the local clock: 24 hours, and Monday to Sunday. Invented: low before dawn, high at dusk.
HOURS = (34, 28, 24, 20, 18, 20, 26, 36, 46, 52, 56, 60, 62, 63, 65, 68, 70, 70, 68, 66, 62, 58, 50, 42)
WEEKDAYS = (98, 97, 98, 100, 108, 104, 95)
STREETS = (
    "Sample St",
    "Example Ave",
    "Invented Ln",
    "Pretend Rd",
    "Imaginary Blvd",
    "Nowhere Ct",
    "Fable Way",
    "Fiction Dr",
)

Connection = duckdb.DuckDBPyConnection


def write_county(
    out: Path,
    calls: int = 4000,
    months: int = 6,
    seed: int = 20260101,
    start: str = "2024-01",
    feeds: tuple[str, ...] = FEEDS,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the county's landing files to ``out`` and return counts.

    ``calls`` events over ``months`` months of the county's clock from ``start`` ('YYYY-MM'); ``feeds`` names what
    to write ('cad' and 'units' are enough for a benchmark); ``threads`` limits DuckDB. Counts: ``calls``, rows of
    each file (``incident_rows``, ``corrected_rows``, ``unit_rows``, ``form_rows``, ``booking_rows``) and what was
    put in on purpose (``doubled_rows``, ``unparsable_rows``, ``unmapped_type_rows``, ``duplicate_calls``,
    ``cancelled_calls``, ``bh_calls``, ``forms``, ``outreach_forms``). Raises ValueError for arguments that make
    no sense, and for more form rows than a sheet can hold.
    """
    _check(calls, months, start, feeds)
    out.mkdir(parents=True, exist_ok=True)
    period = _Period(start, months)
    counts = {"calls": calls}
    with tempfile.TemporaryDirectory(dir=out, prefix=".county_") as hidden, duckdb.connect() as con:
        files = Path(hidden) / "files"
        files.mkdir()
        con.execute(f"set temp_directory = '{hidden}/spill'")
        if threads:
            con.execute(f"set threads = {int(threads)}")
        _macros(con, seed, period)
        _people(con, max(400, calls // 5))
        _slots(con, calls, period)
        _write_calls(con, files, calls, period, feeds, counts)
        if "forms" in feeds:
            _write_forms(con, files, calls, period, counts)
        if "bookings" in feeds:
            _write_bookings(con, files, period, counts)
        for path in sorted(files.iterdir()):  # whole files only ever appear in the folder
            path.replace(out / path.name)
    return counts


# ---------------------------------------------------------------- arguments and clock


class _Period:
    """The months written: local midnights, the corrected month, and the offsets of the zone."""

    def __init__(self, start: str, months: int) -> None:
        year, month = (int(part) for part in start.split("-"))
        firsts = [_first(year, month + n) for n in range(months + 1)]
        self.begin, self.end = firsts[0], firsts[-1]
        self.fixed_begin, self.fixed_end = firsts[months // 2], firsts[months // 2 + 1]
        self.label = f"{firsts[0]:%Y-%m}_{firsts[-2]:%Y-%m}"
        self.fixed_label = f"{self.fixed_begin:%Y-%m}_corrected"
        self.exported = f"{self.end + timedelta(days=4, hours=6)}"
        self.corrected = f"{self.end + timedelta(days=18, hours=6)}"
        self.offsets = _offsets(self.begin - timedelta(days=2), self.end + timedelta(days=200))


def _first(year: int, month: int) -> datetime:
    """First midnight of a month counted past December."""
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _check(calls: int, months: int, start: str, feeds: tuple[str, ...]) -> None:
    """Refuse arguments that make no sense."""
    if calls < 1 or months < 1:
        raise ValueError("calls and months must be at least 1")
    unknown = set(feeds) - set(FEEDS)
    if unknown:
        raise ValueError(f"unknown feeds: {', '.join(sorted(unknown))}")
    datetime.strptime(start, "%Y-%m")


def _offsets(begin: datetime, end: datetime) -> list[tuple[int, int]]:
    """Changes of the zone's offset: (instant in epoch seconds, offset in seconds from then on)."""
    changes: list[tuple[int, int]] = []
    at = begin.replace(tzinfo=UTC)
    while at < end.replace(tzinfo=UTC):
        offset = int(at.astimezone(ZONE).utcoffset().total_seconds())
        if not changes or changes[-1][1] != offset:
            changes.append((int(at.timestamp()), offset))
        at += timedelta(hours=1)
    return changes


def _by_threshold(value: str, steps: list[tuple[int, int]]) -> str:
    """A CASE that gives the number of the last threshold not above ``value``."""
    whens = [f"when {value} >= {at} then {number}" for at, number in reversed(steps[1:])]
    return f"(case {' '.join(whens)} else {steps[0][1]} end)" if whens else f"({steps[0][1]})"


# ---------------------------------------------------------------- macros


def rate(name: str) -> float:
    """The value of one rate."""
    return RATES[name][0]


def _macros(con: Connection, seed: int, period: _Period) -> None:
    """Define the draws, clocks, spans and mixes as SQL macros."""
    con.execute(f"create macro draw(purpose, row_key) as md5_number_lower('{seed}:' || purpose || ':' || row_key)")
    for piece in range(3):  # three independent numbers in [0, 1) from one draw, 21 bits each
        con.execute(f"create macro u{piece}(h) as ((h >> {21 * piece}) & 2097151) / 2097152")
    to_local = _by_threshold("s", period.offsets)
    con.execute(f"create macro clock(s) as cast(make_timestamp(cast((s + {to_local}) * 1000000 as bigint)) as varchar)")
    # first reading of an hour that comes twice; hours that do not exist hold no calls (see _slots)
    walls = [period.offsets[0]] + [(at + max(a, b), b) for (_, a), (at, b) in pairwise(period.offsets)]
    con.execute(f"create macro instant(w) as w - {_by_threshold('w', walls)}")
    for name, knots in SPANS.items():
        con.execute(f"create macro span_{name}(u) as cast(floor({_quantile_sql(knots)}) as bigint)")
    for name, weights in MIXES.items():
        con.execute(f"create macro mix_{name}(u) as {_mix_sql(weights)}")
    con.execute(f"create macro answer(u, yes, dk, blank) as {_ANSWER}")


_ANSWER = "case when u < yes then 'Y' when u < yes + dk then 'DK' when u < yes + dk + blank then null else 'N' end"


def _quantile_sql(knots: tuple[int, ...]) -> str:
    """Inverse distribution, linear between the knots: no logarithm, so the same bits everywhere."""
    parts = []
    for (p, q), (a, b) in zip(pairwise(QUANTILES), pairwise(knots), strict=True):
        parts.append(f"when u < {q} then {a} + {b - a} * ((u - {p}) / {round(q - p, 9)})")
    return f"case {' '.join(parts)} else {knots[-1]} end"


def _mix_sql(weights: dict[str, int]) -> str:
    """A CASE that picks a text by weight."""
    total = sum(weights.values())
    edges = [edge / total for edge in accumulate(weights.values())]
    whens = [f"when u < {edge:.9f} then '{text}'" for text, edge in zip(weights, edges, strict=True)]
    return f"case {' '.join(whens[:-1])} else '{list(weights)[-1]}' end"


def _lookup_sql(value: str, pairs: dict[str, object]) -> str:
    """A CASE from text to a literal; texts that are not listed give null."""
    whens = " ".join(f"when '{key}' then {result!r}" for key, result in pairs.items())
    return f"case {value} {whens} end"


# ---------------------------------------------------------------- persons and demand


def _people(con: Connection, size: int) -> None:
    """Make ``size`` fictional persons and 90 officers: names by weight, and nothing that could be dialed."""
    from faker.providers.person.en_US import Provider  # heavy, and only needed here

    for table, names in (("firsts", Provider.first_names), ("lasts", Provider.last_names)):
        edges = [0.0, *accumulate(names.values())]
        con.execute(f"create table {table} (name varchar, edge double)")
        con.execute(
            f"insert into {table} select unnest($names), unnest($edges)",
            {"names": list(names), "edges": [edge / edges[-1] for edge in edges[:-1]]},
        )
    streets = ", ".join(f"'{street}'" for street in STREETS)
    con.execute(f"""
        create table people as
        with drawn as (
            select p, draw('person', p) as h, draw('person 2', p) as g from range({size}) as t (p)
        )
        select p, l.name || ', ' || f.name as full_name,
            '555-01' || lpad(cast(cast(floor(u2(h) * 100) as integer) as varchar), 2, '0') as phone,
            cast(1 + cast(floor(u0(g) * 9900) as integer) as varchar) || ' '
                || [{streets}][1 + cast(floor(u1(g) * {len(STREETS)}) as integer)] as address,
            cast(date '1934-01-01' + cast(floor(u2(g) * 27000) as integer) as varchar) as birth_date
        from drawn
        asof join firsts as f on u0(h) >= f.edge
        asof join lasts as l on u1(h) >= l.edge
    """)
    familiar = rate("familiar_contacts")
    con.execute(f"create macro caller(u) as cast(floor(u * {size}) as bigint)")
    con.execute(f"""
        create macro subject(u) as case when u < {familiar} then cast(floor(u / {familiar} * {size // 50}) as bigint)
            else cast(floor((u - {familiar}) / {1 - familiar} * {size}) as bigint) end
    """)
    con.execute("""
        create table officers as
        select o, l.name || ' #' || cast(1000 + o * 7 as varchar) as officer_name
        from range(90) as t (o) asof join lasts as l on u0(draw('officer', o)) >= l.edge
    """)


def _slots(con: Connection, calls: int, period: _Period) -> None:
    """Share the calls out over the hours of the local clock; hours skipped by the zone get none."""
    gaps = [at + a for (_, a), (at, b) in pairwise(period.offsets) if b > a]
    skipped = f"w in ({', '.join(str(gap) for gap in gaps)})" if gaps else "false"
    con.execute(f"""
        create table slots as
        with hours as (
            select cast(epoch(t) as bigint) as w, hour(t) as h, isodow(t) as d
            from generate_series(timestamp '{period.begin}', timestamp '{period.end}' - interval 1 hour,
                interval 1 hour) as s (t)
        ),
        weighted as (
            select w, case when {skipped} then 0 else
                {list(HOURS)}[h + 1] * {list(WEEKDAYS)}[d]
                * cast(700 + floor(600 * u0(draw('demand', w))) as bigint) end as weight
            from hours
        ),
        summed as (
            select w, cast(sum(weight) over (order by w) - weight as bigint) as below, weight,
                cast(sum(weight) over () as bigint) as total
            from weighted
        )
        select w, below * {calls} // total as lo, (below + weight) * {calls} // total - below * {calls} // total as n
        from (select w, cast(below as hugeint) as below, cast(weight as hugeint) as weight,
            cast(total as hugeint) as total from summed)
        order by w
    """)


# ---------------------------------------------------------------- calls


_PURPOSES = ("a", "b", "c", "d", "e", "f", "g", "p", "q", "r", "s", "t", "v1", "v2", "v3", "v4", "v5")


def _calls_sql(lo: int, hi: int, period: _Period) -> str:
    """One row per call of the block [lo, hi): what happened, in seconds from the call's receipt."""
    draws = ", ".join(f"draw('{purpose}', i) as h_{purpose}" for purpose in _PURPOSES)
    explicit = _lookup_sql("kind", EXPLICIT)
    priority = _lookup_sql("type_open", {k: v[0] for k, v in TYPES.items()})
    close_bh = _lookup_sql("outcome", {k: v[1] for k, v in OUTCOMES.items()})
    place = _lookup_sql("outcome", {k: v[2] for k, v in OUTCOMES.items() if v[2]})
    fixed = f"{_epoch(period.fixed_begin)} and {_epoch(period.fixed_end) - 1}"
    return f"""
with base as (
    select cast(lo + k as bigint) as i, w, k, n
    from (select w, lo, n, unnest(range(cast(n as bigint))) as k from slots where lo < {hi} and lo + n > {lo})
    where lo + k >= {lo} and lo + k < {hi}
),
drawn as (select *, {draws} from base),
seen as (
    select *, w + cast(floor(3600 * ((k + u2(h_d)) / n)) as bigint) as own_wall,
        mix_source(u0(h_a)) as drawn_source, mix_kind(u2(h_a)) as kind,
        substr('ABCD', 1 + cast(floor(u0(h_e) * 4) as integer), 1) as own_sector
    from drawn
),
paired as (  -- a duplicate has an odd number and repeats the call before it, which is never one itself
    select *, i % 2 = 1 and drawn_source <> 'ONVIEW' and lag(drawn_source) over (order by i) <> 'ONVIEW'
            and u0(h_d) < {3 * rate("duplicate")} as is_dup,
        lag(own_wall) over (order by i) as master_wall, lag(own_sector) over (order by i) as master_sector
    from seen
),
behind as (
    select *, drawn_source = 'ONVIEW' as on_view, case when is_dup then master_sector else own_sector end as sector,
        case when is_dup then master_wall + 60 + cast(floor(u1(h_d) * 540) as bigint) else own_wall end as wall,
        u1(h_a) < case when drawn_source = 'ONVIEW' then {rate("bh_on_view")} else {rate("bh_community")} end as bh
    from paired
),
opened as (
    select *, instant(wall) as s,
        case when drawn_source = '988' and not bh then 'NONEMERG' else drawn_source end as source,
        bh and u0(h_b) < {rate("bh_type_at_open")} as is_explicit,
        case when u0(h_r) < {rate("unmapped_type")} then '{UNMAPPED_TYPE}'
            when bh and u0(h_b) < {rate("bh_type_at_open")} then {explicit}
            when bh then mix_type_bh(u1(h_b))
            when u0(h_b) > 1 - {rate("bh_type_false")} then 'MENTAL'
            when on_view then mix_type_on_view(u1(h_b))
            else mix_type_other(u1(h_b)) end as own_type
    from behind
),
named as (
    select *, case when is_dup then lag(own_type) over (order by i) else own_type end as type_open from opened
),
closed as (
    select *, coalesce({priority}, 5) as priority,
        case when bh and not is_explicit and u2(h_b) < {rate("bh_upgrade")} then {explicit}
            when is_explicit and u2(h_b) < {rate("bh_downgrade")} then 'WELCHK'
            when u2(h_b) > 1 - {rate("type_change")} then mix_type_other(u0(h_c))
            else type_open end as type_close
    from named
),
routed as (
    select *, not on_view and not is_dup and u1(h_d) < {rate("cancelled")} as is_cancelled,
        not on_view and not is_dup and priority >= 4 and u1(h_d) > 1 - {rate("phone")} as is_phone,
        bh and not is_dup and (w // 3600) % 24 between 8 and 21 as in_program
    from closed
),
sent as (
    select *, not (is_dup or is_cancelled or is_phone) as is_met,
        in_program and not (is_cancelled or is_phone) and u1(h_f) < {rate("co_responder")} as has_co,
        in_program and not (is_cancelled or is_phone) and u1(h_f) > 1 - {rate("mobile_crisis")} as has_team
    from routed
),
ended as (
    select *,
        case when is_dup or is_phone then 0
            when is_cancelled then case when u2(h_e) < {rate("cancelled_after_dispatch")} then 1 else 0 end
            when has_team and not on_view and u2(h_f) < {rate("mobile_crisis_alone")} then 0
            when on_view then case when u2(h_e) < 0.85 then 1 else 2 end
            else cast(mix_patrol_units(u2(h_e)) as integer) end as patrol,
        case when bh and is_met then mix_outcome_bh(u0(h_f)) end as outcome
    from sent
),
timed as (
    select *,
        case when is_dup then 'DUP' when is_cancelled then 'CAN' when is_phone then 'TEL' when bh then {close_bh}
            when on_view and type_open in ('PATCHK', 'TRSTOP') then
                case when u0(h_f) < 0.02 then 'BKD' when u0(h_f) < 0.2 then 'CIT' else 'WRN' end
            else mix_close_other(u0(h_f)) end as close_code,
        case when on_view then 0 else span_entry(u0(h_g)) end as entered,
        case when on_view then 0 else greatest(span_taking(u2(h_g)), span_entry(u0(h_g))) end as taken,
        case when on_view then 0 when priority <= 2 then span_entry(u0(h_g)) + span_processing_urgent(u1(h_g))
            else span_entry(u0(h_g)) + span_processing_routine(u1(h_g)) end as d1,
        case when bh then {BH_SCENE_PERCENT} else 100 end as scene_percent
    from ended
),
moved as (
    select *, case when bh then {place} when close_code in ('BKD', 'ARR') then 'jail' end as place,
        case when on_view then 0 else span_turnout(u0(h_v1)) end as t1,
        case when on_view then 0 when priority <= 2 then span_travel_urgent(u1(h_v1))
            else span_travel_routine(u1(h_v1)) end as m1,
        span_scene(u2(h_v1)) * scene_percent // 100 as c1,
        d1 + span_gap(u0(h_p)) as d2, span_turnout(u0(h_v2)) as t2,
        case when priority <= 2 then span_travel_urgent(u1(h_v2)) else span_travel_routine(u1(h_v2)) end as m2,
        span_scene(u2(h_v2)) * scene_percent // 150 as c2,
        d1 + span_gap(u0(h_p)) + span_gap(u1(h_p)) as d3, span_turnout(u0(h_v3)) as t3,
        case when priority <= 2 then span_travel_urgent(u1(h_v3)) else span_travel_routine(u1(h_v3)) end as m3,
        span_scene(u2(h_v3)) * scene_percent // 150 as c3,
        d1 + span_team_delay(u0(h_v4)) as d4, span_travel_urgent(u1(h_v4)) as m4, span_scene_team(u2(h_v4)) as c4,
        case when patrol = 0 then d1 else d1 + span_team_delay(u0(h_v5)) end as d5,
        span_travel_team(u1(h_v5)) as m5, span_scene_team(u2(h_v5)) as c5
    from timed
),
carried as (
    select *, d1 + t1 + m1 + c1 as left1,
        case when place is not null then d1 + t1 + m1 + c1 + span_drive(u2(h_p)) end as there1,
        case when place = 'jail' then d1 + t1 + m1 + c1 + span_drive(u2(h_p)) + span_wall_jail(u1(h_s))
            when place is not null then d1 + t1 + m1 + c1 + span_drive(u2(h_p)) + span_wall_hospital(u1(h_s))
            end as given1
    from moved
),
cleared as (
    select *, coalesce(given1 + 120, left1) as e1, d2 + t2 + m2 + c2 as e2, d3 + t3 + m3 + c3 as e3,
        d4 + 30 + m4 + c4 as e4, d5 + 60 + m5 + c5 as e5, d1 + span_cancel(u1(h_v1)) as off1
    from carried
)
select i, s, wall, source, on_view, bh, kind, is_dup, is_cancelled, is_phone, is_met, is_explicit, has_co, has_team,
    patrol, outcome, close_code, place, type_open, type_close, priority,
    case when u1(h_c) < {rate("priority_change")} then 1 + (priority + i) % 5 else priority end as priority_close,
    entered, taken, d1, t1, m1, c1, d2, t2, m2, d3, t3, m3, d4, m4, d5, m5, left1, there1, given1,
    e1, e2, e3, e4, e5, off1, c4, c5,
    span_closing(u0(h_s)) + case when is_dup then entered + 120 when is_phone then taken + span_phone(u1(h_v1))
        when is_cancelled then off1
        else greatest(taken, case when patrol >= 1 then e1 else 0 end, case when patrol >= 2 then e2 else 0 end,
            case when patrol >= 3 then e3 else 0 end, case when has_co then e4 else 0 end,
            case when has_team then e5 else 0 end) end as shut,
    {_number_sql("i", "wall")} as number,
    case when is_dup then {_number_sql("i - 1", "master_wall")} end as master, sector,
    1 + cast(floor(u2(h_c) * u2(h_c) * 5) as integer) as beat_no,
    u1(h_e) < {rate("padded_beat")} as is_padded, u2(h_s) as u_place,
    u1(h_r) < {rate("doubled_row")} as is_doubled, u2(h_r) < {rate("unparsable_time")} as is_unparsable,
    u0(h_t) as u_redact, u1(h_t) as u_asked, u2(h_t) as u_late, u0(h_q) as u_caller, u1(h_q) as u_subject,
    u2(h_q) as u_form,
    wall between {fixed} as in_fixed,
    wall >= {_epoch(period.fixed_begin) - 86400} and wall < {_epoch(period.fixed_begin)}
        and {"u2(h_t) < " + str(rate("wrong_date")) if period.fixed_begin > period.begin else "false"} as is_misdated
from cleared
"""


def _epoch(local: datetime) -> int:
    """Seconds of a local clock as if it were UTC."""
    return int(local.replace(tzinfo=UTC).timestamp())


def _number_sql(i: str, wall: str) -> str:
    """The event's number: C, two digits of the year, a running number."""
    year = f"strftime(make_timestamp(cast({wall} * 1000000 as bigint)), '%y')"
    return f"'C' || {year} || '-' || {_padded(f'{i} + 1', 6)}"


def _padded(value: str, width: int) -> str:
    """A whole number as text with leading zeros, never cut."""
    text = f"cast({value} as varchar)"
    return f"lpad({text}, cast(greatest({width}, length({text})) as integer), '0')"


def _write_calls(
    con: Connection, files: Path, calls: int, period: _Period, feeds: tuple[str, ...], counts: dict[str, int]
) -> None:
    """Write events and units block by block; keep what forms and bookings need."""
    exports = {}
    if "cad" in feeds:
        exports["incident_rows"] = (
            f"cad_incidents_{period.label}.csv",
            _incident_sql(period, corrected=False),
        )
        exports["corrected_rows"] = (
            f"cad_incidents_{period.fixed_label}.csv",
            _incident_sql(period, corrected=True),
        )
    if "units" in feeds:
        exports["unit_rows"] = (f"cad_units_{period.label}.csv.gz", _unit_sql())
    counts.update(dict.fromkeys([*exports, *_CALL_COUNTS], 0))
    with ExitStack() as stack:
        targets = {key: stack.enter_context(_opened(files / name)) for key, (name, _) in exports.items()}
        for lo in range(0, calls, BLOCK):
            con.execute(f"create or replace table calls as {_calls_sql(lo, min(lo + BLOCK, calls), period)}")
            for key, (_, query) in exports.items():
                counts[key] += _append(con, query, targets[key], files.parent, header=lo == 0)
            for key, value in zip(_CALL_COUNTS, con.execute(_COUNT_SQL).fetchone(), strict=True):
                counts[key] += value
            _keep(con, feeds, first=lo == 0)


_CALL_COUNTS = {
    "doubled_rows": "is_doubled",
    "unparsable_rows": "is_unparsable",
    "unmapped_type_rows": f"'{UNMAPPED_TYPE}' in (type_open, type_close)",
    "duplicate_calls": "is_dup",
    "cancelled_calls": "is_cancelled",
    "bh_calls": "bh",
}
_COUNT_SQL = f"select {', '.join(f'count(*) filter (where {test})' for test in _CALL_COUNTS.values())} from calls"


def _keep(con: Connection, feeds: tuple[str, ...], first: bool) -> None:
    """Set the block's contacts and arrests aside for the later files."""
    verb = "create table {} as" if first else "insert into {}"
    if "forms" in feeds:
        form = f"bh and is_met and u_form < {rate('form_written')}"
        con.execute(verb.format("met") + f" select * from calls where {form}")
    if "bookings" in feeds:
        con.execute(verb.format("taken") + " select * from calls where close_code = 'BKD'")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, gzipped if its name says so; no name or date goes into the gzip header."""
    with path.open("wb") as plain:
        if path.suffix != ".gz":
            yield plain
            return
        with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=plain, mtime=0) as packed:
            yield packed


def _append(con: Connection, query: str, target: BinaryIO, scratch: Path, header: bool) -> int:
    """Append a query's rows as CSV to an open file; return the number of rows."""
    part = scratch / "part.csv"
    rows = con.execute(f"copy ({query}) to '{part}' (format csv, header {str(header).lower()})").fetchone()[0]
    with part.open("rb") as source:
        shutil.copyfileobj(source, target, 1 << 20)
    part.unlink()
    return rows


def _incident_sql(period: _Period, corrected: bool) -> str:
    """Rows of the events' export. The corrected export holds one month again, with what had been missing."""
    sensitive = ", ".join(f"'{code}'" for code in SENSITIVE_TYPES)
    hidden = (
        f"(u_redact < {rate('redacted_any')} or "
        f"(type_open in ({sensitive}) and u_redact < {rate('redacted_sensitive')}))"
    )
    if corrected:
        received, late, times = "clock(s)", "false", "1"
        close = f"case when u_late > 0.97 and bh then {_lookup_sql('kind', EXPLICIT)} else type_close end"
        where, exported = "in_fixed or is_misdated", period.corrected
    else:
        received = (
            "case when is_unparsable then substr(clock(s), 1, 4) || '-13-45 25:61:00' "
            "when is_misdated then clock(s + 86400) else clock(s) end"
        )
        late, times = f"in_fixed and u_late < {rate('late_disposition')}", "1 + cast(is_doubled as integer)"
        close, where, exported = "type_close", "true", period.exported
    return f"""
select number as IncidentNumber, master as MasterIncident, source as CallSource, {received} as Received,
    clock(s + entered) as Queued, clock(s + taken) as CallTakingDone,
    case when u_asked > 1 - {rate("placeholder")} then '1900-01-01 00:00:00' else clock(s + shut) end as Closed,
    type_open as TypeOpen, {close} as TypeClose, priority as PriorityOpen, priority_close as PriorityClose,
    case when not ({late}) then close_code end as CloseCode,
    case when is_cancelled then 'Y' when is_dup then null else 'N' end as CancelledBeforeArrival,
    case when is_dup then null when close_code in ('RPT', 'BKD', 'ARR', 'CIT', 'TRH') then 'Y' else 'N' end as Report,
    case when bh and u_asked < 0.12 then 'Y' when u_asked > 0.9 then null else 'N' end as CITAsked,
    case when has_co or has_team then 'Y' when u_asked > 0.9 then null else 'N' end as ClinicianAsked,
    case when is_phone and bh and u_asked < 0.3 then 'Y' else 'N' end as To988,
    case when source = '988' then 'Y' else 'N' end as From988,
    mix_location(u_place) as PlaceKind,
    case when is_padded then sector || cast(beat_no as varchar) || '    ' else sector || cast(beat_no as varchar) end
        as Beat,
    sector as Sector, 'District ' || sector as District,
    '0000' || cast(1 + strpos('ABCD', sector) as varchar) as Zip,
    case when {hidden} then 'REDACTED' else p.address end as Address,
    case when {hidden} then 'REDACTED' when u_place < 0.2 then 'Apt ' || cast(1 + i % 40 as varchar) end as Apartment,
    case when {hidden} then 'REDACTED' when u_place > 0.75 then 'Pretend Place ' || cast(i % 50 as varchar) end
        as PlaceName,
    case when {hidden} then 'REDACTED' when i % 3 = 0 then 'Crossing Rd' end as CrossStreet,
    case when {hidden} then 'REDACTED' else '0.' || lpad(cast(i * 37 % 5000 as varchar), 4, '0') end as Latitude,
    case when {hidden} then 'REDACTED' else '0.' || lpad(cast(i * 53 % 5000 as varchar), 4, '0') end as Longitude,
    case when {hidden} then 'REDACTED' when not on_view then p.full_name end as CallerName,
    case when {hidden} then 'REDACTED' when not on_view then p.phone end as CallerPhone,
    case when {hidden} then 'REDACTED' when i % 7 = 0 and not on_view then 'Pretend Place' end as CallerPlace,
    '{exported}' as ExportedAt
from (select *, unnest(range({times})) as copy_no from calls where {where}) as c
left join people as p on p.p = caller(c.u_caller)
order by i, copy_no
"""


# Units of a call: which, when it exists, kind, program, persons, and its seconds from receipt.
_UNITS = """
select i, s, sector, 1 as j, 'd' || i as key, is_cancelled, 'patrol' as family, d1 as d, d1 + t1 as m,
    d1 + t1 + m1 as a, case when place is not null then left1 end as l, there1 as h, given1 as g, e1 as e, off1 as off
from calls where patrol >= 1
union all
select i, s, sector, 2, '', false, 'patrol', d2, d2 + t2, d2 + t2 + m2, null, null, null, e2, null
from calls where patrol >= 2
union all
select i, s, sector, 3, '', false, 'patrol', d3, d3 + t3, d3 + t3 + m3, null, null, null, e3, null
from calls where patrol >= 3
union all
select i, s, sector, 4, '', false, 'co', d4, d4 + 30, d4 + 30 + m4, null, null, null, e4, null
from calls where has_co
union all
select i, s, sector, 5, '', false, 'team', d5, d5 + 60, d5 + 60 + m5, null, null, null, e5, null
from calls where has_team
"""


def _unit_sql() -> str:
    """Rows of the units' export: one per event and unit, with the dirt of real exports."""
    return f"""
with units as ({_UNITS}),
drawn as (select *, draw('unit', i * 8 + j) as x, draw('unit 2', i * 8 + j) as y from units),
crewed as (
    select *, family = 'patrol' and u0(y) < {rate("cit_officer")} as has_cit,
        case when family = 'team' then 0 when family = 'co' or u1(y) < 0.7 then 1 else 2 end as officers,
        case family when 'team' then 2 when 'co' then 1 else 0 end as clinicians
    from drawn
)
select c.number as IncidentNumber,
    case r.family when 'team' then 'MC' || cast(1 + r.i % 2 as varchar)
        when 'co' then 'CR' || cast(1 + r.i % 3 as varchar)
        else r.sector || cast(10 + (r.i * 7 + r.j * 13) % 60 as varchar) end as Unit,
    1 as Assignment,
    case r.family when 'team' then 'MCT' when 'co' then 'CORE' else case when has_cit then 'CITCAR' else 'CAR' end end
        as UnitKind,
    case r.family when 'team' then 'MOBILE' when 'co' then 'CORESP' else case when has_cit then 'CIT' else 'POLICE' end
        end as Program,
    case when u2(y) >= {rate("missing_officer_count")} or family = 'team' then officers end as Officers,
    clinicians as Clinicians,
    clock(r.s + d) as Dispatched, clock(r.s + least(d + 5, m)) as Acknowledged,
    case when not r.is_cancelled or off > m then clock(r.s + m) end as Enroute,
    case when r.is_cancelled or u0(x) < {rate("missing_arrival")} then null
        when u1(x) < {rate("negative_interval")} then clock(r.s + d - 300) else clock(r.s + a) end as OnScene,
    case when not r.is_cancelled then clock(r.s + l) end as LeftScene,
    case when not r.is_cancelled then clock(r.s + h) end as AtDestination,
    case when not r.is_cancelled then clock(r.s + g) end as HandedOver,
    case when r.is_cancelled then null when u2(x) < {rate("placeholder")} then '1900-01-01 00:00:00'
        else clock(r.s + e) end as Cleared,
    case when r.is_cancelled then clock(r.s + off) end as Cancelled,
    o.officer_name as OfficerName
from crewed as r
join (select i, number from calls) as c on c.i = r.i
left join officers as o on o.o = (r.i * 7 + r.j * 13) % 90 and r.family <> 'team'
order by r.i, r.j
"""


# ---------------------------------------------------------------- contact forms


def _forms_sql(calls: int, period: _Period) -> str:
    """One row per contact form: those of calls, and outreach without a call."""
    days = (period.end - period.begin).days
    outreach = round(calls * rate("form_outreach"))
    return f"""
with linked as (
    select 'c' || i as key, number, source, type_open, type_close, outcome, kind, sector, beat_no, patrol, has_co,
        has_team, s + case when patrol >= 1 then d1 + t1 + m1 else d5 + 60 + m5 end as met_s,
        case when patrol >= 1 then c1 // 60 end as officer_minutes,
        case when has_team then c5 // 60 when has_co then c4 // 60 end as clinician_minutes, u_subject
    from met
),
drawn as (select 'o' || n as key, draw('o', n) as h, draw('o 2', n) as g from range({outreach}) as t (n)),
outreach as (
    select key, null as number, null as source, null as type_open, null as type_close,
        case when u0(h) < 0.45 then 'RESOURCES GIVEN' when u0(h) < 0.7 then 'PROVIDER TOLD'
            when u0(h) < 0.9 then 'RESOURCES DECLINED' else 'UNABLE TO CONTACT' end as outcome,
        mix_kind(u1(h)) as kind, substr('ABCD', 1 + cast(floor(u2(h) * 4) as integer), 1) as sector,
        1 + cast(floor(u0(g) * 5) as integer) as beat_no, 0 as patrol, true as has_co, false as has_team,
        instant({_epoch(period.begin)} + 86400 * cast(floor(u1(g) * {days}) as bigint)
            + 32400 + cast(floor(u2(g) * 28800) as bigint)) as met_s,
        20 + cast(floor(u0(h) * 40) as bigint) as officer_minutes,
        20 + cast(floor(u0(h) * 40) as bigint) as clinician_minutes, u0(g) as u_subject
    from drawn
),
everything as (select * from linked union all select * from outreach),
numbered as (
    select *, row_number() over (order by met_s, key) as n, draw('form', key) as a, draw('form 2', key) as b,
        draw('form 3', key) as c, draw('form 4', key) as d, draw('form 5', key) as e
    from everything
),
judged as (
    select *, clock(met_s) as occurred, outcome in ('BOOKED', 'WARRANT ARREST', 'ARRESTED') as is_arrest,
        case when outcome in ('BOOKED', 'CITED', 'WARRANT ARREST', 'ARRESTED') then 'Y'
            else answer(u0(a), {rate("arrestable")}, {rate("arrestable_dk")}, {rate("arrestable_blank")})
            end as arrestable,
        case when number is not null and u1(a) < {rate("force")} then 'Y' when u1(a) > 0.97 then 'DK' else 'N' end
            as force_used,
        case when u2(a) < {rate("placeholder_form")} then '1900-01-01' end as placeholder,
        answer(u0(b), 0.08, 0.04, 0.03) as weapon,
        p.full_name, p.birth_date, p.phone, p.address
    from numbered
    left join people as p on p.p = subject(u_subject)
)
select *, 'F' || substr(occurred, 3, 2) || '-' || {_padded("n", 5)} as form_no
from judged
"""


def _form_rows_sql() -> str:
    """One row per form and disposition, as the export prints them; all cells are texts."""
    return f"""
with chosen as (
    select *, case when u1(b) >= {rate("form_without_disposition")} then outcome end as first_text,
        case when outcome = 'INVOL HOLD' and u2(b) < 0.7 then 'ED TRANSPORT'
            when u2(b) < {rate("second_disposition")} and mix_second(u0(c)) <> outcome then mix_second(u0(c)) end
            as second_text
    from forms
),
lines as (
    select *, 1 as line, first_text as disposition, unnest(range(1 + cast(u1(c) < {rate("doubled_disposition")}
        as integer))) as copy_no from chosen
    union all
    select *, 2, second_text, 0 from chosen where second_text is not null and first_text is not null
)
select row_number() over (order by n, line, copy_no) as row_no, form_no as FormNumber, number as IncidentNumber,
    coalesce(placeholder, substr(occurred, 1, 10)) as OccurredDate, substr(occurred, 12, 5) as OccurredTime,
    clock(met_s + span_writing(u2(c))) as Written, source as CallSource, type_open as TypeOpen, type_close as TypeClose,
    case when number is null then 'FIELD' when u0(d) < 0.04 then 'PHONE' when u0(d) < 0.06 then 'HOSPITAL'
        else 'SCENE' end as ContactMode,
    case when number is null then 'OUTREACH' when type_open = 'WELCHK' then 'WELFARE'
        when type_open = 'FOLLOW' then 'FOLLOWUP' else 'CRISIS' end as ContactReason,
    case when number is null then 'FOLLOWUP' when has_team then 'MOBILE' when has_co then 'CORESP'
        when u1(d) < 0.3 then 'CIT' else 'POLICE' end as Program,
    case when kind = 'suicide' then case when u2(d) < 0.3 then 'ATTEMPT' when u2(d) < 0.6 then 'THREAT' else 'IDEATION'
        end else mix_suicide_risk(u2(d)) end as SuicideRisk,
    answer(u0(e), 0.10, 0.05, 0.03) as ThreatensOthers, weapon as Weapon,
    case when weapon = 'Y' then mix_weapon(u1(e)) when weapon = 'N' then 'NONE' end as WeaponKind,
    answer(u2(e), 0.06, 0.30, 0.05) as Veteran,
    case when number is not null then answer(u1(d), 0.30, 0.02, 0.05) end as CITAsked,
    case when number is not null then answer(u1(d), 0.28, 0.02, 0.05) end as CITSent,
    case when number is not null then answer(u1(d), 0.24, 0.02, 0.05) end as CITArrived,
    case when has_co or has_team then 'Y' else 'N' end as ClinicianArrived,
    answer(u2(d), 0.05, 0.0, 0.10) as Supervisor, force_used as ForceUsed,
    case when is_arrest or force_used = 'Y' then 'Y' when outcome = 'INVOL HOLD' and u0(e) > 0.5 then 'Y'
        when u0(e) > 0.97 then 'Y' else 'N' end as Handcuffs,
    case when force_used = 'Y' and u1(e) < 0.3 then 'Y' when u1(e) < {rate("injury")} then 'Y' else 'N' end as Injury,
    arrestable as ArrestableOffense,
    case when outcome = 'WARRANT ARREST' then 'WARRANT' when is_arrest and u0(b) < 0.15 then 'MANDATORY'
        when is_arrest then 'PC ARREST' when arrestable = 'N' then 'NO PC'
        when arrestable = 'Y' and (outcome = 'CITED' or u2(a) < 0.7) then 'PC DIVERT'
        when arrestable = 'Y' then 'PC NO COMPLAINANT' when arrestable = 'DK' then 'DK' end as Discretion,
    case when u0(c) > 0.05 then cast(officer_minutes as varchar) end as OfficerMinutes,
    cast(clinician_minutes as varchar) as ClinicianMinutes,
    sector || cast(beat_no as varchar) as Beat, sector as Sector, 'District ' || sector as District,
    case when u1(e) > 0.99 then 'REDACTED' else full_name end as SubjectName,
    case when u1(e) > 0.99 then 'REDACTED' when u0(d) < 0.9 then birth_date end as SubjectBirthDate,
    case when u1(e) > 0.99 then 'REDACTED' when u0(d) < 0.6 then phone end as SubjectPhone,
    case when u1(e) > 0.99 then 'REDACTED' when u0(d) < 0.8 then address end as SubjectAddress,
    o.officer_name as OfficerName,
    'Fictional note: the person said "I need help", the team listened & stayed; nobody here exists.' as Note,
    disposition as Disposition,
    case when disposition is null then null when u2(b) > 0.9 then null when line = 1 then 'Y' else 'N' end as MainOne
from lines left join officers as o on o.o = n * 11 % 90
"""


def _write_forms(con: Connection, files: Path, calls: int, period: _Period, counts: dict[str, int]) -> None:
    """Write the contact forms as one sheet."""
    con.execute(f"create table forms as {_forms_sql(calls, period)}")
    con.execute(f"create table form_rows as {_form_rows_sql()}")
    forms, outreach = con.execute("select count(*), count(*) filter (where number is null) from forms").fetchone()
    rows = con.execute("select count(*) from form_rows").fetchone()[0]
    if rows > XLSX_ROW_LIMIT:
        raise ValueError(f"{rows} form rows do not fit one sheet: ask for the feeds 'cad' and 'units' only")
    _write_xlsx(files / f"contact_forms_{period.label}.xlsx", _sheet_xml(con, "form_rows"))
    counts.update(forms=forms, outreach_forms=outreach, form_rows=rows)


def _sheet_xml(con: Connection, table: str, block: int = 5000) -> Iterator[str]:
    """The XML of a sheet whose cells are all texts, in pieces of ``block`` rows."""
    columns = [row[0] for row in con.execute(f"describe {table}").fetchall() if row[0] != "row_no"]
    cells = " || ".join(
        f'coalesce(\'<c r="{_column(n)}\' || (row_no + 1) || \'" t="inlineStr"><is><t xml:space="preserve">\' || '
        f"{_escaped(name)} || '</t></is></c>', '')"
        for n, name in enumerate(columns)
    )
    yield (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_SHEET}"><sheetData><row r="1">'
    )
    yield "".join(f'<c r="{_column(n)}1" t="inlineStr"><is><t>{name}</t></is></c>' for n, name in enumerate(columns))
    yield "</row>"
    pieces = con.execute(f"""
        select string_agg('<row r="' || (row_no + 1) || '">' || {cells} || '</row>', '' order by row_no)
        from {table} group by row_no // {block} order by row_no // {block}
    """)
    while piece := pieces.fetchone():
        yield piece[0]
    yield "</sheetData></worksheet>"


def _escaped(name: str) -> str:
    """SQL for a cell's text with the three characters that XML forbids replaced."""
    return f"replace(replace(replace(cast(\"{name}\" as varchar), '&', '&amp;'), '<', '&lt;'), '>', '&gt;')"


def _column(n: int) -> str:
    """Letters of the n-th column of a sheet, from 0."""
    return (chr(64 + n // 26) if n >= 26 else "") + chr(65 + n % 26)


_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>',
    "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Contacts" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def _write_xlsx(path: Path, sheet: Iterator[str]) -> None:
    """Write a workbook of one sheet; stored, not packed, and without dates, so its bytes repeat."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as book:
        for name, text in _PARTS.items():
            book.writestr(zipfile.ZipInfo(name), text)
        with book.open(zipfile.ZipInfo("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as part:
            for piece in sheet:
                part.write(piece.encode())


# ---------------------------------------------------------------- bookings


def _write_bookings(con: Connection, files: Path, period: _Period, counts: dict[str, int]) -> None:
    """Write the jail's bookings: those of the calls that ended in one, with a lag."""
    exported = _epoch(period.end) + 4 * 86400
    query = f"""
with drawn as (select *, draw('booking', i) as a, draw('booking 2', i) as b from taken),
booked as (
    select *, s + coalesce(given1, e1) + span_booking_lag(u0(a)) as met_s, span_stay(u1(a)) as stay from drawn
),
numbered as (select *, row_number() over (order by met_s, i) as n from booked)
select 'B' || substr(clock(met_s), 3, 2) || '-' || {_padded("n", 5)} as BookingNumber,
    case when u2(a) >= {rate("booking_without_event")} then number end as IncidentNumber,
    clock(met_s) as Booked,
    case when met_s + stay > {exported} then null when u2(b) < {rate("negative_interval")} then clock(met_s - 3600)
        else clock(met_s + stay) end as Released,
    mix_charge(u0(b)) as ChargeLevel,
    case when met_s + stay > {exported} then 'IN' else mix_release(u1(b)) end as ReleaseType,
    p.full_name as PersonName, p.birth_date as BirthDate
from numbered
left join people as p on p.p = subject(u_subject)
order by n
"""
    with _opened(files / f"jail_bookings_{period.label}.csv") as target:
        counts["booking_rows"] = _append(con, query, target, files.parent, header=True)
