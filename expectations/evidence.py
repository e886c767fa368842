"""Asks Great Expectations about one table and gathers what each check found, place by place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from expectations.datasource import Batch, Source, exception_name
from expectations.loader import COLUMN_KINDS, CONDITION_KINDS, Check
from expectations.results import Place
from expectations.sql import Frame, name
from expectations.thresholds import Limits

BUILTIN_KINDS = (*COLUMN_KINDS, "rows_at_least", "no_columns")  # evaluated by the library's own metrics
Places = dict[Place, tuple[int, int]]  # (eligible, failing) rows by place


@dataclass
class Evidence:
    """What was found for one check: (eligible, failing) rows by place, or why it could not be evaluated."""

    places: Places = field(default_factory=dict)
    error: str = ""  # class of what was raised, never its message
    passed: bool = True  # column checks only: what the library said
    columns: str = ""  # names of the columns that fail, where a check asks several


class Unevaluated(Exception):
    """A check could not be evaluated; the text is the class of what was raised."""


def gather(source: Source, frame: Frame, limits: Limits) -> dict[str, Evidence]:
    """Evidence of every check of the frame's suite, by its name. Never raises: an error is evidence."""
    try:
        return _Table(source, frame, limits).gathered()
    except Exception as error:  # whatever went wrong, the gate must hear of it
        return {c.name: Evidence(error=_why(error)) for c in frame.suite.checks}


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Unevaluated) else exception_name(error)


def _by_place(rows: Iterable[Sequence]) -> Places:
    """(eligible, failing) by place, of tally rows."""
    return {(row[0], row[1]): (int(row[2]), int(row[3] or 0)) for row in rows}


