"""Compiles an agency's mapping to SQL that DuckDB runs over one landed file.

The SQL selects from a relation `raw` (all columns text, `_row` bigint) and gives one row per landed row to which
the entity applies: the entity's input columns, its identity columns, `_version`, and `_broken`, which names why a
row is rejected as rule:field (null when it is accepted).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import duckdb

from orchestration.agencies.clock import instant_sql
from orchestration.agencies.folder import Agency, AgencyError, EntityMapping, Feed
from orchestration.engine import connect
from orchestration.standard import Entity, Field, code_list, load_standard

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
REPORT_TIMES = ("reported_at", "entered_at")
RULES = {
    "required": "a required value is missing",
    "not_a_time": "the text is not a date and time; give YYYY-MM-DD HH:MM:SS or a mapping that makes it so",
    "not_a_number": "the text is not a whole number",
    "not_an_answer": "the text is no known answer; add it to the agency's codes/answer.csv",
    "month_out_of_range": "the month lies outside the calendar of the warehouse",
    "line_malformed": "the line does not have the columns of the header, or is not valid text",
}


def text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'


def _any_of(column: str, words: tuple[str, ...]) -> str:
    """Whether the column is one of the words; DuckDB would run an IN list as a join of its own."""
    return "(" + " or ".join(f"{column} = {text(w)}" for w in words) + ")"


def _columns_of(expression: str, where: str) -> tuple[str, ...]:
    """Source columns that an expression names, sorted. Raises AgencyError when it is not one plain expression."""
    columns, problem = _parsed(expression)
    if problem:
        raise AgencyError(f"{where}: {problem}")
    return columns


@cache
def _parsed(expression: str) -> tuple[tuple[str, ...], str]:
    """DuckDB's own reading of an expression: the columns it names, or what is wrong with it."""
    with connect() as con:
        said = json.loads(con.execute("select json_serialize_sql(?::varchar)", [f"select {expression}"]).fetchone()[0])
    if said["error"]:
        return (), f"not valid SQL: {said['error_message']}"
    node = said["statements"][0]["node"]
    columns, has_subquery = _walk(node["select_list"])
    is_plain = len(said["statements"]) == 1 and len(node["select_list"]) == 1 and node["from_table"]["type"] == "EMPTY"
    if not is_plain or has_subquery or node["where_clause"] or node["modifiers"]:
        return (), "give one SQL expression over the source's columns, not a statement or subquery"
    return tuple(sorted(columns)), ""


def _walk(node) -> tuple[set[str], bool]:
    """Column names in a serialized expression, and whether it holds a subquery."""
    if isinstance(node, list):
        found = [_walk(item) for item in node]
    elif isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            return {node["column_names"][-1]}, False
        if node.get("class") == "SUBQUERY":
            return set(), True
        found = [_walk(item) for item in node.values()]
    else:
        return set(), False
    return {c for columns, _ in found for c in columns}, any(sub for _, sub in found)


def source_columns(agency: Agency, feed_name: str) -> list[str]:
    """All source columns that a feed's mapping names, sorted: a file without one of them is refused."""
    feed, found = agency.feeds[feed_name], set()
    for entity_name, mapping in feed.entities.items():
        where = f"{agency.folder / 'agency.yml'}: feeds.{feed_name}.entities.{entity_name}"
        if mapping.where:
            found |= set(_columns_of(mapping.where, f"{where}.where"))
        for field, expression in mapping.fields.items():
            found |= set(_columns_of(expression, f"{where}.fields.{field}"))
    if feed.version and feed.version.column:
        found.add(feed.version.column)
    return sorted(found)


@dataclass(frozen=True)
class _Mapped:
    """One field of the entity with what its mapping says of it."""

    field: Field
    expression: str | None
    columns: tuple[str, ...]
    withheld_columns: tuple[str, ...]


@dataclass(frozen=True)
class Traits:
    """What cleaning one file needs: columns with padded values, and columns that hold a text for withheld."""

    padded: frozenset[str]
    withheld: frozenset[str]


