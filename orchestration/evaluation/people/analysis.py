"""Everything that a study of rows asks for, computed from one release."""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb
import numpy as np

from orchestration.evaluation.panel import FlowStep
from orchestration.evaluation.people.lottery import Complier, complier, intent_to_treat, permutation_p
from orchestration.evaluation.people.missing import Bounds, Pooled, bounds, impute, rubin
from orchestration.evaluation.people.rows import Rows, read_rows
from orchestration.evaluation.people.study import (
    COMPLIER,
    ENTROPY,
    PROPENSITY,
    SMALLEST_SAMPLE,
    WEIGHTED,
    IndividualStudy,
    PersonOutcome,
)
from orchestration.evaluation.people.survival import Hazard, Share, cox, cumulative_share, kaplan_meier
from orchestration.evaluation.people.weighting import (
    Design,
    Difference,
    collapse,
    design,
    effective_size,
    entropy_weights,
    propensity_weights,
    standardized,
    weighted_difference,
)
from orchestration.evaluation.robustness import holm
from orchestration.evaluation.study import StudyError


@dataclass(frozen=True)
class Estimated:
    """An estimate with what it is of. difference: none where a cell is too small to be told. is_counted: whether its
    counts may be told; else the difference in points stands alone."""

    outcome: str
    label: str
    role: str
    estimator: str
    difference: Difference | None
    holm: float | None = None
    is_counted: bool = True


@dataclass(frozen=True)
class Level:
    """Table 1: a level of a category in both arms, or the mean and standard deviation of a number (n: all rows)."""

    covariate: str
    level: str
    n_treated: int
    n_comparison: int
    treated: float
    comparison: float
    before: float
    after: dict[str, float]


@dataclass(frozen=True)
class Unknown:
    """An outcome that is not known for all rows: what is known alone, imputed, and bounded."""

    outcome: str
    label: str
    known: Difference | None
    pooled: Pooled
    bounds: Bounds


@dataclass(frozen=True)
class Course:
    """Days to the next event, by arm: shares with competing events and without, and ratios of hazards."""

    n_treated: int
    n_comparison: int
    competing_treated: int
    competing_comparison: int
    shares: tuple[Share, Share]
    alone: tuple[Share, Share]
    hazards: tuple[Hazard, ...]


@dataclass(frozen=True)
class PeopleAnalysis:
    """Results of a study of rows, in the order in which its report shows them.

    weights: of all rows, by estimator. main_weights: those of the main estimate, 0 where its outcome is not known.
    """

    study: IndividualStudy
    rows: Rows
    flow: tuple[FlowStep, ...]
    joined: tuple[tuple[str, tuple[str, ...]], ...]
    table_one: tuple[Level, ...]
    weights: dict[str, np.ndarray]
    main_weights: np.ndarray
    effective: dict[str, float]
    effects: tuple[Estimated, ...]
    records: tuple[Estimated, ...]
    unknown: tuple[Unknown, ...]
    subgroups: tuple[tuple[str, tuple[tuple[str, Difference], ...]], ...]
    complier: Complier | None
    permutation_p: float | None
    course: Course | None

    @property
    def main(self) -> Estimated:
        m = self.study.main
        return next(e for e in self.effects if (e.outcome, e.estimator) == (m.outcome, m.estimator))

    @property
    def fewer(self) -> float:
        return self.main.difference.fewer

    def fewer_at(self, z: np.ndarray) -> np.ndarray:
        """Fewer rows with a yes, were the main difference so many errors from its estimate."""
        d = self.main.difference
        return -d.n_treated * (d.difference + d.error * z)

    @property
    def noun(self) -> str:
        return "calls" if self.study.population.id == "incident_id" else "contacts"


