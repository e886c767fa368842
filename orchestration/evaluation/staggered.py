"""Programs that start in different months: thin layers over diff-diff and pyfixest, and permutation of the starts.

Where starts differ, two-way fixed effects hold places that start against places that started before, and weigh effects
by no share that anybody asked for, some of them below zero. So the main estimates are those of Callaway and Sant'Anna
(2021), which hold each start only against places not yet treated, and of Borusyak, Jaravel and Spiess (2024), which
impute what treated places would have had from untreated places and months. Counts run in parallel as ratios: they
are imputed by Poisson (Wooldridge 2023). Errors cluster by place; intervals take t with one less than the places.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.estimators import LINEAR, POISSON, fixed_effects
from orchestration.evaluation.staggered_rows import Rows

CALLAWAY_SANTANNA, IMPUTATION, FIXED_EFFECTS = "callaway_santanna", "imputation", "two_way_fixed_effects"


@dataclass(frozen=True)
class StaggeredEffect:
    """One estimate over the treated places and months.

    rows: measured rows there; seen: their mean, or of a count their number; effect: what the program adds to it;
    error: its standard error, clustered by place; low, high: the 95 % interval of the effect.
    """

    estimator: str
    rows: int
    seen: float
    effect: float
    error: float
    p_value: float
    low: float
    high: float

    @property
    def implied(self) -> float:
        """What would have been seen without the program."""
        return self.seen - self.effect

    @property
    def change(self) -> float:
        """The effect over what would have been seen without; nan where that is not above zero."""
        return self.effect / self.implied if self.implied > 0 else float("nan")

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class MonthsSince:
    """Effects by months since the start; the month before it is the reference. covariance: of all but the reference."""

    since: tuple[int, ...]
    effects: np.ndarray
    low: np.ndarray
    high: np.ndarray
    covariance: np.ndarray

    @property
    def leads(self) -> list[int]:
        """Places of the months before the reference."""
        return [i for i, e in enumerate(self.since) if e < -1]


def _effect(estimator: str, rows: Rows, effect: float, error: float, places: int) -> StaggeredEffect:
    """An effect per row with its interval."""
    on = rows.is_on
    return _with_interval(estimator, int(on.sum()), float(rows.value[on].mean()), effect, error, places)


def _with_interval(estimator: str, rows: int, seen: float, effect: float, error: float, places: int) -> StaggeredEffect:
    """t with one less than the places; where nothing varies the error is 0 and p is not known."""
    from scipy.stats import t

    spread = float(t.ppf(0.975, places - 1)) * error
    p_value = float(2 * t.sf(abs(effect / error), places - 1)) if error else float("nan")
    return StaggeredEffect(estimator, rows, seen, effect, error, p_value, effect - spread, effect + spread)


def _frame(rows: Rows):
    """Rows as diff-diff takes them: months from 1, start 0 for never."""
    import pandas as pd

    starts = np.where(rows.starts < len(rows.months), rows.starts + 1, 0)
    return pd.DataFrame(
        {"row": np.arange(len(rows.value)), "unit": rows.unit, "month": rows.month + 1, "start": starts[rows.unit],
         "value": rows.value, "is_on": rows.is_on.astype(int)}
    )  # fmt: skip


def _quietly(run):
    """The packages warn of what the study file says already: few places, and starts near the first month."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run()


def _callaway_santanna(rows: Rows):
    from diff_diff import CallawaySantAnna

    # Rows are a cross-section of each month; the base of every month is the last one before the start.
    estimator = CallawaySantAnna(
        control_group="not_yet_treated", estimation_method="reg", panel=False, cluster="unit", base_period="universal"
    )
    return _quietly(lambda: estimator.fit(_frame(rows), "value", "row", "month", "start"))


def callaway_santanna(rows: Rows) -> StaggeredEffect:
    """Callaway and Sant'Anna: each start against places not yet treated, weighed by the rows of each start."""
    found = _callaway_santanna(rows)
    return _effect(CALLAWAY_SANTANNA, rows, float(found.overall_att), float(found.overall_se), len(rows.units))


def months_since_start(rows: Rows) -> MonthsSince:
    """The same by months since the start."""
    from scipy.stats import t

    events = _quietly(lambda: _callaway_santanna(rows).aggregate("event_study"))
    since = tuple(int(e) for e in events.event_time)
    order = [list(events.vcov_index).index(e) for e in since if e != -1]
    effects = np.asarray(events.att, dtype=float)
    spread = np.nan_to_num(float(t.ppf(0.975, len(rows.units) - 1)) * np.asarray(events.se, dtype=float))
    return MonthsSince(
        since, effects, effects - spread, effects + spread, np.asarray(events.vcov)[np.ix_(order, order)]
    )


def imputation(rows: Rows) -> StaggeredEffect:
    """Borusyak, Jaravel and Spiess: fixed effects of places and months from untreated rows, taken off treated ones."""
    from diff_diff import ImputationDiD

    found = _quietly(lambda: ImputationDiD(cluster="unit").fit(_frame(rows), "value", "unit", "month", "start"))
    return _effect(IMPUTATION, rows, float(found.overall_att), float(found.overall_se), len(rows.units))


def two_way_fixed_effects(rows: Rows) -> StaggeredEffect:
    """Least squares with fixed effects of places and months, CRV1; printed beside, since it misleads where starts differ."""
    fit = fixed_effects("value ~ is_on | unit + month", _frame(rows), LINEAR)
    return _effect(FIXED_EFFECTS, rows, float(fit.coef()["is_on"]), float(fit.se()["is_on"]), len(rows.units))


