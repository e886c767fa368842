"""Loads agency folders: agency.yml, codes/*.csv, thresholds.csv."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from datetime import date
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from orchestration.standard import code_list, code_list_names, load_standard


class AgencyError(ValueError):
    """An agency folder that cannot be used; the message names file, place, rule and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgencyFacts(_Strict):
    """What is true of the agency as a whole; one row of input.agency."""

    agency_id: str
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

    @field_validator("agency_id")
    @classmethod
    def _plain_id(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise ValueError("use lower-case letters, digits and underscores, starting with a letter")
        return value

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


class EntityMapping(_Strict):
    """How rows of a feed become rows of one entity."""

    rows: Literal["one", "many"] = "one"
    where: str | None = None
    fields: dict[str, str]

    @field_validator("fields", mode="before")
    @classmethod
    def _as_text(cls, value: dict) -> dict:
        return {k: str(v) for k, v in value.items()}


class Feed(_Strict):
    """One kind of file that the agency sends."""

    files: tuple[str, ...]
    format: Literal["csv", "xlsx"]
    sheet: int | str = 1
    delimiter: str = ","
    version: Version | None = None
    entities: dict[str, EntityMapping]

    @field_validator("files", mode="before")
    @classmethod
    def _as_list(cls, value: str | list) -> list:
        return [value] if isinstance(value, str) else value

    def takes(self, file_name: str) -> bool:
        return any(fnmatch(file_name, pattern) for pattern in self.files)


class _AgencyFile(_Strict):
    agency: AgencyFacts
    missing: tuple[str, ...] = ()
    missing_by_column: dict[str, tuple[str, ...]] = {}
    withheld: tuple[str, ...] = ()
    feeds: dict[str, Feed]


class Code(_Strict):
    """One row of an agency's code CSV."""

    local_code: str
    standard_code: str
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

    @property
    def thresholds_file(self) -> Path:
        return self.folder / "thresholds.csv"

    @cached_property
    def mapping_fingerprint(self) -> str:
        """Changes when anything changes that input rows are made of: mapping, codes, facts, standard."""
        entities = {n for feed in self.feeds.values() for n in feed.entities}
        standard = {n: (e.key, e.month_from, e.parent, e.fields) for n, e in load_standard().items() if n in entities}
        said = self.model_dump(mode="json", exclude={"folder"})
        used = {f.code_list for _, _, _, fields in standard.values() for f in fields if f.code_list}
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
        standard, rows, seen = set(code_list(path.stem)), [], set()
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
                key = (code.local_code, code.valid_from)
                if key in seen:
                    raise AgencyError(f"{where}: the local code stands twice; keep one row, or date both")
                seen.add(key)
                rows.append(code)
        found[path.stem] = tuple(rows)
    return found


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error)


def load_agency(folder: Path) -> Agency:
    """Reads and validates one agency folder. Raises AgencyError naming file, place and remedy."""
    path = folder / "agency.yml"
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AgencyError(f"{path}: no such file; an agency folder holds an agency.yml") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise AgencyError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
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


def _check_names(agency: Agency, path: Path) -> None:
    standard = load_standard()
    for feed_name, feed in agency.feeds.items():
        for entity_name, mapping in feed.entities.items():
            where = f"{path}: feeds.{feed_name}.entities.{entity_name}"
            entity = standard.get(entity_name)
            if entity is None:
                raise AgencyError(f"{where}: no such entity; known: {', '.join(standard)}")
            for name in mapping.fields:
                if entity.field(name) is None:
                    known = ", ".join(f.name for f in entity.fields)
                    raise AgencyError(f"{where}.fields.{name}: no such field of {entity_name}; known: {known}")
            required = {f.name for f in entity.fields if f.required}
            missing = sorted(required - set(mapping.fields))
            if missing:
                raise AgencyError(f"{where}: required field(s) not mapped: {', '.join(missing)}")
        if feed.version and feed.version.file_name:
            try:
                groups = re.compile(feed.version.file_name).groups
            except re.error as error:
                raise AgencyError(f"{path}: feeds.{feed_name}.version.file_name: {error}") from error
            if groups != 1:
                raise AgencyError(f"{path}: feeds.{feed_name}.version.file_name: needs exactly one group, in ( )")


def find_agencies(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Agency folders by id, over all search paths. Raises AgencyError when one id stands twice."""
    found: dict[str, Path] = {}
    for path in paths:
        for folder in sorted(p.parent for p in path.glob("*/agency.yml")):
            if folder.name in found:
                raise AgencyError(f"{folder}: agency '{folder.name}' also stands in {found[folder.name]}; keep one")
            found[folder.name] = folder
    return found
