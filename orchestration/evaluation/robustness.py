"""The same question of places and months by other means: few places, other weights of places, one series alone."""

from __future__ import annotations

import warnings
from calendar import monthrange
from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.estimators import POISSON, Z
from orchestration.evaluation.panel import Panel
from orchestration.evaluation.simplex import nearest
from orchestration.evaluation.study import Window

SEASONAL_WAVES = 2  # a year and half a year
LEAST_MONTHS_BEFORE = 24  # to tell a season from a trend
LAGS = 2  # months whose shocks may hang together; more of them make the errors of few months too small


@dataclass(frozen=True)
class Other:
    """An estimate by other means. change: over what is implied without the program; p_value: of no change.

    what: how it was reached, with its correction named. fit: how far it misses the months before, as a share of them;
    nan where nothing is fitted to them.
    """

    name: str
    change: float
    change_low: float
    change_high: float
    p_value: float
    what: str
    fit: float = float("nan")


# Few places: the wild cluster bootstrap.


@dataclass(frozen=True)
class _Restricted:
    """The model with the effect held at a value: what each draw of signs needs. score: by place; spread: by place, what
    the signs of each place give to its score after refitting; weight: of the effect."""

    effect: float
    score: np.ndarray
    spread: np.ndarray
    weight: float

    def statistics(self, signs: np.ndarray) -> np.ndarray:
        """t of each row of signs (+1 or -1 by place); all +1 give that of the data."""
        top = signs @ self.score
        return top / np.sqrt(((signs @ self.spread.T) ** 2).sum(axis=1))


