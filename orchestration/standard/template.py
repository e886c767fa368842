"""The text of an agency.yml: every entity and field of the standard with its meaning, commented out until wanted."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping

from orchestration.standard.contract import FAMILIES, Entity, Field
from orchestration.standard.dictionary import FAMILY_TITLES, kind_words, presence_words
from orchestration.standard.staging import sentence

WIDTH = 110
# Facts of an agency: name, what the template says until somebody knows better (None: left out), and its meaning.
FACTS = (
    ("agency_id", "my_agency", "The name of this folder: lower-case letters, digits and underscores."),
    ("agency_name", "My Agency", "The agency's full name."),
    ("agency_type_code", "police", "Kind of agency, such as police, sheriff or ems."),
    ("time_zone", "America/Chicago", "IANA name of the zone of its clock; change it if it is not yours."),
    ("state", None, "State, two letters."),
    ("county_fips", None, "County, by its five-digit federal code, in quotes."),
    ("ori", None, "Originating agency identifier of the FBI."),
    ("population_served", None, "People that live where the agency serves."),
    ("cad_vendor", None, "Maker of its dispatch system."),
    ("priority_direction_code", None, "Which end of its priority scale is urgent: 1_high or 1_low."),
    ("is_fictional", None, "true if the agency is made up, for tests and demonstrations."),
)
TEXTS = (
    ("linkable", "true", "Whether its records may be linked to a person's other records; false unless it says so."),
    ("missing", '["-"]', "Texts that mean nothing was recorded, in any column."),
    ("missing_by_column", '{Closed: ["1900-01-01 00:00:00"]}', "The same, of one column."),
    ("withheld", '["REDACTED"]', "Texts that stand for a value which is kept back; that is not missing."),
)


def yaml_scalar(value: str) -> str:
    """A YAML scalar: plain where nothing in it could be taken for anything else, else in double quotes."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_/]*( [A-Za-z0-9_/]+)*", value) and value.lower() not in _YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


_YAML_WORDS = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}


def agency_facts(facts: Mapping[str, str] | None = None) -> list[str]:
    """The lines of `agency:`; `facts` replace what the template says. Raises KeyError for an unknown fact."""
    given = dict(facts or {})
    lines = ["agency:"]
    for name, preset, meaning in FACTS:
        value = given.pop(name, preset)
        line = f"{name}: {yaml_scalar(value)}" if value is not None else f"# {name}:"
        lines.append(f"  {line:<32}  # {meaning}")
    if given:
        raise KeyError(f"no such fact of an agency: {', '.join(given)}")
    return lines


def _said(text: str, indent: int) -> list[str]:
    """A text as comment lines."""
    mark = " " * indent + "# "
    return textwrap.wrap(text, WIDTH, initial_indent=mark, subsequent_indent=mark, break_long_words=False)


def _field_words(field: Field) -> str:
    parts = [presence_words(field), kind_words(field)]
    if field.code_list:
        parts.append(f"list {field.code_list}")
    if field.is_identifying:
        parts.append("identifying: goes to the identity store and nowhere else")
    example = f" Example: {field.examples[0]}" if field.examples else ""
    return f"{sentence(field.description)} ({'; '.join(parts)}){example}"


def _feed_lines(entity: Entity) -> list[str]:
    """One feed that fills one entity from columns of the same names, every field explained."""
    lines = [
        *_said(f"--- {entity.name}: {sentence(entity.description)} {sentence(entity.grain)}", 2),
        f"  {entity.name}:",
        # A digit, since the names of some entities begin with the name of another.
        f'    files: "{entity.name}_[0-9]*.csv"',
        "    format: csv",
        "    entities:",
        f"      {entity.name}:",
        "        fields:",
    ]
    for field in entity.fields:
        lines += [*_said(_field_words(field), 10), f"          {field.name}: {field.name}"]
    return lines


def agency_template(
    standard: Mapping[str, Entity], facts: Mapping[str, str] | None = None, entities: Collection[str] = ()
) -> str:
    """An agency.yml with every entity that agencies' files can fill, commented out but for `entities`.

    facts: what is known of the agency, by the names of FACTS. Raises KeyError for an unknown fact or entity.
    """
    unknown = [name for name in entities if name not in standard or not standard[name].is_mapped]
    if unknown:
        raise KeyError(f"no such entity that files can fill: {', '.join(unknown)}")
    blocks: list[Iterable[str]] = [
        [
            "# What is particular to one agency. docs/agencies.md explains it; docs/dictionary/ explains the fields.",
            "# Below stands every entity of the standard, one feed each. To use one, take the first two characters",
            '# ("# ") off every line of its block; lines that still begin with # are explanations.',
            "# The right side of a field is a column of your file, or a DuckDB SQL expression over its columns.",
            "# Delete the fields that you do not have. Several entities may be filled from one feed.",
        ],
        agency_facts(facts),
        [line for name, value, meaning in TEXTS for line in (f"# {meaning}", f"# {name}: {value}")],
        [
            "feeds:",
            "  # Beside `files` and `format` a feed may say: delimiter; sheet (of an .xlsx); version, by which a newer",
            "  # row of a key is told: {column: ExportedAt} or {file_name: 'cad_(\\d{8})\\.csv'}. An entity may say:",
            "  # rows: many (the export repeats a key; further rows are folded); where: an SQL condition on rows.",
        ],
    ]
    for family in FAMILIES:
        members = [e for e in standard.values() if e.family == family and e.is_mapped]
        if members:
            blocks.append([f"  # ===== {FAMILY_TITLES[family]} ====="])
        for entity in members:
            lines = _feed_lines(entity)
            blocks.append(lines if entity.name in entities else [f"# {line}" for line in lines])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def uncomment(template: str, entity: str) -> str:
    """The template with the block of one entity taken in. Raises KeyError when it is not there commented out."""
    blocks = template.split("\n\n")
    for index, block in enumerate(blocks):
        if block.startswith(f"#   # --- {entity}: "):
            blocks[index] = "\n".join(line.removeprefix("# ") for line in block.split("\n"))
            return "\n\n".join(blocks)
    raise KeyError(entity)
