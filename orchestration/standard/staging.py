"""Staging as the standard says it: columns with their descriptions, dbt contracts, SQL, and dbt's list of sources;
and the marts that publish a staging table as it is."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestration.standard.contract import Entity, Field

HOW_TO_CHANGE = "do not edit; change that and run `crisis standard write`."
SQL_WIDTH = 120


@dataclass(frozen=True)
class StagedColumn:
    """One column of a staging model, as its contract says it."""

    name: str
    type: str
    description: str
    tier: str = "internal"
    unit: str | None = None
    never_null: bool = False


MONTH = (
    "Month of the event on the agency's own clock, as YYYY-MM, or 'unknown' where no time tells it."
    " Rows are rebuilt by agency and month."
)
WITHHELD_FIELDS = "Fields of this row that the source holds but keeps back, sorted and comma-separated; empty if none."
STAMP_IMPUTED = (
    "Times of this row that are not as sent, or not certain, as field:rule, sorted and comma-separated; empty if none."
    " midnight_rollover: a day was added, which the order of events proves. dst_by_order: the clock showed the time"
    " twice or never, and the order of events decides. dst_ambiguous, dst_skipped: it does not; the time may be an"
    " hour off."
)
EXTRAS = "The agency's own columns that it classes as not sensitive, as JSON with sorted keys; null if none."


def _with(description: str, what: str, mark: str = ",") -> str:
    """A description with what a column adds to it; its own sentence where there are several already."""
    said = description.rstrip().removesuffix(".")
    if ". " in said:
        return f"{said}. {what[0].upper()}{what[1:]}."
    return f"{said}{mark} {what}."


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _key_description(entity: Entity) -> str:
    words = []
    for part in entity.key:
        is_local = part.endswith("_local") and entity.field(part) is None
        name = part.removesuffix("_local").removesuffix("_code").replace("_", " ")
        words.append(f"{name} as the agency wrote it" if is_local else name)
    return f"Key of the {entity.noun}: {_listed(['agency', *words])}."


def _field_columns(field: Field, standard: Mapping[str, Entity]) -> list[StagedColumn]:
    """The columns of one field that staging keeps: all but the texts as they came (`_raw`)."""
    first, *more = field.columns()
    said = field.description
    if field.kind == "timestamp":
        local = more[0]
        return [
            StagedColumn(first.name, first.type, _with(said, "as an instant (UTC)"), field.tier),
            StagedColumn(local.name, local.type, _with(said, "on the agency's own clock"), field.tier),
        ]
    if field.kind in ("code", "codes"):
        coded = "a code" if field.kind == "code" else "codes, sorted and with | between,"
        return [
            StagedColumn(first.name, first.type, _with(said, f"as {coded} of the list {field.code_list}"), field.tier),
            StagedColumn(more[0].name, more[0].type, _with(said, "as the agency wrote it"), field.tier),
        ]
    if field.kind == "answer":
        said = _with(said, "yes, no, or why it is not known", ":")
    columns = [StagedColumn(first.name, first.type, said, field.tier, field.unit)]
    if field.kind == "number" and field.refers_to:
        target = standard[field.refers_to].noun if field.refers_to in standard else field.refers_to.replace("_", " ")
        key = f"Key of the {target} that the number names: agency and number."
        columns.append(StagedColumn(more[0].name, more[0].type, key, field.tier))
    return columns


def staged_columns(entity: Entity, standard: Mapping[str, Entity]) -> list[StagedColumn]:
    """All columns of stg_<entity>, in order; identifying fields, raw texts and the row's address stay behind."""
    head = [
        StagedColumn("agency_id", "varchar", "The agency, as its folder names it.", never_null=True),
        StagedColumn(entity.id, "varchar", _key_description(entity), never_null=True),
        StagedColumn("month", "varchar", MONTH, never_null=True),
        StagedColumn("month_basis", "varchar", "Where the month comes from: event, reported, or unknown."),
    ]
    fields = [f for f in entity.fields if not f.is_identifying]
    body = [c for f in fields for c in _field_columns(f, standard) if c.name != entity.id]
    added = [StagedColumn(d.name, d.type, d.description, d.tier, d.unit, d.never_null) for d in entity.derived]
    tail = [
        StagedColumn("withheld_fields", "varchar", WITHHELD_FIELDS),
        StagedColumn("stamp_imputed", "varchar", STAMP_IMPUTED),
        StagedColumn("extras", "varchar", EXTRAS),
    ]
    return [*head, *body, *added, *tail]


def _quoted(text: str) -> str:
    """A double-quoted YAML scalar."""
    return json.dumps(text, ensure_ascii=False)


