"""Runs an agency's mapping over files, without writing anything, and says what fits and what does not.

A report holds counts, names of files, columns and fields, row numbers and codes; never another value of a row.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import duckdb

from orchestration.agencies.tools import reading
from orchestration.agencies.tools.code_guess import NO_GUESS
from orchestration.agencies.tools.reading import RULES, Agency, AgencyError, Refusal, Source, name, text
from orchestration.agencies.tools.words import identifying_reason
from orchestration.settings import Settings
from orchestration.standard import Entity, Field, code_list, code_table

PLACES = 20  # row numbers shown of a rule and field
CODES = 40  # unmapped codes shown of a field
CODE_LENGTH = 60
DAY = 86_400
MOST_REJECTED = 0.05
DO = {
    "required": "correct the row or the mapping",
    "not_a_time": "change the expression, or list the text under `missing`",
    "not_a_number": "change the expression, or list the text under `missing`",
    "not_an_answer": "add the word to codes/answer.csv",
    "month_out_of_range": "usually a placeholder date: list it under `missing_by_column`",
    "line_malformed": "correct the export: quoting, or columns that are dropped",
}


@dataclass
class FileResult:
    """One file: its feed (or ''), rows, malformed rows, and why it cannot be used, if it cannot."""

    file: str
    feed: str
    rows: int = 0
    malformed: int = 0
    problem: str = ""


@dataclass
class EntityResult:
    """Rows of one feed as rows of one entity; accepted, rejected and not applicable add up to rows."""

    feed: str
    entity: str
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    not_applicable: int = 0
    folds: bool = False
    keys: int = 0
    repeated_keys: int = 0
    extra_rows: int = 0
    keys_in_several_files: int = 0
    months: dict[str, int] = field(default_factory=dict)

    @property
    def rejected_share(self) -> float:
        return self.rejected / (self.accepted + self.rejected) if self.accepted + self.rejected else 0.0


@dataclass
class Rejects:
    """Rows of one file that break one rule at one field; rows: the first row numbers, the header not counted."""

    feed: str
    entity: str
    rule: str
    field: str
    file: str
    count: int
    rows: list[int]

    @property
    def meaning(self) -> str:
        return RULES.get(self.rule, self.rule)

    @property
    def remedy(self) -> str:
        return DO.get(self.rule, "correct the row or the mapping")


@dataclass
class UnmappedCodes:
    """Local codes of a field without a decided row in codes/<list>.csv. shown: (code, rows); why_hidden: else ''."""

    feed: str
    entity: str
    field: str
    code_list: str
    codes: int
    rows: int
    shown: list[tuple[str, int]]
    why_hidden: str = ""


@dataclass
class Interval:
    """The time between two fields that follow each other, over accepted rows; valid is 0 to 24 hours."""

    feed: str
    entity: str
    start: str
    end: str
    rows: int = 0
    valid: int = 0
    missing: int = 0
    negative: int = 0
    over_a_day: int = 0


@dataclass
class Tier:
    """Rows by behavioral-health tier of the call type at open and close; None where the field is not mapped."""

    feed: str
    entity: str
    tier: str
    at_open: int | None
    at_close: int | None


@dataclass
class Unmapped:
    """A field that the standard wants and the feed does not map; lacking: the caller says the source has none."""

    feed: str
    entity: str
    field: str
    presence: str
    condition: str
    lacking: bool


@dataclass
class Report:
    """All that a check found. problems: what keeps the files from fitting, one line each."""

    agency: str
    folder: str
    where: str
    files: list[FileResult] = field(default_factory=list)
    entities: list[EntityResult] = field(default_factory=list)
    unmapped: list[Unmapped] = field(default_factory=list)
    rejects: list[Rejects] = field(default_factory=list)
    codes: list[UnmappedCodes] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)
    unclassed: dict[str, list[str]] = field(default_factory=dict)
    tiers: list[Tier] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict:
        """Plain data for JSON."""
        said = asdict(self)
        for entity, result in zip(said["entities"], self.entities, strict=True):
            entity["rejected_share"] = round(result.rejected_share, 6)
        return {"fits": self.fits, **said}


@dataclass
class _Tally:
    """Counts of one feed and entity that grow file by file."""

    codes: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    intervals: dict[tuple[str, str], Interval] = field(default_factory=dict)
    tiers: dict[str, Counter] = field(default_factory=dict)


def check_files(
    settings: Settings, agency: Agency, sources: Sequence[Source], where: str, lacks: Collection[str] = ()
) -> Report:
    """Checks an agency's mapping over files. where: what the files are, in words. lacks: `entity.field` that the
    source does not have. Raises AgencyError when the mapping itself is not valid."""
    reading.check_agency(agency, (settings.first_month, settings.last_month))
    report = Report(agency.id, str(agency.folder), where)
    by_feed: dict[str, list[Source]] = {}
    for source in sources:
        try:
            feed = agency.feed_for(source.version_name or source.path.name)
        except AgencyError as error:
            report.files.append(FileResult(source.label, "", problem=str(error)))
            continue
        if feed is None:
            patterns = ", ".join(p for f in agency.feeds.values() for p in f.files)
            why = f"no_feed: no feed takes a file of this name. The feeds take: {patterns}"
            report.files.append(FileResult(source.label, "", problem=why))
            continue
        by_feed.setdefault(feed, []).append(source)
    with reading.scratch(settings) as con:
        con.execute("create temp table keys (feed varchar, entity varchar, file integer, id varchar, n bigint)")
        for feed_name in agency.feeds:
            if feed_name in by_feed:
                _check_feed(settings, con, agency, feed_name, by_feed[feed_name], report)
        _count_keys(con, report)
    _presence(agency, report, by_feed, set(lacks))
    _judge(report)
    return report


def _check_feed(settings, con, agency: Agency, feed_name: str, sources: Sequence[Source], report: Report) -> None:
    standard, feed = reading.standard(), agency.feeds[feed_name]
    results = {e: EntityResult(feed_name, e, folds=reading.folds(agency, feed_name, e)) for e in feed.entities}
    tallies = {e: _Tally() for e in feed.entities}
    known = {c.lower() for c in reading.feed_columns(agency, feed_name)} | {
        c.lower() for c in reading.classed_columns(feed)
    }
    unclassed: dict[str, None] = {}
    for number, source in enumerate(sources):
        done = FileResult(source.label, feed_name)
        report.files.append(done)
        try:
            rows, malformed = reading.load_file(con, source.path, feed)
            header = reading.columns_of_file(source.path, feed)
        except Refusal as refusal:
            done.problem = str(refusal)
            continue
        done.rows, done.malformed = rows, len(malformed)
        unclassed |= dict.fromkeys(c for c in header if c.lower() not in known)
        done.problem = reading.missing_columns(source.path, agency, feed_name)
        if done.problem:
            continue
        if malformed:
            report.rejects.append(
                Rejects(feed_name, "", "line_malformed", "", source.label, len(malformed), malformed[:PLACES])
            )
        for entity_name, result in results.items():
            entity = standard[entity_name]
            result.rows += rows
            try:
                _check_entity(
                    settings, con, agency, feed_name, entity, source, number, result, tallies[entity_name], report
                )
            except duckdb.Error as error:
                done.problem = _failed(settings, con, agency, feed_name, entity, source, error)
                continue
            result.rejected += len(malformed)
            con.execute("drop table if exists mapped")
        for result in results.values():
            result.not_applicable = result.rows - result.accepted - result.rejected
    report.unclassed[feed_name] = list(unclassed)
    report.entities += results.values()
    for entity_name, tally in tallies.items():
        report.intervals += tally.intervals.values()
        report.codes += _unmapped_codes(agency, feed_name, standard[entity_name], tally)
        report.tiers += _tiers(feed_name, entity_name, tally)


def _failed(settings, con, agency, feed_name, entity: Entity, source: Source, error: duckdb.Error) -> str:
    """Which expression failed on which row; DuckDB's own words may quote the row and are left out."""
    failing, row = reading.failing_field(settings, con, agency, feed_name, entity, source)
    at = f"{entity.name}.{failing}" if failing else entity.name
    return (
        f"mapping_failed: the expression of {at} failed{f' on row {row:,}' if row else ''} ({type(error).__name__})."
        " Use try_cast and try_strptime in agency.yml, so that one bad row is rejected alone."
    )


