"""Outcomes that are not known: imputed many times, and bounded without any assumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.people.weighting import Difference


@dataclass(frozen=True)
class Pooled:
    """One estimate from several imputations by Rubin's rules. share_missing: of its variance, due to what is missing."""

    difference: float
    error: float
    low: float
    high: float
    freedom: float
    share_missing: float
    imputations: int


def rubin(estimates: np.ndarray, errors: np.ndarray) -> Pooled:
    """Rubin (1987): mean; variance within plus (1 + 1/m) times that between; t with his degrees of freedom."""
    from scipy.stats import norm, t

    m, within, between = len(estimates), float(np.mean(errors**2)), float(np.var(estimates, ddof=1))
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total if total else 0.0
    freedom = (m - 1) / share**2 if share else float("inf")
    spread = total**0.5 * float(t.ppf(0.975, freedom) if share else norm.ppf(0.975))
    middle = float(np.mean(estimates))
    return Pooled(middle, total**0.5, middle - spread, middle + spread, freedom, share, m)


def impute(
    outcomes: dict[str, np.ndarray],
    categories: list[np.ndarray],
    numbers: list[np.ndarray],
    m: int,
    cycles: int,
    seed: int,
) -> list[dict[str, np.ndarray]]:
    """m completed sets of outcomes: chained equations with predictive mean matching (statsmodels MICE).

    outcomes: by name, not a number where not known. categories (codes) and numbers are known in all rows: the arm and what
    was known before. Each set is the one after `cycles` rounds more.
    """
    import warnings

    import pandas as pd
    from statsmodels.imputation.mice import MICEData
    from statsmodels.tools.sm_exceptions import SingularMatrixWarning

    terms = {f"C(c{i})": (f"c{i}", c) for i, c in enumerate(categories) if len(np.unique(c)) > 1}
    terms |= {f"x{i}": (f"x{i}", x) for i, x in enumerate(numbers)}
    names = {o: f"y{i}" for i, o in enumerate(outcomes)}
    # statsmodels fills in place.
    frame = pd.DataFrame({names[o]: y.copy() for o, y in outcomes.items()} | dict(terms.values()))
    data = MICEData(frame, rng=np.random.Generator(np.random.PCG64(seed)))
    for n in names.values():
        data.set_imputer(n, " + ".join([*(o for o in names.values() if o != n), *terms]))
    found = []
    with warnings.catch_warnings():
        # A column that follows from others changes no prediction.
        warnings.simplefilter("ignore", SingularMatrixWarning)
        for _ in range(m):
            data.update_all(cycles)
            found.append({o: data.data[n].to_numpy(copy=True) for o, n in names.items()})
    return found


@dataclass(frozen=True)
class Bounds:
    """Where a difference may lie whatever the unknown outcomes are (Manski), with the interval of Imbens and Manski (2004).

    unknown_treated, unknown_comparison: shares of rows in which the outcome is not known.
    """

    lowest: float
    highest: float
    low: float
    high: float
    unknown_treated: float
    unknown_comparison: float


def bounds(y: np.ndarray, treated: np.ndarray, estimate) -> Bounds:
    """The two worst cases: every unknown one no in one arm and yes in the other. estimate: a Difference of completed y."""
    unknown = np.isnan(y)
    ends: list[Difference] = [
        estimate(np.where(unknown, np.where(treated, t, c), y)) for t, c in ((0.0, 1.0), (1.0, 0.0))
    ]
    low, high = ends
    width = imbens_manski(high.difference - low.difference, low.error, high.error)
    return Bounds(
        low.difference, high.difference, low.difference - width * low.error, high.difference + width * high.error,
        float(unknown[treated].mean()), float(unknown[~treated].mean()),
    )  # fmt: skip


def imbens_manski(width: float, error_low: float, error_high: float) -> float:
    """How many errors to add to each end, so that the value itself is held in 95 % of samples: 1.645 to 1.96."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    worst = max(error_low, error_high)
    if not worst:
        return float(norm.ppf(0.95))
    return float(brentq(lambda c: norm.cdf(c + width / worst) - norm.cdf(-c) - 0.95, 1.0, 2.5))
