"""Loads agency folders: agency.yml and codes/*.csv."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from orchestration.standard import Entity, code_list, code_list_names, load_standard, mapped_entities
from orchestration.yaml_file import read_yaml


class AgencyError(ValueError):
    """An agency folder that cannot be used; the message names file, place, rule and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain_id(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        raise ValueError("use lower-case letters, digits and underscores, starting with a letter")
    return value


AgencyId = Annotated[str, AfterValidator(_plain_id)]


class AgencyFacts(_Strict):
    """What is true of the agency as a whole; one row of input.agency."""

    agency_id: AgencyId
    agency_name: str
    agency_type_code: str
    time_zone: str
    state: str | None = None
    county_fips: str | None = None
    ori: str | None = None
    population_served: int | None = None
    cad_vendor: str | None = None
    priority_direction_code: Literal["1_high", "1_low"] | None = None
    is_fictional: bool = False

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"'{value}' is not an IANA time zone such as America/Chicago") from error
        return value


class Version(_Strict):
    """How newer rows of a key are told from older ones: by a group in the file name, or by a column."""

    file_name: str | None = None
    column: str | None = None


HHMM = "hhmm"  # at the end of a format: a clock time as one number, 5 for 00:05
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}  # microseconds of one unit


class FieldMapping(_Strict):
    """Where one field's value comes from: an SQL expression, or a column; or a date and a time of day apart.

    format: how a time or date is written, as strptime says it, one or several; a format may end in hhmm; epoch_s and
    epoch_ms count from 1970. zone: UTC where the stamp is not on the agency's clock. separator: between several codes.
    of_agency: whose number it is, where another agency gave it, such as the CAD number that a jail writes down.
    """

    expression: str | None = None
    column: str | None = None
    date: str | None = None
    time: str | None = None
    format: tuple[str, ...] = ()
    zone: Literal["agency", "UTC"] = "agency"
    separator: str = "|"
    of_agency: AgencyId | None = None

    @field_validator("format", mode="before")
    @classmethod
    def _several(cls, value: str | list) -> list:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> FieldMapping:
        given = [bool(self.expression), bool(self.column), bool(self.date or self.time)]
        if sum(given) != 1 or bool(self.date) != bool(self.time):
            raise ValueError("give an SQL expression, or column, or date and time")
        return self


def _said(text: str) -> dict:
    """A field given as text: a column where it is one plain word, though SQL may keep that word for itself."""
    is_word = re.fullmatch(r"[A-Za-z_]\w*", text) and text.lower() not in (
        "null",
        "true",
        "false",
        "item",
        "item_number",
    )
    return {"column": text} if is_word else {"expression": text}


class EntityMapping(_Strict):
    """How rows of a feed become rows of one entity.

    rows: `many` where several rows of a file are one record. each: an SQL list; one row becomes one record per item.
    group: SQL expressions; the rows that agree in them become one record, and fields are aggregates. one_date: times,
    in order, that share one printed date. lacks: required fields that the source does not have.
    """

    rows: Literal["one", "many"] = "one"
    where: str | None = None
    each: str | None = None
    group: tuple[str, ...] = ()
    one_date: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    fields: dict[str, FieldMapping]

    @field_validator("fields", mode="before")
    @classmethod
    def _as_objects(cls, value: dict) -> dict:
        return {k: v if isinstance(v, (dict, FieldMapping)) else _said(str(v)) for k, v in value.items()}

    @model_validator(mode="after")
    def _not_both(self) -> EntityMapping:
        if self.each and self.group:
            raise ValueError("each makes more rows of one and group fewer; an entity has one of them")
        return self


class Lookup(_Strict):
    """A side table of the same export: the row of `feed` whose `key` column equals an expression over this feed."""

    feed: str
    key: str
    equals: str


