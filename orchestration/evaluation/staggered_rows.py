"""Eligible rows of places and months, and what an outcome measures on them, from one release."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from orchestration.engine import name, text
from orchestration.evaluation.panel import (
    FlowStep,
    column_sql,
    holds_sql,
    inside_hours_sql,
    landed_steps,
    months_of_data,
    released_table,
)
from orchestration.evaluation.staggered_study import ANY, INSIDE, OUTSIDE, RowOutcome, StaggeredStudy
from orchestration.evaluation.study import Rule, ShiftRate
from orchestration.evaluation.subtraction import Told, told


@dataclass(frozen=True)
class Rows:
    """One measured row each: its place, month and value. starts: by place, the index of the month in which the program
    starts there; the number of months where it never does."""

    units: tuple[str, ...]
    months: tuple[str, ...]
    starts: np.ndarray
    unit: np.ndarray
    month: np.ndarray
    value: np.ndarray

    @property
    def is_on(self) -> np.ndarray:
        """True for the rows of treated places and months."""
        return self.month >= self.starts[self.unit]

    @property
    def is_ever(self) -> np.ndarray:
        """True for the rows of places that are treated at any time."""
        return self.starts[self.unit] < len(self.months)

    def near(self, units: tuple[str, ...]) -> Rows:
        """Rows of places that are never treated, where `units` count as treated from the first start on."""
        never = np.flatnonzero(self.starts == len(self.months))
        names = [self.units[i] for i in never]
        first = int(self.starts.min())
        starts = np.array([first if u in units else len(self.months) for u in names])
        kept = np.isin(self.unit, never)
        return Rows(
            tuple(names),
            self.months,
            starts,
            np.searchsorted(never, self.unit[kept]),
            self.month[kept],
            self.value[kept],
        )

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How many rows, their sum, and their sum of squares, by place and month."""
        shape = (len(self.units), len(self.months))
        at = self.unit * shape[1] + self.month
        return tuple(
            np.bincount(at, weights=w, minlength=shape[0] * shape[1]).reshape(shape)
            for w in (np.ones(len(at)), self.value, self.value**2)
        )


def tells_few(rows: int, share: float, smallest: int) -> bool:
    """Whether a share of so many rows tells that 1 to `smallest` - 1 of them have, or have not, what it counts."""
    taken = round(rows * share)
    return 0 < taken < smallest or 0 < rows - taken < smallest


def _all_hold(rules: tuple[Rule, ...]) -> str:
    return " and ".join(map(holds_sql, rules)) or "true"


