"""Asks Great Expectations about one table and gathers what each check found, place by place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from expectations.datasource import Source, exception_name
from expectations.loader import CONDITION_KINDS, Check
from expectations.results import Place
from expectations.sql import Frame, name
from expectations.thresholds import Limits

Places = dict[Place, tuple[int, int]]  # (eligible, failing) rows by place


@dataclass
class Evidence:
    """What was found for one check: (eligible, failing) rows by place, or why it could not be evaluated."""

    places: Places = field(default_factory=dict)
    error: str = ""  # class of what was raised, never its message
    passed: bool = True  # checks of the whole table only: what the library said
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
        evidence = self._asked()
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

    def _asked(self) -> dict[str, Evidence]:
        """What the library says of every check, asked at once; fills in the rows of each place."""
        batch = self.source.batch(self.frame.select)
        shared = [c for c in self.checks if c.kind in CONDITION_KINDS]
        alone = [c for c in self.checks if c.kind not in CONDITION_KINDS]
        rows, *outcomes = batch.validate([*self._shared(shared), *map(self._own, alone)])
        if rows.error:
            # One broken condition breaks the scan that all share: ask each alone.
            (rows,) = batch.validate(self._shared([]))
            if rows.error:
                raise Unevaluated(rows.error)
            outcomes[: len(shared)] = [batch.validate(self._shared([c]))[1] for c in shared]
        self.rows = {place: count for place, (count, _) in _by_place(rows.details["places"]).items()}
        return {
            check.name: Evidence(error=o.error, passed=o.passed, places=_by_place(o.details.get("places", ())))
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
        """The expectation of a check that has a query of its own, or asks the table as a whole."""
        import great_expectations.expectations as gxe

        from expectations.custom import ExpectColumnsAbsent, ExpectFailingRowsWithin

        if check.kind == "rows_at_least":
            return gxe.ExpectTableRowCountToBeBetween(min_value=int(check.low or 0))
        if check.kind == "no_columns":
            return ExpectColumnsAbsent(names=list(check.values))
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
        elif len(self.frame.parts(check, self.limits)) > 1 and any(failing for _, failing in found.places.values()):
            found.columns = self._failing_columns(check)

    def _failing_columns(self, check: Check) -> str:
        """Names of the columns that fail, of a check that asks several."""
        parts = self.frame.parts(check, self.limits)
        failing = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in parts.values())
        (found,) = self.source.fetch(f"select {failing} from ({self.frame.select}) as judged")
        return ", ".join(column for column, fails in zip(parts, found, strict=True) if fails)

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
