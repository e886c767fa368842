"""The same question by other means: each against a second implementation on the same data, and power by hand."""

from __future__ import annotations

import math
import re

import duckdb
import numpy as np
import pytest

from orchestration.evaluation.panel import Panel
from orchestration.evaluation.study import StudyError, Window, load_study
from tests.evaluation_home import MONTHS, add_calls, offenses, release_offenses, write_staggered_study, write_study

pytest.importorskip("diff_diff", reason="the extra `evaluate` is not installed")
pytest.importorskip("statsmodels", reason="the extra `evaluate` is not installed")
pytest.importorskip("typst", reason="the extra `evaluate` is not installed")

import statsmodels.api as sm

from orchestration.evaluation.bounds import RELATIVE, SMOOTH, against_last_before, bounds
from orchestration.evaluation.estimators import difference_in_differences
from orchestration.evaluation.power import dispersion, of_counts, of_means
from orchestration.evaluation.robustness import (
    holm,
    interrupted_time_series,
    synthetic_control,
    synthetic_did,
    wild_bootstrap,
    wild_bootstrap_p,
)
from orchestration.evaluation.simplex import nearest
from orchestration.evaluation.staggered import callaway_santanna
from orchestration.evaluation.staggered_rows import Rows

LONG = tuple(f"{y}-{m:02d}" for y in (2018, 2019, 2020) for m in range(1, 13))
AFTER, BASE = Window(first="2020-07", last="2020-12"), Window(first="2020-01", last="2020-06")
TIGHT = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-13}


def city(places: int = 14, treated: int = 4, ratio: float = 0.8, seed: int = 2) -> tuple[Panel, np.ndarray]:
    """Three years of counts with a season; the first places fall to `ratio` in the last half year."""
    generator = np.random.Generator(np.random.PCG64(seed))
    is_treated = np.arange(places) < treated
    season = 0.2 * np.sin(2 * np.pi * np.arange(36) / 12)
    mean = np.exp(generator.normal(3.4, 0.3, places))[:, None] * np.exp(season)[None, :]
    on = is_treated[:, None] & np.array([m >= AFTER.first for m in LONG])[None, :]
    return Panel(tuple(map(str, range(places))), LONG, generator.poisson(mean * np.where(on, ratio, 1))), is_treated


@pytest.mark.parametrize("estimator", ["linear", "poisson"])
def test_the_wild_bootstrap_agrees_with_refitting_each_draw(estimator):
    # Eight places: all 256 signs. Each draw is fitted anew by statsmodels, with dummies and errors by place.
    panel, treated = city(places=8, treated=3)
    kept = panel.in_window(BASE) | panel.in_window(AFTER)
    counts = panel.counts[:, kept].astype(float)
    on = (treated[:, None] & panel.in_window(AFTER)[kept][None, :]).astype(float)
    place, month = (x.ravel() for x in np.indices(counts.shape))
    dummies = np.zeros((counts.size, 20))
    dummies[np.arange(counts.size), place] = dummies[np.arange(counts.size), 8 + month] = 1
    dummies = np.delete(dummies, 8, axis=1)
    effect = -0.1 if estimator == "poisson" else -4.0
    if estimator == "poisson":
        offset = effect * on.ravel()
        fit = sm.GLM(counts.ravel(), dummies, family=sm.families.Poisson(), offset=offset).fit(tol=1e-13, maxiter=200)
        weights, residual = fit.mu, (counts.ravel() - fit.mu) / fit.mu
    else:
        weights = np.ones(counts.size)
        residual = sm.OLS(counts.ravel() - effect * on.ravel(), dummies).fit().resid
    x = np.column_stack([dummies, on.ravel()])

    def t(signs):
        fit = sm.WLS(signs[place] * residual, x, weights=weights).fit(cov_type="cluster", cov_kwds={"groups": place})
        return abs(fit.params[-1] / fit.bse[-1])

    signs = 1.0 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)
    found = np.array([t(s) for s in signs])
    expected = (found >= found[0] - 1e-9).mean()
    assert wild_bootstrap_p(counts, on, effect, signs, estimator) == pytest.approx(expected, abs=1e-12)
    assert 0.01 < expected < 0.99


