"""Writes the county: the order in which blocks of calls become rows of every vendor's export and of the truth."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.county import cad, calls, care, forms, health, identity, jail, office, trips, truth
from orchestration.county.draws import columns as draw_columns
from orchestration.county.files import Files, write_sheet
from orchestration.county.parameters import Parameters, load_parameters, macros
from orchestration.county.people import BLOCK as PERSONS
from orchestration.county.people import NEVER, People, population
from orchestration.county.period import DAY, Period, demand
from orchestration.county.subjects import Subjects
from orchestration.county.waiting import Pools
from orchestration.settings import PROJECT

BLOCK = 500_000  # calls worked on at a time; even, because a duplicate follows its master
FEEDS = ("cad", "units", "status", "trips", "forms", "force", "office", "jail", "health", "care")
AGENCIES = ("cedar_county", "cedar_jail", "cedar_health", "cedar_care")
MEMORY = "4GB"  # DuckDB's part; numpy and the files take the rest


def write_county(
    drop: Path,
    calls: int = 4000,
    months: int = 6,
    seed: int = 20260101,
    start: str = "2024-01",
    feeds: tuple[str, ...] = FEEDS,
    threads: int | None = None,
    truth_folder: Path | None = None,
    dirt: float = 1.0,
    rates: dict[str, float] | None = None,
) -> dict[str, int]:
    """Write the agencies' landing files to ``drop``/<agency> and the truth to ``truth_folder``; return counts.

    ``calls`` events over ``months`` months of the county's clock from ``start`` ('YYYY-MM'). ``feeds`` names what to
    write ('cad' and 'units' are enough for a benchmark). ``threads`` (default: one for each
    processor) work on parts of the calls at a time. ``dirt`` multiplies all shares of
    dirt and ``rates`` sets single parameters. Without ``truth_folder`` no truth is written. Counts: ``calls``, rows
    by feed, and what was put in on purpose. Raises ValueError for arguments that make no sense.
    """
    _check(calls, months, start, feeds)
    p = load_parameters(dirt, rates)
    period = Period(start, months)
    drop.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=drop, prefix=".county_") as hidden:
        folder = Path(hidden)
        con = duckdb.connect(folder / "work.duckdb")
        con.execute(f"set memory_limit = '{MEMORY}'")
        con.execute(f"set temp_directory = '{folder}/spill'")
        con.execute("set disabled_optimizers = 'in_clause'")  # it makes joins, and rows must keep their order
        con.execute("set threads = 1")  # parts of a block run beside each other; a statement alone copies rows less
        with con, Files(con, folder) as files:
            county = _County(con, files, period, p, seed, calls, frozenset(feeds), truth_folder is not None)
            county.write(threads or len(os.sched_getaffinity(0)))
        for agency in sorted((folder / "drop").iterdir()):  # whole files only ever appear in the folders
            _move(agency, drop / agency.name)
        if truth_folder:
            _move(folder / "truth", truth_folder)
    return county.counts


def copy_agencies(target: Path) -> None:
    """Copy the agency folders that fit the files to ``target``; those of the same name are replaced."""
    for agency in AGENCIES:
        shutil.rmtree(target / agency, ignore_errors=True)
        shutil.copytree(PROJECT / "agencies" / agency, target / agency)


def _check(calls: int, months: int, start: str, feeds: tuple[str, ...]) -> None:
    """Refuse arguments that make no sense."""
    if calls < 1 or months < 1:
        raise ValueError("calls and months must be at least 1")
    unknown = set(feeds) - set(FEEDS)
    if unknown:
        raise ValueError(f"unknown feeds: {', '.join(sorted(unknown))}; known: {', '.join(FEEDS)}")
    datetime.strptime(start, "%Y-%m")


def _move(source: Path, target: Path) -> None:
    """Move the files of a folder; those of the same name are replaced."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        shutil.move(path, target / path.name)


