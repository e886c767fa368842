"""Reads the entities of the data standard (ODCS v3 contracts in seeds/standard)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestration.settings import PROJECT
from orchestration.yaml_file import read_yaml

KINDS = ("text", "number", "code", "codes", "answer", "integer", "decimal", "date", "timestamp", "boolean")
DERIVED = "derived"
FAMILIES = ("cad", "field", "program", "staffing", "reference")
PRESENCES = ("required", "conditional", "optional")
ACRONYMS = {"cad": "CAD", "ed": "ED", "ems": "EMS"}
SUFFIXES = {"timestamp": "_at", "date": "_date", "code": "_code", "codes": "_codes", "number": "_number"}


@dataclass(frozen=True)
class Column:
    """One column of an input table: its name, its DuckDB type, and its SQL where no agency fills its field."""

    name: str
    type: str
    unfilled: str = "null"


@dataclass(frozen=True)
class Field:
    """One field of the standard. `kind` says how a source text becomes columns (see Entity.columns).

    presence: required, conditional (then `condition` says when) or optional. physical_type: its SQL type.
    """

    name: str
    kind: str
    description: str
    classification: str
    tier: str
    physical_type: str
    examples: tuple[str, ...] = ()
    presence: str = "optional"
    condition: str | None = None
    required: bool = False
    code_list: str | None = None
    refers_to: str | None = None
    unit: str | None = None
    source: str | None = None

    @property
    def is_identifying(self) -> bool:
        return self.classification == "identifying"

    @property
    def stem(self) -> str:
        """The name without its suffix: `received` of received_at, `call_type_initial` of call_type_initial_code."""
        return self.name.removesuffix(SUFFIXES.get(self.kind, ""))

    def columns(self) -> list[Column]:
        """The input columns that this field fills, in order."""
        if self.kind == "timestamp":
            return [
                Column(self.name, "timestamptz"),
                Column(f"{self.stem}_local_at", "timestamp"),
                Column(f"{self.stem}_raw", "varchar"),
            ]
        if self.kind == "date":
            return [Column(self.name, "date"), Column(f"{self.stem}_raw", "varchar")]
        if self.kind in ("code", "codes"):
            return [Column(self.name, "varchar", "'not_recorded'"), Column(f"{self.stem}_local", "varchar")]
        if self.kind == "answer":
            return [Column(self.name, self.physical_type, "'not_recorded'")]
        if self.kind == "number" and self.refers_to:
            return [Column(self.name, "varchar"), Column(f"{self.stem}_id", "varchar")]
        return [Column(self.name, self.physical_type)]


@dataclass(frozen=True)
class Derived:
    """A column that staging adds to an entity: no agency sends it. `transform` says in words how it is made."""

    name: str
    type: str
    description: str
    classification: str
    tier: str
    transform: str
    unit: str | None = None
    never_null: bool = False


@dataclass(frozen=True)
class Entity:
    """One entity: its fields, the fields of its key, the fields that give a row its month, and those that follow
    each other in time.

    is_mapped: whether agencies send it row by row; the others come from agency.yml and from seeds.
    has_plain_mart: whether its staging table is published as a mart with the same columns.
    noun: what one row is called in a sentence.
    """

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    month_from: tuple[str, ...]
    sequence: tuple[str, ...]
    parent: str | None
    family: str
    is_mapped: bool
    version: str
    fields: tuple[Field, ...]
    derived: tuple[Derived, ...] = ()
    noun: str = ""
    has_plain_mart: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}_id"

    @property
    def group_id(self) -> str:
        """The column that versions are told apart by: a child row is replaced together with its parent's."""
        return f"{self.parent}_id" if self.parent else self.id

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)

    @property
    def is_care(self) -> bool:
        """Whether all its rows are of the care tier: the number that tells one from another is."""
        return any(f.tier == "care" for f in self.fields if f.name in self.key)

    @property
    def shape(self) -> list:
        """What rows are made of: all but the words."""
        fields = [
            (f.name, f.kind, f.classification, f.required, f.physical_type, f.code_list, f.refers_to)
            for f in self.fields
        ]
        return [self.key, self.month_from, self.sequence, self.parent, fields]

    @property
    def identity_columns(self) -> list[Column]:
        """Columns that go to the identity store and nowhere else."""
        return [c for f in self.fields if f.is_identifying for c in f.columns()]

    @property
    def identity_fields(self) -> frozenset[str]:
        """The identifying fields, and those that the row's id is made of."""
        keys = {part.removesuffix("_local") + "_code" if self.field(part) is None else part for part in self.key}
        return frozenset({f.name for f in self.fields if f.is_identifying} | keys)

    @property
    def columns(self) -> list[Column]:
        """Columns of input.<entity>, in order; those of an entity that is not mapped are its fields alone."""
        if not self.is_mapped:
            return [Column(f.name, f.physical_type) for f in self.fields]
        head = [Column(n, "varchar") for n in ("agency_id", self.id, "month", "month_basis")]
        body = [c for f in self.fields if not f.is_identifying for c in f.columns() if c.name != self.id]
        tail = [Column(n, "varchar") for n in ("withheld_fields", "stamp_imputed", "extras", "source_file")]
        tail += [Column("source_row", "bigint"), Column("source_part", "integer")]
        return head + body + tail