def test_the_wild_interval_ends_where_the_test_turns():
    panel, treated = city()
    change = difference_in_differences(panel, treated, BASE, AFTER).change
    found = wild_bootstrap(panel, treated, BASE, AFTER, 999, 1, change)
    assert found.change_low < change < found.change_high and found.change_low < -0.2 < found.change_high
    kept = panel.in_window(BASE) | panel.in_window(AFTER)
    on = (treated[:, None] & panel.in_window(AFTER)[kept][None, :]).astype(float)
    signs = 1.0 - 2 * np.random.Generator(np.random.PCG64(1)).integers(0, 2, (999, 14))
    for end, side in ((found.change_low, -1), (found.change_high, 1)):
        p = [wild_bootstrap_p(panel.counts[:, kept].astype(float), on, np.log1p(end) + side * d, signs, "poisson") for d in (-0.01, 0.01)]  # fmt: skip
        assert p[0] > 0.05 >= p[1]


def weighed(target: np.ndarray, donors: np.ndarray, ridge: float = 0.0, intercept: bool = False) -> np.ndarray:
    """Weights above zero that sum to one and bring the donors (columns) nearest to the target; an exact solver."""
    cp = pytest.importorskip("cvxpy", reason="cvxpy comes with moderndid, a development dependency")
    w, c = cp.Variable(donors.shape[1]), cp.Variable() if intercept else 0.0
    cost = cp.sum_squares(c + donors @ w - target) / len(target) + ridge * cp.sum_squares(w)
    cp.Problem(cp.Minimize(cost), [w >= 0, cp.sum(w) == 1]).solve(solver=cp.CLARABEL, **TIGHT)
    return w.value


@pytest.mark.parametrize("seed", [2, 3])
def test_synthetic_control_and_its_place_among_placebos_agree_with_an_exact_solver(seed):
    panel, treated = city(seed=seed)
    series = np.vstack([panel.counts[treated].sum(axis=0), panel.counts[~treated]]).astype(float)
    series /= series[:, :30].mean(axis=1, keepdims=True)
    apart = []
    for i in range(11):
        # The treated places are no donors of the others.
        donors = np.delete(series[1:], i - 1, axis=0) if i else series[1:]
        apart.append(series[i] - weighed(series[i, :30], donors[:, :30].T) @ donors)
    implied = series[0, 30:] - apart[0][30:]
    found = synthetic_control(panel, treated, AFTER)
    assert found.change == pytest.approx(series[0, 30:].mean() / implied.mean() - 1, rel=1e-6)
    assert found.fit == pytest.approx(math.sqrt((apart[0][:30] ** 2).mean()), rel=1e-6)
    far = [(a[30:] ** 2).mean() / (a[:30] ** 2).mean() for a in apart]
    assert found.p_value == pytest.approx(sum(f >= far[0] for f in far) / 11)


def synthetic_difference(
    others: np.ndarray, seen: np.ndarray, start: int, noise: float, size: int, months=None
) -> float:
    """Equations 1, 4 and 6 of Arkhangelsky and others (2021), weights by another solver."""
    zeta = (size * (others.shape[1] - start)) ** 0.25 * noise
    before, later = others[:, :start], others[:, start:].mean(axis=1)
    places = weighed(seen[:start], before.T, ridge=zeta**2, intercept=True)
    months = weighed(later, before, ridge=(1e-6 * noise) ** 2, intercept=True) if months is None else months
    return float(seen[start:].mean() - seen[:start] @ months - places @ (later - before @ months))


def test_synthetic_did_and_its_error_agree_with_another_solver_to_six_digits():
    long, treated = city(places=30, treated=5)
    panel = Panel(long.units, LONG[24:], long.counts[:, 24:])
    y, others = panel.counts[treated].astype(float), panel.counts[~treated].astype(float)
    noise = np.diff(others[:, :6], axis=1).std(ddof=1)
    effect = synthetic_difference(others, y.mean(axis=0), 6, noise, 5)
    found = synthetic_did(panel, treated, AFTER, 12, 1)
    implied = y[:, 6:].mean() - effect
    assert found.change == pytest.approx(effect / implied, rel=1e-6)
    # Placebo sets: five of the other places at a time, in the order drawn.
    generator, placebo = np.random.Generator(np.random.PCG64(1)), []
    for _ in range(12):
        drawn = others[generator.permutation(25)]
        placebo.append(synthetic_difference(drawn[5:], drawn[:5].mean(axis=0), 6, noise, 5))
    assert found.change_high - found.change == pytest.approx(1.959964 * np.std(placebo) / implied, rel=1e-6)
    assert found.p_value == (1 + sum(abs(p) >= abs(effect) for p in placebo)) / 13


