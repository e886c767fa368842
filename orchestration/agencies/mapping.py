"""Compiles an agency's mapping to SQL that DuckDB runs over one landed file.

The SQL selects from a relation `raw` (all columns text, `_row` bigint) and gives one row per landed row to which
the entity applies: the entity's input columns, its identity columns, `_version`, and `_broken`, which names why a
row is rejected as rule:field (null when it is accepted).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import duckdb

from orchestration.agencies import clock
from orchestration.agencies.expressions import Names, names_in, source_sql
from orchestration.agencies.folder import EPOCHS, HHMM, Agency, AgencyError, EntityMapping, Feed, FieldMapping
from orchestration.engine import connect, name, text
from orchestration.standard import Entity, Field, code_list, load_standard
from orchestration.standard.narrative import narrative_sql

# Words for yes and no in field exports; an agency's codes/answer.csv adds to them.
ANSWER_WORDS = {
    "yes": ("Y", "YES", "X", "TRUE", "T", "1"),
    "no": ("N", "NO", "FALSE", "F", "0"),
    "unknown": ("DK", "U", "UNK", "UNKNOWN", "DON'T KNOW"),
    "not_applicable": ("NA", "N/A", "NOT_APPLICABLE"),
    "refused": ("REFUSED",),
    "not_recorded": ("NOT_RECORDED",),
    "withheld": ("WITHHELD",),
}
NARRATIVE_FIELDS = ("narrative_bh", "narrative_bh_kind_codes")  # worked out from the narrative, which goes nowhere
REPORT_TIMES = ("reported_at", "entered_at", "reported_date")
RULES = {
    "required": "a required value is missing",
    "not_a_time": "the text is not a date and time on the agency's clock; give YYYY-MM-DD HH:MM:SS, or a format",
    "not_a_number": "the text is not a number, or not a whole one where one is due",
    "not_a_date": "the text is not a date; give YYYY-MM-DD or a format",
    "not_an_answer": "the text is no known answer; add it to the agency's codes/answer.csv",
    "month_out_of_range": "the month lies outside the calendar of the warehouse",
    "line_malformed": "the line does not have the columns of the header, or is not valid text",
}


def _any_of(column: str, words: tuple[str, ...]) -> str:
    """Whether the column is one of the words; DuckDB would run an IN list as a join of its own."""
    return "(" + " or ".join(f"{column} = {text(w)}" for w in words) + ")"


def filled(mapping: EntityMapping) -> set[str]:
    """Fields that a mapping fills: those it names, and those that are worked out from them."""
    return set(mapping.fields) | (set(NARRATIVE_FIELDS) if "narrative" in mapping.fields else set())


def source_columns(agency: Agency, feed_name: str, layout: Feed | None = None) -> list[str]:
    """All source columns that a feed's mapping names, sorted: a file without one of them is refused.

    layout: the feed as the file has it (Feed.as_sent); the base when not given.
    """
    feed, found = layout or agency.feeds[feed_name], set()
    for entity_name in feed.entities:
        found |= _Mapping(agency, feed_name, feed, entity_name).used
    for asking_name, asking in agency.feeds.items():
        for other in asking.layouts().values():
            for lookup_name in (n for n, lookup in other.lookups.items() if lookup.feed == feed_name):
                found.add(other.lookups[lookup_name].key)
                for entity_name in other.entities:
                    found |= set(_Mapping(agency, asking_name, other, entity_name).looked_up(lookup_name))
    return _once(found)


@dataclass(frozen=True)
class Traits:
    """What cleaning one file needs: its columns, those with padded values, and those that hold a text for withheld.

    Names are in lower case.
    """

    columns: frozenset[str]
    padded: frozenset[str]
    withheld: frozenset[str]


def find_traits(con: duckdb.DuckDBPyConnection, agency: Agency, columns: list[str]) -> Traits:
    """Looks over `raw` once, so that no column is trimmed or searched that needs neither."""
    if not columns:
        return Traits(frozenset(), frozenset(), frozenset())
    asked = []
    for c in columns:
        words = [f"contains({name(c)}, {text(w)})" for w in agency.withheld]
        asked += [f"bool_or({name(c)} like ' %' or {name(c)} like '% ')", f"bool_or({' or '.join(words) or 'false'})"]
    said = con.execute(f"select {', '.join(asked)} from raw").fetchone()
    return Traits(
        columns=frozenset(c.lower() for c in columns),
        padded=frozenset(c.lower() for c, found in zip(columns, said[::2], strict=True) if found),
        withheld=frozenset(c.lower() for c, found in zip(columns, said[1::2], strict=True) if found),
    )


def _clean(agency: Agency, column: str) -> str:
    """A trimmed source column with the agency's texts for missing and withheld turned into null."""
    by_column = [w for c, words in agency.missing_by_column.items() if c.lower() == column.lower() for w in words]
    special = sorted({"", *agency.missing, *by_column, *agency.withheld})
    cleaned = name(column)
    for word in special:
        cleaned = f"nullif({cleaned}, {text(word)})"
    return f"{cleaned} as {name(column)}"