def find_traits(con: duckdb.DuckDBPyConnection, agency: Agency, columns: list[str]) -> Traits:
    """Looks over `raw` once, so that no column is trimmed or searched that needs neither."""
    if not columns:
        return Traits(frozenset(), frozenset())
    asked = []
    for c in columns:
        words = [f"contains({name(c)}, {text(w)})" for w in agency.withheld]
        asked += [f"bool_or({name(c)} like ' %' or {name(c)} like '% ')", f"bool_or({' or '.join(words) or 'false'})"]
    said = con.execute(f"select {', '.join(asked)} from raw").fetchone()
    return Traits(
        padded=frozenset(c for c, found in zip(columns, said[::2], strict=True) if found),
        withheld=frozenset(c for c, found in zip(columns, said[1::2], strict=True) if found),
    )


def _clean(agency: Agency, column: str) -> str:
    """A trimmed source column with the agency's texts for missing and withheld turned into null."""
    special = sorted({"", *agency.missing, *agency.missing_by_column.get(column, ()), *agency.withheld})
    cleaned = name(column)
    for word in special:
        cleaned = f"nullif({cleaned}, {text(word)})"
    return f"{cleaned} as {name(column)}"


def _code_map(agency: Agency, list_name: str) -> str:
    """The agency's codes of one list as a CTE; without a CSV the standard codes stand for themselves."""
    rows = agency.codes.get(list_name)
    if rows is None:
        values = [(c, c, None, None) for c in code_list(list_name)]
    else:
        values = [(r.local_code, r.standard_code, r.valid_from, r.valid_to) for r in rows]
    body = ",\n".join(
        f"        ({text(a)}, {text(b)}, {f'date {text(str(f))}' if f else 'null'}, {f'date {text(str(t))}' if t else 'null'})"
        for a, b, f, t in values
    )
    return (
        f"code_{list_name}(local_code, standard_code, valid_from, valid_to) as (\n"
        f"    select local_code, standard_code, cast(valid_from as date), cast(valid_to as date)\n"
        f"    from (values\n{body}\n    ) as codes(local_code, standard_code, valid_from, valid_to)\n)"
    )


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
) -> str:
    """The SQL of one entity of one landed file.

    source_file: sha256 of the file. file_version: the version read off its name, if the feed has one.
    months: first and last month of the calendar. traits: what cleaning the file needs; all of it when not given.
    only: fields to map, the others stay empty. Raises AgencyError when an expression is not valid.
    """
    feed: Feed = agency.feeds[feed_name]
    mapping: EntityMapping = feed.entities[entity_name]
    entity = load_standard()[entity_name]
    where = f"{agency.folder / 'agency.yml'}: feeds.{feed_name}.entities.{entity_name}"
    fields = []
    for field in entity.fields:
        expression = mapping.fields.get(field.name) if only is None or field.name in only else None
        columns = _columns_of(expression, f"{where}.fields.{field.name}") if expression else ()
        shown = columns if traits is None else tuple(c for c in columns if c in traits.withheld)
        fields.append(_Mapped(field, expression, columns, shown if agency.withheld else ()))
    mapped = [m for m in fields if m.expression]
    used = {c for m in mapped for c in m.columns}
    if mapping.where:
        used |= set(_columns_of(mapping.where, f"{where}.where"))
    version_column = feed.version.column if feed.version else None
    if version_column:
        used.add(version_column)

    traits = traits or Traits(padded=frozenset(used), withheld=frozenset(used))
    withheld = sorted({c for m in mapped for c in m.columns} & traits.withheld) if agency.withheld else []
    source = ["_row", *(_clean(agency, c) for c in sorted(used))]
    source += [f"{_any_of(name(c), agency.withheld)} as {name('_withheld_' + c)}" for c in withheld]
    trimmed = ["_row", *(f"trim({name(c)}) as {name(c)}" if c in traits.padded else name(c) for c in sorted(used))]
    expressed = ["_row"]
    expressed.append(
        f"cast({name(version_column)} as varchar) as _version"
        if version_column
        else f"{text(file_version or '')} as _version"
    )
    for m in mapped:
        expressed.append(f"cast(({m.expression}) as varchar) as {m.field.name}")
        if m.withheld_columns and m.field.kind in ("code", "answer"):
            expressed.append(f"{_is_withheld(m)} as _withheld__{m.field.name}")
    expressed.append(f"{_withheld_fields(mapped)} as withheld_fields")
    timed = [m for m in mapped if m.field.kind == "timestamp"]
    typed = ["*", *(f"try_cast({m.field.name} as timestamp) as _local__{m.field.stem}" for m in timed)]
    numbers = [m for m in mapped if m.field.kind == "integer"]
    answers = [m for m in mapped if m.field.kind == "answer"]
    typed += [f"try_cast({m.field.name} as integer) as _number__{m.field.name}" for m in numbers]
    month_fields = [m for m in timed if m.field.name in entity.month_from]
    month_fields.sort(key=lambda m: entity.month_from.index(m.field.name))
    event_local = (
        f"coalesce({', '.join(f'_local__{m.field.stem}' for m in month_fields)})"
        if month_fields
        else "cast(null as timestamp)"
    )
    basis = " ".join(
        f"when _local__{m.field.stem} is not null then {text('reported' if m.field.name in REPORT_TIMES else 'event')}"
        for m in month_fields
    )
    dated = [
        "*",
        f"{event_local} as _event_local",
        f"coalesce(left(cast({event_local} as varchar), 7), 'unknown') as month",
        f"case {basis} else 'unknown' end as month_basis" if basis else "'unknown' as month_basis",
    ]

    lists = sorted({m.field.code_list for m in mapped if m.field.kind == "code"})
    coded_fields = [m for m in mapped if m.field.kind == "code"]
    joins = "\n".join(
        f"left join code_{m.field.code_list} as _code__{m.field.name} on dated.{m.field.name} = _code__{m.field.name}.local_code"
        f"{_validity(agency, m.field)}"
        for m in coded_fields
    )
    joins += "".join(
        f"\nleft join answer as _answer__{m.field.name} on upper(dated.{m.field.name}) = _answer__{m.field.name}.word"
        for m in answers
    )
    final = _final_columns(agency, entity, fields, months)
    final += [f"{text(source_file)} as source_file", "_row as source_row", "1 as source_part", "_version"]
    final.append(f"{_broken(mapped, numbers, answers, timed, months)} as _broken")
    ctes = [
        f"trimmed as (\n    select\n        {_lines(trimmed)}\n    from raw\n)",
        f"source as (\n    select\n        {_lines(source)}\n    from trimmed\n)",
        f"expressed as (\n    select\n        {_lines(expressed)}\n    from source\n"
        f"{f'    where ({mapping.where})' if mapping.where else ''}\n)",
        f"typed as (\n    select\n        {_lines(typed)}\n    from expressed\n)",
        f"dated as (\n    select\n        {_lines(dated)}\n    from typed\n)",
        *(_code_map(agency, list_name) for list_name in lists),
        *([_answer_map(agency)] if answers else []),
    ]
    return "with " + ",\n".join(ctes) + f"\nselect\n    {_lines(final, 4)}\nfrom dated\n{joins}\n"


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