def test_where_months_outnumber_places_the_smallest_months_that_fit_are_taken():
    """Ten places are met by many weights of thirty months; the penalty then leaves the shortest, which is its own problem."""
    cp = pytest.importorskip("cvxpy", reason="cvxpy comes with moderndid, a development dependency")
    panel, treated = city(seed=4)
    y, others = panel.counts[treated].astype(float), panel.counts[~treated].astype(float)
    w, before, later = cp.Variable(30), others[:, :30], others[:, 30:].mean(axis=1)
    level = lambda x: x - x.mean(axis=0)  # noqa: E731
    meets = [w >= 0, cp.sum(w) == 1, level(before) @ w == level(later)]
    cp.Problem(cp.Minimize(cp.sum_squares(w)), meets).solve(solver=cp.CLARABEL, **TIGHT)
    noise = np.diff(before, axis=1).std(ddof=1)
    effect = synthetic_difference(others, y.mean(axis=0), 30, noise, 4, months=w.value)
    found = synthetic_did(panel, treated, AFTER, 2, 1)
    assert found.change == pytest.approx(effect / (y[:, 30:].mean() - effect), rel=1e-6)


def test_no_search_of_a_package_comes_nearer_than_the_weights_that_are_taken():
    fw = pytest.importorskip("diff_diff.utils", reason="the extra `evaluate` is not installed")
    panel, treated = city()
    before, seen = panel.counts[~treated][:, :30].astype(float), panel.counts[treated][:, :30].mean(axis=0)
    level = lambda x: x - x.mean(axis=0)  # noqa: E731
    after = panel.counts[~treated][:, 30:].mean(axis=1)
    for target, columns, zeta in ((seen, before.T, 12.0), (after, before, 1e-5)):
        ridge, unlevel = len(target) * zeta**2, np.column_stack([columns, target])
        target, columns = level(target), level(columns)
        ours = nearest(target, columns, ridge)
        assert ours.min() >= 0 and ours.sum() == pytest.approx(1, abs=1e-12)
        # By the package's own search, from its defaults to a search that is ten million times as stubborn.
        searched = [fw._sc_weight_fw(unlevel, zeta, True, None, *by) for by in ((1e-4, 10_000), (1e-11, 300_000))]
        least, near, nearer = (((columns @ w - target) ** 2).sum() + ridge * (w**2).sum() for w in (ours, *searched))
        assert least <= nearer < near and nearer == pytest.approx(least, rel=1e-3)
        # At the least, no weight that is zero would pull harder than those that are not.
        pull = columns.T @ (columns @ ours - target) + ridge * ours
        on = ours > 0
        assert np.ptp(pull[on]) < 1e-8 * np.abs(pull).max() and (pull[~on] > pull[on].max() - 1e-8).all()


def test_placebo_places_need_more_others_than_treated_places():
    panel, treated = city(places=8, treated=4)
    with pytest.raises(ValueError, match="4 untreated places for 4 treated ones"):
        synthetic_did(panel, treated, AFTER, 10, 1)