class _Table:
    """One table while it is asked."""

    def __init__(self, source: Source, frame: Frame, limits: Limits):
        self.source, self.limits, self.checks = source, limits, frame.suite.checks
        self.frame = replace(frame, sees_most=self._sees_most(frame))
        self.rows: dict[Place, int] = {}

    def gathered(self) -> dict[str, Evidence]:
        batch = self.source.batch(self.frame.select)
        evidence = self._tallied(batch, [c for c in self.checks if c.kind not in BUILTIN_KINDS])
        evidence |= self._asked(batch, [c for c in self.checks if c.kind in BUILTIN_KINDS])
        for check in self.checks:
            found = evidence[check.name]
            try:
                if not found.error:
                    self._place(check, found)
            except Exception as error:
                found.error = _why(error)
        return evidence

    def _sees_most(self, frame: Frame) -> bool:
        """Whether a key's repeats are looked for faster in the whole table than among the window's keys."""
        if not any(c.kind == "unique" for c in self.checks):
            return False
        ((seen, whole),) = self.source.fetch(
            f"select (select count(*) from ({frame.select})), (select count(*) from {frame.whole})"
        )
        return seen * 4 >= whole

    # Checks that are conditions or queries: our own expectation, which places what it counts.

    def _tallied(self, batch: Batch, checks: list[Check]) -> dict[str, Evidence]:
        """Counts of these checks; fills in the rows of each place."""
        shared = [c for c in checks if c.kind in CONDITION_KINDS]
        alone = [c for c in checks if c.kind not in CONDITION_KINDS]
        rows, *outcomes = batch.validate([*self._shared(shared), *map(self._own, alone)], with_counts=True)
        if rows.error:
            # One broken condition breaks the scan that all share: ask each alone.
            (rows,) = batch.validate(self._shared([]), with_counts=True)
            if rows.error:
                raise Unevaluated(rows.error)
            outcomes[: len(shared)] = [batch.validate(self._shared([c]), with_counts=True)[1] for c in shared]
        self.rows = {place: count for place, (count, _) in _by_place(rows.details["places"]).items()}
        return {
            check.name: Evidence(error=o.error, places={} if o.error else _by_place(o.details["places"]))
            for check, o in zip([*shared, *alone], outcomes, strict=True)
        }

    def _shared(self, checks: list[Check]) -> list:
        """An expectation on the rows of each place, which never fails, and one per check, all on one scan."""
        from expectations.custom import ExpectFailingRowsWithin

        counts = ["count(*)", "0", *(count for check in checks for count in self._counts(check))]
        query = self.frame.tally(self.frame.select, counts)
        shares = [None, *map(self._shares, checks)]
        return [
            ExpectFailingRowsWithin(query=query, eligible=2 + 2 * i, failing=3 + 2 * i, shares=allowed)
            for i, allowed in enumerate(shares)
        ]

    def _own(self, check: Check):
        """The expectation of a check that has a query of its own."""
        from expectations.custom import ExpectFailingRowsWithin

        failing = "cast(sum(failing_count) as bigint)" if "failing_count" in check.condition else "count(*)"
        query = self.frame.tally(self.frame.failing(check, self.limits), ["count(*)", failing])
        return ExpectFailingRowsWithin(query=query, eligible=2, failing=3)

    def _counts(self, check: Check) -> list[str]:
        """Counts of the eligible and of the failing rows."""
        failing = f"count(*) filter (where {self.frame.condition(check, self.limits)})"
        return [self.frame.eligible(check, self.limits), failing]

    def _shares(self, check: Check) -> dict[str, float] | None:
        """The shares that may fail, as the expectation takes them; None where no row may."""
        if check.kind != "share":
            return None
        check_id = self.frame.suite.check_id(check)
        return {"": self.limits.value(check_id, None), **self.limits.own_values(check_id)}

    # Checks of columns: the library's own expectations.

    def _asked(self, batch: Batch, checks: list[Check]) -> dict[str, Evidence]:
        asked = [(c, e) for c in checks for e in self._builtin(c)]
        outcomes = batch.validate([e for _, e in asked], with_counts=False) if asked else []
        evidence = {c.name: Evidence() for c in checks}
        for (check, expectation), outcome in zip(asked, outcomes, strict=True):
            if outcome.error and len(asked) > 1:
                (outcome,) = batch.validate([expectation], with_counts=False)
            found = evidence[check.name]
            found.error = found.error or outcome.error
            found.passed = found.passed and outcome.passed
        return evidence

    def _builtin(self, check: Check) -> list:
        """The library's expectations that a check stands for."""
        import great_expectations.expectations as gxe

        from expectations.custom import ExpectColumnsAbsent

        if check.kind == "not_null":
            return [gxe.ExpectColumnValuesToNotBeNull(column=c) for c in check.columns]
        if check.kind == "in_set":
            values = list(check.values)
            return [gxe.ExpectColumnValuesToBeInSet(column=c, value_set=values) for c in check.columns]
        if check.kind == "between":
            bounds = {"min_value": check.low, "max_value": check.high}
            return [gxe.ExpectColumnValuesToBeBetween(column=c, **bounds) for c in check.columns]
        if check.kind == "pair":
            larger, smaller = check.columns
            return [
                gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                    column_A=larger, column_B=smaller, or_equal=True, ignore_row_if="either_value_is_missing"
                )
            ]
        if check.kind == "rows_at_least":
            return [gxe.ExpectTableRowCountToBeBetween(min_value=int(check.low or 0))]
        return [ExpectColumnsAbsent(names=list(check.values))]

    # Where a failure lies: one more query, for failing checks only.

    def _place(self, check: Check, found: Evidence) -> None:
        """Completes the places of a check. Raises Unevaluated when a failure is found nowhere."""
        if check.kind in ("query", "unique"):
            found.places = self._applicable(check, found.places)
        elif check.kind == "rows_at_least":
            rows = sum(self.rows.values())
            found.places = {(None, None): (rows, 0 if found.passed else max(int(check.low or 0) - rows, 1))}
        elif check.kind == "no_columns":
            present = sorted(set(check.values) & {c.lower() for c in self.frame.columns})
            failing = 0 if found.passed else max(len(present), 1)
            found.places = {(None, None): (len(self.frame.columns), failing)}
            found.columns = ", ".join(present)
        elif check.kind in COLUMN_KINDS and found.passed:
            found.places = {place: (rows, 0) for place, rows in self.rows.items()}
        elif check.kind in COLUMN_KINDS:
            found.places = self._located(check, found)
            if not any(failing for _, failing in found.places.values()):
                raise Unevaluated("NotPlaced")  # the library and our SQL disagree: never a pass
        elif check.columns_like and any(failing for _, failing in found.places.values()):
            self._located(check, found)

    def _located(self, check: Check, found: Evidence) -> Places:
        """Eligible and failing rows by place; names the failing columns where a check asks several."""
        parts = self.frame.parts(check, self.limits)
        counts = self._counts(check) + [f"count(*) filter (where {c})" for c in parts.values()]
        rows = self.source.fetch(self.frame.tally(self.frame.select, counts))
        if len(parts) > 1:
            found.columns = ", ".join(c for i, c in enumerate(parts) if any(r[4 + i] for r in rows))
        return _by_place(rows)

    def _applicable(self, check: Check, found: Places) -> Places:
        """For a query, the eligible rows are the table's own, or those of `over`; not those it returned."""
        rows: dict[Place, int] = {} if check.over else dict(self.rows)
        for table in check.over:
            schema, _, table_name = table.rpartition(".")
            other = self.frame.seen(f"{name(schema)}.{name(table_name)}")
            tally = self.frame.tally(other, ["count(*)", "0"])
            for place, (count, _) in _by_place(self.source.fetch(tally)).items():
                rows[place] = max(rows.get(place, 0), count)
        # A failure in a place without rows is still a failure.
        rows |= {place: max(rows.get(place, 0), failing) for place, (_, failing) in found.items()}
        return {place: (count, found.get(place, (0, 0))[1]) for place, count in rows.items()}