def _scalar(text: str) -> str:
    """A YAML scalar inside of braces: plain where it is one word, else quoted."""
    return text if re.fullmatch(r"[a-z][a-z0-9_]*", text) else _quoted(text)


def _column_line(column: StagedColumn) -> str:
    unit = f", unit: {_scalar(column.unit)}" if column.unit else ""
    constraints = ", constraints: [{type: not_null}]" if column.never_null else ""
    return (
        f"      - {{name: {column.name}, data_type: {_scalar(column.type)}, description: {_quoted(column.description)},"
        f" config: {{meta: {{tier: {column.tier}{unit}}}}}{constraints}}}"
    )


def sentence(text: str) -> str:
    """The text with a capital at its start and a full stop at its end."""
    return text[0].upper() + text[1:].rstrip().removesuffix(".") + "."


def _contract(entity: Entity, standard: Mapping[str, Entity], name: str, grain: str) -> str:
    tier = "care" if entity.is_care else "internal"
    columns = [replace(c, tier=tier) if c.tier == "internal" else c for c in staged_columns(entity, standard)]
    lines = [
        f"# Generated from seeds/standard/{entity.name}.yml; {HOW_TO_CHANGE}",
        "version: 2",
        "",
        "models:",
        f"  - name: {name}",
        f"    description: {_quoted(f'{sentence(entity.description)} {grain}')}",
        "    config:",
        "      meta:",
        f"        tier: {tier}",
        f"        primary_key: [agency_id, {entity.id}]",
        "        lookback_months: 0",
        "        lookahead_months: 0",
        "    columns:",
        *(_column_line(c) for c in columns),
    ]
    return "\n".join(lines) + "\n"


def contract_yml(entity: Entity, standard: Mapping[str, Entity]) -> str:
    """dbt's contract of stg_<entity>."""
    grain = sentence(f"{entity.grain.removesuffix('.')}, current version")
    return _contract(entity, standard, f"stg_{entity.name}", grain)


def mart_contract_yml(entity: Entity, standard: Mapping[str, Entity]) -> str:
    """dbt's contract of fct_<entity>, for an entity whose staging table is published as it is."""
    return _contract(entity, standard, f"fct_{entity.name}", sentence(entity.grain))


def _select_all(entity: Entity, standard: Mapping[str, Entity], grain: str, relation: str) -> str:
    """A model that hands on every staged column of a relation, for the months of the window."""
    columns = ",\n        ".join(c.name for c in staged_columns(entity, standard))
    return (
        "".join(f"-- {line}\n" for line in textwrap.wrap(f"Grain: {grain}.", SQL_WIDTH - len("-- ")))
        + f"-- Generated from seeds/standard/{entity.name}.yml; {HOW_TO_CHANGE}\n"
        f"with {entity.name} as (\n"
        f"    select * from {{{{ {relation} }}}} as {entity.name}\n"
        f"    where {{{{ in_window('{entity.name}') }}}}\n"
        "),\n\n"
        f"final as (\n    select\n        {columns}\n    from {entity.name}\n)\n\n"
        "select * from final\n"
    )


def staging_sql(entity: Entity, standard: Mapping[str, Entity]) -> str:
    """The SQL of stg_<entity>, for an entity to which staging adds no column of its own."""
    grain = f"{entity.grain.removesuffix('.')}, current version"
    return _select_all(entity, standard, grain, f"source('input', '{entity.name}')")


def mart_sql(entity: Entity, standard: Mapping[str, Entity]) -> str:
    """The SQL of fct_<entity>, for an entity whose staging table is published as it is."""
    return _select_all(entity, standard, entity.grain.removesuffix("."), f"ref('stg_{entity.name}')")


def sources_yml(entities: Iterable[Entity]) -> str:
    """dbt's list of the input tables that agencies' files fill."""
    lines = [
        f"# Generated from seeds/standard; {HOW_TO_CHANGE}",
        "version: 2",
        "",
        "sources:",
        "  - name: input",
        '    description: "Agencies\' rows in the data standard, identifying fields left out."',
        "    schema: input",
        "    tables:",
    ]
    for entity in entities:
        said = f"{sentence(entity.description)} Current versions, of the window."
        lines += [f"      - name: {entity.name}", f"        description: {_quoted(said)}"]
    return "\n".join(lines) + "\n"


def columns_not_named(entity: Entity, standard: Mapping[str, Entity], sql: str) -> list[str]:
    """Columns of the standard that a hand-written staging model does not name; those it derives may be in macros."""
    added = {d.name for d in entity.derived}
    words = set(re.findall(r"\w+", sql))
    return [c.name for c in staged_columns(entity, standard) if c.name not in added | words]