def _counts_frame(rows: Rows):
    import pandas as pd

    counts, _, _ = rows.cells()
    unit, month = np.indices(counts.shape)
    starts = np.where(rows.starts < len(rows.months), rows.starts + 1, 0)
    return pd.DataFrame(
        {"unit": unit.ravel(), "month": month.ravel() + 1, "start": np.repeat(starts, counts.shape[1]), "n": counts.ravel(),
         "is_on": (month >= rows.starts[:, None]).astype(int).ravel()}
    )  # fmt: skip


def poisson_imputation(rows: Rows) -> StaggeredEffect:
    """Counts: Poisson of untreated places and months by start and month, taken off the treated ones (Wooldridge 2023)."""
    from diff_diff import WooldridgeDiD

    frame = _counts_frame(rows)
    found = _quietly(lambda: WooldridgeDiD(method="poisson", cluster="unit").fit(frame, "n", "unit", "month", "start"))
    cells = int(frame["is_on"].sum())
    return _of_counts(IMPUTATION, rows, float(found.overall_att) * cells, float(found.overall_se) * cells)


def poisson_fixed_effects(rows: Rows) -> StaggeredEffect:
    """Counts: Poisson with fixed effects of places and months, CRV1; printed beside."""
    fit = fixed_effects("n ~ is_on | unit + month", _counts_frame(rows), POISSON)
    coefficient, error, seen = float(fit.coef()["is_on"]), float(fit.se()["is_on"]), float(rows.is_on.sum())
    # The error of seen * (1 - exp(-b)) by the delta method.
    return _of_counts(FIXED_EFFECTS, rows, -seen * np.expm1(-coefficient), seen * np.exp(-coefficient) * error)


def _of_counts(estimator: str, rows: Rows, effect: float, error: float) -> StaggeredEffect:
    seen = int(rows.is_on.sum())
    return _with_interval(estimator, seen, float(seen), float(effect), float(error), len(rows.units))


OF_ROWS = {CALLAWAY_SANTANNA: callaway_santanna, IMPUTATION: imputation, FIXED_EFFECTS: two_way_fixed_effects}
OF_COUNTS = {IMPUTATION: poisson_imputation, FIXED_EFFECTS: poisson_fixed_effects}


@dataclass(frozen=True)
class GroupTimes:
    """Effects of one start in one month, for many ways of giving the starts to places. since: months since the start;
    effect, weight: by way; the weight is the rows of the places that start then."""

    since: int
    effect: np.ndarray
    weight: np.ndarray


def group_times(n: np.ndarray, total: np.ndarray, starts: np.ndarray) -> list[GroupTimes]:
    """Callaway and Sant'Anna's effects of each start and month from cells alone, against places not yet treated.

    n, total: rows and their sum by place and month. starts: a row for each way, by place the index of the month in which
    it starts, the number of months where never.
    """
    kinds = [int(k) for k in np.unique(starts)]
    sums = {g: ((starts == g).astype(float) @ n, (starts == g).astype(float) @ total) for g in kinds}
    found = []
    for g in (k for k in kinds if k < n.shape[1]):
        own_n, own = sums[g]
        for m in (x for x in range(n.shape[1]) if x != g - 1):
            others = [k for k in kinds if k > max(m, g - 1) and k != g]
            if not others:
                continue
            other_n, other = (sum(sums[k][i] for k in others) for i in (0, 1))
            change = own[:, m] / own_n[:, m] - own[:, g - 1] / own_n[:, g - 1]
            level = other[:, m] / other_n[:, m] - other[:, g - 1] / other_n[:, g - 1]
            found.append(GroupTimes(m - g, change - level, own_n.sum(axis=1)))
    return found


def overall(found: list[GroupTimes]) -> np.ndarray:
    """The mean effect from the start on, weighed by the rows of each start; one for each way."""
    after = [x for x in found if x.since >= 0]
    return sum(x.effect * x.weight for x in after) / sum(x.weight for x in after)


def lead_distance(found: list[GroupTimes]) -> np.ndarray:
    """Mean square of the effects in months before the one before the start; nan where there is no such month."""
    before = [x for x in found if x.since < -1]
    if not before:
        return np.full_like(found[0].effect, np.nan)
    return sum(x.effect**2 * x.weight for x in before) / sum(x.weight for x in before)


@dataclass(frozen=True)
class PermutedStarts:
    """Effects where the starts are given to other places, beside the real one. leads_p_value: share whose months before
    the start lie as far from level; nan where no start has two months before it."""

    estimates: np.ndarray
    real: float
    leads_p_value: float

    @property
    def share_as_far(self) -> float:
        return float((1 + (np.abs(self.estimates) >= abs(self.real) - 1e-12).sum()) / (1 + len(self.estimates)))


def permute_starts(rows: Rows, draws: int, seed: int) -> PermutedStarts:
    """The starts given to places by lot: whole places are permuted. Where nobody drew the real ones, it describes."""
    generator = np.random.Generator(np.random.PCG64(seed))
    n, total, _ = rows.cells()
    drawn = rows.starts[np.argsort(generator.random((draws, len(rows.units))), axis=1)]
    found = group_times(n, total, np.vstack([rows.starts, drawn]))
    effects, leads = overall(found), lead_distance(found)
    p_value = float((leads >= leads[0] - 1e-12).mean()) if np.isfinite(leads[0]) else float("nan")
    return PermutedStarts(effects[1:], float(effects[0]), p_value)