def _noun(name: str) -> str:
    """What one row is called where the file does not say: ed_visit is an ED visit."""
    return " ".join(ACRONYMS.get(word, word) for word in name.split("_"))


def _custom(element: dict) -> dict:
    """The customProperties of a table or field as a plain mapping."""
    return {p["property"]: p["value"] for p in element.get("customProperties", [])}


def _field(prop: dict) -> Field:
    custom = _custom(prop)
    required = prop.get("required", False)
    presence = custom.get("presence", "required" if required else "optional")
    if custom["kind"] not in KINDS:
        raise ValueError(f"field {prop['name']}: unknown kind {custom['kind']}")
    if presence not in PRESENCES:
        raise ValueError(f"field {prop['name']}: unknown presence {presence}")
    return Field(
        name=prop["name"],
        kind=custom["kind"],
        description=prop["description"],
        classification=prop["classification"],
        tier=custom["tier"],
        required=required,
        code_list=custom.get("code_list"),
        refers_to=custom.get("refers_to"),
        unit=custom.get("unit"),
        source=custom.get("source"),
        examples=tuple(str(e) for e in prop.get("examples", ())),
        presence=presence,
        condition=custom.get("condition"),
        physical_type=prop["physicalType"],
    )


def _derived(prop: dict) -> Derived:
    custom = _custom(prop)
    return Derived(
        name=prop["name"],
        type=prop["physicalType"],
        description=prop["description"],
        classification=prop["classification"],
        tier=custom["tier"],
        transform=prop["transformDescription"],
        unit=custom.get("unit"),
        never_null=prop.get("required", False),
    )


def _entity(path: Path) -> Entity:
    contract = read_yaml(path)
    (table,) = contract["schema"]
    custom, name = _custom(table), table["name"]
    family = custom["family"]
    if family not in FAMILIES:
        raise ValueError(f"entity {name}: unknown family {family}")
    added = [p for p in table["properties"] if _custom(p)["kind"] == DERIVED]
    return Entity(
        name=name,
        description=table["description"],
        grain=table["dataGranularityDescription"],
        key=tuple(custom["key"]),
        month_from=tuple(custom.get("month_from") or ()),
        sequence=tuple(custom.get("sequence") or ()),
        parent=custom.get("parent"),
        fields=tuple(_field(p) for p in table["properties"] if p not in added),
        derived=tuple(_derived(p) for p in added),
        family=family,
        is_mapped=str(custom.get("mapped", True)).lower() == "true",
        version=str(contract["version"]),
        noun=table.get("businessName", _noun(name)),
        has_plain_mart=custom.get("mart") == "as_staged",
    )


@cache
def load_standard(folder: Path = PROJECT / "seeds" / "standard") -> dict[str, Entity]:
    """All entities of the standard by name."""
    return {e.name: e for e in (_entity(p) for p in sorted(folder.glob("*.yml")))}


def mapped_entities() -> list[Entity]:
    """Entities whose rows come from agencies' files, by name."""
    return [e for e in load_standard().values() if e.is_mapped]