def analyze(con: duckdb.DuckDBPyConnection, study: IndividualStudy) -> PeopleAnalysis:
    """Runs a study of rows over an open release. Raises StudyError."""
    rows = read_rows(con, study)
    run = _Runner(study, rows)
    main = study.main.estimator
    everybody = np.ones(len(rows), dtype=bool)
    weights = {e: run.weights(e, everybody) for e in study.estimators if e in WEIGHTED}
    effects = run.holm(
        [run.outcome(o, e) for o in study.outcomes for e in study.estimators if e != COMPLIER], main
    )  # fmt: skip
    analysis_main = next(e for e in effects if (e.outcome, e.estimator) == (study.main.outcome, main))
    if analysis_main.difference is None:
        raise StudyError(
            f"{study.study_id}: a cell of 1 to {study.suppression - 1} may not leave the internal tier"
            f" ({study.primary.label}); take more months, a wider population or a wider outcome"
        )
    y = rows.outcomes[study.primary.name]
    known = ~np.isnan(y)
    return PeopleAnalysis(
        study=study,
        rows=rows,
        flow=rows.flow,
        joined=tuple((c, levels) for c, levels in run.joined.items() if levels),
        table_one=run.table_one(weights),
        weights=weights,
        main_weights=run.main_weights(known),
        effective={e: effective_size(w[~rows.treated]) for e, w in weights.items()},
        effects=effects,
        records=tuple(
            run.estimate(k, _RECORDS[k], "record", main, v) for k, v in rows.records.items()
        ),
        unknown=run.unknown(main, {e.outcome for e in effects if e.difference}),
        subgroups=run.subgroups(main),
        complier=complier(
            y[known], rows.treated[known], rows.received[known], run.strata[known], rows.cluster[known]
        ) if COMPLIER in study.estimators else None,
        permutation_p=permutation_p(
            y[known], rows.treated[known], run.strata[known], rows.unit[known], study.treatment.lottery.draws, study.seed
        ) if study.is_randomized else None,
        course=run.course(),
    )  # fmt: skip


_RECORDS = {"form_written": "a contact form was written", "type_changed": "the call's type was changed at close"}