class Feed(_Strict):
    """One kind of file that the agency sends; without entities it is a side table for lookups.

    snapshot: whether each file repeats all records; of complete ones, a record that the newest lacks is gone.
    max_shrink: the share of rows by which a snapshot may be smaller than the one before. ragged: whether short lines
    are filled up. variants: other layouts of the same feed, chosen by the columns that a file has.
    """

    files: tuple[str, ...]
    format: Literal["csv", "xlsx"]
    sheet: int | str = 1
    delimiter: str = ","
    header_row: int = 1
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    ragged: Literal["refuse", "pad"] = "refuse"
    version: Version | None = None
    snapshot: Literal["none", "partial", "complete"] = "none"
    max_shrink: float | None = None
    cadence: Literal["daily", "weekly", "monthly", "irregular"] | None = None
    lookups: dict[str, Lookup] = {}
    entities: dict[str, EntityMapping]
    variants: dict[str, Variant] = {}

    @field_validator("files", mode="before")
    @classmethod
    def _as_list(cls, value: str | list) -> list:
        return [value] if isinstance(value, str) else value

    def takes(self, file_name: str) -> bool:
        return any(fnmatch(file_name, pattern) for pattern in self.files)

    def layouts(self) -> dict[str, Feed]:
        """The feed as each of its layouts sends it: variants by name, in order, and the base as ''."""
        found = {name: self._varied(variant) for name, variant in self.variants.items()}
        return found | {"": self.model_copy(update={"variants": {}})}

    def folds(self, entity_name: str) -> bool:
        """Whether some layout may send several rows of one record of the entity."""
        sent = (layout.entities.get(entity_name) for layout in self.layouts().values())
        return any(said.rows == "many" for said in sent if said)

    def as_sent(self, header: Iterable[str]) -> Feed:
        """The layout of a file with these columns: the first variant whose `when` columns are all there, or the base."""
        have = {c.lower() for c in header}
        layouts = self.layouts()
        for name, variant in self.variants.items():
            if {c.lower() for c in variant.when} <= have:
                return layouts[name]
        return layouts[""]

    def _varied(self, variant: Variant) -> Feed:
        said = self.model_dump(mode="json", exclude={"variants"})
        return Feed(**_merged(said, {"entities": variant.entities, "lookups": variant.lookups}))


class Variant(_Strict):
    """A layout of a feed: the columns that tell it, and what it says otherwise; null removes."""

    when: tuple[str, ...]
    lookups: dict[str, Any] = {}
    entities: dict[str, Any]


class _AgencyFile(_Strict):
    extends: str | None = None
    agency: AgencyFacts
    linkable: bool = False  # linking is a disclosure: somebody must have said that it is allowed
    missing: tuple[str, ...] = ()
    missing_by_column: dict[str, tuple[str, ...]] = {}
    withheld: tuple[str, ...] = ()
    columns: dict[str, Literal["not_sensitive", "sensitive", "identifying"]] = {}
    feeds: dict[str, Feed]


def _merged(base: dict, over: dict) -> dict:
    """A mapping laid over another, entry by entry; null removes an entry."""
    out = dict(base)
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict) and not _is_field(value):
            out[key] = _merged(out[key], value)
        else:
            out[key] = value
    return out


def _is_field(value: dict) -> bool:
    """Whether it is the object of one field, which is replaced whole."""
    return bool(value) and set(value) <= set(FieldMapping.model_fields)


class Code(_Strict):
    """One row of an agency's code CSV. match: regex rows are tried in file order where no exact row fits."""

    local_code: str
    standard_code: str
    match: Literal["exact", "regex"] = "exact"
    valid_from: date | None = None
    valid_to: date | None = None
    note: str = ""


class Agency(_AgencyFile):
    """A loaded agency folder. `codes` maps a code list's name to the agency's rows."""

    folder: Path
    codes: dict[str, tuple[Code, ...]] = {}

    @property
    def id(self) -> str:
        return self.agency.agency_id

    @cached_property
    def mapping_fingerprint(self) -> str:
        """Changes when anything changes that input rows are made of: mapping, codes, facts, standard."""
        known = load_standard()
        entities = {n for feed in self.feeds.values() for layout in feed.layouts().values() for n in layout.entities}
        standard = {n: known[n].shape for n in sorted(entities)}
        said = self.model_dump(mode="json", exclude={"folder", "linkable"})
        used = {f.code_list for n in entities for f in known[n].fields if f.code_list}
        lists = {name: code_list(name) for name in sorted(used - set(self.codes))}
        text = json.dumps([said, standard, lists], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def feed_for(self, file_name: str) -> str | None:
        """The feed that takes a file of this name. Raises AgencyError when two feeds claim it."""
        takers = [name for name, feed in self.feeds.items() if feed.takes(file_name)]
        if len(takers) > 1:
            raise AgencyError(
                f"{self.folder / 'agency.yml'}: feeds {', '.join(takers)} both claim '{file_name}'; "
                "make their `files` patterns exclude each other"
            )
        return takers[0] if takers else None


def _codes(folder: Path) -> dict[str, tuple[Code, ...]]:
    found: dict[str, tuple[Code, ...]] = {}
    known = set(code_list_names())
    for path in sorted((folder / "codes").glob("*.csv")):
        if path.stem not in known:
            raise AgencyError(f"{path}: no code list is called '{path.stem}'; known: {', '.join(sorted(known))}")
        standard, rows = set(code_list(path.stem)), []
        seen: dict[str, list[Code]] = {}
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                where = f"{path}, line {number}"
                try:
                    code = Code(**{k: v for k, v in row.items() if v})
                except (ValidationError, TypeError) as error:
                    raise AgencyError(f"{where}: {_first(error)}") from error
                if code.standard_code not in standard:
                    raise AgencyError(
                        f"{where}: '{code.standard_code}' is not a code of the list '{path.stem}'; "
                        f"use one of seeds/codes/codes_{path.stem}.csv"
                    )
                if any(_overlap(code, other) for other in seen.get(code.local_code, ())):
                    raise AgencyError(
                        f"{where}: the local code stands twice for one day; keep one row, or date both apart"
                    )
                seen.setdefault(code.local_code, []).append(code)
                rows.append(code)
        found[path.stem] = tuple(rows)
    return found


def _overlap(one: Code, other: Code) -> bool:
    """Whether two rows of one local code hold on a day in common."""
    start = max(one.valid_from or date.min, other.valid_from or date.min)
    return one.match == other.match and start <= min(one.valid_to or date.max, other.valid_to or date.max)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error)


