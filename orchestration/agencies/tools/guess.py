"""Guesses what files are: which are of one feed, which entities they fill, and which column fills which field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestration.agencies.tools.profile import SIDE_TABLE_ROWS, Column, FileProfile
from orchestration.agencies.tools.reading import ANSWER_WORDS, FieldMapping
from orchestration.agencies.tools.shapes import (
    RESERVED,
    Shape,
    column_mapping,
    column_sql,
    joined_mapping,
    time_mapping,
)
from orchestration.agencies.tools.words import ALIASES, CUES, SENSITIVE, aliases, identifying_reason, likeness, words
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
    joined: FieldMapping | None = None

    @property
    def first(self) -> Column:
        return self.columns[0]


@dataclass(frozen=True)
class FieldGuess:
    """A field's guessed mapping and why; codes: the column whose texts are its local codes, if any.

    meanings: what a side table makes of these texts. is_usable: False where the column is named and the values do not fit, so that the line is written as a comment.
    """

    field: Field
    said: FieldMapping
    reason: str
    columns: tuple[str, ...] = ()
    codes: Column | None = None
    is_usable: bool = True
    meanings: Mapping[str, str] | None = None


@dataclass(frozen=True)
class EntityGuess:
    """An entity that a feed is guessed to fill. rows: one or many; where: its condition, if any.

    one_date: times, in order, that share one printed date.
    """

    entity: Entity
    rows: str
    why_rows: str
    fields: tuple[FieldGuess, ...]
    where: str = ""
    one_date: tuple[str, ...] = ()

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
    """Files with one header, and what they are guessed to be.

    variants: other layouts of the same feed, with the columns (`when`) that tell each. lookups: side tables it uses.
    repeats: why its files are taken to repeat records, or ''; version: the pattern that reads a version off the names.
    """

    name: str
    files: tuple[FileProfile, ...]
    patterns: tuple[str, ...]
    columns: tuple[Column, ...]
    entities: tuple[EntityGuess, ...]
    notes: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    variants: tuple[FeedGuess, ...] = ()
    lookups: tuple[SideTable, ...] = ()
    repeats: str = ""
    version: str = ""

    @property
    def layouts(self) -> tuple[FeedGuess, ...]:
        return (self, *self.variants)

    @property
    def all_files(self) -> tuple[FileProfile, ...]:
        return tuple(f for layout in self.layouts for f in layout.files)

    @property
    def unmapped(self) -> list[Column]:
        used = {c for e in self.entities for f in e.usable for c in f.columns}
        return [c for c in self.columns if c.name not in used]


@dataclass(frozen=True)
class SideTable:
    """A small file that explains the codes of a column: code to description. name: of its own feed and lookup."""

    file: FileProfile
    feed: str
    column: str
    matched: int
    of: int
    name: str = ""
    pattern: str = ""

    @property
    def can_look_up(self) -> bool:
        """Whether each code stands there once."""
        return self.file.columns[0].is_unique


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
    profiles: Sequence[FileProfile], standard: Mapping[str, Entity]
) -> tuple[list[FeedGuess], list[SideTable]]:
    """The feeds that the files are guessed to be, and the small files that explain codes of theirs."""
    groups = group_files(profiles)
    small = [g for g in groups if len(g) == 1 and _is_side_table(g[0])]
    large = [g for g in groups if g not in small]
    if not large:
        large, small = groups, []
    feeds: list[FeedGuess] = []
    for group in large:
        by_name = [[c for f in group for c in f.columns if c.name.lower() == h.lower()] for h in group[0].header]
        columns = tuple(_merged(same) for same in by_name)
        entities = guess_entities(group[0].path.name, columns, standard)
        name = _feed_name(group[0], entities, {f.name for f in feeds})
        feeds.append(FeedGuess(name, tuple(group), (), columns, entities))
    feeds = _with_variants(feeds)
    for at, feed in enumerate(feeds):
        others = [p for p in profiles if p not in feed.all_files]
        feeds[at] = replace(feed, patterns=_patterns(feed.all_files, others))
    tables: list[SideTable] = []
    for group in small:
        if table := _explains(group[0], feeds):
            taken = {f.name for f in feeds} | {t.name for t in tables}
            taken |= {c.name.lower() for f in feeds for layout in f.layouts for c in layout.columns}
            pattern = _patterns(group, [p for p in profiles if p is not group[0]])[0]
            tables.append(replace(table, name=_plain_name(group[0].path.name, taken), pattern=pattern))
    return [_with_lookups(f, [t for t in tables if t.feed == f.name]) for f in feeds], tables


def _with_variants(feeds: list[FeedGuess]) -> list[FeedGuess]:
    """Layouts that are much alike as one feed: the one with fewest columns is the base, the others are variants."""
    left, out = list(feeds), []
    while left:
        first = left[0]
        alike = [f for f in left if f is first or _are_one_feed(first, f)]
        left = [f for f in left if f not in alike]
        alike.sort(key=lambda f: len(f.columns))
        base, *others = alike
        variants: list[FeedGuess] = []
        for layout in sorted(others, key=lambda f: -len(_more(f, base))):
            later = [o for o in others if o is not layout and len(_more(o, base)) <= len(_more(layout, base))]
            when = _told_by(_more(layout, base), later)
            if when:
                variants.append(replace(layout, name=f"layout_{len(variants) + 2}", when=when))
            else:
                out.append(layout)  # nothing tells it: a feed of its own
        name = first.name if first.entities else base.name
        notes = tuple(n for v in variants for n in _variant_notes(v, base))
        out.append(replace(base, name=name, variants=tuple(variants), notes=notes))
    return out


def _are_one_feed(a: FeedGuess, b: FeedGuess) -> bool:
    one, other = a.files[0], b.files[0]
    if (one.format, one.delimiter) != (other.format, other.delimiter) or not a.entities or not b.entities:
        return False
    is_alike = overlap([c.name for c in a.columns], [c.name for c in b.columns]) >= VARIANT
    return is_alike and a.entities[0].entity.name == b.entities[0].entity.name


def _more(feed: FeedGuess, base: FeedGuess) -> list[str]:
    """Columns that the base does not have."""
    have = {c.name.lower() for c in base.columns}
    return [c.name for c in feed.columns if c.name.lower() not in have]


def _told_by(columns: Sequence[str], others: Sequence[FeedGuess]) -> tuple[str, ...]:
    """The fewest of the columns, from the first on, that no other layout has all of; none if nothing tells it."""
    for n in range(1, len(columns) + 1):
        asked = {c.lower() for c in columns[:n]}
        if not any(asked <= {c.name.lower() for c in o.columns} for o in others):
            return tuple(columns[:n])
    return ()


def _variant_notes(feed: FeedGuess, base: FeedGuess) -> list[str]:
    more, fewer = _more(feed, base), _more(base, feed)
    share = overlap([c.name for c in feed.columns], [c.name for c in base.columns])
    return [
        f"{feed.name} is a variant: {share:.0%} of the columns are the same"
        + (f"; only there: {', '.join(more)}" if more else "")
        + (f"; only in the base: {', '.join(fewer)}" if fewer else "")
    ]


def _with_lookups(feed: FeedGuess, tables: Sequence[SideTable]) -> FeedGuess:
    """The feed with its coded columns looked up in side tables, where each code stands once."""
    usable = [t for t in tables if t.can_look_up]
    used: dict[str, SideTable] = {}

    def of(guess: FieldGuess) -> FieldGuess:
        table = next((t for t in usable if guess.codes and t.column == guess.codes.name), None)
        if table is None or guess.field.kind != "code" or guess.field.is_identifying or not guess.is_usable:
            return guess
        used[table.name] = table
        looked_up = f"coalesce({table.name}.{column_sql(table.file.meaning)}, {column_sql(table.column)})"
        return replace(
            guess,
            said=FieldMapping(expression=looked_up),
            reason=f"{guess.reason}, looked up in {table.file.path.name}",
            meanings=table.file.codes,
        )

    def layout(one: FeedGuess) -> FeedGuess:
        return replace(one, entities=tuple(replace(e, fields=tuple(map(of, e.fields))) for e in one.entities))

    found = replace(layout(feed), variants=tuple(map(layout, feed.variants)))
    return replace(found, lookups=tuple(used.values()))


def _plain_name(file_name: str, taken: set[str]) -> str:
    base = re.sub(r"[^a-z]+", "_", file_name.split(".")[0].lower()).strip("_") or "codes"
    base = f"{base}_codes" if base in taken or base in RESERVED else base
    return next(n for n in (base, *(f"{base}_{i}" for i in range(2, 99))) if n not in taken)


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
        for column in (c for layout in feed.layouts for c in layout.columns):
            matched = sum(v in profile.codes for v, _ in column.values)
            alike = likeness(profile.columns[0].name, column.name)
            if matched >= 3 and matched >= (0.3 if alike >= ENOUGH else 0.6) * len(column.values):
                table = SideTable(profile, feed.name, column.name, matched, len(column.values))
                found.append((alike + matched / len(column.values), table))
    return max(found, key=lambda f: f[0])[1] if found else None


_DATE_IN_NAME = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?:-[01][0-9]-[0-3][0-9]|[01][0-9][0-3][0-9])(?![0-9])")


def version_pattern(names: Sequence[str]) -> str:
    """A pattern whose group reads a date off each of these file names, another one of each; '' if there is none."""
    found = [_DATE_IN_NAME.search(n) for n in names]
    if not all(found) or len({m.group() for m in found}) < len(names) or len({len(m.group()) for m in found}) > 1:
        return ""
    before = {n[: m.start()] for n, m in zip(names, found, strict=True)}
    day = r"\d{4}-\d{2}-\d{2}" if "-" in found[0].group() else r"\d{8}"
    return f"{re.escape(before.pop()) if len(before) == 1 else ''}({day})".replace("\\-", "-")


def with_repeats(feed: FeedGuess, shares: Sequence[float]) -> FeedGuess:
    """The feed, marked as one whose files repeat records if they do; shares: of each file's keys, in the next file."""
    if not shares or sorted(shares)[len(shares) // 2] < 0.5:
        return feed
    return replace(
        feed,
        repeats=f"{min(shares):.0%} to {max(shares):.0%} of a file's records come back in the next one",
        version=version_pattern([f.path.name for f in feed.all_files]),
    )


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
            joined = joined_mapping(day.name, day.shape, clock.name, clock.shape)
            if joined:
                used |= {day.name, clock.name}
                out.append(Source(day.name, Shape("timestamp"), (day, clock), joined))
    # Further clocks beside one date share it: the times of an event that prints its date once.
    dated = [s.columns[0] for s in out] if out else days
    for clock in clocks if len(days) == len(dated) == 1 else ():
        joined = joined_mapping(dated[0].name, dated[0].shape, clock.name, clock.shape)
        if clock.name not in used and clock.shape.kind != "timestamp" and joined:
            used |= {clock.name}
            out.append(Source(clock.name, Shape("timestamp"), (clock, dated[0]), joined))
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
            # A column about the responder must not fill a field about the person, nor one of race any other.
            have = set(words(source.header)) & (OF_RESPONDER | SENSITIVE)
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
    file_name: str, columns: Sequence[Column], standard: Mapping[str, Entity]
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
    guesses = [_entity_guess(entity, found, columns)]
    used = frozenset(s.header for f, (s, _) in found.items() if f not in entity.key)
    guesses += _further(entity, standard, sources, used, columns)
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


def _further(entity, standard, sources, used, columns) -> list[EntityGuess]:
    """Entities that the same rows fill besides: unit times beside calls, dispositions beside contacts."""
    if entity.name == "incident":
        unit = standard["unit_response"]
        found = assign(unit, sources, used)
        if "incident_number" in found and any(f in found for f in UNIT_TIMES):
            return [_entity_guess(unit, found, columns)]
    if entity.name == "contact":
        child = standard["contact_disposition"]
        found = assign(child, sources)
        if all(f.name in found for f in child.fields if f.required):
            return [_entity_guess(child, found, columns)]
    return []


def _entity_guess(entity: Entity, found: Mapping, columns: Sequence[Column]) -> EntityGuess:
    guesses = []
    for field in entity.fields:
        if field.name in found:
            source, score = found[field.name]
            guesses.append(_field_guess(field, source, score))
        elif field.name == "response_scope_code":
            scope = "unit" if "unit_number" in found else "first_arriving"
            why = (
                "there is a column of units"
                if scope == "unit"
                else "no column names a unit, so these are first times of the event"
            )
            guesses.append(FieldGuess(field, FieldMapping(expression=f"'{scope}'"), why))
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
    days = {g.field.name: g.said.date for g in guesses if g.said.date and g.field.name in entity.sequence}
    shared = tuple(f for f in entity.sequence if f in days) if len(set(days.values())) == 1 and len(days) > 1 else ()
    return EntityGuess(entity, rows, why, tuple(guesses), where, shared)


def _field_guess(field: Field, source: Source, score: float) -> FieldGuess:
    column = source.first
    said = column_mapping(column.name)
    names = tuple(x.name for x in source.columns)
    why = (
        f"header '{column.name}'" if score else f"every text of '{column.name}' is different; no header names a number"
    )
    if source.joined:
        return FieldGuess(field, source.joined, f"headers '{names[0]}' and '{names[1]}', date and time apart", names)
    shape = source.shape
    if field.kind in ("timestamp", "date") and shape.is_time:
        return FieldGuess(field, time_mapping(column.name, shape), why + _time_note(shape, column), names)
    if field.kind == "integer" and shape.kind != "empty":
        if shape.kind == "integer":
            return FieldGuess(field, said, why, names)
        if shape.kind == "number":
            c = column_sql(column.name)
            rounded = f"coalesce(cast(try_cast(round(try_cast({c} as double)) as integer) as varchar), {c})"
            return FieldGuess(field, FieldMapping(expression=rounded), why + ", rounded", names)
        return FieldGuess(
            field, said, why + ", but its texts are no whole numbers: translate them first", names, None, False
        )
    if field.kind == "codes" and (mark := separator_of(column)):
        said = FieldMapping(column=column.name, separator=mark)
        return FieldGuess(field, said, f"{why}, several codes with {mark} between", names, column)
    if field.kind in ("code", "codes"):
        return FieldGuess(field, said, why, names, column)
    if field.kind == "answer":
        known = {w for words_of in ANSWER_WORDS.values() for w in words_of}
        strange = [v for v, _ in column.values if v.upper() not in known]
        return FieldGuess(field, said, why, names, column if strange else None)
    return FieldGuess(field, said, why, names)


def separator_of(column: Column) -> str:
    """The mark between several codes in one text, if the parts come back by themselves; else ''."""
    texts = [v for v, _ in column.values]
    for mark in ("|", ";", ","):
        parts = {p.strip() for v in texts if mark in v for p in v.split(mark)}
        alone = {v.strip() for v in texts if mark not in v}
        if parts and len(parts & alone) * 2 >= len(parts):
            return mark
    return ""


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
