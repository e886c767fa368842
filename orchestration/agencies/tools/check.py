"""Runs an agency's mapping over files, without writing anything, and says what fits and what does not.

A report holds counts, names of files, columns and fields, row numbers and codes; never another value of a row.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import duckdb

from orchestration.agencies.tools import reading
from orchestration.agencies.tools.code_guess import NO_GUESS
from orchestration.agencies.tools.reading import (
    RULES,
    Agency,
    AgencyError,
    Feed,
    Refusal,
    Source,
    name,
    source_sql,
    text,
)
from orchestration.agencies.tools.words import identifying_reason
from orchestration.settings import Settings
from orchestration.standard import Entity, Field, code_list, code_table

PLACES = 20  # row numbers shown of a rule and field
CODES = 40  # unmapped codes shown of a field
CODE_LENGTH = 60
DAY = 86_400
MOST_REJECTED = 0.05
IMPUTED = {
    "midnight_rollover": "a day was added, for the order of events proves that midnight passed",
    "dst_by_order": "in an hour that the clock shows twice or skips; the order of events decided it",
    "dst_ambiguous": "in an hour that the clock shows twice; taken for the later",
    "dst_skipped": "in an hour that the clock skips; taken for the later",
}
DO = {
    "required": "correct the row or the mapping",
    "not_a_time": "give a `format`, change the expression, or list the text under `missing`",
    "not_a_number": "change the expression, or list the text under `missing`",
    "not_a_date": "give a `format`, change the expression, or list the text under `missing`",
    "not_an_answer": "add the word to codes/answer.csv",
    "month_out_of_range": "usually a placeholder date: list it under `missing_by_column`",
    "line_malformed": "correct the export: quoting, or columns that are dropped",
}


@dataclass
class FileResult:
    """One file: its feed (or '') and variant, rows, malformed rows, short lines filled up.

    problem: why it cannot be used, if it cannot. told: of a snapshot, by how much it shrank.
    """

    file: str
    feed: str
    variant: str = ""
    rows: int = 0
    malformed: int = 0
    padded: int = 0
    problem: str = ""
    told: str = ""


@dataclass
class EntityResult:
    """Rows of one feed as rows of one entity; accepted, rejected, folded and not applicable add up to rows.

    With `each`, rows are the items of the lists. folded: rows that `group` makes one of.
    """

    feed: str
    entity: str
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    folded: int = 0
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
class Imputed:
    """Accepted rows whose time is not as sent, or not certain, by field and rule."""

    feed: str
    entity: str
    field: str
    rule: str
    rows: int

    @property
    def meaning(self) -> str:
        return IMPUTED.get(self.rule, self.rule)


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
    """A field that the standard wants and the feed does not map; lacking: agency.yml says the source has none."""

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
    imputed: list[Imputed] = field(default_factory=list)
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
    imputed: Counter = field(default_factory=Counter)


def check_files(settings: Settings, agency: Agency, sources: Sequence[Source], where: str) -> Report:
    """Checks an agency's mapping over files. where: what the files are, in words.

    Raises AgencyError when the mapping itself is not valid.
    """
    reading.check_agency(agency)
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
    # A newer file of a feed is judged by the older ones, as in a run.
    for feed, mine in by_feed.items():
        mine.sort(key=lambda s: reading.version_of(agency, feed, s) or "")
    newest = {f: mine[-1].path for f, mine in reading.landed_sources(settings, agency).items()}
    newest |= {f: mine[-1].path for f, mine in by_feed.items()}
    with reading.scratch(settings) as con:
        con.execute("create temp table keys (feed varchar, entity varchar, file integer, id varchar, n bigint)")
        for feed_name in agency.feeds:
            if feed_name in by_feed:
                _Check(settings, con, agency, feed_name, newest, report).run(by_feed[feed_name])
        _count_keys(con, report)
    _presence(agency, report)
    _judge(report)
    return report


class _Check:
    """The check of one feed's files, one after the other."""

    def __init__(self, settings: Settings, con, agency: Agency, feed_name: str, newest: Mapping, report: Report):
        self.settings, self.con, self.agency, self.feed_name = settings, con, agency, feed_name
        self.newest, self.report, self.feed = newest, report, agency.feeds[feed_name]
        entities = list(dict.fromkeys(e for layout in self.feed.layouts().values() for e in layout.entities))
        self.results = {e: EntityResult(feed_name, e, folds=reading.folds(agency, feed_name, e)) for e in entities}
        self.tallies = {e: _Tally() for e in entities}
        self.unclassed: dict[str, None] = {}
        self.seen: list[dict] = []  # files taken in, as a run notes them

    def run(self, sources: Sequence[Source]) -> None:
        standard, report = reading.standard(), self.report
        for number, source in enumerate(sources):
            done = FileResult(source.label, self.feed_name)
            report.files.append(done)
            try:
                self._file(source, number, done)
            except Refusal as refusal:
                done.problem = str(refusal)
        report.unclassed[self.feed_name] = list(self.unclassed)
        report.entities += self.results.values()
        for entity_name, tally in self.tallies.items():
            report.intervals += tally.intervals.values()
            report.codes += _unmapped_codes(self.agency, self.feed_name, standard[entity_name], tally)
            report.tiers += _tiers(self.feed_name, entity_name, tally)
            report.imputed += [
                Imputed(self.feed_name, entity_name, *said.split(":", 1), n)
                for said, n in sorted(tally.imputed.items())
            ]

    def _file(self, source: Source, number: int, done: FileResult) -> None:
        """Checks one file. Raises Refusal when it cannot be read."""
        con, agency = self.con, self.agency
        header = reading.columns_of_file(source.path, self.feed)
        layout = reading.layout_of(agency, self.feed_name, header)
        done.variant = reading.layout_name(agency, self.feed_name, header)
        known = reading.named_columns(agency, self.feed_name, layout)
        self.unclassed |= dict.fromkeys(c for c in header if c.lower() not in known)
        reading.load_lookups(con, agency, layout, self.newest)
        done.rows, malformed = reading.load_file(con, source.path, layout)
        done.malformed, done.padded = len(malformed), reading.count_padded(con, layout)
        done.problem = reading.missing_columns(source.path, agency, self.feed_name, layout)
        if done.problem or self._has_shrunk(source, done):
            return
        if malformed:
            self.report.rejects.append(
                Rejects(self.feed_name, "", "line_malformed", "", source.label, len(malformed), malformed[:PLACES])
            )
        for entity_name, said in layout.entities.items():
            entity, result = reading.standard()[entity_name], self.results[entity_name]
            records, folds = done.rows, 0
            try:
                applies = self._entity(layout, entity, source, number) + len(malformed)
                if said.each or said.group:
                    pieces = len(malformed) + reading.pieces(con, agency, self.feed_name, entity_name, layout)
                    records, folds = (pieces, 0) if said.each else (done.rows, pieces - applies)
            except duckdb.Error as error:
                done.problem = self._failed(layout, entity, source, error)
                continue
            result.rows += records
            result.rejected += len(malformed)
            result.folded += folds
            result.not_applicable += records - applies - folds
            con.execute("drop table if exists mapped")

    def _has_shrunk(self, source: Source, done: FileResult) -> bool:
        """Whether a run would refuse the snapshot for being smaller than the one before; tells of any that shrank."""
        version = reading.version_of(self.agency, self.feed_name, source) or ""
        entry = {"feed": self.feed_name, "version": version, "rows": done.rows}
        before = max((e for e in self.seen if e["version"] < version), key=lambda e: e["version"], default=None)
        if self.feed.snapshot != "none" and before and done.rows < before["rows"]:
            done.told = f"the snapshot has {before['rows'] - done.rows:,} rows fewer than the {before['rows']:,} of the one before"
        refusal = reading.shrunk(self.feed, entry, self.seen)
        if refusal:
            done.told = f"a run refuses it: {refusal}"
        else:
            self.seen.append(entry)
        return refusal is not None

    def _failed(self, layout: Feed, entity: Entity, source: Source, error: duckdb.Error) -> str:
        """Which expression failed on which row; DuckDB's own words may quote the row and are left out."""
        failing, row = reading.failing_field(
            self.settings, self.con, self.agency, self.feed_name, layout, entity, source
        )
        at = f"{entity.name}.{failing}" if failing else entity.name
        return (
            f"mapping_failed: the expression of {at} failed{f' on row {row:,}' if row else ''} ({type(error).__name__})."
            " Use try_cast and try_strptime in agency.yml, so that one bad row is rejected alone."
        )

    def _entity(self, layout: Feed, entity: Entity, source: Source, number: int) -> int:
        """Maps the file's rows to one entity and adds what is seen to the result; returns the records made of them.

        Raises duckdb.Error.
        """
        con, result, tally = self.con, self.results[entity.name], self.tallies[entity.name]
        feed_name, report = self.feed_name, self.report
        sql = reading.entity_sql(self.settings, con, self.agency, feed_name, layout, entity, source)
        have = reading.columns_of(con, sql)
        fields = reading.mapped_fields(layout, entity)
        coded = [f for f in fields if f.kind in ("code", "codes") and f"{f.stem}_local" in have]
        steps = [f for s in entity.sequence for f in fields if f.name == s and f.name in have]
        wanted = ["_broken", "source_row", "month", "stamp_imputed", entity.id, *(f.name for f in steps)]
        wanted += [c for f in coded for c in (f.name, f"{f.stem}_local")]
        # Every mapped column is computed, so that an expression that fails on a row is found here and not in the run.
        rest = sorted(have - set(wanted) - {"_version"})
        probe = f"hash({', '.join(name(c) for c in rest)}) as _probe" if rest else "0 as _probe"
        con.execute(
            f"create or replace temp table mapped as select {', '.join(name(c) for c in wanted)}, {probe} from ({sql})"
        )
        good = "from mapped where _broken is null"
        (applies,) = con.execute("select count(*) from mapped").fetchone()
        broken = con.execute(
            "select _broken, count(*), list_slice(list_sort(list_distinct(list(source_row))), 1, ?)"
            " from mapped where _broken is not null group by 1 order by 2 desc, 1",
            [PLACES],
        ).fetchall()
        rejected = sum(n for _, n, _ in broken)
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
            self._codes(layout, entity, f, good, tally)
        imputed = f"select unnest(string_split(stamp_imputed, ',')) as said {good} and stamp_imputed <> ''"
        tally.imputed.update(dict(con.execute(f"select said, count(*) from ({imputed}) group by 1").fetchall()))
        for start, end in pairwise(steps):
            _add_interval(con, good, feed_name, entity, start, end, tally)
        return applies

    def _codes(self, layout: Feed, entity: Entity, f: Field, good: str, tally: _Tally) -> None:
        """Counts the local codes of a field that became `other`: whole texts, or the items of one with several."""
        con, local = self.con, f"{f.stem}_local"
        if f.kind == "codes":
            mark = text(layout.entities[entity.name].fields[f.name].separator)
            other = f"list_contains(string_split({f.name}, '|'), 'other')"
            items = f"select source_row, unnest(list_distinct(list_transform(string_split({local}, {mark}), lambda part: trim(part)))) as said"
            counted = f"select said, count(*) from ({items} {good} and {other}) where said <> '' group by 1"
        else:
            counted = f"select {local}, count(*) {good} and {f.name} = 'other' and {local} is not null group by 1"
        tally.codes[f.name].update(dict(con.execute(counted).fetchall()))
        if f.code_list == "call_type" and f.name in ("call_type_initial_code", "call_type_final_code"):
            found = con.execute(f"select {f.name}, count(*) {good} group by 1").fetchall()
            tally.tiers.setdefault(f.name, Counter()).update(dict(found))


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
    for field_name, counts in tally.codes.items():
        f = entity.field(field_name)
        left = {c: n for c, n in counts.items() if not _is_decided(agency, f.code_list, c)}
        if not left:
            continue
        why = why_hidden_codes(agency, feed_name, entity, f, left)
        shown = (
            [] if why else [(short_code(c), n) for c, n in sorted(left.items(), key=lambda c: (-c[1], c[0]))[:CODES]]
        )
        out.append(
            UnmappedCodes(feed_name, entity.name, field_name, f.code_list, len(left), sum(left.values()), shown, why)
        )
    return out


