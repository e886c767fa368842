"""The data dictionary: Markdown pages of entities and code lists, for those who keep the records."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.standard.codes import CodeTable
from orchestration.standard.contract import FAMILIES, Entity, Field
from orchestration.standard.markdown import cell, code, page, table
from orchestration.standard.staging import HOW_TO_CHANGE, sentence

FAMILY_TITLES = {
    "cad": "Dispatch (CAD)",
    "field": "Field contacts",
    "program": "Programs and outcomes",
    "staffing": "Staffing and training",
    "reference": "Reference",
}
KIND_WORDS = {
    "text": "text",
    "number": "record number",
    "code": "code",
    "codes": "several codes",
    "answer": "answer",
    "integer": "whole number",
    "decimal": "decimal number",
    "date": "date",
    "timestamp": "date and time",
    "boolean": "true or false",
}
# What each type means to somebody who fills it in.
KIND_HELP = {
    "text": "Any text.",
    "number": "The agency's own number of a record, as it stands in its system; letters, dashes and leading zeros stay.",
    "code": "One code of the list. An agency may send its own codes and translate them with a table.",
    "codes": "Any number of codes of the list, with | between.",
    "answer": "yes, no, unknown, not_recorded, not_applicable, refused or withheld. Unknown is not no.",
    "integer": "A number without a fraction, such as 45.",
    "decimal": "A number that may have a fraction, with a point, such as 12.50.",
    "date": "A day, as YYYY-MM-DD.",
    "timestamp": "A day and time on the agency's own clock, as YYYY-MM-DD HH:MM:SS.",
    "boolean": "true or false; only in tables that the warehouse itself fills.",
}
CLASS_HELP = {
    "identifying": (
        "Tells who somebody is: name, birth date, address, phone, free text."
        " Goes to the identity store and nowhere else."
    ),
    "sensitive": "Health, force, charges, places and the like: no name, but it may harm if told of one person.",
    "neither": "Neither of the two.",
}
TIER_HELP = {
    "identity": "The identity store only.",
    "internal": "Record-level tables, for those who may read records.",
    "care": "Enrollment, diagnosis, substance use, consent and program records, for those who care for people.",
    "general": "Tables without any person's or officer's record and without small cells.",
}


def generated_note(what: str) -> str:
    return f"<!-- Generated from {what}; {HOW_TO_CHANGE} -->"


def title(entity: Entity) -> str:
    return entity.noun[0].upper() + entity.noun[1:]


def kind_words(field: Field) -> str:
    """The type of a field, with its unit."""
    return f"{KIND_WORDS[field.kind]}, {field.unit}" if field.unit else KIND_WORDS[field.kind]


def presence_words(field: Field) -> str:
    """required (and whether no row may lack it), optional, or conditional and when."""
    said = f"{field.presence}, in every row" if field.required else field.presence
    return f"{said}: {field.condition}" if field.condition else said


def _allowed(field: Field, standard: Mapping[str, Entity]) -> str:
    if field.code_list:
        return f"[{field.code_list}](codes/{field.code_list}.md)"
    if field.kind == "answer":
        return "[answer](codes/answer.md)"
    if field.refers_to:
        known = field.refers_to in standard
        return f"number of [{field.refers_to}]({field.refers_to}.md)" if known else f"number of {field.refers_to}"
    return ""


def _field_row(field: Field, standard: Mapping[str, Entity]) -> list[str]:
    return [
        code(field.name),
        cell(field.description),
        cell(kind_words(field)),
        _allowed(field, standard),
        cell(presence_words(field)),
        f"{field.classification}, {field.tier}",
        cell(field.source or ""),
        ", ".join(code(e) for e in field.examples),
    ]


FIELD_HEADER = [
    "field", "what it means", "type and unit", "allowed values", "needed", "class and tier", "standard, and its name there",
    "example",
]  # fmt: skip


def _key_words(entity: Entity) -> str:
    parts = ", ".join(code(part) for part in entity.key)
    return f"{parts}, within the agency. In the warehouse: {code(entity.id)}." if entity.is_mapped else f"{parts}."


def entity_page(entity: Entity, standard: Mapping[str, Entity]) -> str:
    """The page of one entity."""
    months = " else ".join(code(m) for m in entity.month_from)
    facts = [
        f"- **Grain:** {entity.grain.removesuffix('.')}.",
        f"- **Key:** {_key_words(entity)}",
        f"- **Month:** that of {months}." if months else "",
        f"- **Belongs to:** [{entity.parent}]({entity.parent}.md); a new version replaces all rows of its parent."
        if entity.parent
        else "",
        "- **Comes from:** " + ("agencies' files." if entity.is_mapped else "the warehouse itself; agencies do not send it."),
        f"- **Family:** {FAMILY_TITLES[entity.family]}. **Version:** {entity.version}.",
    ]  # fmt: skip
    identifying = [f for f in entity.fields if f.is_identifying]
    derived = [
        [code(d.name), cell(d.description), cell(f"{d.type}, {d.unit}" if d.unit else d.type), cell(d.transform)]
        for d in entity.derived
    ]
    return page(
        f"# {title(entity)} (`{entity.name}`)",
        generated_note(f"seeds/standard/{entity.name}.yml"),
        sentence(entity.description),
        [f for f in facts if f],
        "## Fields",
        table(FIELD_HEADER, (_field_row(f, standard) for f in entity.fields if not f.is_identifying)),
        "## Identifying fields" if identifying else "",
        "These go to the identity store and nowhere else; no table of the warehouse holds them." if identifying else "",
        table(FIELD_HEADER, (_field_row(f, standard) for f in identifying)) if identifying else "",
        "## Columns that the warehouse adds" if derived else "",
        table(["column", "what it means", "type and unit", "how it is made"], derived) if derived else "",
        "[All entities and code lists](README.md)",
    )


def _users(list_name: str, standard: Mapping[str, Entity]) -> list[tuple[Entity, Field]]:
    return [
        (e, f)
        for e in standard.values()
        for f in e.fields
        if f.code_list == list_name or (list_name == "answer" and f.kind == "answer")
    ]


def code_page(codes: CodeTable, standard: Mapping[str, Entity]) -> str:
    """The page of one code list: its file as a table, and the fields that use it."""
    users: dict[str, list[str]] = {}
    for entity, field in _users(codes.name, standard):
        users.setdefault(entity.name, []).append(code(field.name))
    listed = [f"- [{name}](../{name}.md): {', '.join(fields)}" for name, fields in users.items()]
    first = [code(row[0]) for row in codes.rows]
    rows = [[c, *(cell(v) for v in row[1:])] for c, row in zip(first, codes.rows, strict=True)]
    return page(
        f"# Codes: {codes.name.replace('_', ' ')}",
        generated_note(f"seeds/codes/codes_{codes.name}.csv"),
        table([cell(c) for c in codes.columns], rows),
        "Used by:" if listed else "No field of an agency's file uses this list; the warehouse itself does.",
        listed,
        "[All entities and code lists](../README.md)",
    )


def index_page(standard: Mapping[str, Entity], lists: Mapping[str, CodeTable]) -> str:
    """The index: entities by family, how to read the tables, and the code lists."""
    blocks: list[str | list[str]] = [
        "# Data dictionary",
        generated_note("seeds/standard and seeds/codes"),
        "What the data standard asks for, one page an entity, and the code lists."
        " [warehouse.md](warehouse.md) has the tables that the warehouse publishes,"
        " and [../standard.md](../standard.md) says how the standard is made and changed.",
    ]
    for family in FAMILIES:
        rows = [
            [f"[{e.name}]({e.name}.md)", cell(sentence(e.description)), cell(sentence(e.grain)), str(len(e.fields))]
            for e in standard.values()
            if e.family == family
        ]
        if rows:
            blocks += [f"## {FAMILY_TITLES[family]}", table(["entity", "what it is", "grain", "fields"], rows)]
    used = [name for name in lists if _users(name, standard)]
    blocks += [
        "## How to read a page",
        "**Type:** what a value looks like.",
        table(["type", "what to write"], ([KIND_WORDS[k], cell(KIND_HELP[k])] for k in KIND_WORDS)),
        "**Needed:** *required* fields are always expected; those *in every row* must be mapped, and a row without its"
        " number is rejected. *Conditional* fields are expected where the condition holds."
        " *Optional* fields are sent if the agency has them."
        " What an agency does not send is *not recorded*, which is never read as no.",
        "**Class:** what a value could tell about a person.",
        table(["class", "what it is"], ([k, cell(v)] for k, v in CLASS_HELP.items())),
        "**Tier:** who may read it.",
        table(["tier", "where it goes"], ([k, cell(v)] for k, v in TIER_HELP.items())),
        "## Code lists",
        table(["list", "codes"], ([f"[{n}](codes/{n}.md)", str(len(lists[n].rows))] for n in used)),
        "Tables that the warehouse itself uses: "
        + ", ".join(f"[{n}](codes/{n}.md)" for n in lists if n not in used)
        + ".",
    ]
    return page(*blocks)