@dataclass(frozen=True)
class _Mapped:
    """One field of the entity with what its mapping says of it."""

    field: Field
    mapping: FieldMapping | None
    names: Names
    withheld_columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.field.name


@dataclass(frozen=True)
class _Mapping:
    """How one entity is made of one layout of a feed. only: fields to map, where not all."""

    agency: Agency
    feed_name: str
    feed: Feed
    entity_name: str
    only: frozenset[str] | None = None

    @property
    def entity(self) -> Entity:
        return load_standard()[self.entity_name]

    @property
    def said(self) -> EntityMapping:
        return self.feed.entities[self.entity_name]

    @property
    def where(self) -> str:
        return f"{self.agency.folder / 'agency.yml'}: feeds.{self.feed_name}.entities.{self.entity_name}"

    def names(self, expression: str, place: str) -> Names:
        return names_in(expression, self.feed, f"{self.where}.{place}")

    @cached_property
    def fields(self) -> list[_Mapped]:
        found = []
        for field in self.entity.fields:
            mapping = self.said.fields.get(field.name) if self.only is None or field.name in self.only else None
            names = self.names(source_sql(mapping), f"fields.{field.name}") if mapping else Names()
            found.append(_Mapped(field, mapping, names))
        return found

    @cached_property
    def asked(self) -> list[Names]:
        """What the entity's own expressions name: its fields, where, each and group."""
        said = [("where", self.said.where), ("each", self.said.each), *(("group", key) for key in self.said.group)]
        return [m.names for m in self.fields] + [self.names(sql, place) for place, sql in said if sql]

    @cached_property
    def lookups(self) -> dict:
        """Side tables that the entity's expressions name."""
        used = {lookup for names in self.asked for lookup, _ in names.looked_up}
        return {n: look for n, look in self.feed.lookups.items() if n in used}

    @cached_property
    def named(self) -> list[Names]:
        """What the entity names in all, the rows of its side tables included."""
        return self.asked + [self.names(look.equals, f"lookups.{n}") for n, look in self.lookups.items()]

    @cached_property
    def extras(self) -> list[str]:
        """Columns that travel in `extras`: not sensitive, and named by no field; of the feed's first entity only."""
        if self.entity_name != next(iter(self.feed.entities)) or self.said.group or self.only is not None:
            return []
        named = {c.lower() for m in self.fields for c in m.names.columns}
        return _once(c for c, kind in self.agency.columns.items() if kind == "not_sensitive" and c.lower() not in named)

    @cached_property
    def used(self) -> set[str]:
        found = {c for names in self.named for c in names.columns}
        if self.feed.version and self.feed.version.column:
            found.add(self.feed.version.column)
        return found

    def looked_up(self, lookup: str) -> list[str]:
        """Columns of a side table that the entity names, sorted."""
        return sorted({c for names in self.named for of, c in names.looked_up if of == lookup})


def _code_map(agency: Agency, list_name: str) -> str:
    """The agency's exact codes of one list as a CTE; without a CSV the standard codes stand for themselves."""
    rows = agency.codes.get(list_name)
    if rows is None:
        values = [(c, c, None, None) for c in code_list(list_name)]
    else:
        values = [(r.local_code, r.standard_code, r.valid_from, r.valid_to) for r in rows if r.match == "exact"]
    values = values or [("", "", None, None)]
    body = ",\n".join(
        f"        ({text(a)}, {text(b)}, {f'date {text(str(f))}' if f else 'null'}, {f'date {text(str(t))}' if t else 'null'})"
        for a, b, f, t in values
    )
    return (
        f"code_{list_name}(local_code, standard_code, valid_from, valid_to) as (\n"
        f"    select local_code, standard_code, cast(valid_from as date), cast(valid_to as date)\n"
        f"    from (values\n{body}\n    ) as codes(local_code, standard_code, valid_from, valid_to)\n)"
    )


def _by_pattern(agency: Agency, list_name: str, value: str) -> str:
    """SQL of the code that the first fitting pattern gives to a text; null where none fits."""
    rows = [r for r in agency.codes.get(list_name, ()) if r.match == "regex"]
    if not rows:
        return "null"
    cases = " ".join(
        f"when regexp_full_match({value}, {text(r.local_code)}) then {text(r.standard_code)}" for r in rows
    )
    return f"case {cases} end"


