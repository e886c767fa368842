"""Reads the suites: what is expected of each table, in plain words (suites/<layer>/<name>.yml).

A suite file:

    table: stg_incident         # or tables: [...], or tables: {name: [key columns]}; default the file's name.
                                # A name may bring its schema, and may hold * in a release: general.met_*
    schema: staging             # default the layer's name
    judged_by: agency_month     # agency_month (default), agency, or table: how closely a failure is placed
    key: [incident_id]          # columns that tell a failing row's address, beside agency_id and month
    optional: false             # true: the table may be absent
    checks:
      - check: key_unique       # short name; the check's id is <table>.<check>
        unique: [incident_id]   # exactly one of the kinds below
        severity: block         # block, warn or record
        why: one line
        remedy: one line: what the reader does next
        bad: [{incident_id: a}, {incident_id: a}]   # rows that must trip the check: only the columns needed
        good: [{incident_id: a}]                    # rows that must not

Kinds (SQL is DuckDB's; a row whose condition is null does not fail):

    not_null: [columns]                       in_set: {columns: [..], values: [..] or the name of a list}
    between: {columns: [..], min: , max: }    pair: {larger: column, smaller: column}   (equal is allowed)
    unique: [columns]       over the whole table, so also across months; the word key means the suite's key
    violation: condition    no row may meet it
    share: condition        the share of rows that meet it, per place, must not exceed the threshold
    query: select           every row it returns fails; it gives agency_id and month, as judged_by says, where
                            it can the key, and optionally failing_count (else each row counts 1)
    rows_at_least: 1        judged by table only
    no_columns: [names] or the name of a list

With violation and share: `of` (the condition of rows that count at all) and `columns_like` (a regular
expression; the condition is asked of each matching `{column}`; none matching is not applicable). With query:
`over` (tables whose rows make the check applicable, instead of its own).

SQL may say {rows} (the table's rows in the window), {window} (a relation of agency_id, month), {agencies} (a
relation of agency_id), {answers}, {interval_statuses}, {threshold} and {table}. A table may have several suites.
`each: [a, b]` repeats a check with {each} replaced.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml

from expectations.results import LAYERS, SEVERITIES
from expectations.thresholds import Limits

FOLDER = Path(__file__).parent / "suites"
STANDARD = Path(__file__).parent.parent / "seeds" / "standard"
JUDGED_BY = ("agency_month", "agency", "table")
WRITTEN_KINDS = ("violation", "share")  # conditions that a suite writes in SQL
CONDITION_KINDS = ("not_null", "in_set", "between", "pair", *WRITTEN_KINDS)  # all on one scan of the table
KINDS = (*CONDITION_KINDS, "unique", "query", "rows_at_least", "no_columns")
COMMON = {"check", "severity", "why", "remedy", "bad", "good", "each", "of", "over", "columns_like"}
SUITE_KEYS = {"table", "tables", "schema", "judged_by", "key", "optional", "checks"}

ANSWERS = ("yes", "no", "unknown", "not_recorded", "not_applicable", "refused", "withheld")
INTERVAL_STATUSES = (
    "valid", "imputed", "ambiguous", "missing_start", "missing_end", "negative", "over_limit", "not_applicable",
)  # fmt: skip

# Numbers of what many rows share: they name a program, a place or a shift, and no person or event.
NOT_ROW_LEVEL = frozenset(f"{of}_{end}" for of in ("program", "facility", "shift") for end in ("number", "id"))


class SuiteError(ValueError):
    """A suite file cannot be used; the message names file and check."""


@dataclass(frozen=True)
class Check:
    """One check of one table; columns, values, low, high and condition are filled as its kind needs."""

    name: str
    kind: str
    severity: str
    why: str
    remedy: str
    bad: Any
    good: Any = None
    columns: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None
    condition: str = ""
    of: str = ""
    over: tuple[str, ...] = ()
    columns_like: str = ""

    @property
    def needs_threshold(self) -> bool:
        return self.kind == "share" or "{threshold}" in self.condition


@dataclass(frozen=True)
class Suite:
    """What is expected of one table, or of every table whose name matches a pattern with '*'."""

    layer: str
    schema: str
    table: str
    judged_by: str
    key: tuple[str, ...]
    optional: bool
    checks: tuple[Check, ...]

    @property
    def label(self) -> str:
        """The table's name in check ids: with its schema where a layer has several."""
        return f"{self.schema}.{self.table}" if self.layer == "release" else self.table

    def check_id(self, check: Check) -> str:
        return f"{self.label}.{check.name}"

    def only(self, *names: str) -> Suite:
        """The same suite with the named checks alone."""
        return replace(self, checks=tuple(c for c in self.checks if c.name in names))

    def for_tables(self, present: Iterable[tuple[str, str]]) -> list[Suite]:
        """One suite for each matching (schema, table) that is present; itself where it names no pattern."""
        if "*" not in self.table:
            return [self]
        names = sorted(t for s, t in present if s == self.schema and fnmatch.fnmatchcase(t, self.table))
        return [replace(self, table=name) for name in names]


