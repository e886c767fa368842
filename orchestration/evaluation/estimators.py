"""Difference in differences over counts of places by month: thin layers over pyfixest, and permutation of whole places.

Each estimate carries its level: the count that was seen, the count that the model implies without the program, and
their difference. A percentage without them can match a published one by accident.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.panel import Panel
from orchestration.evaluation.study import Window

Z = 1.959963984540054  # 97.5 % point of the normal
POISSON, LINEAR = "poisson", "linear"


@dataclass(frozen=True)
class Effect:
    """One estimate. change: relative to the implied count without the program (-0.3: 30 % fewer).

    before, observed, counterfactual: counts in the treated places; averted: counterfactual less observed.
    error: standard error of the coefficient (log ratio for Poisson, rows per place and month for linear), clustered by
    place (CRV1, pyfixest's default small-sample correction).
    """

    estimator: str
    before: int
    observed: int
    counterfactual: float
    coefficient: float
    error: float
    p_value: float
    change: float
    change_low: float
    change_high: float

    @property
    def averted(self) -> float:
        return self.counterfactual - self.observed

    @property
    def averted_low(self) -> float:
        return self._averted(self.change_high)

    @property
    def averted_high(self) -> float:
        return self._averted(self.change_low)

    def _averted(self, change: float) -> float:
        if self.estimator == POISSON:
            return self.observed / (1 + change) - self.observed
        return -change * self.counterfactual


def _frame(panel: Panel, treated: np.ndarray, base: Window, after: Window):
    import pandas as pd

    before, later = panel.in_window(base), panel.in_window(after)
    kept = before | later
    units, months = np.meshgrid(np.arange(len(panel.units)), np.arange(kept.sum()), indexing="ij")
    is_on = treated[:, None] & later[kept][None, :]
    return pd.DataFrame(
        {
            "unit": units.ravel(), "month": months.ravel(), "n": panel.counts[:, kept].ravel(),
            "is_on": is_on.astype(int).ravel(),
        }
    )  # fmt: skip


def fixed_effects(formula: str, frame, estimator: str):
    """Poisson or least squares with fixed effects by pyfixest, errors clustered by the column `unit` (CRV1).

    The package stops at six digits of its fixed effects; here it goes on to twelve, so that the errors have six.
    """
    import pyfixest as pf

    closely = {"vcov": {"CRV1": "unit"}, "demeaner": pf.MapDemeaner(fixef_tol=1e-12)}
    if estimator == POISSON:
        return pf.fepois(formula, frame, iwls_tol=1e-12, iwls_maxiter=100, **closely)
    return pf.feols(formula, frame, **closely)


def difference_in_differences(
    panel: Panel, treated: np.ndarray, base: Window, after: Window, estimator: str = POISSON
) -> Effect:
    """Two-way fixed effects of places and months, errors clustered by place.

    treated: true for the treated places. Poisson is the count model; linear counts rows per place and month.
    """
    frame = _frame(panel, treated, base, after)
    fit = fixed_effects("n ~ is_on | unit + month", frame, estimator)
    coefficient, error = float(fit.coef()["is_on"]), float(fit.se()["is_on"])
    p_value = float(fit.pvalue()["is_on"])
    low, high = (float(v) for v in fit.confint().loc["is_on"])
    before, observed = int(panel.over(base)[treated].sum()), int(panel.over(after)[treated].sum())
    cells = int(frame["is_on"].sum())
    if estimator == POISSON:
        counterfactual = observed * float(np.exp(-coefficient))
        change, change_low, change_high = (float(np.expm1(v)) for v in (coefficient, low, high))
    else:
        counterfactual = observed - coefficient * cells
        change, change_low, change_high = (v * cells / counterfactual for v in (coefficient, low, high))
    return Effect(
        estimator, before, observed, counterfactual, coefficient, error, p_value, change, change_low, change_high
    )


def ratio_of_ratios(before: np.ndarray, after: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Log of (treated after / before) over (others after / before), for each set.

    Of one treatment at one time it is the Poisson estimate with both fixed effects, in closed form: the scores say that
    the fitted sums of each place and each month are the seen ones. before, after: counts by place; sets: one row per
    set, true for its places.
    """
    b, a = sets @ before, sets @ after
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(a / b) - np.log((after.sum() - a) / (before.sum() - b))


@dataclass(frozen=True)
class Permuted:
    """Estimates of drawn sets beside that of the treated one.

    share_as_low: share of sets (the treated one included) whose estimate is as low or lower; share_as_far: as far from
    zero. overlap: mean number of treated places in a drawn set.
    """

    estimates: np.ndarray
    treated: float
    overlap: float

    @property
    def share_as_low(self) -> float:
        return float((1 + (self.estimates <= self.treated + 1e-12).sum()) / (1 + len(self.estimates)))

    @property
    def share_as_far(self) -> float:
        return float((1 + (np.abs(self.estimates) >= abs(self.treated) - 1e-12).sum()) / (1 + len(self.estimates)))


def _permuted(panel: Panel, treated: np.ndarray, base: Window, after: Window, sets: np.ndarray) -> Permuted:
    before, later = panel.over(base), panel.over(after)
    return Permuted(
        ratio_of_ratios(before, later, sets), float(ratio_of_ratios(before, later, treated[None, :])[0]),
        float((sets & treated).sum(axis=1).mean()) if len(sets) else float("nan"),
    )  # fmt: skip


def permute_any(panel: Panel, treated: np.ndarray, base: Window, after: Window, draws: int, seed: int) -> Permuted:
    """Sets of as many places, drawn without looking at place or volume: whole places are permuted."""
    generator = np.random.Generator(np.random.PCG64(seed))
    order = np.argsort(generator.random((draws, len(panel.units))), axis=1)
    return _permuted(panel, treated, base, after, order < treated.sum())


def contiguous_sets(
    units: tuple[str, ...], neighbors: dict[str, set[str]], size: int, draws: int, seed: int
) -> np.ndarray:
    """Distinct connected sets of places: each grows from a drawn place by drawn neighbors.

    Not a uniform draw of all connected sets: what it shows is descriptive.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    place = {u: i for i, u in enumerate(units)}
    near = [sorted(place[v] for v in neighbors[u]) for u in units]
    found: set[tuple[int, ...]] = set()
    for _ in range(draws):
        chosen = {int(generator.integers(len(units)))}
        while len(chosen) < size:
            border = sorted({v for u in chosen for v in near[u]} - chosen)
            if not border:
                break
            chosen.add(border[int(generator.integers(len(border)))])
        if len(chosen) == size:
            found.add(tuple(sorted(chosen)))
    sets = np.zeros((len(found), len(units)), dtype=bool)
    for row, chosen in enumerate(sorted(found)):
        sets[row, list(chosen)] = True
    return sets


def permute_sets(
    panel: Panel,
    treated: np.ndarray,
    base: Window,
    after: Window,
    sets: np.ndarray,
    volume_from: float,
    volume_to: float,
) -> Permuted:
    """The same over given sets whose count before lies between two multiples of the treated places' count."""
    before = panel.over(base)
    volume = (sets @ before) / before[treated].sum()
    is_treated = (sets == treated).all(axis=1)
    return _permuted(panel, treated, base, after, sets[(volume >= volume_from) & (volume <= volume_to) & ~is_treated])


def leads_by_permutation(
    panel: Panel, treated: np.ndarray, window: Window, reference: str, starts: str, draws: int, seed: int
) -> float:
    """Share of drawn sets of places whose months before the start lie as far from the reference, by mean square."""
    generator = np.random.Generator(np.random.PCG64(seed))
    order = np.argsort(generator.random((draws, len(panel.units))), axis=1)
    sets = np.vstack([treated, order < treated.sum()])
    kept = panel.in_window(window) & np.array([m < starts and m != reference for m in panel.months])
    months = panel.counts.T[kept]
    at = panel.counts[:, panel.months.index(reference)]
    statistic = np.mean([ratio_of_ratios(at, month, sets) ** 2 for month in months], axis=0)
    return float((statistic >= statistic[0] - 1e-12).mean())


@dataclass(frozen=True)
class EventStudy:
    """Log ratios of treated to other places by month against the reference month, with 95 % intervals.

    covariance: of the estimates of all months but the reference. leads_p_value: joint Wald test (chi-square) that all months before the start equal the reference; with few clusters it
    rejects too often.
    """

    months: tuple[str, ...]
    estimates: np.ndarray
    low: np.ndarray
    high: np.ndarray
    covariance: np.ndarray
    leads: int
    leads_p_value: float


def event_study(panel: Panel, treated: np.ndarray, window: Window, reference: str, starts: str) -> EventStudy:
    """Poisson with both fixed effects, one term for each month but the reference, errors clustered by place."""
    import pandas as pd

    kept = panel.in_window(window)
    months = tuple(m for m, k in zip(panel.months, kept, strict=True) if k)
    units, index = np.meshgrid(np.arange(len(panel.units)), np.arange(len(months)), indexing="ij")
    frame = pd.DataFrame({"unit": units.ravel(), "month": index.ravel(), "n": panel.counts[:, kept].ravel()})
    others = [i for i, m in enumerate(months) if m != reference]
    terms = [f"m{i}" for i in others]
    for i, term in zip(others, terms, strict=True):
        frame[term] = (treated[frame["unit"]] & (frame["month"] == i)).astype(int)
    fit = fixed_effects(f"n ~ {' + '.join(terms)} | unit + month", frame, POISSON)
    leads = [k for k, i in enumerate(others) if months[i] < starts]
    rows = np.array([[name == f"m{others[k]}" for name in fit.coef().index] for k in leads], dtype=float)
    joint = fit.wald_test(R=rows, distribution="chi2")
    estimates, low, high = np.zeros(len(months)), np.zeros(len(months)), np.zeros(len(months))
    b, spread = fit.coef()[terms].to_numpy(), Z * fit.se()[terms].to_numpy()
    estimates[others], low[others], high[others] = b, b - spread, b + spread
    order = [list(fit.coef().index).index(term) for term in terms]
    covariance = np.asarray(fit._vcov)[np.ix_(order, order)]
    return EventStudy(months, estimates, low, high, covariance, len(leads), float(joint["pvalue"]))
