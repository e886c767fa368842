"""Which tables a gate need not ask again: nothing that their last judgment saw has changed since, and it stopped nothing.

A judgment sees a table, the tables that its checks read, the thresholds and the code of the gates. What lies in a
partition is told by the write id that it was last written under, so a table that was written again, even with the
same rows, is asked again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from orchestration.layers.fingerprint import WHOLE, digest

_SCHEMAS = "input|staging|intermediate|marts|metrics|reference|meta|linkage|internal|care|general"
_NAMED = re.compile(rf"\b(?:{_SCHEMAS})\.[a-z]\w*")

Contents = Mapping[str, Mapping[str, object]]  # {"schema.table": {month or '*': what tells one content from another}}


@cache
def _code() -> str:
    """One digest of everything that says what a gate asks, its thresholds left out."""
    import expectations
    from expectations.loader import STANDARD

    found = hashlib.sha256(f"{version('great-expectations')} {version('duckdb')}".encode())
    folder = Path(expectations.__file__).parent
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.yml"), *STANDARD.glob("*.yml")]):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Judgment:
    """One table of one gate: its label in check ids, itself as "schema.table", and the tables that its checks read."""

    label: str
    table: str
    reads: frozenset[str]


def judgments(layer: str, present: Iterable[tuple[str, str]] = ()) -> list[Judgment]:
    """The tables that a layer's suites judge. present: (schema, table) that suites with a '*' choose from."""
    from expectations import load_suites

    named: dict[tuple[str, str], set[str]] = {}
    for suite in (s for given in load_suites(layer) for s in given.for_tables(present)):
        sql = (text for c in suite.checks for text in (c.condition, c.of, *c.over))
        named.setdefault((suite.label, f"{suite.schema}.{suite.table}"), set()).update(
            name for text in sql for name in _NAMED.findall(text)
        )
    return [Judgment(label, table, frozenset(read)) for (label, table), read in named.items()]


def judged_on(
    of: Iterable[Judgment], contents: Contents, months: Iterable[str], thresholds: Iterable
) -> dict[str, str | None]:
    """{label: digest of what a judgment sees}; None where something that it reads is not known.

    months: those of the table itself that are judged together; with '*' all. Of the tables that its checks read
    every month counts.
    """
    asked, months = digest(_code(), sorted(map(repr, thresholds))), set(months)
    found: dict[str, str | None] = {}
    for judgment in of:
        own = contents.get(judgment.table, {})
        mine = own if WHOLE in months or WHOLE in own else {m: own.get(m) for m in sorted(months)}
        read = {table: contents.get(table) for table in sorted(judgment.reads)}
        is_known = mine and None not in (*mine.values(), *read.values())
        found[judgment.label] = digest(asked, mine, read) if is_known else None
    return found


def standing(now: Mapping[str, Mapping[str, str | None]], before: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Labels of tables that were judged on the same in every place. now, before: {place: {label: digest}}."""
    labels = {label for found in now.values() for label in found}
    return {
        label
        for label in labels
        if all(found[label] and before.get(place, {}).get(label) == found[label] for place, found in now.items())
    }