def _two_way(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values less their weighted projection on effects of places and months. values: (places, months, any number)."""
    places, months = weights.shape
    x = np.zeros((places * months, places + months - 1))
    place, month = (i.ravel() for i in np.indices(weights.shape))
    x[np.arange(len(x)), place] = 1
    later = month > 0
    x[np.arange(len(x))[later], places + month[later] - 1] = 1
    w, flat = weights.reshape(-1, 1), values.reshape(places * months, -1)
    fitted = x @ np.linalg.lstsq(x.T @ (w * x), x.T @ (w * flat), rcond=None)[0]
    return (flat - fitted).reshape(values.shape)


def _restricted(counts: np.ndarray, on: np.ndarray, effect: float, estimator: str) -> _Restricted:
    if estimator == POISSON:
        fitted = np.exp(effect * on)
        for _ in range(200):  # fixed effects of Poisson: sums of places and months are the seen ones
            before = fitted
            fitted = fitted * (counts.sum(axis=1) / fitted.sum(axis=1))[:, None]
            fitted = fitted * (counts.sum(axis=0) / fitted.sum(axis=0))[None, :]
            if np.abs(fitted - before).max() < 1e-10:
                break
        weights, residual = fitted, (counts - fitted) / fitted
    else:
        weights = np.ones_like(counts)
        residual = _two_way(weights, counts - effect * on)
    own = _two_way(weights, on)
    weight = float((weights * own**2).sum())
    score = (weights * own * residual).sum(axis=1)
    by_place = np.eye(len(counts))[:, None, :] * residual[:, :, None]  # (places, months, place whose sign it bears)
    refitted = _two_way(weights, by_place) - own[:, :, None] * score / weight
    return _Restricted(effect, score, ((weights * own)[:, :, None] * refitted).sum(axis=1), weight)


def _signs(places: int, draws: int, seed: int) -> np.ndarray:
    """All signs where they are no more than the draws, else drawn ones (Rademacher)."""
    if 2**places <= draws:
        return 1.0 - 2 * ((np.arange(2**places)[:, None] >> np.arange(places)) & 1)
    generator = np.random.Generator(np.random.PCG64(seed))
    return 1.0 - 2 * generator.integers(0, 2, (draws, places))


def wild_bootstrap_p(counts: np.ndarray, on: np.ndarray, effect: float, signs: np.ndarray, estimator: str) -> float:
    """p of an effect (log ratio, or rows per place and month for linear) by signs of whole places, the effect imposed."""
    model = _restricted(counts, on, effect, estimator)
    seen = abs(model.statistics(np.ones((1, len(counts))))[0])
    return float((np.abs(model.statistics(signs)) >= seen - 1e-12).mean())


def wild_bootstrap(
    panel: Panel,
    treated: np.ndarray,
    base: Window,
    after: Window,
    draws: int,
    seed: int,
    change: float,
    estimator: str = POISSON,
) -> Other:
    """The wild cluster bootstrap with the effect imposed (WCR, Rademacher signs of whole places).

    Linear: Cameron, Gelbach and Miller (2008). Poisson: the same on the scores at the imposed fit (Kline and Santos
    2012). change: the estimate, around which the interval is sought by inverting the test.
    """
    kept = panel.in_window(base) | panel.in_window(after)
    counts = panel.counts[:, kept].astype(float)
    there = counts.sum(axis=1) > 0  # a place without any row tells nothing
    counts, on = counts[there], (treated[there][:, None] & panel.in_window(after)[kept][None, :]).astype(float)
    signs = _signs(len(counts), draws, seed)
    p = lambda effect: wild_bootstrap_p(counts, on, effect, signs, estimator)  # noqa: E731
    scale = 1.0 if estimator == POISSON else float((counts * on).sum() / on.sum())
    middle = np.log1p(change) if estimator == POISSON else change * scale / (1 + change)
    low, high = (_edge(p, middle, side * scale) for side in (-1, 1))
    if estimator == POISSON:
        low, high = float(np.expm1(low)), float(np.expm1(high))
    else:
        low, high = (float(v / (scale - v)) for v in (low, high))
    how = "all signs" if 2 ** len(counts) <= draws else f"{draws:,} draws"
    return Other(
        f"wild cluster bootstrap, {estimator}",
        change,
        low,
        high,
        p(0.0),
        f"restricted, Rademacher signs of places, {how}",
    )


def _edge(p, middle: float, reach: float) -> float:
    """The effect on one side of the estimate from which on p is below 5 %; infinite if none is within reach."""
    inside, outside = middle, middle + reach / 8
    while p(outside) > 0.05:
        inside, outside = outside, middle + 2 * (outside - middle)
        if abs(outside - middle) > 8 * abs(reach):
            return float(np.copysign(np.inf, reach))
    for _ in range(20):
        half = (inside + outside) / 2
        inside, outside = (half, outside) if p(half) > 0.05 else (inside, half)
    return (inside + outside) / 2


# Other places, weighed so that they run as the treated ones did.


def _before_and_after(panel: Panel, after: Window) -> tuple[np.ndarray, np.ndarray]:
    months = np.array(panel.months)
    return months < after.first, (months >= after.first) & (months <= after.last)


def synthetic_control(panel: Panel, treated: np.ndarray, after: Window) -> Other:
    """Abadie, Diamond and Hainmueller (2010) by diff-diff: other places weighed to match the treated ones before.

    Every place, and the treated ones together, are taken over their own mean before, since a busy district is like no
    mean of quiet ones; all months before count alike. p: share of places whose months after lie as far from their own
    synthetic control, against how far the months before do.
    """
    from diff_diff import SyntheticControl

    before, later = _before_and_after(panel, after)
    series = np.vstack([panel.counts[treated].sum(axis=0), panel.counts[~treated]]).astype(float)
    series = series[series[:, before].sum(axis=1) > 0]
    series = series / series[:, before].mean(axis=1, keepdims=True)
    n = int(before.sum())
    frame = _long(series[:, before | later], np.arange(len(series)) == 0, n)
    estimator = SyntheticControl(v_method="custom", custom_v=np.ones(n), standardize="none", n_starts=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimator.fit(
            frame, "value", "is_on", "place", "month", post_periods=list(range(n, int(n + later.sum()))),
            pre_period_outcomes="all",
        )  # fmt: skip
        found.in_space_placebo()
    seen = float(series[0, later].mean())
    return Other(
        "synthetic control", float(found.att / (seen - found.att)), float("nan"), float("nan"), float(found.placebo_p_value),
        f"{len(series) - 1} other places; p by placebo places", float(found.pre_rmspe),
    )  # fmt: skip


def synthetic_did(panel: Panel, treated: np.ndarray, after: Window, draws: int, seed: int) -> Other:
    """Arkhangelsky and others (2021): places and months weighed; the error from placebo places (their algorithm 4).

    Weights are the least of their equations 4 and 6, with the penalties that they name. p: share of placebo sets whose
    estimate lies as far. Raises ValueError if fewer places are untreated than it takes.
    """
    before, later = _before_and_after(panel, after)
    seen, others = (panel.counts[k][:, before | later].astype(float) for k in (treated, ~treated))
    start, size = int(before.sum()), len(seen)
    if len(others) <= size:
        raise ValueError(
            f"{len(others)} untreated places for {size} treated ones give no placebo places; remove synthetic_did"
        )
    noise = float(np.diff(others[:, :start], axis=1).std(ddof=1))
    effect, misfit = _weighed_difference(others, seen.mean(axis=0), start, noise, size)
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = (generator.permutation(len(others)) for _ in range(draws))
    placebo = np.array(
        [_weighed_difference(others[d[size:]], others[d[:size]].mean(axis=0), start, noise, size)[0] for d in drawn]
    )
    spread, implied = Z * float(placebo.std()), float(seen[:, start:].mean()) - effect
    return Other(
        "synthetic difference in differences", effect / implied, (effect - spread) / implied, (effect + spread) / implied,
        float((1 + (np.abs(placebo) >= abs(effect)).sum()) / (1 + draws)),
        f"linear counts; error from {draws} draws of placebo places", misfit / float(seen[:, :start].mean()),
    )  # fmt: skip


def _weighed_difference(
    others: np.ndarray, seen: np.ndarray, start: int, noise: float, size: int
) -> tuple[float, float]:
    """The estimate for `size` places whose mean is `seen`, and by how much their own months before are missed (rms).

    others: counts of the other places by month; start: the first month after; noise: of their moves from month to month.
    """
    level = lambda x: x - x.mean(axis=0)  # noqa: E731 the constant of both regressions
    before, later = others[:, :start], others[:, start:].mean(axis=1)
    penalty = np.sqrt(size * (others.shape[1] - start)) * noise**2
    places = nearest(level(seen[:start]), level(before.T), start * penalty)
    months = nearest(level(later), level(before), len(others) * (1e-6 * noise) ** 2)
    effect = seen[start:].mean() - seen[:start] @ months - places @ (later - before @ months)
    return float(effect), float(level(seen[:start] - places @ before).std())


def _long(values: np.ndarray, treated: np.ndarray, start: int):
    import pandas as pd

    place, month = (i.ravel() for i in np.indices(values.shape))
    is_treated = treated[place]
    return pd.DataFrame(
        {"place": place, "month": month, "value": values.ravel(), "is_treated": is_treated.astype(int),
         "is_on": (is_treated & (month >= start)).astype(int)}
    )  # fmt: skip


# One series alone.


def interrupted_time_series(panel: Panel, treated: np.ndarray, after: Window) -> Other:
    """The treated places' monthly count alone: trend, season and a step at the start, Poisson by statsmodels.

    Seasons are waves of a year and half a year; days of the month are the exposure. Errors are Newey and West's (HAC,
    Bartlett, LAGS) over residuals divided by one less their leverage, as in HC3, since a step of a few months fits its
    own months; the interval takes the fixed-b value of Kiefer and Vogelsang (2005) instead of the normal's, and p is
    scaled with it. Nothing is compared with, so whatever else began then is in the step. Raises ValueError with fewer
    than LEAST_MONTHS_BEFORE months before.
    """
    import statsmodels.api as sm
    from scipy.stats import norm

    before, later = _before_and_after(panel, after)
    if before.sum() < LEAST_MONTHS_BEFORE:
        raise ValueError(
            f"{int(before.sum())} months before the start; a season needs {LEAST_MONTHS_BEFORE}; take longer data, or"
            " remove interrupted_time_series"
        )
    kept = before | later
    months = [m for m, k in zip(panel.months, kept, strict=True) if k]
    y = panel.counts[treated][:, kept].sum(axis=0)
    t = np.arange(len(y))
    year = 2 * np.pi * np.array([int(m[5:]) for m in months]) / 12
    waves = [f(k * year) for k in range(1, SEASONAL_WAVES + 1) for f in (np.sin, np.cos)]
    x = np.column_stack([np.ones(len(y)), t / 12, *waves, later[kept]])
    days = np.log([monthrange(int(m[:4]), int(m[5:]))[1] for m in months])
    fit = sm.GLM(y, x, family=sm.families.Poisson(), offset=days).fit(tol=1e-12)
    step, error = float(fit.params[-1]), _newey_west_error(x, y, fit.mu)
    spread = _fixed_b((LAGS + 1) / len(y)) * error
    p_value = float(2 * norm.sf(norm.ppf(0.975) * abs(step) / spread))
    return Other(
        "interrupted time series", *(float(np.expm1(v)) for v in (step, step - spread, step + spread)), p_value,
        f"treated places alone; trend, season, step; Newey-West errors, {LAGS} lags, HC3 residuals, fixed-b",
    )  # fmt: skip


def _newey_west_error(x: np.ndarray, y: np.ndarray, mean: np.ndarray) -> float:
    """Standard error of the last coefficient of a Poisson regression."""
    bread = np.linalg.inv(x.T @ (mean[:, None] * x))
    leverage = mean * ((x @ bread) * x).sum(axis=1)
    score = x * ((y - mean) / (1 - leverage))[:, None]
    middle = score.T @ score
    for lag in range(1, LAGS + 1):
        part = score[lag:].T @ score[:-lag]
        middle += (1 - lag / (LAGS + 1)) * (part + part.T)
    return float(np.sqrt((bread @ middle @ bread)[-1, -1]))


def _fixed_b(b: float) -> float:
    """97.5 % value of t with a Bartlett kernel over a share b of the months (Kiefer and Vogelsang 2005, table 1)."""
    return 1.9600 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3


def holm(p_values: list[float]) -> list[float]:
    """p corrected for as many tests, by Holm (1979); statsmodels."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if p_values else []