class EligibleRows:
    """Reads a study's rows once from an open release, and measures outcomes on them."""

    def __init__(self, con: duckdb.DuckDBPyConnection, study: StaggeredStudy):
        self.con, self.study = con, study
        p = study.population
        rates = study.form_and_recode_shift.rates
        rules = [study.unit, *p.where, *(r for o in study.outcomes for r in o.where)]
        rules += [r for x in rates for r in (*x.where, *x.among)]
        named = [*(r.column for r in rules), *(o.of for o in study.outcomes if o.of), p.at]
        table = released_table(con, study, {c.partition(".")[0] for c in named})
        measures = [f"{_all_hold(o.where)} as takes_{o.name}" for o in study.outcomes]
        measures += [f"cast({column_sql(o.of)} as double) / {o.per} as value_{o.name}" for o in study.outcomes if o.of]
        measures += [f"{_all_hold(x.where)} as takes_{x.name}, {_all_hold(x.among)} as among_{x.name}" for x in rates]
        con.execute(
            f"""
            create or replace temp table evaluated as
            select
                {column_sql(study.unit.column)} as unit,
                strftime({name(p.at)}, '%Y-%m') as month,
                {inside_hours_sql(study.treatment.hours, name(p.at))} as is_inside,
                {_all_hold(p.where)} as is_eligible,
                {", ".join(measures)}
            from {table}
            where agency_id in ({", ".join(map(text, p.agencies))})
            """
        )
        self.months = months_of_data(con, study)
        start_of = study.start_of
        self.starts = np.array([self.months.index(start_of[u]) if u in start_of else len(self.months) for u in study.unit.values])  # fmt: skip

    def outcome(self, outcome: RowOutcome) -> Rows:
        """The rows on which an outcome is measured; of a count, a row of value 1 each."""
        value = {"share": f"cast(takes_{outcome.name} as double)", "count": "1.0", "mean": f"value_{outcome.name}"}
        return self._rows(value[outcome.measure], self._measured(outcome))

    def _measured(self, outcome: RowOutcome) -> str:
        kept = {INSIDE: "is_inside", OUTSIDE: "not is_inside", ANY: "true"}[outcome.hours]
        if outcome.measure == "share":
            return kept
        return f"{kept} and takes_{outcome.name}" + (
            f" and value_{outcome.name} is not null" if outcome.measure == "mean" else ""
        )

    def rate(self, rate: ShiftRate) -> Rows:
        """The rows among which a share of records is taken, in program hours."""
        return self._rows(f"cast(takes_{rate.name} as double)", f"is_inside and among_{rate.name}")

    def told(self) -> tuple[Told, list[list[int]]]:
        """Of which rows the counts and shares of a report are: of treated rows and of shifts first, then of Table 1, by
        outcome the places of its counts. A share that tells of few rows is not shown there."""
        s, data = self.study, self.study.population.data
        on = " or ".join(
            f"unit in ({', '.join(map(text, x.units))}) and month >= {text(x.month)}" for x in s.treatment.starts
        )
        ever, every = (f"unit in ({', '.join(map(text, u))})" for u in (sorted(s.start_of), s.unit.values))
        there = f"{every} and month between {text(data.first)} and {text(data.last)}"
        early = f"month < {text(min(x.month for x in s.treatment.starts))}"

        def counts(label: str, cell: str, of: str, takes: str | None) -> list[tuple[str, str]]:
            yes = [(f"{label}, yes ({cell})", f"{of} and {takes}")] if takes else []
            return [(f"{label} ({cell})", of), *yes]

        def of_outcome(o: RowOutcome, cell: str, where: str) -> list[tuple[str, str]]:
            takes = f"takes_{o.name}" if o.measure == "share" else None
            return counts(o.label, cell, f"{there} and {where} and {self._measured(o)}", takes)

        always = [c for o in s.outcomes for c in of_outcome(o, "treated", f"({on})")]
        for x in s.form_and_recode_shift.rates:
            for cell, where in (("before", f"{ever} and not ({on})"), ("after", f"({on})")):
                of = f"{there} and {where} and is_inside and among_{x.name}"
                always += counts(x.label, cell, of, f"takes_{x.name}")
        before = [
            [of_outcome(o, "later", f"{ever} and {early}"), of_outcome(o, "never", f"not {ever} and {early}")]
            for o in s.outcomes
        ]
        found = told(self.con, [*always, *(c for both in before for cell in both for c in cell)])
        groups, at, n = [], len(always), found.counts
        for both in before:
            own = []
            for cell in both:
                hidden = len(cell) > 1 and n[at] and tells_few(n[at], n[at + 1] / n[at], s.suppression)
                own += [at] if hidden else range(at, at + len(cell))
                at += len(cell)
            groups.append(own)
        return found, groups

    def _rows(self, value: str, kept: str) -> Rows:
        units = self.study.unit.values
        found = self.con.execute(
            f"""
            select list_position($1, unit) - 1 as unit, list_position($2, month) - 1 as month, {value} as value
            from evaluated
            where is_eligible and {kept} and list_contains($1, unit) and list_contains($2, month)
            order by all
            """,
            [list(units), list(self.months)],
        ).fetchnumpy()
        unit, month = (np.asarray(found[c]).astype(np.int64) for c in ("unit", "month"))
        return Rows(units, self.months, self.starts, unit, month, np.asarray(found["value"], dtype=float))

    def flow(self, outcome: RowOutcome) -> list[FlowStep]:
        """From landed rows to the rows on which an outcome is measured; every step adds up."""
        s, data = self.study, self.study.population.data
        kept = {INSIDE: "is_inside", OUTSIDE: "not is_inside", ANY: "true"}[outcome.hours]
        total, in_data, in_unit, eligible, in_hours = self.con.execute(
            f"""
            select
                count(*),
                count(*) filter (a),
                count(*) filter (a and b),
                count(*) filter (a and b and is_eligible),
                count(*) filter (a and b and is_eligible and {kept})
            from (select *, coalesce(month between $1 and $2, false) as a, coalesce(list_contains($3, unit), false) as b
                from evaluated)
            """,
            [data.first, data.last, list(s.unit.values)],
        ).fetchone()
        steps = landed_steps(self.con, s, total)
        hours = {INSIDE: "outside program hours", OUTSIDE: "inside program hours", ANY: "of other hours"}
        for step, remain in (
            (f"outside {data.first} to {data.last}", in_data), (f"{s.unit.column} unknown or not in the study", in_unit),
            ("not eligible by the population's rules", eligible), (hours[outcome.hours], in_hours),
            ("nothing known to measure", len(self.outcome(outcome).value)),
        ):  # fmt: skip
            steps.append(FlowStep(step, steps[-1].remain - remain, remain))
        return steps