@dataclass
class _County:
    """One county being written."""

    con: duckdb.DuckDBPyConnection
    files: Files
    period: Period
    p: Parameters
    seed: int
    calls: int
    feeds: frozenset[str]
    with_truth: bool
    counts: dict[str, int] = field(default_factory=dict)
    numbered: dict[str, int] = field(default_factory=dict)  # rows numbered so far, by what
    block: tuple[int, int] = (0, 0)  # first and last instant of the block

    def write(self, threads: int) -> None:
        """All files, with so many parts of a block at a time."""
        for text in [*macros(self.p), *self.period.macros()]:
            self.con.execute(text)
        self.people = People(self.seed, population(self.calls, self.p), self.period, self.p)
        self.exports = self.period.exports(self.calls)
        self.pools = Pools(self.calls, self.period, self.p)
        self.officers = office.make_officers(self.con, self.seed, self.pools)
        for text in (*truth.START, trips.START):
            self.con.execute(text)
        self.subjects = Subjects(self.calls, self.people.dies, self.period, self.p)
        self.hours = demand(self.period, self.p, self.seed, self.calls)
        self.counts["calls"] = self.calls
        firsts = range(0, self.calls, BLOCK)
        drawing, *writing = (self._beside() for _ in range(4))
        parts = (_County._followed, _County._events, _County._units)  # the longest first
        with ThreadPoolExecutor(threads) as workers:
            coming = workers.submit(drawing._drawn, firsts[0])
            for following in [*firsts[1:], None]:
                found = coming.result()
                first, *rest = [(write, county, found) for write, county in zip(parts, writing, strict=True)]
                running = [workers.submit(*first)]
                if following is not None:
                    coming = workers.submit(drawing._drawn, following)
                for done in [*running, *(workers.submit(*part) for part in rest)]:
                    done.result()
                _give_back()
        self._finish()

    def _beside(self) -> _County:
        """The same county on a connection of its own, so that its statements run beside others."""
        county = copy(self)
        county.con = self.con.cursor()
        county.files = replace(self.files, con=county.con)
        return county

    def _drawn(self, first: int) -> pa.Table:
        """One block of calls, with their persons and waits. Blocks must be drawn in order."""
        drawn = calls.arrivals(self.seed, self.hours, first, min(BLOCK, self.calls - first), self.p)
        happened = calls.happen(self.con, drawn, self.calls, self.period, self.p)
        found = _widened(happened, {**self.subjects.assign(happened), **self.pools.assign(happened)})
        return _widened(found, self._callers(found)) if "cad" in self.feeds else found

    def _take(self, found: pa.Table, name: str = "calls") -> None:
        """Make a block of calls known as a view."""
        self.block = (found["s"][0].as_py(), found["s"][-1].as_py())
        self.con.register("assigned", found)
        self.con.execute(calls.view_sql(name))

    # ------------------------------------------------------------ what follows from one block of calls

    def _followed(self, found: pa.Table) -> None:
        """The truth of the calls, and what other custodians and the field teams write."""
        self._take(found)
        self._count("calls", _CALL_COUNTS)
        self._truth("call", truth.call_sql(self.p))
        if "cad" in self.feeds:
            self._view("marked", cad.marked_sql(self.period, self.p))
            self._truth("record", cad.CALLER_RECORDS)
        self._take(
            found.filter(
                pc.or_(pc.or_(found["is_contact"], pc.equal(found["close_code"], "BKD")), pc.is_valid(found["place"]))
            ),
            "followed",
        )
        if "trips" in self.feeds:
            self._trips()
        if self.feeds & {"forms", "force"}:
            self._forms()
        if "jail" in self.feeds:
            self._jail()
        if "health" in self.feeds:
            self._health()
        if "care" in self.feeds:
            self._care()

    def _count(self, table: str, tests: dict[str, str]) -> None:
        """Add the number of rows of which each test holds to the counts."""
        found = ", ".join(f"count(*) filter (where {test})" for test in tests.values())
        for name, value in zip(tests, self.con.execute(f"select {found} from {table}").fetchone(), strict=True):
            self.counts[name] = self.counts.get(name, 0) + value

    # ------------------------------------------------------------ rows

    def _rows(self, name: str, query: str, draws: tuple[str, ...]) -> None:
        """Create ``name`` from a query, ordered by i and copy_no, with a running number ``n``, draws and the person ``p``."""
        first = self.numbered.get(name, 0)
        rows = self.con.execute(f"select * from ({query}) order by i, copy_no").to_arrow_table()
        n = rows.num_rows
        drawn = draw_columns(self.seed, name, draws, first, n)
        persons = self.people.take(rows["p"].to_numpy())
        self.con.register(name, _widened(rows, {"n": np.arange(first, first + n), **drawn, **persons}))
        self.numbered[name] = first + n

    def _persons(self, name: str, query: str, draws: tuple[str, ...], custodian: str, prefix: str) -> str:
        """A query: the rows of ``query`` (which have ``p``) with draws and the person as the custodian writes it."""
        self._rows(name, query, (*draws, *identity.DRAWS))
        return identity.written_sql(self.people.person_sql(f"select * from {name}"), self.p, custodian, prefix)

    def _table(self, name: str, query: str) -> pa.Table:
        """Work out a query once; later ones call the rows ``name`` and find them in this order."""
        found = self.con.execute(query).to_arrow_table()
        self.con.register(name, found)
        return found

    def _view(self, name: str, query: str) -> None:
        """Give a query a name; it is worked out wherever it is used, and only for the columns used."""
        self.con.execute(f"create or replace temp view {name} as {query}")

    def _truth(self, name: str, query: str) -> None:
        if self.with_truth:
            self.files.parquet(f"truth/{name}.parquet", query)

    def _export(
        self, agency: str, feed: str, columns: str, table: str, where: str = "true", order: str = "", late: int = 5
    ) -> None:
        """Append rows of ``table`` to the feed's files, in their order, each to the export of its month.

        The first export takes what is dated earlier, and the last what happened up to ``late`` days after the end.
        """
        for label, begin, end in self._spans(late):
            query = f"select {columns} from {table} where {where} and _s >= {begin} and _s < {end} {order}"
            self._csv(agency, f"{feed}_{label}.csv", query, f"{feed}_rows")

    def _spans(self, late: int, ahead: int = 120) -> list[tuple[str, int, int]]:
        """Label, begin and end of the exports that rows of this block can fall into, up to ``ahead`` days after it.

        The first and the last export are widened by ``late`` days.
        """
        spans = [list(span) for span in self.exports]
        spans[0][1] -= late * DAY
        spans[-1][2] += late * DAY
        first, last = self.block
        return [tuple(span) for span in spans if span[2] > first and span[1] <= last + ahead * DAY]

    def _csv(self, agency: str, name: str, query: str, counted: str) -> None:
        rows = self.files.csv(f"drop/{agency}/{name}", query)
        self.counts[counted] = self.counts.get(counted, 0) + rows

    def _small(self, agency: str, feed: str, entity: str, number: str, query: str, lost: str = "false") -> None:
        """A feed of a custodian: rows in the export but the ``lost`` ones, persons and causes in the truth, dirt counted."""
        self._view("out", query)
        names = self._shown("out")
        end = self.period.end + 4 * DAY
        kept = f"_s < {end} and not {lost}"
        self._export(agency, feed, names, "out", kept)
        self.con.execute(truth.tally_sql(agency, entity, "_dirt", "_s", "out", f"_s < {end}"))
        self._truth("record", truth.record_sql(agency, entity, number, "out", kept))
        self._truth("cause", truth.cause_sql(agency, entity, number, "out", kept))
        if lost != "false":
            self.con.execute(truth.tally_flags_sql(agency, entity, {"silent_week": lost}, "_s", "out"))
        if feed in truth.PAID:
            self.con.execute(truth.spent_sql("null", truth.PAID[feed], "1", "row", "_paid", "out", f"_s < {end}"))

    def _shown(self, table: str) -> str:
        """The columns of a table that the vendor exports: those whose name does not begin with _."""
        return ", ".join(row[0] for row in self.con.execute(f"describe {table}").fetchall() if row[0][0] != "_")

    # ------------------------------------------------------------ the sheriff

    def _callers(self, found: pa.Table) -> pa.Table:
        """The callers of the block's calls as dispatch writes them."""
        first, caller = found["i"][0].as_py(), found["caller"].to_numpy()
        drawn = draw_columns(self.seed, "callers", identity.DRAWS, first, found.num_rows)
        persons = self.people.take(caller, identity.NAME_CODES)
        rows = {"n": found["i"], "p": found["caller"], "on_view": found["on_view"], **drawn, **persons}
        self.con.register("asked_by", pa.table(rows))
        return self.con.execute(cad.callers_sql(self.people, self.p)).to_arrow_table()

    def _events(self, found: pa.Table) -> None:
        if "cad" not in self.feeds:
            return
        self._take(found)
        self._view("marked", cad.marked_sql(self.period, self.p))
        self._count("marked", _EVENT_COUNTS)
        for label, begin, end in self._spans(1, 1):
            self._csv(
                "cedar_county",
                f"cad_incidents_{label}.csv",
                cad.events_sql(self.period, self.p, False, f"s >= {begin} and s < {end}"),
                "incident_rows",
            )
        label = f"{self.period.label(self.period.months // 2, self.period.months // 2 + 1)[:7]}_corrected"
        self._csv(
            "cedar_county",
            f"cad_incidents_{label}.csv",
            cad.events_sql(self.period, self.p, True, "true"),
            "corrected_rows",
        )
        self.con.execute(truth.tally_flags_sql("cedar_county", "incident", cad.DIRT, "s", "marked"))
        self.con.execute(truth.tally_sql("cedar_county", "incident", "person_dirt", "s", "marked", "not on_view"))

    def _units(self, found: pa.Table) -> None:
        if not self.feeds & {"units", "status"}:
            return
        self.block = (found["s"][0].as_py(), found["s"][-1].as_py())
        self.con.register("unit_row", cad.unit_rows(found, self.officers, self.period))
        units = cad.units_sql(self.period, self.p)
        if self.with_truth:
            self._view("task", units)
            kinds = cad.unit_dirt(self.p)
            self.con.execute(truth.tally_flags_sql("cedar_county", "unit_response", kinds, "s", "task"))
            for item in ("officer", "clinician"):
                self.con.execute(truth.hours_sql(item, self.p.whole(f"cost.{item}_hour")))
        for label, begin, end in self._spans(1, 1):
            where = f"s >= {begin} and s < {end}"
            if "units" in self.feeds:
                query = f"select {cad.UNIT_COLUMNS} from ({units}) where {where}"
                self._csv("cedar_county", f"cad_units_{label}.csv", query, "unit_rows")
            if "status" in self.feeds:
                self._csv("cedar_county", f"cad_status_{label}.csv.gz", cad.status_sql(units, where), "status_rows")

    def _trips(self) -> None:
        self._rows("trip", trips.causes_sql(), trips.DRAWS)
        self._table("out", trips.trips_sql(self.p))
        self._export("cedar_county", "transports", self._shown("out"), "out")
        self.con.execute(truth.spent_sql("null", "ambulance_trip", "1", "row", "_charge", "out", "_charge is not null"))
        self.con.execute(trips.center_sql(self.period))

    def _forms(self) -> None:
        contacts = f"{forms.contacts_sql(self.p)} union all by name {forms.outreach_sql(self.period, self.p)}"
        self._table("contact", contacts)
        rows = self._persons("form_row", "select * from contact where not is_missing", forms.DRAWS, "form", "M")
        written = self._table("forms", forms.forms_sql(self.period, self.p, rows))
        officer = written["n"].to_numpy() * 11 % len(self.officers)
        names = pa.DictionaryArray.from_arrays(pa.array(officer.astype(np.int32)), self.officers)
        self.con.register("forms", _widened(written, {"officer": officer, "officer_name": names}))
        self._count("forms", {"forms": "true", "outreach_forms": "number is null"})
        if "forms" in self.feeds:
            self._form_rows()
        if "force" in self.feeds:
            self._view("out", forms.force_sql(self.p))
            self._export("cedar_county", "force_reports", self._shown("out"), "out")
        self._truth("contact_incident", truth.CONTACT_INCIDENT)
        self._truth("record", truth.FORM_RECORDS)
        self.con.execute(truth.tally_sql("cedar_county", "contact", "dirt", "said_s", f"({truth.FORM_DIRT})"))
        self.con.execute(
            truth.tally_flag_sql(
                "cedar_county", "contact", "form_missing", "is_missing", "met_s", "contact where number is not null"
            )
        )

    def _form_rows(self) -> None:
        """The forms' export: a sheet for a small county, which is one block; else text."""
        self._view("out", forms.rows_sql(self.period, self.p))
        names, order = self._shown("out"), "_n, _line, _copy"
        if self.calls > forms.SHEET_CALLS:
            self._export("cedar_county", "contact_forms", names, "out", order=f"order by {order}", late=60)
            return
        self._table("sheet", f"select row_number() over (order by {order}) as row_no, {names} from out")
        self.counts["contact_forms_rows"] = self.con.execute("select count(*) from sheet").fetchone()[0]
        path = self.files.folder / f"drop/cedar_county/contact_forms_{self.period.label(0, self.period.months)}.xlsx"
        write_sheet(self.con, path, "Contacts", "sheet")

    # ------------------------------------------------------------ the others

    def _jail(self) -> None:
        rows = self._persons("booking", jail.causes_sql(self.p), jail.DRAWS, "jail", "J")
        self._table("bookings", jail.bookings_sql(self.period, self.p, rows))
        begin, end = self.period.changed
        new = self.p["changed_layout"] > 0
        changed = f"(_s >= {begin} and _s < {end})" if new else "false"
        last = self.period.end + 4 * DAY
        names = self._shown("bookings")
        self._export("cedar_jail", "jail_bookings", names, "bookings", f"not {changed} and _s < {last}")
        if new:
            label = self.period.label(min(1, self.period.months - 1), min(1, self.period.months - 1) + 1)[:7]
            query = f"select {jail.CHANGED} from bookings where {changed}"
            self._csv("cedar_jail", f"jail_bookings_{label}_new.csv", query, "jail_bookings_rows")
        self.con.execute(truth.tally_sql("cedar_jail", "jail_booking", "_dirt", "_s", "bookings", f"_s < {last}"))
        self._truth("record", truth.record_sql("cedar_jail", "jail_booking", jail.NUMBER, "bookings", f"_s < {last}"))
        self._truth("cause", truth.cause_sql("cedar_jail", "jail_booking", jail.NUMBER, "bookings", f"_s < {last}"))
        self._view("out", jail.court_sql(self.period))
        self._export("cedar_jail", "court_events", self._shown("out"), "out")
        self._truth("cause", truth.cause_sql("cedar_jail", "court_event", "CourtNumber", "out", "true"))

    def _health(self) -> None:
        rows = self._persons("visit_row", health.causes_sql(self.p), health.DRAWS, "health", "H")
        self._table("visit", health.visits_sql(self.period, self.p, rows))
        for feed, query in health.exports(self.period, self.p).items():
            self._small("cedar_health", feed, health.ENTITIES[feed], health.NUMBERS[feed], query)

    def _care(self) -> None:
        rows = self._persons("referral_row", care.causes_sql(self.p), care.DRAWS, "care", "C")
        self._table("referred", care.referrals_sql(self.period, self.p, rows))
        for feed, query in care.exports(self.period, self.p).items():
            self._small("cedar_care", feed, care.ENTITIES[feed], care.NUMBERS[feed], query, care.lost_sql(self.period))
        asked = self._table("asked", care.asked_sql(self.period))
        query = care.consents_sql(self.period, self.p)
        self._small("cedar_care", "consents", "consent", care.NUMBERS["consents"], query)
        self.people.ask(
            asked["p"].to_numpy(), self.con.execute(f"select _consent from ({query})").fetchnumpy()["_consent"]
        )

    def _finish(self) -> None:
        """What is written once, after all blocks."""
        self.block = (self.period.begin, self.period.end)
        if "health" in self.feeds:
            self.con.register("dead", pa.table({"p": np.flatnonzero(self.people.dies < NEVER)}))
            rows = self._persons("death", "select p as i, p, 0 as copy_no from dead", health.DRAWS, "health", "H")
            self._small("cedar_health", "deaths", "death", "DeathNumber", health.deaths_sql(self.period, rows))
        label = self.period.label(0, self.period.months)
        if "trips" in self.feeds:
            self._csv("cedar_health", f"capacity_{label}.csv", trips.capacity_sql(self.period, self.p), "capacity_rows")
        if "office" in self.feeds:
            self.con.register("seat", office.seats(self.seed, self.period, self.p))
            for name, query in office.exports(self.period, self.p, self.pools, len(self.officers)).items():
                self._csv("cedar_county", f"{name}_{label}.csv", query, f"{name}_rows")
            self._table(
                "sheet", f"select row_number() over () as row_no, * from ({office.programs_sql(self.period, self.p)})"
            )
            write_sheet(self.con, self.files.folder / f"drop/cedar_county/programs_{label}.xlsx", "Programs", "sheet")
        if self.with_truth:
            self.con.executemany("insert into spent values (?, ?, ?, ?, ?)", office.budget_rows(self.period, self.p))
            for first in range(0, self.people.size, PERSONS):
                person = np.arange(first, min(first + PERSONS, self.people.size))
                self.con.register("known", pa.table({"p": person, **self.people.take(person)}))
                self._truth("person", truth.person_sql(self.people.person_sql("select * from known")))
            for name, query in truth.TABLES.items():
                self._truth(name, query)
            for name, text in (("rate.csv", truth.rate_csv(self.p)), ("effect.csv", truth.effect_csv(self.p))):
                (self.files.folder / "truth" / name).write_text(text, encoding="utf-8")


def _give_back() -> None:
    """Return the memory of a block to the system: glibc keeps it in pieces otherwise, and more with each block."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _widened(table: pa.Table, columns: dict[str, np.ndarray | pa.Array] | pa.Table) -> pa.Table:
    """A table with more columns, row by row."""
    names = columns.column_names if isinstance(columns, pa.Table) else columns
    return pa.table({**{name: table[name] for name in table.column_names}, **{name: columns[name] for name in names}})


_CALL_COUNTS = {
    "unmapped_type_rows": f"'{calls.UNMAPPED_TYPE}' in (code_open, code_close)",
    "duplicate_calls": "is_dup",
    "cancelled_calls": "is_cancelled",
    "bh_calls": "bh",
}
_EVENT_COUNTS = {"doubled_rows": "is_doubled", "unparsable_rows": "is_unparsable"}