def _final_columns(agency: Agency, entity: Entity, fields: list[_Mapped], months: tuple[str, str]) -> list[str]:
    """Select items for all input and identity columns of the entity, in the standard's order."""
    by_name = {m.field.name: m for m in fields}
    key_parts = []
    for part in entity.key:
        field = by_name.get(part) or by_name[part.removesuffix("_local") + "_code"]
        key_parts.append(f"coalesce(dated.{field.field.name}, '-')" if field.expression else "'-'")
    out = [f"{text(agency.id)} as agency_id", f"{_id(agency, tuple(key_parts))} as {entity.id}", "month", "month_basis"]
    for m in fields:
        out += _field_columns(agency, m, months) if m.field.stem + "_id" != entity.id else [_text_column(m)]
    out += ["withheld_fields", "'' as stamp_imputed", "cast(null as varchar) as extras"]
    return out


def _is_withheld(m: _Mapped) -> str:
    return "(" + " or ".join(f"coalesce({name('_withheld_' + c)}, false)" for c in m.withheld_columns) + ")"


def _withheld_fields(mapped: list[_Mapped]) -> str:
    """Names of the fields whose source value was withheld, sorted, with commas between."""
    flagged = [m for m in sorted(mapped, key=lambda m: m.field.name) if m.withheld_columns]
    if not flagged:
        return "''"
    listed = ", ".join(f"case when {_is_withheld(m)} then {text(m.field.name)} end" for m in flagged)
    any_column = " or ".join(sorted({name("_withheld_" + c) for m in flagged for c in m.withheld_columns}))
    return f"case when {any_column} then concat_ws(',', {listed}) else '' end"