def _check_entity(
    settings, con, agency, feed_name, entity: Entity, source, number, result, tally: _Tally, report
) -> None:
    """Maps the file's rows to one entity and adds what is seen to the result. Raises duckdb.Error."""
    sql = reading.entity_sql(settings, con, agency, feed_name, entity, source)
    have = reading.columns_of(con, sql)
    fields = reading.mapped_fields(agency, feed_name, entity)
    coded = [f for f in fields if f.kind == "code" and f"{f.stem}_local" in have]
    steps = [f for s in entity.sequence for f in fields if f.name == s and f.name in have]
    wanted = ["_broken", "source_row", "month", entity.id, *(f.name for f in steps)]
    wanted += [c for f in coded for c in (f.name, f"{f.stem}_local")]
    # Every mapped column is computed, so that an expression that fails on a row is found here and not in the run.
    rest = sorted(have - set(wanted) - {"_version"})
    probe = f"hash({', '.join(name(c) for c in rest)}) as _probe" if rest else "0 as _probe"
    con.execute(
        f"create or replace temp table mapped as select {', '.join(name(c) for c in wanted)}, {probe} from ({sql})"
    )
    good = "from mapped where _broken is null"
    (applies,) = con.execute("select count(distinct source_row) from mapped").fetchone()
    broken = con.execute(
        "select _broken, count(distinct source_row), list_slice(list_sort(list_distinct(list(source_row))), 1, ?)"
        " from mapped where _broken is not null group by 1 order by 2 desc, 1",
        [PLACES],
    ).fetchall()
    (rejected,) = con.execute("select count(distinct source_row) from mapped where _broken is not null").fetchone()
    result.accepted += applies - rejected
    result.rejected += rejected
    for said, count, rows in broken:
        rule, _, field_name = said.partition(":")
        report.rejects.append(Rejects(feed_name, entity.name, rule, field_name, source.label, count, list(rows)))
    for month, n in con.execute(f"select month, count(*) {good} group by 1").fetchall():
        result.months[month] = result.months.get(month, 0) + n
    con.execute(
        f"insert into keys select {text(feed_name)}, {text(entity.name)}, {number}, {entity.id}, count(*) {good} group by {entity.id}"
    )
    for f in coded:
        said = con.execute(
            f"select {f.stem}_local, count(*) {good} and {f.name} = 'other' and {f.stem}_local is not null group by 1"
        ).fetchall()
        tally.codes[f.name].update(dict(said))
        if f.code_list == "call_type" and f.name in ("call_type_initial_code", "call_type_final_code"):
            found = con.execute(f"select {f.name}, count(*) {good} group by 1").fetchall()
            tally.tiers.setdefault(f.name, Counter()).update(dict(found))
    for start, end in pairwise(steps):
        _add_interval(con, good, feed_name, entity, start, end, tally)