def _code_of_item(agency: Agency, list_name: str, value: str) -> str:
    """SQL of the standard code of one of several codes in a text."""
    rows = agency.codes.get(list_name)
    pairs = (
        {c: c for c in code_list(list_name)}
        if rows is None
        else {r.local_code: r.standard_code for r in rows if r.match == "exact"}
    )
    exact = "null"
    if pairs:
        keys, codes = ", ".join(map(text, pairs)), ", ".join(map(text, pairs.values()))
        exact = f"map([{keys}], [{codes}])[{value}]"
    return f"coalesce({exact}, {_by_pattern(agency, list_name, value)}, 'other')"


def _answer_map(agency: Agency) -> str:
    """Upper-case texts and the answers they stand for, as a CTE."""
    words = {word: code for code, texts in ANSWER_WORDS.items() for word in texts}
    words |= {row.local_code.upper(): row.standard_code for row in agency.codes.get("answer", ())}
    body = ",\n".join(f"        ({text(word)}, {text(code)})" for word, code in sorted(words.items()))
    return f"answer(word, code) as (\n    select word, code\n    from (values\n{body}\n    ) as answers(word, code)\n)"


def compile_entity(
    agency: Agency,
    feed_name: str,
    entity_name: str,
    source_file: str,
    file_version: str | None,
    months: tuple[str, str],
    traits: Traits | None = None,
    only: frozenset[str] | None = None,
    layout: Feed | None = None,
) -> str:
    """The SQL of one entity of one landed file.

    source_file: sha256 of the file. file_version: the version read off its name, if the feed has one.
    months: first and last month of the calendar. traits: what cleaning the file needs; all of it when not given.
    only: fields to map, the others stay empty. layout: the feed as the file has it; the base when not given.
    A side table is read from the relation `lookup_<name>`. Raises AgencyError when an expression is not valid.
    """
    mapping = _Mapping(agency, feed_name, layout or agency.feeds[feed_name], entity_name, only)
    return _Compiler(mapping, source_file, file_version, months, traits).sql()


def pieces_sql(agency: Agency, feed_name: str, entity_name: str, layout: Feed | None = None) -> str:
    """SQL of how many rows of `raw` an entity is asked of: with `each` the items, with `group` the rows before it."""
    compiler = _Compiler(
        _Mapping(agency, feed_name, layout or agency.feeds[feed_name], entity_name),
        "",
        None,
        ONE_YEAR,
        None,
    )
    return compiler.pieces_sql()