def _is_decided(agency: Agency, list_name: str, local: str) -> bool:
    """Whether somebody decided on a local code; a draft's row without a guess is `other` for want of one."""
    rows = agency.codes.get(list_name)
    if rows is None:
        return local in code_list(list_name)
    exact = next((r for r in rows if r.match == "exact" and r.local_code == local), None)
    if exact:
        return not exact.note.startswith(NO_GUESS)
    return any(r.match == "regex" and _fits_pattern(r.local_code, local) for r in rows)


def _fits_pattern(pattern: str, local: str) -> bool:
    try:
        return re.fullmatch(pattern, local) is not None
    except re.error:
        return False  # DuckDB reads patterns that Python does not; the code is then shown, as other


def why_hidden_codes(agency: Agency, feed_name: str, entity: Entity, f: Field, left: Mapping[str, int]) -> str:
    """Why local codes of a field are not shown: they could tell of a person."""
    if f.is_identifying:
        return "the field is identifying"
    mapped = (layout.entities.get(entity.name) for layout in agency.feeds[feed_name].layouts().values())
    expression = " ".join(source_sql(said.fields[f.name]) for said in mapped if said and f.name in said.fields)
    names = [a or b for a, b in re.findall(r'"([^"]+)"|([A-Za-z_]\w*)', re.sub(r"'[^']*'", "", expression))]
    classed = {c.lower() for c, kind in agency.columns.items() if kind == "identifying"}
    if any(n.lower() in classed for n in names):
        return "it is filled from a column that agency.yml classes as identifying"
    if any(identifying_reason(n) for n in names):
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


def _presence(agency: Agency, report: Report) -> None:
    """Required and conditional fields that no feed of the agency maps for an entity, named once an entity."""
    standard = reading.standard()
    mapped: dict[str, set[str]] = defaultdict(set)
    lacks: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for feed_name, feed in agency.feeds.items():
        for layout in feed.layouts().values():
            for entity_name, said in layout.entities.items():
                mapped[entity_name] |= set(said.fields)
                lacks[entity_name] |= set(said.lacks)
                first.setdefault(entity_name, feed_name)
    for entity_name, have in mapped.items():
        for f in standard[entity_name].fields:
            if f.name not in have and f.presence in ("required", "conditional"):
                said = f.name in lacks[entity_name]
                report.unmapped.append(
                    Unmapped(first[entity_name], entity_name, f.name, f.presence, f.condition or "", said)
                )


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
                f"{u.entity}.{u.field}: required, and not mapped; map it, or if the source has none write `lacks: [{u.field}]` under {u.entity} in agency.yml"
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
