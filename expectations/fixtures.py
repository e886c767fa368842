"""Tiny databases from the rows that a check ships with: `bad` must trip it, `good` must not.

Rows name only the columns that the check needs; agency_id and month are filled in where they are not given,
and a column's type follows from its name, as the warehouse's naming rules say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from expectations.loader import Check, Suite
from expectations.sql import literal, name

MONTH = "2024-01"
TYPES = (
    ("_local_at", "timestamp"),
    ("_at", "timestamptz"),
    ("_date", "date"),
    ("_usd", "decimal(18, 2)"),
    ("_share", "double"),
    ("_count", "bigint"),
    ("_seconds", "bigint"),
    ("_minutes", "bigint"),
    ("_hours", "double"),
)

Rows = Sequence[Mapping[str, Any]]


def build(database: Path, suite: Suite, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Writes a DuckDB file with the rows given for each agency; gives the window they span.

    given: by agency_id, what a check calls `bad` or `good`: rows of the suite's own table, or rows by table.
    """
    import duckdb

    tables: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for agency_id, rows in given.items():
        for table, own in _by_table(suite, rows).items():
            tables.setdefault(table, []).extend(_placed(suite, agency_id, row) for row in own)
    with duckdb.connect(str(database)) as con:
        for (schema, table), rows in tables.items():
            con.execute(f"create schema if not exists {name(schema)}")
            select = _select(rows) if rows else "select cast(null as varchar) as agency_id where false"
            con.execute(f"create table {name(schema)}.{name(table)} as {select}")
    rows = [row for rows in tables.values() for row in rows]
    return sorted({(r["agency_id"], r["month"]) for r in rows if r.get("agency_id") and r.get("month")})


def cases(check: Check) -> dict[str, Any]:
    """What a check ships with, by agency: 'bad', and 'good' where it has such rows."""
    return {"bad": check.bad} | ({"good": check.good} if check.good else {})


def _by_table(suite: Suite, rows: Any) -> dict[tuple[str, str], Rows]:
    own = suite.table.replace("*", "example")
    if not isinstance(rows, Mapping):
        return {(suite.schema, own): rows}
    found = {}
    for table, given in rows.items():
        schema, _, table_name = table.replace("{table}", own).rpartition(".")
        found[(schema or suite.schema, table_name)] = given
    return found


def _placed(suite: Suite, agency_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its place; '{key}' stands for every column of the suite's key."""
    given = {c: v for k, v in row.items() for c in (suite.key if k == "{key}" else (k,))}
    return given if suite.judged_by == "table" else {"agency_id": agency_id, "month": MONTH} | given


def _select(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(c for row in rows for c in row))
    types = {c: _type(c, [row.get(c) for row in rows]) for c in columns}
    return " union all ".join(
        "select " + ", ".join(f"cast({literal(row.get(c))} as {types[c]}) as {name(c)}" for c in columns)
        for row in rows
    )


def _type(column: str, values: list[Any]) -> str:
    for suffix, type_name in TYPES:
        if column.endswith(suffix):
            return type_name
    known = [v for v in values if v is not None]
    if column.startswith(("is_", "has_")) or (known and all(isinstance(v, bool) for v in known)):
        return "boolean"
    if known and all(isinstance(v, int) for v in known):
        return "bigint"
    if known and all(isinstance(v, (int, float)) for v in known):
        return "double"
    return "varchar"