@cache
def load_suites(layer: str, folder: Path = FOLDER) -> tuple[Suite, ...]:
    """All suites of one layer, by file name. Raises SuiteError, naming file and check."""
    if layer not in LAYERS:
        raise SuiteError(f"unknown layer '{layer}'; layers: {', '.join(LAYERS)}")
    suites = tuple(s for path in sorted((folder / layer).glob("*.yml")) for s in _suites_of(layer, path))
    seen: set[str] = set()
    for suite in suites:
        for check in suite.checks:
            if (check_id := suite.check_id(check)) in seen:
                raise SuiteError(f"{layer}: two checks have the id {check_id}")
            seen.add(check_id)
    return suites


def require_thresholds(suites: Iterable[Suite], limits: Limits) -> None:
    """Raises SuiteError when a check that compares with a threshold has none for every agency."""
    for suite in suites:
        for check in suite.checks:
            if check.needs_threshold and not limits.has_default(suite.check_id(check)):
                raise SuiteError(f"{suite.check_id(check)}: no row for every agency in thresholds.csv")


def unknown_checks(limits: Limits) -> list[str]:
    """Check ids that thresholds name but no suite has, sorted. Suites with a '*' are matched by it."""
    known = [s.check_id(c) for layer in LAYERS for s in load_suites(layer) for c in s.checks]
    return sorted(i for i in limits.check_ids() if not any(fnmatch.fnmatchcase(i, k) for k in known))


@cache
def value_list(name: str) -> tuple[str, ...]:
    """A named list of words or of column names. Raises KeyError for an unknown name.

    answers, interval_statuses: the standard's words. identifying_columns: columns that only the identity
    store may hold. row_level_columns: columns of one person, event, unit or small place, which are not for everybody.
    care_columns: columns that are of the care tier wherever they stand.
    """
    lists: dict[str, Iterable[str]] = {"answers": ANSWERS, "interval_statuses": INTERVAL_STATUSES}
    if name not in lists:
        lists |= _column_lists()
    return tuple(lists[name])


@cache
def _column_lists(folder: Path = STANDARD) -> dict[str, list[str]]:
    identifying: set[str] = set()
    row_level = {"person_key", "care_person_key", "source_file", "source_row"}
    by_tier: dict[str, set[str]] = {"care": {"care_person_key"}}
    for path in folder.glob("*.yml"):
        for table in _read(path)["schema"]:
            said = {p["property"]: p["value"] for p in table["customProperties"]}
            if not said.get("mapped", True) and said["family"] == "reference":
                continue  # facts of agencies and seeds: no row of theirs is about a person or an event
            row_level |= {f"{table['name']}_id"} - NOT_ROW_LEVEL
            for field in table["properties"]:
                custom = {p["property"]: p["value"] for p in field["customProperties"]}
                kind = custom["kind"]
                by_tier.setdefault(custom["tier"], set()).add(field["name"])
                if field["classification"] == "identifying":
                    identifying.add(field["name"])
                elif kind == "number" and field["name"] not in NOT_ROW_LEVEL:
                    row_level |= {field["name"], field["name"].removesuffix("_number") + "_id"}
                elif kind == "text" and field["classification"] == "sensitive":
                    row_level.add(field["name"])
    if not identifying:
        raise SuiteError(f"no identifying field is found in {folder}: the checks against them would always pass")
    elsewhere = set().union(*(names for tier, names in by_tier.items() if tier != "care"))
    return {
        "identifying_columns": sorted(identifying),
        "row_level_columns": sorted(row_level | identifying),
        "care_columns": sorted(by_tier["care"] - elsewhere),
    }


