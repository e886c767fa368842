"""Compares a new extract with the last landed file of its feed: columns, codes, volume by week, keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median

import duckdb

from orchestration.agencies.tools import reading
from orchestration.agencies.tools.check import CODES, short_code, why_hidden_codes
from orchestration.agencies.tools.profile import profile_columns
from orchestration.agencies.tools.reading import Agency, Feed, Refusal, Source, text
from orchestration.settings import Settings
from orchestration.standard import Entity

DEVIATIONS = 3
LEAST_WEEKS = 4  # weeks of history from which a week can be called unusual
_KINDS = {
    "date": "date",
    "timestamp": "date",
    "time": "date",
    "epoch": "date",
    "integer": "integer",
    "number": "number",
    "text": "text",
}


@dataclass(frozen=True)
class Week:
    """Rows of one week (its Monday) against the history. note: silent, low, high, partial or ''."""

    monday: date
    rows: int
    note: str


@dataclass
class CodeChange:
    """Codes of a field that are new or gone, with the rows that hold or held them. why_hidden: else ''."""

    entity: str
    field: str
    new: list[tuple[str, int]]
    vanished: list[tuple[str, int]]
    why_hidden: str = ""


@dataclass
class Difference:
    """How one new file differs from the last landed one of its feed; problem: why it could not be compared."""

    file: str
    feed: str
    last: str = ""
    problem: str = ""
    rows: int = 0
    last_rows: int = 0
    rejected: int = 0
    last_rejected: int = 0
    added: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lost_mapped: list[str] = field(default_factory=list)
    retyped: list[tuple[str, str, str]] = field(default_factory=list)
    codes: list[CodeChange] = field(default_factory=list)
    entity: str = ""
    keys: int = 0
    last_keys: int = 0
    keys_in_both: int = 0
    history: tuple[int, float, int, int] | None = None  # weeks, median, lowest, highest
    weeks: list[Week] = field(default_factory=list)


@dataclass
class _Seen:
    """What is compared of one file."""

    rows: int
    header: list[str]
    kinds: dict[str, str]
    codes: dict[tuple[str, str], dict[str, int]]
    rejected: int


def diff_files(settings: Settings, agency: Agency, sources: Sequence[Source]) -> list[Difference]:
    """Compares each file with the last landed file of its feed. Raises AgencyError when the mapping is not valid."""
    reading.check_agency(agency)
    landed = reading.landed_sources(settings, agency)
    newest = {feed: mine[-1].path for feed, mine in landed.items()}
    newest |= {feed: s.path for s in sources if (feed := agency.feed_for(s.path.name))}
    out = []
    with reading.scratch(settings) as con:
        for source in sources:
            feed = agency.feed_for(source.path.name)
            if feed is None:
                patterns = ", ".join(p for f in agency.feeds.values() for p in f.files)
                out.append(
                    Difference(
                        source.label, "", problem=f"no feed takes a file of this name. The feeds take: {patterns}"
                    )
                )
                continue
            if not landed.get(feed):
                why = f"no file of feed {feed} is landed yet; `crisis run --agency {agency.id}` lands what lies in the drop folder"
                out.append(Difference(source.label, feed, problem=why))
                continue
            if not agency.feeds[feed].entities:
                out.append(
                    Difference(source.label, feed, problem="it is a side table; only files with entities are compared")
                )
                continue
            try:
                out.append(_diff_one(settings, con, agency, feed, source, landed[feed], newest))
            except Refusal as refusal:
                out.append(Difference(source.label, feed, problem=str(refusal)))
            except duckdb.Error as error:
                why = f"an expression of the mapping failed on a row ({type(error).__name__}); `crisis agency check` says which"
                out.append(Difference(source.label, feed, problem=why))
    return out


def _diff_one(settings, con, agency: Agency, feed: str, source: Source, landed: Sequence[Source], newest) -> Difference:
    standard = reading.standard()
    entity = standard[next(iter(agency.feeds[feed].entities))]
    last = landed[-1]
    con.execute("create or replace temp table seen_keys (side varchar, id varchar, monday date)")
    new = _see(settings, con, agency, feed, source, "new", newest)
    old = _see(settings, con, agency, feed, last, "last", newest)
    for earlier in landed[:-1]:
        _keys_of(settings, con, agency, feed, entity, earlier, "earlier", newest)
    found = Difference(source.label, feed, last.label, rows=new.rows, last_rows=old.rows, entity=entity.name)
    found.rejected, found.last_rejected = new.rejected, old.rejected
    have, had = {c.lower() for c in new.header}, {c.lower() for c in old.header}
    needed = {c.lower() for c in reading.feed_columns(agency, feed, reading.layout_of(agency, feed, new.header))}
    found.added = [c for c in new.header if c.lower() not in had]
    found.lost = [c for c in old.header if c.lower() not in have]
    found.lost_mapped = [c for c in found.lost if c.lower() in needed]
    before = {c.lower(): k for c, k in old.kinds.items()}
    for column, kind in new.kinds.items():
        was = before.get(column.lower())
        if was and kind and was != kind:
            found.retyped.append((column, was, kind))
    found.codes = _code_changes(agency, feed, new, old)
    found.keys, found.last_keys, found.keys_in_both = _overlap(con)
    found.history, found.weeks = weeks_against(*_weeks(con))
    return found


def _load(con, agency: Agency, feed: str, source: Source, newest) -> tuple[int, list[str], Feed]:
    """Makes `raw` of a file, with every column that the mapping names; returns its rows, header and layout."""
    header = reading.columns_of_file(source.path, agency.feeds[feed])
    layout = reading.layout_of(agency, feed, header)
    reading.load_lookups(con, agency, layout, newest)
    rows, _ = reading.load_file(con, source.path, layout)
    return rows, header, layout


def _see(settings, con, agency: Agency, feed: str, source: Source, side: str, newest) -> _Seen:
    """Looks at one file: shapes of its columns, codes of its coded fields; its keys and weeks go to `seen_keys`."""
    rows, header, layout = _load(con, agency, feed, source, newest)
    kinds = {c.name: _KINDS.get(c.shape.kind, "") for c in profile_columns(con, header)}
    codes: dict[tuple[str, str], dict[str, int]] = {}
    rejected = 0
    reading.fill_missing(con, agency, feed, layout)
    for number, (entity_name, said) in enumerate(layout.entities.items()):
        entity = reading.standard()[entity_name]
        sql = reading.entity_sql(settings, con, agency, feed, layout, entity, source)
        have = reading.columns_of(con, sql)
        for f in reading.mapped_fields(layout, entity):
            local = f"{f.stem}_local"
            if f.kind in ("code", "codes") and local in have:
                mark = text(said.fields[f.name].separator)
                item = local if f.kind == "code" else f"trim(unnest(string_split({local}, {mark})))"
                found = con.execute(
                    f"select said, count(*) from (select {item} as said from ({sql}) where {local} is not null)"
                    " where said <> '' group by 1"
                ).fetchall()
                codes[entity_name, f.name] = dict(found)
        if number == 0:
            _insert_keys(con, entity, sql, have, side)
            (rejected,) = con.execute(f"select count(*) from ({sql}) where _broken is not null").fetchone()
    return _Seen(rows, header, kinds, codes, rejected)


def _keys_of(settings, con, agency: Agency, feed: str, entity: Entity, source: Source, side: str, newest) -> None:
    _, _, layout = _load(con, agency, feed, source, newest)
    if entity.name not in layout.entities:
        return
    reading.fill_missing(con, agency, feed, layout)
    sql = reading.entity_sql(settings, con, agency, feed, layout, entity, source)
    _insert_keys(con, entity, sql, reading.columns_of(con, sql), side)


def _insert_keys(con, entity: Entity, sql: str, have: set[str], side: str) -> None:
    """Keys with the Monday of the event's week on the agency's clock; of rejected rows too, since a changed column
    that breaks the mapping must not look like silence."""
    times = []
    for name in entity.month_from:
        f = entity.field(name)
        column = f"{f.stem}_local_at" if f.kind == "timestamp" else name
        if column in have:
            times.append(f"try_cast({column} as date)")
    day = f"coalesce({', '.join(times)})" if times else "cast(null as date)"
    con.execute(
        f"insert into seen_keys select {text(side)}, {entity.id}, cast(date_trunc('week', min({day})) as date)"
        f" from ({sql}) where _broken is null or _broken not like 'required:%' group by {entity.id}"
    )


def _overlap(con) -> tuple[int, int, int]:
    return con.execute(
        "select count(*) filter (is_new), count(*) filter (is_last), count(*) filter (is_new and is_last)"
        " from (select id, bool_or(side = 'new') as is_new, bool_or(side = 'last') as is_last from seen_keys group by id)"
    ).fetchone()


def _weeks(con) -> tuple[dict[date, int], dict[date, int]]:
    """Keys by week: of the new file, and of all landed files together, each key once."""
    new = con.execute(
        "select monday, count(*) from seen_keys where side = 'new' and monday is not null group by 1"
    ).fetchall()
    past = con.execute(
        "select monday, count(*) from (select id, max(monday) as monday from seen_keys where side <> 'new' group by id)"
        " where monday is not null group by 1"
    ).fetchall()
    return dict(new), dict(past)


def weeks_against(new: dict[date, int], past: dict[date, int]) -> tuple[tuple[int, float, int, int] | None, list[Week]]:
    """The history in figures, and every week of the new file judged by it.

    The first and last week of a file may be cut off: they are called partial and neither judge nor are judged.
    History is what was landed for weeks before the new file's first; all landed weeks if those are too few.
    """
    if not new:
        return None, []
    whole = _filled(past)[1:-1]
    earlier = [w for w in whole if w[0] < min(new)]
    base = [n for _, n in (earlier if len(earlier) >= LEAST_WEEKS else whole)]
    weeks = _filled(new)
    if len(base) < LEAST_WEEKS:
        return None, [Week(m, n, "silent" if n == 0 else "") for m, n in weeks]
    middle = median(base)
    spread = max(median(abs(n - middle) for n in base), 1)
    judged = []
    for at, (monday, n) in enumerate(weeks):
        if at in (0, len(weeks) - 1):
            note = "partial"
        elif n == 0:
            note = "silent"
        elif abs(n - middle) > DEVIATIONS * spread:
            note = "low" if n < middle else "high"
        else:
            note = ""
        judged.append(Week(monday, n, note))
    return (len(base), middle, min(base), max(base)), judged


def _filled(counts: dict[date, int]) -> list[tuple[date, int]]:
    """Every week from the first to the last, those without a row too."""
    if not counts:
        return []
    weeks = (max(counts) - min(counts)).days // 7 + 1
    mondays = (min(counts) + timedelta(days=7 * i) for i in range(weeks))
    return [(m, counts.get(m, 0)) for m in mondays]


def _code_changes(agency: Agency, feed: str, new: _Seen, old: _Seen) -> list[CodeChange]:
    out = []
    for (entity_name, field_name), now in new.codes.items():
        was = old.codes.get((entity_name, field_name), {})
        fresh = {c: n for c, n in now.items() if c not in was}
        gone = {c: n for c, n in was.items() if c not in now}
        if not fresh and not gone:
            continue
        entity = reading.standard()[entity_name]
        why = why_hidden_codes(agency, feed, entity, entity.field(field_name), {**fresh, **gone})
        out.append(CodeChange(entity_name, field_name, _listed(fresh, why), _listed(gone, why), why))
    return out


def _listed(codes: dict[str, int], hidden: str) -> list[tuple[str, int]]:
    """Codes with their rows, most frequent first; without their texts if these are hidden."""
    rows = sorted(codes.items(), key=lambda c: (-c[1], c[0]))
    return [("(not shown)", n) for _, n in rows] if hidden else [(short_code(c), n) for c, n in rows]


def difference_lines(found: Difference):
    """The lines that tell of one file."""
    if found.problem:
        yield f"{found.file}: not compared: {found.problem}"
        return
    yield f"{found.file} against {found.last} (feed {found.feed})"
    yield f"  rows: {found.rows:,}, before {found.last_rows:,}"
    yield f"  rejected as {found.entity}: {found.rejected:,}, before {found.last_rejected:,}"
    yield f"  columns added: {', '.join(found.added) or 'none'}"
    yield f"  columns lost: {', '.join(found.lost) or 'none'}"
    if found.lost_mapped:
        yield f"    the mapping names {', '.join(found.lost_mapped)}: the file would be refused (missing_column)"
    yield "  columns retyped: " + (", ".join(f"{c} ({a} to {b})" for c, a, b in found.retyped) or "none")
    for change in found.codes:
        for what, codes in (("new", change.new), ("vanished", change.vanished)):
            if codes:
                rows = sum(n for _, n in codes)
                yield f"  {what} codes of {change.entity}.{change.field}: {len(codes):,} in {rows:,} row(s)"
                if change.why_hidden:
                    yield f"    not shown: {change.why_hidden}"
                    continue
                yield from (f"    {n:>8,}  {c}" for c, n in codes[:CODES])
    if not found.codes:
        yield "  codes: none new, none vanished"
    yield (
        f"  keys of {found.entity}: {found.keys:,}, before {found.last_keys:,}; {found.keys_in_both:,} in both,"
        f" {found.keys - found.keys_in_both:,} only here, {found.last_keys - found.keys_in_both:,} only there"
    )
    yield from _week_lines(found)


def _week_lines(found: Difference):
    if not found.weeks:
        yield "  weeks: no row has a time"
        return
    if found.history is None:
        yield f"  weeks: fewer than {LEAST_WEEKS} whole weeks are landed, so none can be called unusual"
    else:
        n, middle, low, high = found.history
        yield f"  weeks: history of {n} whole weeks: median {middle:,.0f}, {low:,} to {high:,} keys a week"
    flagged = [w for w in found.weeks if w.note in ("silent", "low", "high")]
    yield f"  {len(found.weeks)} week(s) here, {len(flagged)} unusual (outside {DEVIATIONS} median absolute deviations, or silent)"
    shown = found.weeks if len(found.weeks) <= 60 else flagged
    yield from (f"    week of {w.monday}  {w.rows:>8,}  {w.note}".rstrip() for w in shown)