def _text_column(m: _Mapped) -> str:
    return f"dated.{m.field.name} as {m.field.name}" if m.expression else f"cast(null as varchar) as {m.field.name}"


def _field_columns(agency: Agency, m: _Mapped, months: tuple[str, str]) -> list[str]:
    """Select items of one field; a field that the agency does not map is null or not_recorded."""
    field, stem = m.field, m.field.stem
    is_withheld = f"_withheld__{field.name}" if m.withheld_columns else "false"
    if field.kind == "answer":
        if not m.expression:
            return [f"'not_recorded' as {field.name}"]
        answer = f"when dated.{field.name} is null then 'not_recorded' else _answer__{field.name}.code"
        return [f"case when {is_withheld} then 'withheld' {answer} end as {field.name}"]
    if field.kind == "code":
        if not m.expression:
            return [f"'not_recorded' as {field.name}", f"cast(null as varchar) as {stem}_local"]
        code = (
            f"case when {is_withheld} then 'withheld' when dated.{field.name} is null then 'not_recorded'"
            f" else coalesce(_code__{field.name}.standard_code, 'other') end"
        )
        return [f"{code} as {field.name}", f"dated.{field.name} as {stem}_local"]
    if not m.expression:
        return [f"cast(null as {c.type}) as {c.name}" for c in field.columns()]
    if field.kind == "timestamp":
        local = f"_local__{stem}"
        instant = instant_sql(local, agency.agency.time_zone, int(months[0][:4]), int(months[1][:4]))
        # The text is kept only where the local clock does not already print it.
        return [
            f"{instant} as {field.name}",
            f"{local} as {stem}_local_at",
            f"case when dated.{field.name} <> cast({local} as varchar) or {local} is null then dated.{field.name} end as {stem}_raw",
        ]
    if field.kind == "integer":
        return [f"_number__{field.name} as {field.name}"]
    if field.kind == "number" and field.refers_to:
        number = f"dated.{field.name}"
        return [f"{number} as {field.name}", f"{text(agency.id + ':')} || {number} as {stem}_id"]
    return [_text_column(m)]


def _broken(mapped, numbers, answers, timed, months) -> str:
    """The first rule that a row breaks and the field that breaks it, as rule:field."""
    keys = [m for m in mapped if m.field.required and m.field.kind == "number"]
    cases = [("required", m.field.name, f"dated.{m.field.name} is null") for m in keys]
    cases += [
        ("not_a_time", m.field.name, f"dated.{m.field.name} is not null and _local__{m.field.stem} is null")
        for m in timed
    ]
    cases += [
        ("not_a_number", m.field.name, f"dated.{m.field.name} is not null and _number__{m.field.name} is null")
        for m in numbers
    ]
    cases += [
        ("not_an_answer", m.field.name, f"dated.{m.field.name} is not null and _answer__{m.field.name}.code is null")
        for m in answers
    ]
    outside = f"month <> 'unknown' and month not between {text(months[0])} and {text(months[1])}"
    cases.append(("month_out_of_range", "month", outside))
    return "case " + " ".join(f"when {c} then {text(f'{r}:{f}')}" for r, f, c in cases) + " end"


def check_agency(agency: Agency, months: tuple[str, str]) -> None:
    """Compiles every mapping of the agency and binds it in DuckDB over an empty file with the columns it names.

    Raises AgencyError naming the feed, entity and field, before any file is read.
    """
    path = agency.folder / "agency.yml"
    with connect() as con:
        for feed_name, feed in agency.feeds.items():
            columns = ", ".join(f"{name(c)} varchar" for c in source_columns(agency, feed_name))
            con.execute(f"create or replace table raw (_row bigint{', ' if columns else ''}{columns})")
            for entity_name, mapping in feed.entities.items():
                for field, expression in (("where", mapping.where), *mapping.fields.items()):
                    if expression is None:
                        continue
                    place = f"{path}: feeds.{feed_name}.entities.{entity_name}.{'where' if field == 'where' else f'fields.{field}'}"
                    try:
                        con.execute(f"select {expression} from raw")
                    except duckdb.Error as error:
                        message = str(error).splitlines()[0]
                        raise AgencyError(f"{place}: not valid SQL: {message}") from error
                con.execute(f"explain {compile_entity(agency, feed_name, entity_name, '', None, months)}")