def _add_interval(con, good: str, feed_name: str, entity: Entity, start: Field, end: Field, tally: _Tally) -> None:
    seconds = f"(epoch({end.name}) - epoch({start.name}))"
    counted = con.execute(
        f"select count(*), count(*) filter ({seconds} between 0 and {DAY}), count(*) filter ({seconds} is null),"
        f" count(*) filter ({seconds} < 0), count(*) filter ({seconds} > {DAY}) {good}"
    ).fetchone()
    at = tally.intervals.setdefault((start.name, end.name), Interval(feed_name, entity.name, start.name, end.name))
    for part, n in zip(("rows", "valid", "missing", "negative", "over_a_day"), counted, strict=True):
        setattr(at, part, getattr(at, part) + n)


_LIKE_A_PERSON = re.compile(r"\d{3}.?\d{3}.?\d{4}|@|\d{3}-\d{2}-\d{4}")


def _unmapped_codes(agency: Agency, feed_name: str, entity: Entity, tally: _Tally) -> list[UnmappedCodes]:
    out = []
    fields = agency.feeds[feed_name].entities[entity.name].fields
    for field_name, counts in tally.codes.items():
        f = entity.field(field_name)
        rows = agency.codes.get(f.code_list)
        # A draft's codes that nobody decided yet are `other` for want of a guess, not by choice.
        known = (
            {r.local_code for r in rows if not r.note.startswith(NO_GUESS)}
            if rows is not None
            else set(code_list(f.code_list))
        )
        left = {c: n for c, n in counts.items() if c not in known}
        if not left:
            continue
        why = why_hidden_codes(f, str(fields[field_name]), left)
        shown = (
            [] if why else [(short_code(c), n) for c, n in sorted(left.items(), key=lambda c: (-c[1], c[0]))[:CODES]]
        )
        out.append(
            UnmappedCodes(feed_name, entity.name, field_name, f.code_list, len(left), sum(left.values()), shown, why)
        )
    return out


def why_hidden_codes(f: Field, expression: str, left: dict[str, int]) -> str:
    """Why local codes of a field are not shown: they could tell of a person."""
    if f.is_identifying:
        return "the field is identifying"
    names = re.findall(r'"([^"]+)"|([A-Za-z_]\w*)', re.sub(r"'[^']*'", "", expression))
    if any(identifying_reason(a or b) for a, b in names):
        return "it is filled from a column whose header tells of a person or place"
    if any(_LIKE_A_PERSON.search(c) for c in left):
        return "texts among them look like phone numbers or e-mail addresses"
    if len(left) > 400 and sum(left.values()) < 5 * len(left):
        return "too many that hardly repeat: free text, not codes"
    return ""