class _Compiler:
    """Writes the SQL of one entity of one file, step by step; each step is a CTE over the one before."""

    def __init__(self, mapping: _Mapping, source_file: str, file_version: str | None, months, traits: Traits | None):
        self.mapping, self.source_file, self.file_version, self.months = mapping, source_file, file_version, months
        self.agency, self.entity, self.said = mapping.agency, mapping.entity, mapping.said
        self.extras = [c for c in mapping.extras if traits is None or c.lower() in traits.columns]
        self.used = _once(mapping.used | set(self.extras))
        everything = frozenset(c.lower() for c in self.used)
        self.traits = traits or Traits(everything, everything, everything)
        self.fields = [self._with_withheld(m) for m in mapping.fields]
        self.mapped = [m for m in self.fields if m.mapping]
        self.reads_narrative = any(m.name == "narrative" for m in self.mapped) and mapping.only is None
        self.timed = self._of_kind("timestamp")
        self.years = int(months[0][:4]), int(months[1][:4])
        self.zone = self.agency.agency.time_zone
        self.on_clock = [m for m in self.timed if m.mapping.zone == "agency"]
        self.one_date = [m for n in self.said.one_date for m in self.on_clock if m.name == n]
        self.has_changes = clock.has_changes(self.zone, *self.years) and bool(self.on_clock)
        self.in_order = [m for n in self.entity.sequence for m in self.timed if m.name == n]
        self.decided = [m for m in self.in_order if m in self.on_clock] if self.has_changes else []

    def _of_kind(self, *kinds: str) -> list[_Mapped]:
        return [m for m in self.mapped if m.field.kind in kinds]

    def _with_withheld(self, m: _Mapped) -> _Mapped:
        shown = tuple(c for c in m.names.columns if c.lower() in self.traits.withheld) if self.agency.withheld else ()
        return _Mapped(m.field, m.mapping, m.names, shown)

    def sql(self) -> str:
        steps = [*self._sourced(), ("expressed", self._expressed()), ("typed", self._typed())]
        if self.one_date:
            steps.append(("wrapped", self._wrapped("typed")))
        if self.has_changes:
            steps += [("clocked", self._clocked(steps[-1][0])), ("instants", self._instants("clocked"))]
            if self.decided:
                steps.append(("ordered", self._ordered("instants")))
        elif self.on_clock:
            steps.append(("instants", self._fixed_instants(steps[-1][0])))
        steps.append(("dated", self._dated(steps[-1][0])))
        coded = self._of_kind("code")
        lists = sorted({m.field.code_list for m in coded})
        ctes = [f"{n} as (\n{body}\n)" for n, body in steps]
        ctes += [_code_map(self.agency, list_name) for list_name in lists]
        answers = self._of_kind("answer")
        if answers:
            ctes.append(_answer_map(self.agency))
        joins = "".join(
            f"\nleft join code_{m.field.code_list} as _code__{m.name} on dated.{m.name} = _code__{m.name}.local_code"
            f"{_validity(self.agency, m.field)}"
            for m in coded
        )
        joins += "".join(
            f"\nleft join answer as _answer__{m.name} on upper(dated.{m.name}) = _answer__{m.name}.word"
            for m in answers
        )
        return "with " + ",\n".join(ctes) + f"\nselect\n    {_lines(self._final(), 4)}\nfrom dated{joins}\n"

    def pieces_sql(self) -> str:
        ctes = ",\n".join(f"{n} as (\n{body}\n)" for n, body in self._sourced())
        last = "exploded" if self.said.each else "source"
        where = f" where ({self.said.where})" if self.said.where and self.said.group else ""
        return f"with {ctes}\nselect count(*) from {last}{self._lookup_joins(last)}{where}"

    # -- from texts to the entity's texts

    def _sourced(self) -> list[tuple[str, str]]:
        padded, withheld = self.traits.padded, sorted({c for m in self.mapped for c in m.withheld_columns})
        trimmed = ["_row", *(f"trim({name(c)}) as {name(c)}" if c.lower() in padded else name(c) for c in self.used)]
        source = ["_row", *(_clean(self.agency, c) for c in self.used)]
        source += [f"{_any_of(name(c), self.agency.withheld)} as {name('_withheld_' + c)}" for c in withheld]
        steps = [("trimmed", _select(trimmed, "raw")), ("source", _select(source, "trimmed"))]
        if self.said.each:
            items = [
                "*",
                f"unnest({self.said.each}) as item",
                f"generate_subscripts({self.said.each}, 1) as item_number",
            ]
            steps.append(("exploded", _select(items, "source")))
        return steps

    def _lookup_joins(self, source: str) -> str:
        joins = ""
        for lookup_name, lookup in self.mapping.lookups.items():
            columns = sorted({lookup.key, *self.mapping.looked_up(lookup_name)})
            # One struct named as the side table, so that its columns are never taken for the file's own.
            packed = ", ".join(f"{name(c)} := nullif(trim({name(c)}), '')" for c in columns)
            joins += (
                f"\n    left join (select distinct trim({name(lookup.key)}) as {name('_key__' + lookup_name)},"
                f" struct_pack({packed}) as {name(lookup_name)} from {name('lookup_' + lookup_name)})"
                f" as {name('_of__' + lookup_name)} on {name('_key__' + lookup_name)} = ({lookup.equals})"
            )
        return joins

    def _expressed(self) -> str:
        said, version, grouped = self.said, self.mapping.feed.version, bool(self.said.group)
        column = version.column if version else None
        of_version = f"cast({name(column)} as varchar)" if column else text(self.file_version or "")
        items = ["min(_row) as _row" if grouped else "_row", "item_number as _part" if said.each else "1 as _part"]
        items.append(f"{f'max({of_version})' if grouped and column else of_version} as _version")
        for m in self.mapped:
            items.append(f"cast(({source_sql(m.mapping)}) as varchar) as {m.name}")
            if m.withheld_columns and m.field.kind in ("code", "codes", "answer"):
                items.append(f"{self._is_withheld(m)} as _withheld__{m.name}")
        items.append(f"{self._withheld_fields()} as withheld_fields")
        items.append(f"{self._extras()} as extras")
        source = "exploded" if said.each else "source"
        sql = _select(items, source) + self._lookup_joins(source)
        if said.where:
            sql += f"\n    where ({said.where})"
        if grouped:
            sql += "\n    group by " + ", ".join(f"({key})" for key in said.group)
        return sql

    def _extras(self) -> str:
        if not self.extras:
            return "cast(null as varchar)"
        return "cast(json_object(" + ", ".join(f"{text(c)}, {name(c)}" for c in self.extras) + ") as varchar)"

    def _flag(self, column: str) -> str:
        flag = name("_withheld_" + column)
        return f"coalesce(bool_or({flag}), false)" if self.said.group else f"coalesce({flag}, false)"

    def _is_withheld(self, m: _Mapped) -> str:
        return "(" + " or ".join(self._flag(c) for c in m.withheld_columns) + ")"

    def _withheld_fields(self) -> str:
        """Names of the fields whose source value was withheld, sorted, with commas between."""
        flagged = [m for m in sorted(self.mapped, key=lambda m: m.name) if m.withheld_columns]
        if not flagged:
            return "''"
        listed = ", ".join(f"case when {self._is_withheld(m)} then {text(m.name)} end" for m in flagged)
        any_column = " or ".join(self._flag(c) for c in sorted({c for m in flagged for c in m.withheld_columns}))
        return f"case when {any_column} then concat_ws(',', {listed}) else '' end"

    # -- from texts to values

    def _typed(self) -> str:
        items = ["*"]
        for m in self.timed:
            if m.mapping.zone == "UTC":
                instant = f"timezone('UTC', {_parsed_time(m)})"
                items.append(f"{instant} as _at__{m.field.stem}")
                items.append(f"timezone({text(self.zone)}, {instant}) as _local__{m.field.stem}")
            else:
                items.append(f"{_parsed_time(m)} as _local__{m.field.stem}")
        items += [f"{_number(m)} as _number__{m.name}" for m in self._of_kind("integer", "decimal")]
        items += [f"cast({_parsed_time(m, 'date')} as date) as _date__{m.name}" for m in self._of_kind("date")]
        return _select(items, "expressed")

    def _wrapped(self, before: str) -> str:
        """Times that share one printed date: a day is added where the order of events proves that midnight passed."""
        first, *rest = self.one_date
        steps, last = [], f"_local__{first.field.stem}"
        for m in rest:
            local, fixed = f"_local__{m.field.stem}", f"_fixed__{m.field.stem}"
            passed = f"{local} < {last} and {local} + interval 1 day - {last} <= interval 12 hours"
            steps.append(f"case when {passed} then {local} + interval 1 day else {local} end as {fixed}")
            steps.append(f"coalesce({fixed}, {last}) as _last__{m.field.stem}")
            last = f"_last__{m.field.stem}"
        replaced = ", ".join(f"_fixed__{m.field.stem} as _local__{m.field.stem}" for m in rest)
        kept = ", ".join(f"_local__{m.field.stem} as _sent__{m.field.stem}" for m in rest)
        return f"    select * replace ({replaced}), {kept}\n    from {_chain(before, steps)}"

    def _clocked(self, before: str) -> str:
        """The code that holds on the clock at each time."""
        items = [
            f"{clock.code_sql(f'_local__{m.field.stem}', self.zone, *self.years)} as _clock__{m.field.stem}"
            for m in self.on_clock
        ]
        return _select(["*", *items], before)

    def _fixed_instants(self, before: str) -> str:
        """The instant of each time on a clock that is never changed."""
        ahead = clock.offset_codes(self.zone, *self.years)[0][1] * 1_000_000
        stems = [m.field.stem for m in self.on_clock]
        return _select(
            ["*", *(f"make_timestamptz(epoch_us(_local__{s}) - {ahead}) as _at__{s}" for s in stems)], before
        )

    def _instants(self, before: str) -> str:
        """The instant of each time: the later one where two are possible."""
        items = [
            f"{clock.instant_sql(f'_local__{m.field.stem}', f'_clock__{m.field.stem}', self.zone)} as _at__{m.field.stem}"
            for m in self.on_clock
        ]
        odd = " or ".join(clock.is_odd_sql(f"_clock__{m.field.stem}") for m in self.on_clock)
        return _select(["*", *items, f"coalesce({odd}, false) as _is_odd"], before)

    def _ordered(self, before: str) -> str:
        """Hours that the clock shows twice or skips are decided where the order of events leaves one instant.

        _low is the earliest instant that the times before allow, _high the latest that those after it allow.
        """
        steps, earliest, latest = [], "cast(null as timestamptz)", "cast(null as timestamptz)"
        for m in self.in_order:
            stem, low = m.field.stem, f"_at__{m.field.stem}"
            if m in self.on_clock:
                early = f"_at__{stem} - to_seconds({clock.gap_sql(f'_clock__{stem}')})"
                fits = f"{clock.is_odd_sql(f'_clock__{stem}')} and coalesce({early} >= {earliest}, true)"
                low = f"case when {fits} then {early} else _at__{stem} end"
            steps.append(f"case when _is_odd then coalesce({low}, {earliest}) end as _low__{stem}")
            earliest = f"_low__{stem}"
        for m in reversed(self.in_order):
            stem, high = m.field.stem, f"_at__{m.field.stem}"
            if m in self.on_clock:
                early = f"_at__{stem} - to_seconds({clock.gap_sql(f'_clock__{stem}')})"
                late = f"{clock.is_odd_sql(f'_clock__{stem}')} and _at__{stem} > {latest}"
                high = f"case when {late} then {early} else _at__{stem} end"
            steps.append(f"case when _is_odd then coalesce({high}, {latest}) end as _high__{stem}")
            latest = f"_high__{stem}"
        replaced = ", ".join(
            f"case when _is_odd and _at__{m.field.stem} is not null and _low__{m.field.stem} = _high__{m.field.stem}"
            f" then _low__{m.field.stem} else _at__{m.field.stem} end as _at__{m.field.stem}"
            for m in self.decided
        )
        return f"    select * replace ({replaced})\n    from {_chain(before, steps)}"

    def _stamp_imputed(self) -> str:
        """Times that are not as sent or not certain, as field:rule, sorted."""
        listed, asked = [], ["_is_odd"] if self.has_changes else []
        for m in sorted(self.on_clock, key=lambda m: m.name):
            stem = m.field.stem
            if m in self.one_date[1:]:
                passed = f"_local__{stem} is distinct from _sent__{stem}"
                asked.append(passed)
                listed.append(f"case when {passed} then {text(m.name + ':midnight_rollover')} end")
            if self.has_changes:
                by_order = (
                    f"when _low__{stem} = _high__{stem} then {text(m.name + ':dst_by_order')} "
                    if m in self.decided
                    else ""
                )
                listed.append(
                    f"case when {clock.is_odd_sql(f'_clock__{stem}')} then case {by_order}"
                    f"when {clock.is_twice_sql(f'_clock__{stem}')} then {text(m.name + ':dst_ambiguous')}"
                    f" else {text(m.name + ':dst_skipped')} end end"
                )
        if not listed:
            return "''"
        return f"case when {' or '.join(asked)} then concat_ws(',', {', '.join(listed)}) else '' end"

    def _dated(self, before: str) -> str:
        by_name = {m.name: m for m in self.mapped}
        sources = [by_name[n] for n in self.entity.month_from if n in by_name]
        local = [f"_local__{m.field.stem}" if m.field.kind == "timestamp" else f"_date__{m.name}" for m in sources]
        event = (
            f"coalesce({', '.join(f'cast({c} as timestamp)' for c in local)})" if local else "cast(null as timestamp)"
        )
        basis = " ".join(
            f"when {c} is not null then {text('reported' if m.name in REPORT_TIMES else 'event')}"
            for m, c in zip(sources, local, strict=True)
        )
        items = [
            "*",
            f"{event} as _event_local",
            f"coalesce(left(cast({event} as varchar), 7), 'unknown') as month",
            f"case {basis} else 'unknown' end as month_basis" if basis else "'unknown' as month_basis",
        ]
        items.append(f"{self._stamp_imputed()} as stamp_imputed")
        return _select(items, before)

    # -- the entity's columns

    def _final(self) -> list[str]:
        """Select items for all input and identity columns of the entity, in the standard's order."""
        by_name = {m.name: m for m in self.fields}
        key_parts = []
        for part in self.entity.key:
            m = by_name.get(part) or by_name[part.removesuffix("_local") + "_code"]
            key_parts.append(f"coalesce(dated.{m.name}, '-')" if m.mapping else "'-'")
        out = [f"{text(self.agency.id)} as agency_id", f"{_id(self.agency, tuple(key_parts))} as {self.entity.id}"]
        out += ["month", "month_basis"]
        for m in self.fields:
            is_own_number = m.field.kind == "number" and m.field.stem + "_id" == self.entity.id
            out += [_text_column(m)] if is_own_number else self._field_columns(m)
        out += ["withheld_fields", "stamp_imputed", "extras", f"{text(self.source_file)} as source_file"]
        out += ["_row as source_row", "cast(_part as integer) as source_part", "_version"]
        out.append(f"{self._broken()} as _broken")
        return out

    def _field_columns(self, m: _Mapped) -> list[str]:
        """Select items of one field."""
        field, stem, value = m.field, m.field.stem, f"dated.{m.name}"
        is_withheld = f"_withheld__{m.name}" if m.withheld_columns else "false"
        if not m.mapping and m.name in NARRATIVE_FIELDS and self.reads_narrative:
            answer, kinds = narrative_sql("dated.narrative")
            return (
                [f"{answer} as narrative_bh"]
                if m.name == "narrative_bh"
                else [f"{kinds} as narrative_bh_kind_codes", "cast(null as varchar) as narrative_bh_kind_local"]
            )
        if not m.mapping:
            return [f"cast({c.unfilled} as {c.type}) as {c.name}" for c in field.columns()]
        if field.kind == "answer":
            answer = f"when {value} is null then 'not_recorded' else _answer__{m.name}.code"
            return [f"case when {is_withheld} then 'withheld' {answer} end as {m.name}"]
        if field.kind in ("code", "codes"):
            missing = f"case when {is_withheld} then 'withheld' when {value} is null then 'not_recorded' else"
            if field.kind == "code":
                found = f"coalesce(_code__{m.name}.standard_code, {_by_pattern(self.agency, field.code_list, value)}, 'other')"
            else:
                item = f"lambda part: {_code_of_item(self.agency, field.code_list, 'trim(part)')}"
                parts = (
                    f"list_filter(string_split({value}, {text(m.mapping.separator)}), lambda part: trim(part) <> '')"
                )
                found = f"array_to_string(list_sort(list_distinct(list_transform({parts}, {item}))), '|')"
            return [f"{missing} {found} end as {m.name}", f"{value} as {stem}_local"]
        if field.kind == "timestamp":
            local = f"_sent__{stem}" if m in self.one_date[1:] else f"_local__{stem}"
            # The text is kept only where the local clock does not already print it.
            return [
                f"_at__{stem} as {m.name}",
                f"_local__{stem} as {stem}_local_at",
                f"case when {value} <> cast({local} as varchar) or {local} is null then {value} end as {stem}_raw",
            ]
        if field.kind == "date":
            day = f"_date__{m.name}"
            return [
                f"{day} as {m.name}",
                f"case when {value} <> cast({day} as varchar) or {day} is null then {value} end as {stem}_raw",
            ]
        if field.kind in ("integer", "decimal"):
            return [f"_number__{m.name} as {m.name}"]
        if field.kind == "number" and field.refers_to:
            giver = m.mapping.of_agency or self.agency.id
            return [f"{value} as {m.name}", f"{text(giver + ':')} || {value} as {stem}_id"]
        return [_text_column(m)]

    def _broken(self) -> str:
        """The first rule that a row breaks and the field that breaks it, as rule:field."""
        keys = [m for m in self.mapped if m.field.required and m.field.kind == "number"]
        cases = [("required", m.name, f"dated.{m.name} is null") for m in keys]
        for m in self.timed:
            sent = f"dated.{m.name}"
            not_read = f"_local__{m.field.stem} is null"
            if not m.mapping.format and m.mapping.zone == "agency":
                # A text that brings its own offset would be read as if the agency's clock showed it.
                not_read += f" or (length({sent}) > 19 and regexp_matches({sent}, {text(OFFSET)}))"
            cases.append(("not_a_time", m.name, f"{sent} is not null and ({not_read})"))
        numbers, dates = self._of_kind("integer", "decimal"), self._of_kind("date")
        cases += [
            ("not_a_number", m.name, f"dated.{m.name} is not null and _number__{m.name} is null") for m in numbers
        ]
        cases += [("not_a_date", m.name, f"dated.{m.name} is not null and _date__{m.name} is null") for m in dates]
        cases += [
            ("not_an_answer", m.name, f"dated.{m.name} is not null and _answer__{m.name}.code is null")
            for m in self._of_kind("answer")
        ]
        outside = f"month <> 'unknown' and month not between {text(self.months[0])} and {text(self.months[1])}"
        cases.append(("month_out_of_range", "month", outside))
        return "case " + " ".join(f"when {c} then {text(f'{r}:{f}')}" for r, f, c in cases) + " end"


