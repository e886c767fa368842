"""Estimates, errors and p values of studies of places against a second program or reckoning, to six digits.

docs/evaluation.md lists every estimator with its second one. Those of weighting, lotteries and time stand in
test_people_estimators.py, those of synthetic places and bounds in test_robustness.py.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("diff_diff", reason="the extra `evaluate` is not installed")

import statsmodels.api as sm
from scipy import stats

from orchestration.evaluation.estimators import (
    difference_in_differences,
    event_study,
    leads_by_permutation,
    permute_any,
)
from orchestration.evaluation.panel import Panel
from orchestration.evaluation.people.lottery import permutation_p
from orchestration.evaluation.people.missing import imbens_manski
from orchestration.evaluation.people.survival import cumulative_share
from orchestration.evaluation.power import dispersion, of_counts, of_means
from orchestration.evaluation.staggered import (
    callaway_santanna,
    months_since_start,
    permute_starts,
    poisson_fixed_effects,
    poisson_imputation,
    two_way_fixed_effects,
)
from orchestration.evaluation.staggered_rows import Rows
from orchestration.evaluation.study import Window
from orchestration.settings import PROJECT

MONTHS = tuple(f"2020-{m:02d}" for m in range(1, 7))
BASE, AFTER, ALL = (
    Window(first=a, last=b) for a, b in (("2020-01", "2020-03"), ("2020-04", "2020-06"), ("2020-01", "2020-06"))
)
SIX = {"rel": 1e-6}


def city(seed: int = 7, places: int = 14) -> tuple[Panel, np.ndarray]:
    """Half a year of counts; five places have a quarter less in the last three months."""
    g = np.random.Generator(np.random.PCG64(seed))
    treated = np.arange(places) < 5
    mean = np.exp(g.normal(3.3, 0.5, places))[:, None] * np.exp(g.normal(0, 0.2, 6))[None, :]
    later = np.arange(6) >= 3
    counts = g.poisson(mean * np.where(treated[:, None] & later[None, :], 0.75, 1))
    return Panel(tuple(map(str, range(places))), MONTHS, counts), treated


def dummies(*codes: np.ndarray) -> np.ndarray:
    """A constant, and a column for each level of each code but its first."""
    parts = [(c[:, None] == np.unique(c)[None, 1:]).astype(float) for c in codes]
    return np.column_stack([np.ones(len(codes[0])), *parts])


def clustered(model, groups: np.ndarray, **fit):
    return model.fit(cov_type="cluster", cov_kwds={"groups": groups}, **fit)


def as_pyfixest(n: int, k: int, nested: int) -> float:
    """statsmodels counts every column in (n - 1) / (n - k); pyfixest leaves out effects of places, which lie in clusters."""
    return math.sqrt((n - k) / (n - k + nested))


def long(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    place, month = (i.ravel() for i in np.indices(panel.counts.shape))
    return place, month, panel.counts.ravel().astype(float)


@pytest.mark.parametrize("estimator", ["poisson", "linear"])
def test_two_way_fixed_effects_and_their_error_are_those_of_statsmodels(estimator):
    panel, treated = city()
    place, month, n = long(panel)
    x = np.column_stack([dummies(place, month), treated[place] & (month >= 3)]).astype(float)
    if estimator == "poisson":
        fit = clustered(sm.GLM(n, x, family=sm.families.Poisson()), place, tol=1e-13)
    else:
        fit = clustered(sm.OLS(n, x), place)
    found = difference_in_differences(panel, treated, BASE, AFTER, estimator)
    assert found.coefficient == pytest.approx(fit.params[-1], **SIX)
    assert found.error == pytest.approx(fit.bse[-1] * as_pyfixest(84, x.shape[1], 13), **SIX)


def test_the_event_study_and_its_wald_test_are_those_of_statsmodels():
    panel, treated = city()
    place, month, n = long(panel)
    terms = np.column_stack([treated[place] & (month == m) for m in (0, 1, 3, 4, 5)])
    x = np.column_stack([dummies(place, month), terms]).astype(float)
    fit = clustered(sm.GLM(n, x, family=sm.families.Poisson()), place, tol=1e-13)
    found = event_study(panel, treated, ALL, "2020-03", "2020-04")
    covariance = fit.cov_params()[-5:, -5:] * as_pyfixest(84, x.shape[1], 13) ** 2
    assert found.estimates[[0, 1, 3, 4, 5]] == pytest.approx(fit.params[-5:], **SIX)
    assert found.covariance == pytest.approx(covariance, **SIX)
    b = fit.params[-5:-3]
    wald = float(b @ np.linalg.inv(covariance[:2, :2]) @ b)
    assert found.leads_p_value == pytest.approx(stats.chi2.sf(wald, 2), **SIX)


def glm_effect(counts: np.ndarray, treated: np.ndarray) -> float:
    """The Poisson coefficient of treated places after, months taken together."""
    place, later, n = long(Panel(tuple(map(str, range(len(counts)))), ("a", "b"), counts))
    x = np.column_stack([dummies(place, later), treated[place] & (later == 1)]).astype(float)
    return float(sm.GLM(n, x, family=sm.families.Poisson()).fit(tol=1e-13).params[-1])


def test_randomization_p_of_places_is_that_of_fitting_each_drawn_set():
    panel, treated = city()
    found = permute_any(panel, treated, BASE, AFTER, 40, 3)
    both = np.stack([panel.over(BASE), panel.over(AFTER)], axis=1)
    order = np.argsort(np.random.Generator(np.random.PCG64(3)).random((40, 14)), axis=1)
    theirs = [glm_effect(both, drawn) for drawn in order < 5]
    assert found.estimates == pytest.approx(theirs, **SIX)
    real = glm_effect(both, treated)
    assert found.share_as_far == (1 + sum(abs(e) >= abs(real) for e in theirs)) / 41
    # The months before, each against March.
    p = leads_by_permutation(panel, treated, ALL, "2020-03", "2020-04", 15, 3)
    order = np.argsort(np.random.Generator(np.random.PCG64(3)).random((15, 14)), axis=1)
    level = [sum(glm_effect(panel.counts[:, [2, m]], drawn) ** 2 for m in (0, 1)) for drawn in [treated, *(order < 5)]]
    assert p == np.mean(np.array(level) >= level[0] - 1e-9)


def drawn_rows(seed: int = 3) -> Rows:
    """Twelve places by five months, with starts in the second and fourth month."""
    g = np.random.Generator(np.random.PCG64(seed))
    starts = np.array([1] * 4 + [3] * 4 + [5] * 4)
    n = g.poisson(np.exp(g.normal(3.0, 0.5, 12))[:, None] * np.array([1, 1.1, 0.9, 1.2, 1.0])) + 2
    place, month = (np.repeat(i.ravel(), n.ravel()) for i in np.indices(n.shape))
    value = g.normal(10, 3, len(place)) + g.normal(0, 2, 12)[place] + month + 2.0 * (month >= starts[place])
    return Rows(tuple("abcdefghijkl"), tuple("12345"), starts, place, month, value)


def test_two_way_fixed_effects_of_several_starts_are_those_of_statsmodels():
    rows = drawn_rows()
    x = np.column_stack([dummies(rows.unit, rows.month), rows.is_on]).astype(float)
    fit, found = clustered(sm.OLS(rows.value, x), rows.unit), two_way_fixed_effects(rows)
    assert found.effect == pytest.approx(fit.params[-1], **SIX)
    assert found.error == pytest.approx(fit.bse[-1] * as_pyfixest(len(x), x.shape[1], 11), **SIX)
    counts, _, _ = rows.cells()
    place, month = (i.ravel() for i in np.indices(counts.shape))
    x = np.column_stack([dummies(place, month), month >= rows.starts[place]]).astype(float)
    fit = clustered(sm.GLM(counts.ravel(), x, family=sm.families.Poisson()), place, tol=1e-13)
    found, seen = poisson_fixed_effects(rows), rows.is_on.sum()
    assert found.effect == pytest.approx(seen * (1 - math.exp(-fit.params[-1])), **SIX)
    error = seen * math.exp(-fit.params[-1]) * fit.bse[-1] * as_pyfixest(60, x.shape[1], 11)
    assert found.error == pytest.approx(error, **SIX)


def test_imputed_counts_and_their_error_are_those_of_statsmodels_by_the_delta_method():
    rows = drawn_rows(4)
    counts, _, _ = rows.cells()
    place, month = (i.ravel() for i in np.indices(counts.shape))
    start = rows.starts[place]
    on = month >= start
    cells = np.unique(np.stack([start[on], month[on]], axis=1), axis=0)
    own = np.column_stack([(start == s) & (month == m) for s, m in cells]).astype(float)
    x = np.column_stack([dummies(start, month), own])
    fit = clustered(sm.GLM(counts.ravel(), x, family=sm.families.Poisson()), place, tol=1e-13)

    def fewer(b: np.ndarray) -> float:
        without = b.copy()
        without[-len(cells) :] = 0
        return float((np.exp(x[on] @ b) - np.exp(x[on] @ without)).sum())

    found = poisson_imputation(rows)
    assert found.effect == pytest.approx(fewer(fit.params), **SIX)
    step = np.eye(len(fit.params)) * 1e-5
    gradient = np.array([(fewer(fit.params + s) - fewer(fit.params - s)) / 2e-5 for s in step])
    assert found.error == pytest.approx(math.sqrt(gradient @ fit.cov_params() @ gradient), **SIX)


def influence(rows: Rows, since: int) -> tuple[float, np.ndarray]:
    """Callaway and Sant'Anna's effect so many months since the start, and what each place adds to its error."""
    size, start = len(rows.value), rows.starts[rows.unit]
    parts = []
    for g in sorted({int(s) for s in rows.starts if s < len(rows.months)}):
        m = g + since
        if not 0 <= m < len(rows.months):
            continue
        effect, psi = 0.0, np.zeros(size)
        # Not yet treated: in neither of the two months.
        others = (start > max(m, g - 1)) & (start != g)
        for sign, who, at in ((1, start == g, m), (-1, start == g, g - 1), (-1, others, m), (1, others, g - 1)):
            here = who & (rows.month == at)
            mean = rows.value[here].mean()
            effect += sign * mean
            psi[here] += sign * (rows.value[here] - mean) * size / here.sum()
        parts.append((effect, psi, (start == g).astype(float)))
    p = np.array([x.mean() for _, _, x in parts])
    whole = float(p @ np.array([e for e, _, _ in parts]) / p.sum())
    psi = sum(pi / p.sum() * x for pi, (_, x, _) in zip(p, parts, strict=True))
    psi = psi + sum((e - whole) / p.sum() * (x - x.mean()) for e, _, x in parts)
    return whole, np.bincount(rows.unit, weights=psi, minlength=len(rows.units)) / size


def test_months_since_the_start_and_their_covariance_are_those_of_influence_functions():
    rows = drawn_rows()
    found = months_since_start(rows)
    others = [e for e in found.since if e != -1]
    effects, by_place = zip(*(influence(rows, e) for e in others), strict=True)
    assert [found.effects[found.since.index(e)] for e in others] == pytest.approx(effects, **SIX)
    covariance = np.array(by_place) @ np.array(by_place).T * 12 / 11
    assert found.covariance == pytest.approx(covariance, rel=1e-6, abs=1e-9)
    assert found.high[found.since.index(0)] - effects[others.index(0)] == pytest.approx(
        stats.t.ppf(0.975, 11) * math.sqrt(covariance[others.index(0), others.index(0)]), **SIX
    )


def test_randomization_p_of_starts_is_that_of_estimating_each_draw():
    rows = drawn_rows()
    found = permute_starts(rows, 25, 2)
    draws = np.random.Generator(np.random.PCG64(2)).random((25, 12))
    theirs = [
        callaway_santanna(Rows(rows.units, rows.months, rows.starts[np.argsort(d)], rows.unit, rows.month, rows.value)).effect
        for d in draws
    ]  # fmt: skip
    real = callaway_santanna(rows).effect
    assert found.estimates == pytest.approx(theirs, **SIX) and found.real == pytest.approx(real, **SIX)
    assert found.share_as_far == (1 + sum(abs(e) >= abs(real) for e in theirs)) / 26


def test_randomization_p_of_a_lottery_is_that_of_regressing_each_draw():
    g = np.random.Generator(np.random.PCG64(9))
    unit = np.repeat(np.arange(12), 10)
    strata = unit % 2
    assigned = np.isin(unit, (0, 1, 2, 3, 4, 5))
    y = (g.random(120) < 0.5 - 0.25 * assigned).astype(float)
    x = dummies(strata)

    def apart(arm: np.ndarray) -> float:
        return abs(sm.OLS(y, np.column_stack([x, arm])).fit().params[-1])

    # As it is drawn: the stratum of even units first, then that of odd ones.
    generator, arms = np.random.Generator(np.random.PCG64(5)), np.zeros((30, 12), dtype=bool)
    for stratum in (0, 1):
        units = np.arange(stratum, 12, 2)
        arms[:, units] = (units < 6)[np.argsort(generator.random((30, 6)), axis=1)]
    far = [apart(arm[unit]) >= apart(assigned) - 1e-9 for arm in arms]
    assert permutation_p(y, assigned, strata, unit, 30, 5) == (1 + sum(far)) / 31


def test_the_error_of_shares_with_competing_events_is_that_of_the_delta_method():
    """Marubini and Valsecchi (1995), 10.12."""
    g = np.random.Generator(np.random.PCG64(2))
    time = np.round(g.exponential(20, 300)) + 1
    cause = np.where(time > 40, 0, g.integers(0, 3, 300))
    time = np.minimum(time, 40)
    at = np.unique(time[time <= 20])
    n = np.array([(time >= t).sum() for t in at], dtype=float)
    d, own = (np.array([((time == t) & k).sum() for t in at], dtype=float) for k in (cause > 0, cause == 1))
    free = np.append(1, np.cumprod(1 - d / n))[:-1]  # just before each day
    share = np.cumsum(free * own / n)
    left = share[-1] - share
    variance = (
        (left**2 * d / (n * (n - d))).sum()
        + (free**2 * (n - own) / n**3 * own).sum()
        - 2 * (left * free * own / n**2).sum()
    )
    found = cumulative_share(time, cause, (20,))
    # The interval is that of log(-log(1 - share)).
    wide = 1.959964 * math.sqrt(variance) / abs((1 - share[-1]) * math.log(1 - share[-1]))
    assert found.low[0] == pytest.approx(1 - (1 - share[-1]) ** math.exp(-wide), **SIX)
    assert found.high[0] == pytest.approx(1 - (1 - share[-1]) ** math.exp(wide), **SIX)


def test_the_interval_of_bounds_holds_the_value_in_95_of_100_samples():
    # Where the value lies at one end, the interval misses it above by c errors, or below by c errors and the width.
    for width in (0.1, 0.7, 2.0):
        c = imbens_manski(width, 0.5, 0.4)
        assert stats.norm.cdf(c + width / 0.5) - stats.norm.cdf(-c) == pytest.approx(0.95, **SIX)


def test_the_detectable_change_of_counts_is_that_of_a_regression_on_what_is_expected():
    panel, treated = city()
    place, month, n = long(Panel(panel.units, MONTHS[:3], panel.counts[:, :3]))
    fit = sm.GLM(n, dummies(place, month), family=sm.families.Poisson()).fit(tol=1e-13)
    spread = fit.pearson_chi2 / fit.df_resid
    assert dispersion(panel.counts[:, :3].astype(float)) == pytest.approx(max(1, spread), **SIX)
    # The four sums, after as before; their saturated Poisson regression with that dispersion.
    sums = [panel.counts[k, :3].sum() for k in (treated, ~treated)]
    x = np.array([[1, t, a, t * a] for t in (1, 0) for a in (0, 1)], dtype=float)
    four = sm.GLM(np.repeat(sums, 2).astype(float), x, family=sm.families.Poisson()).fit(
        scale=max(1, spread), tol=1e-13
    )
    found = of_counts(panel, treated, BASE, AFTER, 0.8, -0.2)
    assert found.error == pytest.approx(four.bse[-1], **SIX)
    # t with 13 degrees of freedom: the fall is found with 80 % on its own side.
    edge = stats.t.isf(0.025, 13)
    assert stats.t.cdf(-edge - math.log1p(found.fall) / found.error, 13) == pytest.approx(0.8, **SIX)
    reach = -math.log1p(-0.2) / found.error
    assert found.found == pytest.approx(stats.t.cdf(reach - edge, 13) + stats.t.cdf(-reach - edge, 13), **SIX)


def test_the_detectable_change_of_means_is_that_of_a_regression_on_places_and_months():
    rows = drawn_rows()
    before = ~rows.is_on
    unit, month, value = rows.unit[before], rows.month[before], rows.value[before]
    cell = unit * 5 + month
    within = sm.OLS(value, dummies(cell)).fit().mse_resid
    n, total, _ = rows.cells()
    there = np.array([c in cell for c in range(60)])
    place, at = (i.ravel()[there] for i in np.indices(n.shape))
    w, mean = n.ravel()[there], (total / n).ravel()[there]
    fit = sm.WLS(mean, dummies(place, at), weights=w).fit()
    root = np.sqrt(w)[:, None] * dummies(place, at)
    left = 1 - np.diag(root @ np.linalg.solve(root.T @ root, root.T))
    between = max(0, (fit.ssr - fit.df_resid * within) / (w * left).sum())
    # How the estimate hangs on the mean of each cell, where every month is as large as a place's usual one.
    usual = np.array([n[p, :s].mean() for p, s in enumerate(rows.starts)])
    variance = 0.0
    for p in range(12):
        for m in range(5):
            value = np.zeros((12, 5))
            value[p, m] = 1
            effect, weight = 0.0, 0.0
            for s in (1, 3):
                for late in range(s, 5):
                    who = [(rows.starts == s, 1), (rows.starts > late, -1)]
                    change = sum(
                        sign * np.average(value[k, late] - value[k, s - 1], weights=usual[k]) for k, sign in who
                    )
                    size = usual[rows.starts == s].sum()
                    effect, weight = effect + change * size, weight + size
            variance += (effect / weight) ** 2 * (between + within / usual[p])
    assert of_means(rows, 0.8, 0.05).error == pytest.approx(math.sqrt(variance), **SIX)


def test_every_test_that_the_page_names_is_there():
    named = re.findall(
        r"`(test_\w+\.py)::(test_\w+)`", (PROJECT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    )
    assert len(named) >= 25
    for file, test in named:
        assert f"def {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8"), (file, test)
