"""Guesses what files are: which are of one feed, which entities they fill, and which column fills which field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestration.agencies.tools.profile import SIDE_TABLE_ROWS, Column, FileProfile
from orchestration.agencies.tools.reading import ANSWER_WORDS
from orchestration.agencies.tools.shapes import Shape, column_sql, joined_sql, time_sql
from orchestration.agencies.tools.words import ALIASES, CUES, aliases, identifying_reason, likeness, words
from orchestration.standard import Entity, Field

ENOUGH = 0.62  # likeness from which a header counts as naming a field
VARIANT = 0.6  # share of columns in common from which two headers are likely variants of one feed
VERSION_WORDS = {"updated", "modified", "export", "exported", "extract", "extracted", "loaded", "refreshed"}
OF_RESPONDER = {"officer", "employee", "responder", "deputy"}
UNIT_TIMES = ("dispatched_at", "enroute_at", "on_scene_at", "cleared_at")


@dataclass(frozen=True)
class Source:
    """What may fill a field: one column, or a date column and a time column as one."""

    header: str
    shape: Shape
    columns: tuple[Column, ...]
    joined: str = ""

    @property
    def first(self) -> Column:
        return self.columns[0]


@dataclass(frozen=True)
class FieldGuess:
    """A field's guessed expression and why; codes: the column whose texts are its local codes, if any.

    is_usable: False where the column is named and the values do not fit, so that the line is written as a comment.
    """

    field: Field
    expression: str
    reason: str
    columns: tuple[str, ...] = ()
    codes: Column | None = None
    is_usable: bool = True


@dataclass(frozen=True)
class EntityGuess:
    """An entity that a feed is guessed to fill. rows: one or many; where: its condition, if any."""

    entity: Entity
    rows: str
    why_rows: str
    fields: tuple[FieldGuess, ...]
    where: str = ""

    @property
    def usable(self) -> tuple[FieldGuess, ...]:
        return tuple(f for f in self.fields if f.is_usable)

    @property
    def lacking(self) -> list[str]:
        """Fields that the standard requires and that no column seems to fill."""
        have = {f.field.name for f in self.usable}
        return [f.name for f in self.entity.fields if f.presence == "required" and f.name not in have]


@dataclass(frozen=True)
class FeedGuess:
    """Files with one header, and what they are guessed to be."""

    name: str
    files: tuple[FileProfile, ...]
    patterns: tuple[str, ...]
    columns: tuple[Column, ...]
    entities: tuple[EntityGuess, ...]
    notes: tuple[str, ...] = ()

    @property
    def unmapped(self) -> list[Column]:
        used = {c for e in self.entities for f in e.usable for c in f.columns}
        return [c for c in self.columns if c.name not in used]


@dataclass(frozen=True)
class SideTable:
    """A small file that explains the codes of a column: code to description."""

    file: FileProfile
    feed: str
    column: str
    matched: int
    of: int


# --- files to feeds


def _merged(columns: Sequence[Column]) -> Column:
    """The same column of several files as one."""
    if len(columns) == 1:
        return columns[0]
    filled = [c for c in columns if c.filled]
    if not filled:
        return replace(columns[0], rows=sum(c.rows for c in columns))
    largest = max(filled, key=lambda c: c.filled)
    kinds = {c.shape.kind for c in filled}
    shape = largest.shape
    if len(kinds) > 1:
        shape = replace(shape, kind="text", formats=()) if not kinds <= {"integer", "number"} else Shape("number")
    elif shape.formats:
        shape = replace(shape, formats=tuple(dict.fromkeys(f for c in filled for f in c.shape.formats)))
    values: Counter[str] = Counter()
    if all(c.values for c in filled):
        for c in filled:
            values.update(dict(c.values))
    unique = all(c.is_unique for c in filled)
    return replace(
        largest,
        rows=sum(c.rows for c in columns),
        filled=(total := sum(c.filled for c in filled)),
        distinct=total
        if unique
        else max(largest.distinct, len(values))
        if total > max(c.distinct for c in filled)
        else largest.distinct,
        shape=shape,
        values=tuple(sorted(values.items(), key=lambda v: (-v[1], v[0]))),
        missing=_counts(c.missing for c in columns),
        withheld=_counts(c.withheld for c in columns),
        is_padded=any(c.is_padded for c in columns),
        looks_like=next((c.looks_like for c in filled if c.looks_like), ""),
        low=min(c.low for c in filled),
        high=max(c.high for c in filled),
    )


def _counts(pairs) -> tuple[tuple[str, int], ...]:
    total: Counter[str] = Counter()
    for said in pairs:
        total.update(dict(said))
    return tuple(total.most_common())


def file_pattern(file_name: str) -> str:
    """A `files` pattern: the name with runs of digits, and the dashes and underscores between them, as one star."""
    stem, dot, suffix = file_name.partition(".")
    stem = re.sub(r"[0-9]+(?:[-_.][0-9]+)*", "*", stem)
    return re.sub(r"[\[\]]", "?", stem) + dot + suffix


def _patterns(files: Sequence[FileProfile], others: Sequence[FileProfile]) -> tuple[str, ...]:
    from fnmatch import fnmatch

    found = tuple(dict.fromkeys(file_pattern(f.path.name) for f in files))
    if any(fnmatch(o.path.name, p) for o in others for p in found):
        return tuple(dict.fromkeys(re.sub(r"[\[\]]", "?", f.path.name) for f in files))
    return found


def overlap(a: Sequence[str], b: Sequence[str]) -> float:
    """Columns in common as a share of the columns of both."""
    one, other = {c.lower() for c in a}, {c.lower() for c in b}
    return len(one & other) / len(one | other) if one | other else 0.0


def _is_side_table(profile: FileProfile) -> bool:
    return bool(profile.codes) and profile.rows <= SIDE_TABLE_ROWS and not any(c.shape.is_time for c in profile.columns)


def group_files(profiles: Sequence[FileProfile]) -> list[list[FileProfile]]:
    """Files with the same header and format together, in the order given."""
    groups: dict[tuple, list[FileProfile]] = {}
    for profile in profiles:
        groups.setdefault((profile.format, tuple(h.lower() for h in profile.header)), []).append(profile)
    return list(groups.values())


def guess_feeds(
    profiles: Sequence[FileProfile], standard: Mapping[str, Entity], zone: str
) -> tuple[list[FeedGuess], list[SideTable]]:
    """The feeds that the files are guessed to be, and the small files that explain codes of theirs."""
    groups = group_files(profiles)
    small = [g for g in groups if len(g) == 1 and _is_side_table(g[0])]
    large = [g for g in groups if g not in small]
    if not large:
        large, small = groups, []
    feeds: list[FeedGuess] = []
    for group in large:
        others = [p for p in profiles if p not in group]
        by_name = [[c for f in group for c in f.columns if c.name.lower() == h.lower()] for h in group[0].header]
        columns = tuple(_merged(same) for same in by_name)
        entities = guess_entities(group[0].path.name, columns, standard, zone)
        name = _feed_name(group[0], entities, {f.name for f in feeds})
        feeds.append(FeedGuess(name, tuple(group), _patterns(group, others), columns, entities))
    feeds = [replace(f, notes=_variant_notes(f, feeds)) for f in feeds]
    tables = [t for g in small if (t := _explains(g[0], feeds))]
    return feeds, tables


def _variant_notes(feed: FeedGuess, feeds: Sequence[FeedGuess]) -> tuple[str, ...]:
    notes = []
    have = [c.name for c in feed.columns]
    for other in feeds:
        theirs = [c.name for c in other.columns]
        if other is feed or (share := overlap(have, theirs)) < VARIANT:
            continue
        lower = {c.lower() for c in theirs}
        more = [c for c in have if c.lower() not in lower]
        fewer = [c for c in theirs if c.lower() not in {h.lower() for h in have}]
        notes.append(
            f"likely a variant of feed {other.name}: {share:.0%} of the columns are the same"
            + (f"; only here: {', '.join(more)}" if more else "")
            + (f"; only there: {', '.join(fewer)}" if fewer else "")
        )
    return tuple(notes)


_FEED_NAMES = {
    "incident": "cad", "unit_response": "units", "contact": "contacts", "jail_booking": "jail", "ems_response": "ems",
    "offense": "offenses", "force_event": "force",
}  # fmt: skip


def _feed_name(profile: FileProfile, entities: Sequence[EntityGuess], taken: set[str]) -> str:
    first = entities[0].entity.name if entities else ""
    base = (
        _FEED_NAMES.get(first, first)
        or re.sub(r"[^a-z]+", "_", profile.path.name.split(".")[0].lower()).strip("_")
        or "feed"
    )
    name, number = base, 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _explains(profile: FileProfile, feeds: Sequence[FeedGuess]) -> SideTable | None:
    """The coded column whose texts this small file lists best."""
    found: list[tuple[float, SideTable]] = []
    for feed in feeds:
        for column in feed.columns:
            matched = sum(v in profile.codes for v, _ in column.values)
            alike = likeness(profile.columns[0].name, column.name)
            if matched >= 3 and matched >= (0.3 if alike >= ENOUGH else 0.6) * len(column.values):
                table = SideTable(profile, feed.name, column.name, matched, len(column.values))
                found.append((alike + matched / len(column.values), table))
    return max(found, key=lambda f: f[0])[1] if found else None


# --- columns to fields


def _is_clock(column: Column) -> bool:
    said = words(column.name)
    if column.shape.kind == "time":
        return True
    if column.shape.kind == "integer":
        return "time" in said and column.low >= 0 and column.high <= 2359
    return column.shape.kind == "timestamp" and not column.shape.midnight and said[-1:] == ("time",)


def sources_of(columns: Sequence[Column]) -> list[Source]:
    """What may fill fields: every column, and date and time columns that belong together as one."""
    days = [c for c in columns if c.shape.kind == "date" or (c.shape.kind == "timestamp" and c.shape.midnight)]
    clocks = [c for c in columns if _is_clock(c)]
    out, used = [], set()
    for day in days:
        stem = set(words(day.name)) - {"date", "day"}
        partners = [c for c in clocks if c.name not in used and set(words(c.name)) - {"time", "timestamp"} == stem]
        if not partners and len(days) == 1:
            partners = [c for c in clocks if c.shape.kind == "time" and set(words(c.name)) <= {"time", "timestamp"}]
        for clock in partners[:1]:
            joined = joined_sql(day.name, day.shape, clock.name, clock.shape)
            if joined:
                used |= {day.name, clock.name}
                out.append(Source(day.name, Shape("timestamp"), (day, clock), joined))
    return out + [Source(c.name, c.shape, (c,)) for c in columns if c.name not in used]


def _fits(entity: Entity, field: Field, source: Source) -> bool:
    """Whether a source's values could be a field's."""
    kind, column = source.shape.kind, source.first
    if (identifying_reason(source.header, source.shape.is_time) or column.looks_like) and not field.is_identifying:
        own = ALIASES.get(entity.name, {}).get(field.name, ())
        if field.name not in entity.key or not any(likeness(source.header, p) == 1 for p in own):
            return False
    if kind == "empty":
        return field.is_identifying or not column.rows or bool(column.withheld)
    if field.kind in ("timestamp", "date"):
        return source.shape.is_time
    if source.shape.is_time or kind == "time":
        return field.is_identifying and field.stem.endswith("birth_date")
    if field.kind == "answer":
        return column.distinct <= 8
    if field.kind in ("code", "codes"):
        return bool(column.values) or column.filled < 2000 or column.distinct <= 400
    if field.kind == "integer":
        return kind in ("integer", "number") or field.name.startswith("priority")
    if field.kind == "decimal":
        return kind in ("integer", "number")
    return True


def assign(
    entity: Entity, sources: Sequence[Source], taken: frozenset[str] = frozenset()
) -> dict[str, tuple[Source, float]]:
    """The source that best names each field, each source once; taken: columns that fill other fields already."""
    said, candidates = aliases(entity), []
    for field in entity.fields:
        for source in sources:
            if source.header in taken and field.name not in entity.key and field.kind not in ("timestamp", "number"):
                continue
            if source.header in taken and field.name in UNIT_TIMES:
                continue
            if set(words(source.header)) & VERSION_WORDS or not _fits(entity, field, source):
                continue
            # A column about the responder must not fill a field about the person.
            have = set(words(source.header)) & OF_RESPONDER
            phrases = [
                (i, p) for i, p in enumerate(said[field.name])
                if have <= set(words(p)) and (likeness(source.header, p) == 1 or not set(words(p)) <= OF_RESPONDER)
            ]  # fmt: skip
            best = max((likeness(source.header, p) - 0.012 * i for i, p in phrases), default=0.0)
            plain = max((likeness(source.header, p) for _, p in phrases), default=0.0)
            if plain >= ENOUGH:
                candidates.append((best, -entity.fields.index(field), field.name, source))
    found: dict[str, tuple[Source, float]] = {}
    used: set[str] = set()
    for score, _, field_name, source in sorted(candidates, key=lambda c: (-c[0], -c[1])):
        if field_name not in found and source.header not in used:
            found[field_name] = source, score
            used.add(source.header)
    return found


_COMMON = {
    "age_years", "sex_gender_code", "race_ethnicity_codes", "beat", "sector", "precinct", "neighborhood", "address", "latitude",
    "longitude", "person_name", "phone", "home_address", "birth_date", "narrative", "zip5", "responder_number", "incident_number",
}  # fmt: skip


def _score(entity: Entity, found: Mapping[str, tuple[Source, float]], header: set[str], file_words: set[str]) -> float:
    cues = set(CUES.get(entity.name, ()))
    own = sum(score * (0.2 if f in _COMMON else 1.0) for f, (_, score) in found.items())
    return own + 1.2 * len(cues & header) + 2.5 * len(cues & file_words)


def guess_entities(
    file_name: str, columns: Sequence[Column], standard: Mapping[str, Entity], zone: str
) -> tuple[EntityGuess, ...]:
    """The entities that a file with these columns is guessed to fill, the main one first; none if nothing fits."""
    sources = sources_of(columns)
    header = {w for c in columns for w in words(c.name)}
    file_words = set(words(file_name.split(".")[0]))
    best: tuple[float, Entity, dict] | None = None
    for entity in standard.values():
        if not entity.is_mapped or entity.parent or entity.family == "reference":
            continue
        found = _with_key(entity, assign(entity, sources), sources)
        if found is None or not any(f in found for f in entity.month_from):
            continue
        if entity.name not in ALIASES and sum(s >= 0.9 for _, s in found.values()) < 3:
            continue
        score = _score(entity, found, header, file_words)
        if best is None or score > best[0]:
            best = score, entity, found
    if best is None:
        return ()
    _, entity, found = best
    guesses = [_entity_guess(entity, found, columns, zone)]
    used = frozenset(s.header for f, (s, _) in found.items() if f not in entity.key)
    guesses += _further(entity, standard, sources, used, columns, zone)
    return tuple(g for g in guesses if g)


def _with_key(entity: Entity, found: dict, sources: Sequence[Source]) -> dict | None:
    """The assignment with every field that rows must have; a column of different texts may stand for the key."""
    for field in entity.fields:
        if not field.required or field.name in found or field.name == "response_scope_code":
            continue
        spare = [
            s for s in sources
            if s.first.is_unique and s.shape.kind in ("integer", "text") and len(s.columns) == 1 and not identifying_reason(s.header)
        ]  # fmt: skip
        if field.kind != "number" or field.refers_to or not spare:
            return None
        found = {**found, field.name: (spare[0], 0.0)}
    return found


def _further(entity, standard, sources, used, columns, zone) -> list[EntityGuess]:
    """Entities that the same rows fill besides: unit times beside calls, dispositions beside contacts."""
    if entity.name == "incident":
        unit = standard["unit_response"]
        found = assign(unit, sources, used)
        if "incident_number" in found and any(f in found for f in UNIT_TIMES):
            return [_entity_guess(unit, found, columns, zone)]
    if entity.name == "contact":
        child = standard["contact_disposition"]
        found = assign(child, sources)
        if all(f.name in found for f in child.fields if f.required):
            return [_entity_guess(child, found, columns, zone)]
    return []


def _entity_guess(entity: Entity, found: Mapping, columns: Sequence[Column], zone: str) -> EntityGuess:
    guesses = []
    for field in entity.fields:
        if field.name in found:
            source, score = found[field.name]
            guesses.append(_field_guess(field, source, score, zone))
        elif field.name == "response_scope_code":
            scope = "unit" if "unit_number" in found else "first_arriving"
            why = (
                "there is a column of units"
                if scope == "unit"
                else "no column names a unit, so these are first times of the event"
            )
            guesses.append(FieldGuess(field, f"'{scope}'", why))
    key = next((f for f in entity.key if f in found), None)
    rows, why = "one", ""
    if key and len(entity.key) == 1:
        column = found[key][0].first
        if column.filled and not column.is_unique:
            rows, why = "many", f"{column.name} has {column.distinct:,} different texts in {column.filled:,} rows"
    where = ""
    if entity.name == "unit_response":
        times = [column_sql(c.name) for f in UNIT_TIMES if f in found for c in found[f][0].columns[:1]]
        where = f"coalesce({', '.join(times)}) is not null" if times else ""
    if entity.name == "contact_disposition":
        where = f"{column_sql(found['disposition_code'][0].first.name)} is not null"
        rows = "many"
    return EntityGuess(entity, rows, why, tuple(guesses), where)


def _field_guess(field: Field, source: Source, score: float, zone: str) -> FieldGuess:
    column = source.first
    c = column_sql(column.name)
    names = tuple(x.name for x in source.columns)
    why = (
        f"header '{column.name}'" if score else f"every text of '{column.name}' is different; no header names a number"
    )
    if source.joined:
        return FieldGuess(field, source.joined, f"headers '{names[0]}' and '{names[1]}', date and time apart", names)
    shape = source.shape
    if field.kind in ("timestamp", "date") and shape.is_time:
        return FieldGuess(field, time_sql(column.name, shape, zone), why + _time_note(shape, column), names)
    if field.kind == "integer" and shape.kind != "empty":
        if shape.kind == "integer":
            return FieldGuess(field, c, why, names)
        if shape.kind == "number":
            return FieldGuess(
                field,
                f"coalesce(cast(try_cast(round(try_cast({c} as double)) as integer) as varchar), {c})",
                why + ", rounded",
                names,
            )
        return FieldGuess(
            field, c, why + ", but its texts are no whole numbers: translate them first", names, None, False
        )
    if field.kind in ("code", "codes"):
        return FieldGuess(field, c, why, names, column)
    if field.kind == "answer":
        known = {w for said in ANSWER_WORDS.values() for w in said}
        strange = [v for v, _ in column.values if v.upper() not in known]
        return FieldGuess(field, c, why, names, column if strange else None)
    return FieldGuess(field, c, why, names)


def _time_note(shape: Shape, column: Column) -> str:
    notes = []
    if shape.kind == "epoch":
        notes.append("epoch milliseconds in UTC" if shape.formats == ("ms",) else "epoch seconds in UTC")
    elif shape.formats:
        notes.append("read as " + " or ".join(shape.formats))
    if shape.kind == "date":
        notes.append("a date without a time of day: it will read as midnight")
    if shape.offset == "utc" and shape.midnight:
        notes.append("marked UTC but at midnight for the most part: taken for local dates, decide")
    elif shape.offset == "utc":
        notes.append("marked UTC: turned into the agency's clock")
    elif shape.offset:
        notes.append("carries an offset, which is dropped: taken for the agency's clock, decide")
    elif shape.midnight:
        notes.append("always at midnight: a date without a time of day")
    if shape.doubtful_order:
        notes.append("day and month cannot be told apart: decide")
    if shape.share < 1:
        notes.append(f"{1 - shape.share:.1%} of the texts do not fit")
    return "; " + "; ".join(notes) if notes else ""