OFFSET = r"(Z|[+-]\d\d(:?\d\d)?)$"


def _parsed_time(m: _Mapped, kind: str = "timestamp") -> str:
    """SQL of a field's text as a timestamp, by its formats; null where it is none."""
    if not m.mapping.format:
        return f"try_cast({m.name} as {kind})"
    return f"coalesce({', '.join(_in_format(m.name, f) for f in m.mapping.format)})"


def _number(m: _Mapped) -> str:
    """SQL of a field's text as a number; null where it is none. A cast alone would round 3.7 to a whole 4."""
    cast = f"try_cast({m.name} as {m.field.physical_type})"
    if m.field.kind == "integer":
        return f"case when not contains({m.name}, '.') or try_cast({m.name} as double) = {cast} then {cast} end"
    return cast


def _in_format(value: str, written: str) -> str:
    if written in EPOCHS:
        return f"make_timestamp(try_cast({value} as bigint) * {EPOCHS[written]})"
    if written.endswith(HHMM):
        day = written.removesuffix(HHMM).rstrip() or "%Y-%m-%d"
        # 5 is 00:05; a number without a date before it has no day, and a clock shows neither 24:00 nor 12:61.
        apart = f"regexp_replace({value}, ' (\\d+)$', '')"
        number = f"regexp_extract({value}, ' (\\d{{1,4}})$', 1)"
        return f"try_strptime({apart} || ' ' || lpad({number}, 4, '0'), {text(day + ' %H%M')})"
    return f"try_strptime({value}, {text(written)})"


