"""The SQL of the gates: the window's rows, tallies by place, and the addresses of failing rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from expectations.loader import Check, Suite, value_list
from expectations.results import Place
from expectations.thresholds import Limits

Window = Sequence[tuple[str, str]]


def literal(value: object) -> str:
    """A SQL literal of a text, number, boolean or null."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def name(identifier: str) -> str:
    """A quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def relation(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A relation of text constants in parentheses; with no rows, an empty one. Texts hold no line break.

    One literal a column: thousands of pairs parse several times faster than as rows of values.
    """
    by_column = list(zip(*rows, strict=True))
    if not by_column:
        return "(select " + ", ".join(f"cast(null as varchar) as {c}" for c in columns) + " where false)"
    lists = [literal("\n".join(texts)) for texts in by_column]
    return (
        "(select "
        + ", ".join(f"unnest(string_split({t}, chr(10))) as {c}" for t, c in zip(lists, columns, strict=True))
        + ")"
    )


@dataclass(frozen=True)
class Frame:
    """One table of one judgment: its suite, the window, and how the two meet in SQL.

    columns: the table's columns in order. window: pairs of agency_id and month. sees_most: whether the window
    holds so much of the table that a key's repeats are looked for in all of it.
    """

    suite: Suite
    window: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    sees_most: bool = False

    @property
    def whole(self) -> str:
        return f"{name(self.suite.schema)}.{name(self.suite.table)}"

    @cached_property
    def agencies(self) -> list[str]:
        return sorted({agency for agency, _ in self.window})

    @cached_property
    def select(self) -> str:
        """A select of the table's rows that this judgment sees."""
        return self.seen(self.whole)

    def seen(self, table: str) -> str:
        """A select of the rows of another table, of the same shape of place, that this judgment sees."""
        if self.suite.judged_by == "agency_month":
            pairs = relation(("agency_id", "month"), self.window)
            return f"select * from {table} where (agency_id, month) in {pairs}"
        if self.suite.judged_by == "agency":
            agencies = relation(("agency_id",), ([a] for a in self.agencies))
            return f"select * from {table} where agency_id in {agencies}"
        return f"select * from {table}"

    @property
    def places(self) -> list[Place]:
        """Every place that gets a result."""
        if self.suite.judged_by == "agency_month":
            return list(self.window)
        if self.suite.judged_by == "agency":
            return [(agency, None) for agency in self.agencies]
        return [(None, None)]

    @property
    def place_columns(self) -> tuple[str, ...]:
        columns = {"agency_month": ("agency_id", "month"), "agency": ("agency_id",), "table": ()}
        return columns[self.suite.judged_by]

    def fill(self, sql: str, check: Check | None = None, limits: Limits | None = None) -> str:
        """SQL of a suite with its placeholders filled."""
        out = sql.replace("{rows}", f"({self.select})").replace("{table}", self.suite.table)
        if "{window}" in out:
            out = out.replace("{window}", relation(("agency_id", "month"), self.window))
        if "{agencies}" in out:
            out = out.replace("{agencies}", relation(("agency_id",), ([a] for a in self.agencies)))
        for listed in ("answers", "interval_statuses"):
            out = out.replace(f"{{{listed}}}", "(" + ", ".join(literal(v) for v in value_list(listed)) + ")")
        if check is not None and limits is not None and "{threshold}" in out:
            out = out.replace("{threshold}", self._threshold(check, limits))
        return out

    def _threshold(self, check: Check, limits: Limits) -> str:
        check_id = self.suite.check_id(check)
        default, own = limits.value(check_id, None), limits.own_values(check_id)
        if not own:
            return literal(default)
        cases = " ".join(f"when {literal(a)} then {literal(v)}" for a, v in sorted(own.items()))
        return f"(case agency_id {cases} else {literal(default)} end)"

    def tally(self, rows: str, counts: Sequence[str]) -> str:
        """Counts by place over a select: rows of (agency_id, month, count, ...), null where not placed."""
        place = ", ".join(
            c if c in self.place_columns else f"cast(null as varchar) as {c}" for c in ("agency_id", "month")
        )
        return f"select {place}, {', '.join(counts)} from ({rows}) as judged group by 1, 2"

    def matching(self, check: Check) -> list[str]:
        """Columns that a check with columns_like asks."""
        return [c for c in self.columns if re.search(check.columns_like, c)]

    def parts(self, check: Check, limits: Limits) -> dict[str, str]:
        """The failing conditions of a check, by the column each one asks ('' where it asks no single one)."""
        if check.kind == "not_null":
            return {c: f"{name(c)} is null" for c in check.columns}
        if check.kind == "in_set":
            values = ", ".join(literal(v) for v in check.values)
            return {c: f"{name(c)} not in ({values})" for c in check.columns}
        if check.kind == "between":
            low = f"{{0}} < {literal(check.low)}" if check.low is not None else ""
            high = f"{{0}} > {literal(check.high)}" if check.high is not None else ""
            outside = " or ".join(c for c in (low, high) if c)
            return {c: outside.format(name(c)) for c in check.columns}
        if check.kind == "pair":
            larger, smaller = check.columns
            return {"": f"{name(larger)} < {name(smaller)}"}
        condition = self.fill(check.condition, check, limits)
        if check.columns_like:
            return {c: condition.replace("{column}", name(c)) for c in self.matching(check)}
        return {"": condition}

    def condition(self, check: Check, limits: Limits) -> str:
        """One condition that holds for every failing row of a check that has one."""
        failing = " or ".join(f"({c})" for c in self.parts(check, limits).values()) or "false"
        return f"({self.fill(check.of, check, limits)}) and ({failing})" if check.of else f"({failing})"

    def eligible(self, check: Check, limits: Limits) -> str:
        """The count of the rows that a condition is asked of."""
        if check.columns_like and not self.matching(check):
            return "0"
        return f"count(*) filter (where {self.fill(check.of, check, limits)})" if check.of else "count(*)"

    def duplicates(self, check: Check) -> str:
        """A select of the window's rows whose key stands more than once in the whole table."""
        key = ", ".join(name(c) for c in check.columns)
        seen = "" if self.sees_most else f" semi join ({self.select}) as seen using ({key})"
        twice = f"select {key} from {self.whole} as anywhere{seen} group by {key} having count(*) > 1"
        return f"select * from ({self.select}) as seen semi join ({twice}) as twice using ({key})"

    def failing(self, check: Check, limits: Limits) -> str:
        """A select of a check's failing rows, whatever its kind."""
        if check.kind == "unique":
            return self.duplicates(check)
        if check.kind == "query":
            return self.fill(check.condition, check, limits)
        return f"select * from ({self.select}) as judged where {self.condition(check, limits)}"