class _Yaml(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which yes, no, dates and times stay the words they are."""

    yaml_implicit_resolvers: ClassVar[dict] = {}


for _tag, _pattern, _first in (
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^-?[0-9]+$", list("-0123456789")),
    ("float", r"^-?[0-9]+\.[0-9]+$", list("-0123456789")),
):
    _Yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Yaml)


def _suites_of(layer: str, path: Path) -> list[Suite]:
    raw = _read(path)
    if not isinstance(raw, dict) or not raw.get("checks"):
        raise SuiteError(f"{path.name}: no checks")
    if unknown := set(raw) - SUITE_KEYS:
        raise SuiteError(f"{path.name}: unknown entries {', '.join(sorted(unknown))}")
    judged_by = raw.get("judged_by", "agency_month")
    if judged_by not in JUDGED_BY:
        raise SuiteError(f"{path.name}: judged_by is not one of {', '.join(JUDGED_BY)}")
    checks = [c for entry in raw["checks"] for c in _checks_of(path.name, entry)]
    if judged_by != "table" and any(c.kind in ("rows_at_least", "no_columns") for c in checks):
        raise SuiteError(f"{path.name}: rows_at_least and no_columns are judged by table")
    tables = raw.get("tables") or [raw.get("table", path.stem)]
    suites = []
    for table in tables:
        schema, _, name = table.rpartition(".")
        key = tuple(tables[table] if isinstance(tables, dict) else raw.get("key", ()))
        suites.append(
            Suite(
                layer=layer,
                schema=schema or raw.get("schema", layer),
                table=name,
                judged_by=judged_by,
                key=key,
                optional=bool(raw.get("optional", False)),
                checks=tuple(replace(c, columns=key) if c.columns == ("key",) else c for c in checks),
            )
        )
    return suites


def _checks_of(file: str, raw: dict) -> list[Check]:
    if "each" not in raw:
        return [_check(file, raw)]
    if "{each}" not in str(raw.get("check")):
        raise SuiteError(f"{file}, {raw.get('check')}: a check with each needs {{each}} in its name")
    body = {k: v for k, v in raw.items() if k != "each"}
    return [_check(file, _filled(body, str(item))) for item in raw["each"]]


def _filled(value: Any, item: str) -> Any:
    """The same structure with {each} replaced in every text and key."""
    if isinstance(value, dict):
        return {_filled(k, item): _filled(v, item) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, item) for v in value]
    return value.replace("{each}", item) if isinstance(value, str) else value


def _check(file: str, raw: dict) -> Check:
    name = raw.get("check")
    where = f"{file}, {name}"
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SuiteError(f"{where}: a check's name is lower case letters, digits and _")
    if unknown := set(raw) - COMMON - set(KINDS):
        raise SuiteError(f"{where}: unknown entries {', '.join(sorted(unknown))}")
    kinds = [k for k in KINDS if k in raw]
    if len(kinds) != 1:
        raise SuiteError(f"{where}: give exactly one of {', '.join(KINDS)}")
    if raw.get("severity") not in SEVERITIES:
        raise SuiteError(f"{where}: severity is not one of {', '.join(SEVERITIES)}")
    for line in ("why", "remedy"):
        text = raw.get(line)
        if not isinstance(text, str) or not text.strip() or "\n" in text.strip():
            raise SuiteError(f"{where}: {line} is one line of words")
    if not raw.get("bad"):
        raise SuiteError(f"{where}: a check that nothing is shown to trip is refused; give bad rows")
    (kind,) = kinds
    try:
        given = _kind(kind, raw[kind])
    except (KeyError, TypeError, ValueError) as error:
        raise SuiteError(f"{where}: {kind} is not as it should be") from error
    check = Check(
        name=name,
        kind=kind,
        severity=raw["severity"],
        why=raw["why"].strip().rstrip("."),
        remedy=raw["remedy"].strip().rstrip("."),
        bad=raw["bad"],
        good=raw.get("good"),
        of=str(raw.get("of", "")).strip(),
        over=tuple(raw.get("over", ())),
        columns_like=str(raw.get("columns_like", "")),
        **given,
    )
    if (check.of or check.columns_like) and kind not in WRITTEN_KINDS:
        raise SuiteError(f"{where}: of and columns_like go with {' and '.join(WRITTEN_KINDS)}")
    if check.over and kind != "query":
        raise SuiteError(f"{where}: over goes with query")
    return check


def _kind(kind: str, given: Any) -> dict[str, Any]:
    """The fields of Check that a kind fills. Raises KeyError, TypeError or ValueError."""
    if kind in ("not_null", "unique"):
        return {"columns": _names(given)}
    if kind == "in_set":
        values = value_list(given["values"]) if isinstance(given["values"], str) else tuple(given["values"])
        return {"columns": _names(given["columns"]), "values": values}
    if kind == "between":
        low, high = given.get("min"), given.get("max")
        if low is None and high is None:
            raise ValueError("neither min nor max")
        return {"columns": _names(given["columns"]), "low": low, "high": high}
    if kind == "pair":
        return {"columns": (str(given["larger"]), str(given["smaller"]))}
    if kind == "rows_at_least":
        return {"low": int(given)}
    if kind == "no_columns":
        return {"values": value_list(given) if isinstance(given, str) else _names(given)}
    if not isinstance(given, str) or not given.strip():
        raise ValueError("no SQL")
    return {"condition": given.strip().rstrip(";")}


def _names(given: Any) -> tuple[str, ...]:
    names = tuple(str(n) for n in given) if isinstance(given, list) else (str(given),)
    if not names:
        raise ValueError("no column")
    return names