def _chain(before: str, steps: list[str]) -> str:
    """A relation with columns added one after the other, so that each may use those before it."""
    relation = before
    for step in steps:
        relation = f"(select *, {step} from {relation})"
    return relation if relation == before else f"{relation} as chained"


def _select(items: list[str], source: str) -> str:
    return f"    select\n        {_lines(items)}\n    from {source}"


def _lines(items: list[str], indent: int = 8) -> str:
    return (",\n" + " " * indent).join(items)


def _validity(agency: Agency, field: Field) -> str:
    """Extra join condition where the agency's codes of this list are dated."""
    if not any(r.valid_from or r.valid_to for r in agency.codes.get(field.code_list, ())):
        return ""
    alias = f"_code__{field.name}"
    return (
        f"\n    and cast(dated._event_local as date) >= coalesce({alias}.valid_from, date '0001-01-01')"
        f"\n    and cast(dated._event_local as date) <= coalesce({alias}.valid_to, date '9999-12-31')"
    )


def _id(agency: Agency, parts: tuple[str, ...]) -> str:
    return text(agency.id + ":") + " || " + " || ':' || ".join(parts)


def _text_column(m: _Mapped) -> str:
    return f"dated.{m.name} as {m.name}" if m.mapping else f"cast(null as varchar) as {m.name}"