def test_the_interrupted_series_agrees_with_a_second_program_and_its_errors_with_the_formula():
    pf = pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
    from calendar import monthrange

    import pandas as pd

    panel, treated = city()
    y = panel.counts[treated].sum(axis=0)
    year, t = 2 * np.pi * np.array([int(m[5:]) for m in LONG]) / 12, np.arange(36)
    days = np.log([monthrange(int(m[:4]), int(m[5:]))[1] for m in LONG])
    frame = pd.DataFrame({"y": y, "t": t / 12, "s1": np.sin(year), "c1": np.cos(year), "s2": np.sin(2 * year), "c2": np.cos(2 * year), "on": (t >= 30).astype(int), "days": days})  # fmt: skip
    fit = pf.fepois("y ~ t + s1 + c1 + s2 + c2 + on", frame, offset="days", iwls_tol=1e-12)
    found = interrupted_time_series(panel, treated, AFTER)
    assert math.log1p(found.change) == pytest.approx(fit.coef()["on"], abs=1e-6)
    # Newey and West over two lags, month by month: weights 1, 2/3, 1/3 by how far two months lie apart. Residuals are
    # divided by one less their leverage. The interval: 1.96 + 2.9694 b + 0.4160 b^2 - 0.5324 b^3 at b = 3 / 36.
    x = np.column_stack([np.ones(36), frame[["t", "s1", "c1", "s2", "c2", "on"]]])
    b = fit.coef()[["Intercept", "t", "s1", "c1", "s2", "c2", "on"]].to_numpy()
    mean = np.exp(x @ b + days)
    root = np.sqrt(mean)[:, None] * x
    hat = np.diag(root @ np.linalg.pinv(root))
    score = x * ((y - mean) / (1 - hat))[:, None]
    weight = np.maximum(0, 1 - np.abs(np.subtract.outer(t, t)) / 3)
    middle = sum(weight[i, j] * np.outer(score[i], score[j]) for i in range(36) for j in range(36))
    bread = np.linalg.inv(root.T @ root)
    error = math.sqrt((bread @ middle @ bread)[-1, -1])
    spread = math.log1p(found.change_high) - math.log1p(found.change)
    assert spread == pytest.approx((1.96 + 2.9694 / 12 + 0.4160 / 144 - 0.5324 / 1728) * error, rel=1e-6)


def test_a_season_is_not_told_from_a_trend_in_few_months():
    panel, treated = city()
    with pytest.raises(ValueError, match="12 months before the start; a season needs 24"):
        interrupted_time_series(panel, treated, Window(first="2019-01", last="2019-06"))


def test_holm_is_that_by_hand():
    # Of three: the smallest times 3, the next times 2 and no less than it, the last no less than that.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_bounds_are_those_by_hand():
    # One month before moved by 2; the effect is 5 in one month after. Moving as far again: 5 - 2 to 5 + 2.
    found = {(b.restriction, b.multiple): b for b in bounds(np.array([2.0, 5.0]), np.eye(2) * 0.25, 1)}
    once = found[RELATIVE, 1.0]
    assert (once.low, once.high) == pytest.approx((3.0, 7.0))
    # The error of the effect is 0.5; both ends are its worst case, so the interval adds the one-sided or the full quantile.
    assert 0.8 < once.low - once.interval_low < 1.0
    assert (found[RELATIVE, 0.0].low, found[RELATIVE, 0.0].high) == pytest.approx((5.0, 5.0))
    assert bounds(np.array([5.0]), np.eye(1), 0) == ()


