"""Reads the entities of the data standard (ODCS v3 contracts in seeds/standard)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from orchestration.settings import PROJECT

KINDS = ("text", "number", "code", "codes", "answer", "integer", "decimal", "date", "timestamp", "boolean")
SUFFIXES = {"timestamp": "_at", "date": "_date", "code": "_code", "codes": "_codes", "number": "_number"}


@dataclass(frozen=True)
class Column:
    """One column of an input table: its name and DuckDB type."""

    name: str
    type: str


@dataclass(frozen=True)
class Field:
    """One field of the standard. `kind` says how a source text becomes columns (see Entity.columns)."""

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
            return [Column(self.name, "varchar"), Column(f"{self.stem}_local", "varchar")]
        if self.kind == "number" and self.refers_to:
            return [Column(self.name, "varchar"), Column(f"{self.stem}_id", "varchar")]
        return [Column(self.name, self.physical_type)]


@dataclass(frozen=True)
class Entity:
    """One entity: its fields, the fields of its key, and the fields that give a row its month.

    is_mapped: whether agencies send it row by row; the others come from agency.yml and from seeds.
    """

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    month_from: tuple[str, ...]
    parent: str | None
    family: str
    is_mapped: bool
    version: str
    fields: tuple[Field, ...]

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
        tail = [Column("withheld_fields", "varchar"), Column("source_file", "varchar"), Column("source_row", "bigint")]
        return head + body + tail


def _field(prop: dict) -> Field:
    custom = {p["property"]: p["value"] for p in prop.get("customProperties", [])}
    if custom["kind"] not in KINDS:
        raise ValueError(f"field {prop['name']}: unknown kind {custom['kind']}")
    return Field(
        name=prop["name"],
        kind=custom["kind"],
        description=prop["description"],
        classification=prop["classification"],
        tier=custom["tier"],
        physical_type=prop["physicalType"],
        examples=tuple(prop["examples"]),
        presence=custom["presence"],
        condition=custom.get("condition"),
        required=prop.get("required", False),
        code_list=custom.get("code_list"),
        refers_to=custom.get("refers_to"),
        unit=custom.get("unit"),
        source=custom.get("source"),
    )


def _entity(path: Path) -> Entity:
    contract = yaml.safe_load(path.read_text(encoding="utf-8"))
    (table,) = contract["schema"]
    custom = {p["property"]: p["value"] for p in table["customProperties"]}
    return Entity(
        name=table["name"],
        description=table["description"],
        grain=table["dataGranularityDescription"],
        key=tuple(custom["key"]),
        month_from=tuple(custom["month_from"]),
        parent=custom.get("parent"),
        family=custom["family"],
        is_mapped=custom["mapped"],
        version=contract["version"],
        fields=tuple(_field(p) for p in table["properties"]),
    )


@cache
def load_standard(folder: Path = PROJECT / "seeds" / "standard") -> dict[str, Entity]:
    """All entities of the standard by name."""
    return {e.name: e for e in (_entity(p) for p in sorted(folder.glob("*.yml")))}