ONE_YEAR = ("2024-01", "2024-12")  # a short calendar tells as well whether a mapping is valid


_found_valid: set[str] = set()  # fingerprints of mappings that this process has checked


def check_agency(agency: Agency) -> None:
    """Compiles every mapping of the agency and binds it in DuckDB over an empty file with the columns it names.

    Raises AgencyError naming the feed, entity and field, before any file is read.
    """
    if agency.mapping_fingerprint in _found_valid:
        return
    with connect() as con:
        for feed_name, feed in agency.feeds.items():
            for variant, layout in feed.layouts().items():
                place = f"{agency.folder / 'agency.yml'}: feeds.{feed_name}" + (
                    f".variants.{variant}" if variant else ""
                )
                _check_layout(con, agency, feed_name, layout, place)
    _found_valid.add(agency.mapping_fingerprint)


def _check_layout(con, agency: Agency, feed_name: str, layout: Feed, place: str) -> None:
    _empty(con, "raw", [*source_columns(agency, feed_name, layout), *agency.columns], ["_row bigint"])
    for entity_name, said in layout.entities.items():
        mapping = _Mapping(agency, feed_name, layout, entity_name)
        for lookup_name, lookup in mapping.lookups.items():
            _empty(con, f"lookup_{lookup_name}", [lookup.key, *mapping.looked_up(lookup_name)])
        joins = _Compiler(mapping, "", None, ONE_YEAR, None)._lookup_joins("raw")
        item = f", unnest({said.each}) as item, 1 as item_number" if said.each else ""
        group = f" group by {', '.join(f'({key})' for key in said.group)}" if said.group else ""
        asked = [("where", said.where, ""), ("each", said.each, "")]
        asked += [(f"fields.{f}", source_sql(m), group) for f, m in said.fields.items()]
        for part, expression, grouped in asked:
            if expression:
                try:
                    con.execute(f"select {expression} from (select *{item} from raw) as raw{joins}{grouped}")
                except duckdb.Error as error:
                    raise AgencyError(
                        f"{place}.entities.{entity_name}.{part}: not valid SQL: {str(error).splitlines()[0]}"
                    ) from error
        con.execute(f"explain {compile_entity(agency, feed_name, entity_name, '', None, ONE_YEAR, layout=layout)}")


def _once(columns: Iterable[str]) -> list[str]:
    """The columns sorted, each once: SQL does not tell upper case from lower."""
    return sorted({c.lower(): c for c in sorted(columns, reverse=True)}.values())


def _empty(con, table: str, columns: list[str], first: list[str] = ()) -> None:
    declared = ", ".join([*first, *(f"{name(c)} varchar" for c in _once(columns))])
    con.execute(f"create or replace table {name(table)} ({declared})")