class _Runner:
    """Estimates what is asked for, on the rows for which it is known; weights are made once for each set of rows."""

    def __init__(self, study: IndividualStudy, rows: Rows):
        self.study, self.rows = study, rows
        strata = study.treatment.lottery.strata if study.treatment.lottery else ()
        joint = np.array([" / ".join(x) for x in zip(*(rows.columns[c] for c in strata), strict=True)] if strata else ["all"] * len(rows))  # fmt: skip
        self.strata = np.unique(joint, return_inverse=True)[1]
        self._told: list[np.ndarray] = []
        self.joined: dict[str, tuple[str, ...]] = {}
        self._kept: dict[tuple, np.ndarray] = {}
        everybody = np.ones(len(rows), dtype=bool)
        self.categories = self._categories(everybody, self.joined)
        self.all = self._design(everybody)

    def _categories(self, mask: np.ndarray, joined: dict | None = None) -> dict[str, np.ndarray]:
        out = {}
        for c in self.study.covariates:
            if c.kind == "category":
                out[c.label], together = collapse(
                    self.rows.columns[c.column][mask], self.rows.treated[mask], self.study.suppression
                )
                if joined is not None:
                    joined[c.label] = together
        return out

    def _design(self, mask: np.ndarray) -> Design:
        numbers = {
            c.label: self.rows.numbers[c.column][mask] for c in self.study.covariates if c.kind == "number"
        }  # fmt: skip
        return design(self._categories(mask), numbers)

    def weights(self, estimator: str, mask: np.ndarray) -> np.ndarray:
        key = (estimator, mask.tobytes())
        if key not in self._kept:
            make = {PROPENSITY: propensity_weights, ENTROPY: entropy_weights}.get(estimator)
            treated = self.rows.treated[mask]
            self._kept[key] = make(self._design(mask).x, treated) if make else np.ones(len(treated))
        return self._kept[key]

    def main_weights(self, known: np.ndarray) -> np.ndarray:
        out = np.zeros(len(known))
        out[known] = self.weights(self.study.main.estimator, known)
        return out

    def difference(self, estimator: str, y: np.ndarray, mask: np.ndarray) -> Difference:
        """y: of all rows, known where the mask is true."""
        treated, cluster = self.rows.treated[mask], self.rows.cluster[mask]
        if self.study.is_randomized:
            return intent_to_treat(y[mask], treated, self.strata[mask], cluster)
        return weighted_difference(estimator, y[mask], treated, self.weights(estimator, mask), cluster)

    def estimate(self, name: str, label: str, role: str, estimator: str, y: np.ndarray) -> Estimated:
        known = ~np.isnan(y)
        if self._is_small(y):
            return Estimated(name, label, role, estimator, None)
        is_counted = not self._is_near(known, y == 1, y == 0)
        # Whether forms shift has to be told in any case; of outcomes, one beside another one that gives a cell away is not.
        found = self.difference(estimator, y, known) if is_counted or role == "record" else None
        return Estimated(name, label, role, estimator, found, is_counted=is_counted)

    def outcome(self, o: PersonOutcome, estimator: str) -> Estimated:
        return self.estimate(o.name, o.label, o.role, estimator, self.rows.outcomes[o.name])

    def _is_near(self, *counted: np.ndarray) -> bool:
        """Whether, in an arm, rows that are counted already hold any of these, or lie within them, but for a small number."""
        for rows in counted:
            for told in self._told:
                for arm in (self.rows.treated, ~self.rows.treated):
                    more, less = (arm & rows & ~told).sum(), (arm & told & ~rows).sum()
                    if min(more, less) == 0 and 0 < more + less < self.study.suppression:
                        return True
        self._told.extend(counted)
        return False

    def _is_small(self, y: np.ndarray, mask: np.ndarray | None = None) -> bool:
        """Whether the yes, the no or the unknown of an arm is a cell that may not be told."""
        arms = (self.rows.treated, ~self.rows.treated)
        cells = [
            int((arm & kind & (True if mask is None else mask)).sum())
            for arm in arms
            for kind in (y == 1, y == 0, np.isnan(y))
        ]
        nobody_known = any(not (arm & ~np.isnan(y)).any() for arm in arms)
        return nobody_known or any(0 < n < self.study.suppression for n in cells)

    def holm(self, effects: list[Estimated], main: str) -> tuple[Estimated, ...]:
        """Holm's correction over the secondary outcomes, of the main estimator."""
        at = [i for i, e in enumerate(effects) if e.role == "secondary" and e.estimator == main and e.difference]
        for i, p in zip(at, holm([effects[i].difference.p_value for i in at]), strict=True):
            effects[i] = replace(effects[i], holm=p)
        return tuple(effects)

    def table_one(self, weights: dict[str, np.ndarray]) -> tuple[Level, ...]:
        treated, d = self.rows.treated, self.all
        before = dict(zip(d.shown, standardized(d.shown_x, treated), strict=True))
        after = {e: dict(zip(d.shown, standardized(d.shown_x, treated, w), strict=True)) for e, w in weights.items()}
        out = []
        for c in self.study.covariates:
            if c.kind == "number":
                values = self.rows.numbers[c.column]
                t, o = values[treated], values[~treated]
                for level, n, f in (("mean", True, np.mean), ("standard deviation", False, np.std)):
                    out.append(
                        Level(
                            c.label, level, len(t), len(o), float(f(t)), float(f(o)), before.get(c.label, 0.0) if n else 0.0,
                            {e: a.get(c.label, 0.0) for e, a in after.items()} if n else {},
                        )
                    )  # fmt: skip
                continue
            levels = self.categories[c.label]
            for level in sorted(np.unique(levels.astype(str)), key=lambda v: (v == "others", v)):
                here, key = levels == level, f"{c.label}: {level}"
                n_t, n_o = int((here & treated).sum()), int((here & ~treated).sum())
                out.append(
                    Level(
                        c.label, level, n_t, n_o, n_t / treated.sum(), n_o / (~treated).sum(), before.get(key, 0.0),
                        {e: a.get(key, 0.0) for e, a in after.items()},
                    )
                )  # fmt: skip
        return tuple(out)

    def unknown(self, main: str, names: set[str]) -> tuple[Unknown, ...]:
        """Of the outcomes that are told."""
        s, rows = self.study, self.rows
        told = [o for o in s.outcomes if o.name in names]
        partly = [o for o in told if np.isnan(rows.outcomes[o.name]).any()]
        if not partly:
            return ()
        everybody = np.ones(len(rows), dtype=bool)
        used = {o.name: rows.outcomes[o.name] for o in told}
        parts = tuple(~np.isnan(rows.outcomes[o.name]) for o in partly)
        categories = [
            np.unique(collapse(rows.columns[c.column], rows.treated, s.suppression, parts)[0], return_inverse=True)[1]
            for c in s.covariates
            if c.kind == "category"
        ]
        numbers = [rows.treated.astype(float), *rows.numbers.values()]
        sets = impute(used, categories, numbers, s.missing.imputations, s.missing.cycles, s.seed)
        out = []
        for o in partly:
            found = [self.difference(main, filled[o.name], everybody) for filled in sets]
            y = rows.outcomes[o.name]
            out.append(
                Unknown(
                    o.name, o.label, self.difference(main, y, ~np.isnan(y)),
                    rubin(np.array([d.difference for d in found]), np.array([d.error for d in found])),
                    bounds(y, rows.treated, lambda filled: self.difference(main, filled, everybody)),
                )
            )  # fmt: skip
        return tuple(out)

    def subgroups(self, main: str) -> tuple[tuple[str, tuple[tuple[str, Difference], ...]], ...]:
        """The primary outcome within levels of a column. A column with a small cell is left out whole."""
        y, treated, out = self.rows.outcomes[self.study.primary.name], self.rows.treated, []
        known = ~np.isnan(y)
        for column in self.study.subgroups:
            values = np.full(len(y), "", dtype=object)
            values[known], _ = collapse(self.rows.columns[column][known], treated[known], SMALLEST_SAMPLE)
            levels = sorted(np.unique(values[known].astype(str)))
            masks = {v: known & (values == v) for v in levels}
            if len(levels) < 2 or any(self._is_small(y, m) for m in masks.values()):
                continue
            out.append((column, tuple((v, self.difference(main, y, m)) for v, m in masks.items())))
        return tuple(out)

    def course(self) -> Course | None:
        t, times = self.study.time_to_event, self.rows.times
        if t is None:
            return None
        treated, cluster = self.rows.treated[times.rows], self.rows.cluster[times.rows]
        arms = [(times.days[a], times.cause[a]) for a in (treated, ~treated)]
        counts = [int((c == k).sum()) for _, c in arms for k in (1, 2)] + [len(c) for _, c in arms]
        ended = [int((c == 0).sum()) for _, c in arms]
        known = np.zeros(len(self.rows), dtype=bool)
        known[times.rows] = True
        is_small = any(0 < n < self.study.suppression for n in (*counts, *ended)) or self._is_near(known)
        if is_small or min(len(d) for d, _ in arms) < SMALLEST_SAMPLE:
            return None
        shown = _days_to_show(arms, t.shown_days, self.study.suppression)
        if not shown:
            return None
        arm = treated.astype(float)[:, None]
        x = self._design(known).x
        hazards = tuple(
            cox(name, times.days, times.cause, columns, cluster)
            for name, columns in (("unadjusted", arm), ("adjusted for the covariates", np.hstack([arm, x])))
        )
        return Course(
            int(treated.sum()), int((~treated).sum()), int((arms[0][1] == 2).sum()), int((arms[1][1] == 2).sum()),
            tuple(cumulative_share(d, c, shown) for d, c in arms), tuple(kaplan_meier(d, c, shown) for d, c in arms), hazards,
        )  # fmt: skip


def _days_to_show(arms, days: tuple[int, ...], smallest: int) -> tuple[int, ...]:
    """Days between which no arm has a small number of events, nor after the last one."""
    shown: list[int] = []
    for day in sorted(days):
        since = shown[-1] if shown else 0
        left = [((c == 1) & (d > day)).sum() for d, c in arms]
        fell = [((c == 1) & (d > since) & (d <= day)).sum() for d, c in arms]
        if not any(0 < n < smallest for n in (*fell, *left)):
            shown.append(day)
    return tuple(shown)