def event_months(seed: int, leads: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Effects by month and their covariance, as of sixty places."""
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = generator.normal(0, 0.05, (60, leads + after)) + generator.normal(0, 0.04, (60, 1))
    return np.append(generator.normal(0, 0.05, leads), generator.normal(-0.25, 0.05, after)), np.cov(draws.T)


def shortest(effects: np.ndarray, covariance: np.ndarray, leads: int, bend: float) -> tuple[float, float]:
    """The fixed-length interval of the paper's section 4.1, by quadratic programs: least variance plus a price of bias,
    and the price at which the half length gains from neither."""
    import cvxpy as cp
    from scipy.optimize import brentq
    from scipy.stats import foldnorm, norm

    after = len(effects) - leads
    mean, ahead = np.full(after, 1 / after), np.arange(1, after + 1)
    w, price = cp.Variable(leads), cp.Parameter(nonneg=True)
    # Weights w of the slopes before sum to how far a slope of 1 carries the mean after (equation 17).
    v = cp.hstack([w - cp.hstack([0, w[:-1]]), mean])
    constant = sum(abs(ahead[:s] @ mean[after - s :]) for s in ahead) - ahead @ mean
    bias = constant + cp.norm1(cp.cumsum(w))
    variance = cp.sum_squares(np.linalg.cholesky(covariance).T @ v)
    program = cp.Problem(cp.Minimize(variance / 2 + price * bias), [cp.sum(w) == ahead @ mean])

    def gain(at: float) -> tuple[float, float]:
        """How far a price is from what the half length pays for bias; the half length."""
        price.value = at
        program.solve(solver=cp.CLARABEL, **TIGHT)
        error = math.sqrt(variance.value)
        t = bend * bias.value / error
        point = foldnorm.ppf(0.95, t)
        near, far = norm.pdf(point - t), norm.pdf(point + t)
        by_t = (near - far) / (near + far)
        return at - bend * by_t * error / (point - t * by_t), error * point

    found = brentq(lambda at: gain(at)[0], 0, 10 * bend, xtol=1e-15)
    half = gain(found)[1]
    middle = float(v.value @ effects)
    return middle - half, middle + half


MONTHS_BESIDE = [(2, 2, 4), (3, 3, 3), (4, 5, 6), (5, 6, 1), (6, 11, 12)]


@pytest.mark.parametrize(("seed", "leads", "after"), MONTHS_BESIDE)
def test_bounds_agree_with_linear_programs_and_a_second_program_to_six_digits(seed, leads, after):
    moderndid = pytest.importorskip("moderndid", reason="moderndid is a development dependency")
    from moderndid.didhonest.delta.sd.sd import compute_identified_set_sd
    from scipy.optimize import linprog

    effects, covariance = event_months(seed, leads, after)
    mean = np.ones((after, 1)) / after
    moves = np.diff([*effects[:leads], 0.0])
    bend = np.abs(np.diff(moves)).max()
    error = math.sqrt(covariance[leads:, leads:].mean())
    for b in bounds(effects, covariance, leads):
        same = pytest.approx
        if b.restriction == RELATIVE:
            # How far the mean after can move, if none of its months moves farther from the last than the months before did.
            step = np.eye(after) - np.eye(after, k=-1)
            most = np.full(2 * after, b.multiple * np.abs(moves).max())
            far = linprog(-mean.ravel(), A_ub=np.vstack([step, -step]), b_ub=most, bounds=(None, None))
            assert (b.low, b.high) == same((effects[leads:].mean() + far.fun, effects[leads:].mean() - far.fun), rel=1e-6)  # fmt: skip
            assert (b.interval_low, b.interval_high) == same((b.low - 1.959964 * error, b.high + 1.959964 * error), rel=1e-6)  # fmt: skip
        elif b.multiple == 0:
            # A straight trend through all months before, by generalized least squares, goes on after the start.
            x = np.column_stack([[*range(-leads, 0), *range(1, after + 1)], np.vstack([np.zeros((leads, after)), np.eye(after)])])  # fmt: skip
            weight = np.linalg.inv(covariance)
            spread = np.linalg.inv(x.T @ weight @ x)
            middle, of = (spread @ x.T @ weight @ effects)[1:].mean(), spread[1:, 1:].mean()
            assert (b.interval_low, b.interval_high) == same((middle - 1.959964 * of**0.5, middle + 1.959964 * of**0.5), rel=1e-6)  # fmt: skip
        else:
            if not math.isnan(b.low):
                theirs = compute_identified_set_sd(b.multiple * bend, effects, mean, leads, after)
                assert (b.low, b.high) == same((theirs.id_lb, theirs.id_ub), rel=1e-6)
            low, high = shortest(effects, covariance, leads, b.multiple * bend)
            assert (b.interval_low, b.interval_high) == same((low, high), abs=1e-6 * (high - low) / 2)
            # The second program's solver stops at eight digits of the error, which are five of the interval's middle.
            theirs = moderndid.compute_flci(effects, covariance, b.multiple * bend, leads, after, mean)
            assert (b.interval_high - b.interval_low) / 2 == same(theirs.optimal_half_length, rel=1e-6)
            assert (b.interval_low, b.interval_high) == same(theirs.flci, abs=1e-5 * theirs.optimal_half_length)


def test_with_one_month_before_the_shortest_interval_is_that_by_hand():
    from scipy.stats import foldnorm

    # Before: 2. After: 5, 6. A straight trend falls by 2 a month: 5 + 2 and 6 + 4, in the mean 8.5. Its error, of
    # effects without covariance: (1 + 1) / 4 + 1.5^2 = 2.75. Worst bias of a bend of 2: (2 + 6) / 2 = 4.
    found = bounds(np.array([2.0, 5.0, 6.0]), np.eye(3), 1)
    once = next(b for b in found if b.restriction == SMOOTH and b.multiple == 1)
    assert (once.low, once.high) == pytest.approx((4.5, 12.5))
    half = math.sqrt(2.75) * foldnorm.ppf(0.95, 4 / math.sqrt(2.75))
    assert (once.interval_low, once.interval_high) == pytest.approx((8.5 - half, 8.5 + half), rel=1e-9)


def test_bounds_agree_with_a_third_program():
    """diff-diff looks on a grid: its half length has six digits, its middle four or five."""
    from diff_diff import HonestDiD
    from diff_diff.results import MultiPeriodDiDResults, PeriodEffect

    effects, covariance = event_months(3, 3, 3)
    nan = float("nan")
    months = [-3, -2, -1, 1, 2, 3]
    parts = {m: PeriodEffect(m, float(e), 1.0, nan, nan, (nan, nan)) for m, e in zip(months, effects, strict=True)}
    results = MultiPeriodDiDResults(
        period_effects=parts, avg_att=nan, avg_se=nan, avg_t_stat=nan, avg_p_value=nan, avg_conf_int=(nan, nan), n_obs=0,
        n_treated=0, n_control=0, pre_periods=months[:3], post_periods=months[3:], vcov=covariance, reference_period=0,
        interaction_indices={m: i for i, m in enumerate(months)},
    )  # fmt: skip
    bend = np.abs(np.diff([*effects[:3], 0.0], 2)).max()
    for b in bounds(effects, covariance, 3):
        method, m = ("relative_magnitude", 1.0) if b.restriction == RELATIVE else ("smoothness", bend)
        other = HonestDiD(method=method, M=b.multiple * m).fit(results)
        assert (b.low, b.high) == pytest.approx((other.lb, other.ub), rel=1e-6, nan_ok=True)
        assert b.interval_high - b.interval_low == pytest.approx(other.ci_ub - other.ci_lb, rel=1e-6)
        assert b.interval_low == pytest.approx(other.ci_lb, rel=1e-4)


def test_no_interval_is_told_where_no_error_is_left():
    # Two months of one error each: their difference has none.
    assert all(np.isnan(b.interval_low) for b in bounds(np.array([1.0, 2.0, 3.0]), np.zeros((3, 3)), 2)[4:])


def test_effects_against_another_month():
    # Against the first month: 0, 1, 3. Against the second: -1, 0, 2. Variances of differences: 4; 4 + 9 - 2 * 1 = 11.
    effects, covariance = against_last_before(np.array([0.0, 1.0, 3.0]), np.array([[4.0, 1.0], [1.0, 9.0]]), 0, 1)
    assert effects == pytest.approx([-1, 2])
    assert covariance == pytest.approx(np.array([[4, 3], [3, 11]]))


def test_power_of_counts_is_that_by_hand():
    # 50 + 50 rows before in each group and as many expected after, no dispersion: error sqrt(4 / 100) = 0.2.
    counts = np.array([[25, 25, 0, 0], [25, 25, 9, 9], [25, 25, 0, 0], [25, 25, 0, 0]])
    months = ("2020-01", "2020-02", "2020-03", "2020-04")
    panel, treated = Panel(tuple("abcd"), months, counts), np.array([True, True, False, False])
    base, after = Window(first="2020-01", last="2020-02"), Window(first="2020-03", last="2020-04")
    found = of_counts(panel, treated, base, after, 0.8, -0.5)
    assert found.error == pytest.approx(0.2)
    # t with 3 degrees of freedom: 3.1824 + 0.9785.
    assert found.fall == pytest.approx(math.exp(-(3.1824 + 0.9785) * 0.2) - 1, abs=1e-4)
    other = Panel(tuple("abcd"), months, np.where(np.arange(4) > 1, 7, counts))
    assert of_counts(other, treated, base, after, 0.8, -0.5) == found  # nothing after the start is read
    assert dispersion(np.array([[10.0, 30.0], [30.0, 10.0]])) == pytest.approx(4 * 100 / 20 / 1)


def test_power_of_means_is_the_spread_of_estimates_and_reads_no_treated_row():
    starts = np.array([2] * 5 + [4] * 5 + [6] * 5)
    place, month, _ = (x.ravel() for x in np.indices((15, 6, 20)))

    def drawn(seed: int, effect: float = 0.0) -> Rows:
        generator = np.random.Generator(np.random.PCG64(seed))
        wander = generator.normal(0, 1, (15, 6))[place, month]
        value = 50 + place + wander + generator.normal(0, 6, len(place)) + effect * (month >= starts[place])
        return Rows(tuple("abcdefghijklmno"), tuple("123456"), starts, place, month, value)

    estimates = [callaway_santanna(drawn(s)).effect for s in range(120)]
    told = [of_means(drawn(s), 0.8, 0.05) for s in range(10)]
    assert np.mean([d.error for d in told]) == pytest.approx(np.std(estimates), rel=0.15)
    assert of_means(drawn(1, effect=30.0), 0.8, 0.05) == told[1]
    assert found_share(told[0]) == pytest.approx(0.8, abs=0.02)


def found_share(d) -> float:
    """The probability of finding the detectable rise, by the normal's like of t with 14 degrees of freedom."""
    from scipy.stats import t

    mean = float(re.search(r"mean ([\d.]+)", d.what).group(1))
    return float(t.sf(t.ppf(0.975, 14) - d.rise * mean / d.error, 14))


def test_a_study_of_places_prints_what_its_list_asks_for(tmp_path):
    from orchestration.evaluation.design import Run, results
    from orchestration.evaluation.render import write_report

    power = {"expected": -0.3, "why": "Invented, to hold the reckoning against."}
    listed = ["wild_bootstrap", "rambachan_roth", "synthetic_control", "synthetic_did", "holm"]
    folder = write_study(tmp_path, robustness=listed, power=power)
    with duckdb.connect() as con:
        fill(con)
        found = results(con, load_study(folder), Run("final", "r1", "0" * 64, ()))
        tables = {b.name: b for b in found.blocks if hasattr(b, "columns")}
        assert [r[0].split(",")[0] for r in tables["robustness"].rows] == [
            "wild cluster bootstrap", "synthetic control", "synthetic difference in differences",
        ]  # fmt: skip
        # The program's places fell to 0.7; each way of asking finds about that.
        assert all(-0.5 < r[1] < -0.1 for r in tables["robustness"].data[1])
        # The study has no secondary outcome, so there is nothing to correct.
        assert len(tables["bounds"].rows) == 8 and "multiple_tests" not in tables
        write_report(tmp_path / "out", "Elm Street", found.blocks, found.figures)
        assert "Rambachan and Roth" in (tmp_path / "out" / "report.html").read_text()
        assert any("which the study expects" in getattr(b, "text", "") for b in found.blocks)
        short = write_study(tmp_path / "short", robustness=["interrupted_time_series"])
        with pytest.raises(StudyError, match="4 months before the start; a season needs 24; take longer data"):
            results(con, load_study(short), Run("final", "r1", "0" * 64, ()))


def fill(con: duckdb.DuckDBPyConnection) -> None:
    """The invented city's offenses, as a release holds them."""
    con.execute("create schema internal")
    con.execute(
        "create table internal.fct_offense (offense_id varchar, agency_id varchar, precinct varchar, neighborhood varchar,"
        " nibrs_offense_local varchar, extras varchar, occurred_local_at timestamp)"
    )
    con.executemany("insert into internal.fct_offense values (?, ?, ?, ?, ?, ?, ?)", offenses(40))
    con.execute(
        "create table internal.fct_reconciliation as select 'elm' as agency_id, 'offense' as entity, count(*) as"
        " rows_landed, 0 as rows_rejected, 0 as rows_superseded, 0 as rows_folded, 0 as rows_not_applicable"
        " from internal.fct_offense"
    )
    assert con.execute("select count(distinct month(occurred_local_at)) from internal.fct_offense").fetchone()[0] == len(MONTHS)  # fmt: skip


def test_a_study_of_several_starts_prints_what_its_list_asks_for(tmp_path):
    from orchestration.evaluation.design import Run, detectable, results

    power = {"expected": 0.3, "why": "Invented, to hold the reckoning against."}
    folder = write_staggered_study(tmp_path, robustness=["rambachan_roth", "holm"], power=power)
    with duckdb.connect() as con:
        add_calls(con)
        study = load_study(folder)
        found = results(con, study, Run("final", "r1", "0" * 64, ()))
        before = detectable(con, study)
    tables = {b.name: b for b in found.blocks if hasattr(b, "columns")}
    # Two secondary outcomes; Holm gives twice the smaller p, at most 1.
    smaller = min(r[1] for r in tables["multiple_tests"].data[1])
    assert min(r[2] for r in tables["multiple_tests"].data[1]) == pytest.approx(min(1, 2 * smaller), abs=1e-5)
    assert len(tables["bounds"].rows) == 8
    assert any("largest move before the start" in line for line in found.conclusion)
    # 45 minutes without, and 12 added: found for certain.
    assert before.found > 0.9 and before.rise < 12 / 45


NEAR = {"name": "near", "units": ["04", "05"], "why": "Invented, to hold the reckoning against."}


def test_untreated_places_near_are_held_against_those_far_alone(tmp_path):
    from orchestration.evaluation.analysis import analyze
    from orchestration.evaluation.estimators import ratio_of_ratios
    from orchestration.evaluation.findings import verdicts

    folder = write_study(tmp_path, spillover=NEAR)
    with duckdb.connect() as con:
        fill(con)
        # A third of the reports near are gone once the team works next to them.
        con.execute(
            "delete from internal.fct_offense where precinct in ('04', '05') and occurred_local_at >= '2020-05-01'"
            " and nibrs_offense_local = 'trespass' and hash(offense_id) % 3 = 0"
        )
        con.execute("update internal.fct_reconciliation set rows_landed = (select count(*) from internal.fct_offense)")
        found = analyze(con, load_study(folder))
    before, after = (
        found.panel.over(Window(first=a, last=b)) for a, b in (("2020-01", "2020-04"), ("2020-05", "2020-08"))
    )
    far = found.panel.of([f"{i:02d}" for i in range(4, 12)])
    near = found.panel.of(["04", "05"])[far]
    by_hand = ratio_of_ratios(before[far], after[far], near[None, :])[0]
    assert found.spillover[0].effect.coefficient == pytest.approx(by_hand, abs=1e-6) and by_hand < -0.2
    verdict = next(v for v in verdicts(found) if "near the treated ones" in v.question)
    assert not verdict.stands


def test_places_near_several_starts_are_those_never_treated():
    # d, e, f are never treated; d is near and rises by 3 more from the first start on.
    place, month = (x.ravel() for x in np.indices((6, 4)))
    starts = np.array([1, 1, 2, 4, 4, 4])
    value = 10.0 + place + month + 3 * ((place == 3) & (month >= 1)) + 50 * (place < 3)
    rows = Rows(tuple("abcdef"), tuple("1234"), starts, place, month, value)
    near = rows.near(("d",))
    assert near.units == ("d", "e", "f") and list(near.starts) == [1, 4, 4] and near.unit.max() == 2
    assert callaway_santanna(near).effect == pytest.approx(3)


@pytest.mark.parametrize(("units", "said"), [(["00"], "00 treated themselves"), (["99"], "99 not among unit.in")])
def test_places_near_are_untreated_places_of_the_study(tmp_path, units, said):
    with pytest.raises(StudyError, match=said):
        load_study(write_study(tmp_path, spillover={**NEAR, "units": units}))


def test_freezing_prints_what_can_be_found_and_reads_nothing_after_the_start(home, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from orchestration.cli import main

    power = {"expected": -0.3, "why": "Invented, to hold the reckoning against."}
    rows = offenses(40)
    monkeypatch.setenv("CRISIS_HOME", str(home.settings.home))
    said = []
    for name, kept in (("whole", rows), ("before", [r for r in rows if r[6] < "2020-05"])):
        release_offenses(home.settings, kept, f"2024-05-06-{name}")
        folder = write_study(tmp_path / name, power=power)
        done = CliRunner().invoke(main, ["evaluate", str(folder), "--freeze"])
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert "a test at 5 % finds with a probability of 80% a fall of" in said[0] and "is frozen as" in said[0]
    assert said[0] == said[1]