def short_code(code: str) -> str:
    return code if len(code) <= CODE_LENGTH else code[: CODE_LENGTH - 1] + "…"


def _tiers(feed_name: str, entity_name: str, tally: _Tally) -> list[Tier]:
    if not tally.tiers:
        return []
    table = code_table("call_type")
    at = table.columns.index("bh_tier")
    tier_of = {row[0]: row[at] or "none" for row in table.rows}
    by_tier: dict[str, Counter] = {}
    for f, counts in tally.tiers.items():
        by_tier[f] = Counter()
        for code, n in counts.items():
            by_tier[f][tier_of.get(code, "none")] += n
    tiers = sorted({t for c in by_tier.values() for t in c}, key=lambda t: (t == "none", t))
    start, end = by_tier.get("call_type_initial_code"), by_tier.get("call_type_final_code")
    return [
        Tier(feed_name, entity_name, t, None if start is None else start[t], None if end is None else end[t])
        for t in tiers
    ]


def _count_keys(con: duckdb.DuckDBPyConnection, report: Report) -> None:
    said = con.execute(
        "with per_key as (select feed, entity, id, sum(n) as n, count(*) as files, max(n) as most, sum(n - 1) as extra from keys group by all)"
        " select feed, entity, count(*), count(*) filter (most > 1), sum(extra)::bigint, count(*) filter (files > 1)"
        " from per_key group by all"
    ).fetchall()
    counted = {(feed, entity): rest for feed, entity, *rest in said}
    for result in report.entities:
        found = counted.get((result.feed, result.entity))
        if found:
            result.keys, result.repeated_keys, result.extra_rows, result.keys_in_several_files = found


def _presence(agency: Agency, report: Report, feeds: Collection[str], lacks: set[str]) -> None:
    """Required and conditional fields that no feed of the agency maps for an entity, named once an entity."""
    standard = reading.standard()
    mapped: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for feed_name, feed in agency.feeds.items():
        for entity_name in feed.entities:
            mapped[entity_name] |= {f.name for f in reading.mapped_fields(agency, feed_name, standard[entity_name])}
            first.setdefault(entity_name, feed_name)
    for entity_name, have in mapped.items():
        for f in standard[entity_name].fields:
            if f.name not in have and f.presence in ("required", "conditional"):
                at = f"{entity_name}.{f.name}"
                report.unmapped.append(
                    Unmapped(first[entity_name], entity_name, f.name, f.presence, f.condition or "", at in lacks)
                )
    for at in sorted(lacks - {f"{u.entity}.{u.field}" for u in report.unmapped}):
        report.problems.append(f"--lacks {at}: no such unmapped field; write entity.field as under `fields not mapped`")


def _judge(report: Report) -> None:
    for f in report.files:
        if f.problem:
            report.problems.append(f"{f.file}: {f.problem}")
    if not report.files:
        report.problems.append("no file to check; put files into the drop folder, or name them with --from")
    for e in report.entities:
        if e.rejected_share > MOST_REJECTED:
            report.problems.append(
                f"{e.feed}.{e.entity}: {e.rejected_share:.1%} of the rows are rejected, more than {MOST_REJECTED:.0%}; see the rejects"
            )
        if e.rows and not e.accepted and not e.rejected:
            report.problems.append(f"{e.feed}.{e.entity}: no row applies; look at `where`")
    for u in report.unmapped:
        if u.presence == "required" and not u.lacking:
            report.problems.append(
                f"{u.entity}.{u.field}: required, and not mapped; map it, or say --lacks {u.entity}.{u.field} if the source has none"
            )


def sources_for(settings: Settings, agency: Agency, given: Sequence[Path]) -> tuple[list[Source], str]:
    """The files to check, and what they are: those given, else the drop folder's, else the landed ones."""
    if given:
        return [Source(p, p.name) for p in given], "files given"
    drop = settings.drop / agency.id
    paths = [p for p in sorted(drop.iterdir()) if p.is_file() and not p.name.startswith(".")] if drop.is_dir() else []
    if paths:
        return [Source(p, p.name) for p in paths], "files of the drop folder"
    landed = [s for found in reading.landed_sources(settings, agency).values() for s in found]
    return landed, "landed files"
