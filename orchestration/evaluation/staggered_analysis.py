"""Everything that a study of several starts asks for, computed from one release."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from orchestration.evaluation.bounds import Bound, bounds
from orchestration.evaluation.panel import FlowStep
from orchestration.evaluation.staggered import (
    OF_COUNTS,
    OF_ROWS,
    MonthsSince,
    PermutedStarts,
    StaggeredEffect,
    callaway_santanna,
    months_since_start,
    permute_starts,
)
from orchestration.evaluation.staggered_rows import EligibleRows, Rows
from orchestration.evaluation.staggered_study import RowOutcome, StaggeredStudy


@dataclass(frozen=True)
class Measured:
    """An outcome with its estimates; the first is the main one."""

    outcome: RowOutcome
    effects: tuple[StaggeredEffect, ...]

    @property
    def main(self) -> StaggeredEffect:
        return self.effects[0]


@dataclass(frozen=True)
class Before:
    """Table 1: an outcome in the months before the first start, in places that start later and in places that never do.

    Of a count, rows per place and month; of a share or mean, its value per row. standardized: difference over the
    pooled standard deviation, of places for a count and of rows for the others.
    """

    outcome: RowOutcome
    months: str
    later_rows: int
    never_rows: int
    later: float
    never: float
    standardized: float


@dataclass(frozen=True)
class Shifted:
    """A share of records that the program may shift, before and from the start on, with its estimated shift."""

    label: str
    rows_before: int
    before: float
    effect: StaggeredEffect


@dataclass(frozen=True)
class StaggeredAnalysis:
    """Results of a study of several starts. rows: those of the primary outcome; derivable: small cells that follow from
    two of its counts; withheld: outcomes, by place, whose counts in Table 1 would give one.
    """

    study: StaggeredStudy
    rows: Rows
    outcomes: tuple[Measured, ...]
    before: tuple[Before, ...]
    flow: tuple[FlowStep, ...]
    since: MonthsSince
    permuted: PermutedStarts
    bounds: tuple[Bound, ...]
    shifts: tuple[Shifted, ...]
    spillover: tuple[StaggeredEffect, PermutedStarts] | None
    monthly: tuple[tuple[str, str, float], ...]
    derivable: tuple[str, ...]
    withheld: frozenset[int]

    @property
    def primary(self) -> Measured:
        return next(m for m in self.outcomes if m.outcome.role == "primary")


def analyze(con: duckdb.DuckDBPyConnection, study: StaggeredStudy) -> StaggeredAnalysis:
    """Runs a study over an open release."""
    eligible = EligibleRows(con, study)
    rows = {o.name: eligible.outcome(o) for o in study.outcomes}
    primary = rows[study.primary.name]
    since = months_since_start(primary)
    told, of_table_one = eligible.told()
    always = min(i for own in of_table_one for i in own)
    return StaggeredAnalysis(
        study=study,
        rows=primary,
        outcomes=tuple(Measured(o, _estimates(study, o, rows[o.name])) for o in study.outcomes),
        before=tuple(_before(o, rows[o.name]) for o in study.outcomes),
        flow=tuple(eligible.flow(study.primary)),
        since=since,
        permuted=permute_starts(primary, study.permutation.draws, study.permutation.seed),
        bounds=_bounds(since) if "rambachan_roth" in study.robustness else (),
        shifts=tuple(_shifted(x.label, eligible.rate(x)) for x in study.form_and_recode_shift.rates),
        spillover=_spillover(study, primary) if study.spillover else None,
        monthly=_monthly(primary),
        derivable=tuple(told.of(np.arange(always)).derivable(study.suppression)),
        withheld=told.withheld(always, of_table_one, study.suppression),
    )


def _spillover(study: StaggeredStudy, rows: Rows) -> tuple[StaggeredEffect, PermutedStarts]:
    """Places near against places far, all never treated, from the first start on; and given to other places by lot."""
    near = rows.near(study.spillover.units)
    return callaway_santanna(near), permute_starts(near, study.permutation.draws, study.permutation.seed)


def _bounds(since: MonthsSince) -> tuple[Bound, ...]:
    kept = [i for i, m in enumerate(since.since) if m != -1]
    return bounds(since.effects[kept], since.covariance, len(since.leads))


def _estimates(study: StaggeredStudy, outcome: RowOutcome, rows: Rows) -> tuple[StaggeredEffect, ...]:
    """In the study's order; a count has no estimate by differences of levels."""
    known = OF_COUNTS if outcome.measure == "count" else OF_ROWS
    return tuple(known[e](rows) for e in study.estimators if e in known)


def _before(outcome: RowOutcome, rows: Rows) -> Before:
    first = int(rows.starts.min())
    early, ever = rows.month < first, rows.is_ever
    period = f"{rows.months[0]} to {rows.months[first - 1]}" if first > 1 else rows.months[0]
    if outcome.measure == "count":
        by_place = rows.cells()[0][:, :first].sum(axis=1) / first
        later, never = by_place[rows.starts < len(rows.months)], by_place[rows.starts == len(rows.months)]
    else:
        later, never = rows.value[early & ever], rows.value[early & ~ever]
    spread = float(np.sqrt((later.var(ddof=1) + never.var(ddof=1)) / 2))
    return Before(
        outcome, period, int((early & ever).sum()), int((early & ~ever).sum()), float(later.mean()), float(never.mean()),
        float((later.mean() - never.mean()) / spread) if spread else float("nan"),
    )  # fmt: skip


def _shifted(label: str, rows: Rows) -> Shifted:
    before = ~rows.is_on & rows.is_ever
    return Shifted(label, int(before.sum()), float(rows.value[before].mean()), callaway_santanna(rows))


def _monthly(rows: Rows) -> tuple[tuple[str, str, float], ...]:
    """(places by their start, month, mean of the measured rows)."""
    n, total, _ = rows.cells()
    return tuple(
        (_named(rows, int(g)), month, float(total[rows.starts == g, m].sum() / n[rows.starts == g, m].sum()))
        for g in np.unique(rows.starts)
        for m, month in enumerate(rows.months)
    )


def _named(rows: Rows, start: int) -> str:
    return f"start in {rows.months[start]}" if start < len(rows.months) else "never"
