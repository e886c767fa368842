"""Reads SQL expressions of a mapping: which columns they name, and whether each is one plain expression."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from orchestration.agencies.folder import AgencyError, Feed, FieldMapping
from orchestration.engine import connect, name

ITEM = ("item", "item_number")  # what an entity with `each` calls the item at hand, and its place in the list


@dataclass(frozen=True)
class Names:
    """What an expression names: columns of the file, and columns of side tables as (lookup, column)."""

    columns: tuple[str, ...] = ()
    looked_up: tuple[tuple[str, str], ...] = ()


def names_in(expression: str, feed: Feed, where: str) -> Names:
    """What an expression of a feed names. Raises AgencyError when it is not one plain expression."""
    paths, problem = _parsed(expression)
    if problem:
        raise AgencyError(f"{where}: {problem}")
    looked_up = {p[:2] for p in paths if len(p) > 1 and p[0] in feed.lookups}
    columns = {p[-1] for p in paths if p[0] not in ITEM and not (len(p) > 1 and p[0] in feed.lookups)}
    return Names(tuple(sorted(columns)), tuple(sorted(looked_up)))


def source_sql(mapping: FieldMapping) -> str:
    """The SQL of a field's text as the file has it."""
    if mapping.expression:
        return mapping.expression
    if mapping.column:
        return name(mapping.column)
    return f"{name(mapping.date)} || ' ' || {name(mapping.time)}"


@cache
def _parser():
    """One connection for all expressions of a process: opening one costs more than the reading."""
    return connect()


@cache
def _parsed(expression: str) -> tuple[frozenset[tuple[str, ...]], str]:
    """DuckDB's own reading of an expression: the column paths it names, or what is wrong with it."""
    said = json.loads(
        _parser().execute("select json_serialize_sql(?::varchar)", [f"select {expression}"]).fetchone()[0]
    )
    if said["error"]:
        return frozenset(), f"not valid SQL: {said['error_message']}"
    node = said["statements"][0]["node"]
    paths, has_subquery = _walk(node["select_list"])
    is_plain = len(said["statements"]) == 1 and len(node["select_list"]) == 1 and node["from_table"]["type"] == "EMPTY"
    if not is_plain or has_subquery or node["where_clause"] or node["modifiers"]:
        return frozenset(), "give one SQL expression over the source's columns, not a statement or subquery"
    return frozenset(paths), ""


def _walk(node) -> tuple[set[tuple[str, ...]], bool]:
    """Column paths in a serialized expression, parameters of lambdas left out, and whether it holds a subquery."""
    if isinstance(node, list):
        found = [_walk(item) for item in node]
    elif isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            return {tuple(node["column_names"])}, False
        if node.get("class") == "SUBQUERY":
            return set(), True
        found = [_walk(item) for item in node.values()]
        if node.get("class") == "LAMBDA":
            given = {p[-1] for p in _walk(node.get("lhs"))[0]}
            found = [({p for p in paths if p[0] not in given}, sub) for paths, sub in found]
    else:
        return set(), False
    return {p for paths, _ in found for p in paths}, any(sub for _, sub in found)