def _read_yaml(path: Path, why: str) -> Any:
    try:
        return read_yaml(path)
    except FileNotFoundError as error:
        raise AgencyError(f"{path}: no such file; {why}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise AgencyError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error


def load_agency(folder: Path) -> Agency:
    """Reads and validates one agency folder. Raises AgencyError naming file, place and remedy."""
    path = folder / "agency.yml"
    said = _read_yaml(path, "an agency folder holds an agency.yml")
    if isinstance(said, dict) and said.get("extends"):
        said = _merged(_read_yaml(folder / said["extends"], f"{path} extends it"), said)
    try:
        agency = Agency(**said, folder=folder, codes=_codes(folder))
    except (ValidationError, TypeError) as error:
        raise AgencyError(f"{path}: {_first(error)}") from error
    if agency.id != folder.name:
        raise AgencyError(
            f"{path}: agency_id is '{agency.id}' but the folder is called '{folder.name}'; name them alike"
        )
    _check_names(agency, path)
    return agency


def _layouts(agency: Agency, path: Path) -> Iterable[tuple[str, Feed]]:
    """Every layout of every feed, with its place in the file. Raises AgencyError for a variant that is not valid."""
    for feed_name, feed in agency.feeds.items():
        try:
            layouts = feed.layouts()
        except ValidationError as error:
            raise AgencyError(f"{path}: feeds.{feed_name}.variants: {_first(error)}") from error
        for variant, layout in layouts.items():
            yield f"feeds.{feed_name}" + (f".variants.{variant}" if variant else ""), layout


def _check_names(agency: Agency, path: Path) -> None:
    standard = {e.name: e for e in mapped_entities()}
    for place, feed in _layouts(agency, path):
        for lookup_name, lookup in feed.lookups.items():
            if lookup.feed not in agency.feeds:
                raise AgencyError(f"{path}: {place}.lookups.{lookup_name}: no feed is called '{lookup.feed}'")
        for entity_name, mapping in feed.entities.items():
            where = f"{path}: {place}.entities.{entity_name}"
            entity = standard.get(entity_name)
            if entity is None:
                raise AgencyError(f"{where}: no such entity; known: {', '.join(standard)}")
            _check_one_date(entity, mapping, where)
            for name in mapping.lacks:
                if entity.field(name) is None or name in mapping.fields:
                    raise AgencyError(f"{where}.lacks: '{name}' is no field of {entity_name}, or is mapped")
            for name, said in mapping.fields.items():
                field = entity.field(name)
                if field is None:
                    known = ", ".join(f.name for f in entity.fields)
                    raise AgencyError(f"{where}.fields.{name}: no such field of {entity_name}; known: {known}")
                if said.of_agency and (not field.refers_to or field.required):
                    raise AgencyError(
                        f"{where}.fields.{name}.of_agency: only a number that names a record of another entity, and is"
                        " not part of the row's own key, may be another agency's"
                    )
            required = {f.name for f in entity.fields if f.required}
            missing = sorted(required - set(mapping.fields))
            if missing:
                raise AgencyError(f"{where}: required field(s) not mapped: {', '.join(missing)}")
    for feed_name, feed in agency.feeds.items():
        if feed.version and feed.version.file_name:
            try:
                groups = re.compile(feed.version.file_name).groups
            except re.error as error:
                raise AgencyError(f"{path}: feeds.{feed_name}.version.file_name: {error}") from error
            if groups != 1:
                raise AgencyError(f"{path}: feeds.{feed_name}.version.file_name: needs exactly one group, in ( )")


def _check_one_date(entity: Entity, mapping: EntityMapping, where: str) -> None:
    for name in mapping.one_date:
        field = entity.field(name)
        if field is None or field.kind != "timestamp" or name not in mapping.fields:
            raise AgencyError(f"{where}.one_date: '{name}' is not a time that the entity's fields map")


def find_agencies(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Agency folders by id, over all search paths. Raises AgencyError when one id stands twice."""
    found: dict[str, Path] = {}
    for path in paths:
        for folder in sorted(p.parent for p in path.glob("*/agency.yml")):
            if folder.name in found:
                raise AgencyError(f"{folder}: agency '{folder.name}' also stands in {found[folder.name]}; keep one")
            found[folder.name] = folder
    return found
