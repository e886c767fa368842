"""Estimators of studies of rows: worked out by hand, and against a second reckoning to six digits."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("statsmodels", reason="the extra `evaluate` is not installed")

import statsmodels.api as sm

from orchestration.evaluation.people.lottery import complier, intent_to_treat, permutation_p
from orchestration.evaluation.people.missing import bounds, imbens_manski, impute, rubin
from orchestration.evaluation.people.survival import cox, cumulative_share, kaplan_meier
from orchestration.evaluation.people.weighting import (
    collapse,
    design,
    effective_size,
    entropy_weights,
    propensity_weights,
    standardized,
    weighted_difference,
)
from orchestration.evaluation.study import StudyError

# Of x = 0: 20 served (5 yes), 60 others (30 yes). Of x = 1: 60 served (30 yes), 40 others (30 yes).
CELLS = ((0, 1, 20, 5), (0, 0, 60, 30), (1, 1, 60, 30), (1, 0, 40, 30))


def cells():
    x, t, y = [], [], []
    for level, arm, n, yes in CELLS:
        x += [level] * n
        t += [arm] * n
        y += [1] * yes + [0] * (n - yes)
    return np.array(x, dtype=float)[:, None], np.array(t, dtype=bool), np.array(y, dtype=float)


def drawn(n=400, seed=4):
    """Rows whose two traits move both who is served and the outcome; in clusters of about five."""
    g = np.random.Generator(np.random.PCG64(seed))
    x = np.column_stack([g.normal(size=n), g.integers(0, 2, n)])
    t = g.random(n) < 1 / (1 + np.exp(0.3 - 0.6 * x[:, 0] - 0.5 * x[:, 1]))
    y = (g.random(n) < 0.3 + 0.1 * x[:, 1] - 0.1 * t).astype(float)
    return x, t, y, g.integers(0, n // 5, n)


def test_weights_of_both_kinds_give_the_answer_of_a_table_by_hand():
    x, t, y = cells()
    # Each of 60 others with x = 0 stands for 20/60 served rows, each of 40 with x = 1 for 60/40.
    by_hand = np.where(t, 1, np.where(x[:, 0] == 0, 20 / 60, 60 / 40))
    for weights in (propensity_weights(x, t), entropy_weights(x, t)):
        assert weights == pytest.approx(by_hand, abs=1e-6)
        found = weighted_difference("w", y, t, weights, np.arange(len(y)))
        # Others would have 20 x 0.5 + 60 x 0.75 = 55 yes of 80; the served have 35: 20 fewer, 25 points.
        assert (found.implied, found.fewer) == (pytest.approx(55, abs=1e-6), pytest.approx(20, abs=1e-6))
        assert found.difference == pytest.approx(-0.25, abs=1e-7)
        assert (found.events_treated, found.n_treated, found.events_comparison, found.n_comparison) == (35, 80, 60, 100)
    # Kish: (60 x 1/3 + 40 x 1.5)^2 / (60 x 1/9 + 40 x 2.25) = 6400 / 96.667.
    assert effective_size(by_hand[~t]) == pytest.approx(6400 / (60 / 9 + 90))


def test_standardized_differences_are_those_by_hand_and_vanish_after_weighting():
    x, t, _ = cells()
    # Shares 0.75 and 0.4; variances 0.1875 x 80/79 and 0.24 x 100/99.
    spread = math.sqrt((0.1875 * 80 / 79 + 0.24 * 100 / 99) / 2)
    assert standardized(x, t)[0] == pytest.approx(0.35 / spread)
    assert standardized(x, t, entropy_weights(x, t))[0] == pytest.approx(0, abs=1e-6)


def test_entropy_weights_are_the_nearest_to_equal_of_all_that_balance():
    """Second reckoning: the primal, sum of w log w under the constraints, by another algorithm."""
    from scipy.optimize import minimize

    x, t, _, _ = drawn(60)
    others, target = x[~t], x[t].mean(axis=0)
    primal = minimize(
        lambda w: (w * np.log(w)).sum(), np.full(len(others), 1 / len(others)), jac=lambda w: np.log(w) + 1,
        bounds=[(1e-9, 1)] * len(others), method="SLSQP", options={"ftol": 1e-15, "maxiter": 1000},
        constraints=[{"type": "eq", "fun": lambda w: w.sum() - 1}, {"type": "eq", "fun": lambda w: w @ others - target}],
    )  # fmt: skip
    assert entropy_weights(x, t)[~t] / t.sum() == pytest.approx(primal.x, abs=1e-6)


def test_propensity_weights_agree_with_newton_by_hand_to_six_digits():
    x, t, _, _ = drawn()
    full, b = np.column_stack([np.ones(len(x)), x]), np.zeros(3)
    for _ in range(30):
        p = 1 / (1 + np.exp(-full @ b))
        b += np.linalg.solve((full * (p * (1 - p))[:, None]).T @ full, full.T @ (t - p))
    odds = np.exp(full @ b)
    by_hand = np.where(t, 1, odds * t.sum() / odds[~t].sum())
    assert propensity_weights(x, t) == pytest.approx(by_hand, abs=1e-6)


def test_a_weighted_difference_and_its_error_agree_with_another_program_to_six_digits():
    x, t, y, cluster = drawn()
    w = entropy_weights(x, t)
    found = weighted_difference("entropy", y, t, w, cluster)
    other = sm.WLS(y, sm.add_constant(t.astype(float)), weights=w).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert found.difference == pytest.approx(other.params[1], abs=1e-8)
    assert found.error == pytest.approx(other.bse[1], abs=1e-6)


def test_on_calls_of_known_truth_weighted_intervals_hold_what_they_promise():
    """A small version of benchmarks/people.py: type and place move both who is served and the outcome."""
    from benchmarks.people import EFFECT, draw_calls

    generator, found = np.random.Generator(np.random.PCG64(4)), {"entropy": [], "unadjusted": []}
    for _ in range(60):
        x, _, _, served, y, person = draw_calls(generator, 1000, EFFECT)
        for name, weights in (("entropy", entropy_weights(x, served)), ("unadjusted", np.ones(len(y)))):
            found[name].append(weighted_difference(name, y, served, weights, person))
    held = {n: np.mean([d.low <= EFFECT <= d.high for d in trials]) for n, trials in found.items()}
    bias = {n: np.mean([d.difference for d in trials]) - EFFECT for n, trials in found.items()}
    # 95 of 100 are promised; 60 trials tell it to three. The error of the mean of 60 differences is 0.4 points.
    assert held["entropy"] >= 0.87 and abs(bias["entropy"]) < 0.015
    assert held["unadjusted"] < 0.8 and bias["unadjusted"] > 0.03


def test_arms_that_cannot_be_made_alike_are_refused():
    t = np.array([True] * 10 + [False] * 10)
    apart = t.astype(float)[:, None]
    with pytest.raises(StudyError, match="no weights give the others the means of the served"):
        entropy_weights(apart + np.linspace(0, 0.1, 20)[:, None], t)
    with pytest.raises(StudyError, match=r"tell the arms apart|did not converge"):
        propensity_weights(apart, t)


def test_small_levels_are_taken_together_with_as_many_more_as_it_takes():
    t = np.array([True, False] * 50)
    values = np.array(["a"] * 40 + ["b"] * 30 + ["c"] * 20 + ["d"] * 6 + ["e"] * 4)
    # d and e have 3 and 2 rows an arm, together 5: c (10 an arm) joins them.
    found, together = collapse(values, t, 11)
    assert together == ("c", "d", "e")
    assert sorted(np.unique(found.astype(str))) == ["a", "b", "others"]
    assert collapse(values[:70], t[:70], 11)[1] == ()


def test_the_design_leaves_out_the_commonest_level_and_shows_all():
    d = design({"kind": np.array(["a", "b", "b", "c"])}, {"age": np.array([1.0, 2.0, 3.0, 4.0])})
    assert d.names == ("kind: a", "kind: c", "age")
    assert d.shown == ("kind: a", "kind: b", "kind: c", "age")
    assert d.x[:, 2].mean() == pytest.approx(0) and d.x[:, 2].std() == pytest.approx(1)
    # A covariate that follows from another is shown, and used once.
    kinds = np.array(["a", "b", "c", "b"])
    twice = design({"kind": kinds, "priority": np.where(kinds == "b", "2", "1")}, {})
    assert twice.names == ("kind: a", "kind: c") and len(twice.shown) == 5


# lotteries


def lottery(n_clusters=24, seed=9):
    """Clusters of ten rows in three strata, half of each drawn; most drawn rows receive, some others do too."""
    g = np.random.Generator(np.random.PCG64(seed))
    cluster = np.repeat(np.arange(n_clusters), 10)
    strata = cluster % 3
    chosen = np.concatenate([g.permutation(np.arange(s, n_clusters, 3))[: n_clusters // 6] for s in range(3)])
    assigned = np.isin(cluster, chosen)
    received = g.random(len(cluster)) < np.where(assigned, 0.7, 0.1)
    y = (g.random(len(cluster)) < 0.5 - 0.2 * received + 0.1 * (strata == 1)).astype(float)
    return y, assigned, received, strata, cluster


def test_intent_to_treat_agrees_with_another_program_to_six_digits():
    y, assigned, _, strata, cluster = lottery()
    found = intent_to_treat(y, assigned, strata, cluster)
    x = np.column_stack([assigned, strata == 0, strata == 1, strata == 2]).astype(float)
    other = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert found.difference == pytest.approx(other.params[0], abs=1e-8)
    assert found.error == pytest.approx(other.bse[0], abs=1e-6)
    # Without strata it is the difference of two shares.
    alone = intent_to_treat(y, assigned, np.zeros(len(y)), cluster)
    assert alone.difference == pytest.approx(y[assigned].mean() - y[~assigned].mean())


def test_the_complier_effect_is_the_ratio_of_two_differences_and_its_error_that_of_the_formula():
    y, assigned, received, strata, cluster = lottery()
    one = np.zeros(len(y))
    found = complier(y, assigned, received, one, cluster)
    take_up = received[assigned].mean() - received[~assigned].mean()
    assert found.take_up == pytest.approx(take_up)
    assert found.difference == pytest.approx((y[assigned].mean() - y[~assigned].mean()) / take_up, abs=1e-8)
    # By hand: b = (Z'X)^-1 Z'y, clustered meat of Z'e, times G/(G-1) x (N-1)/(N-K).
    for s, dummies in ((one, np.ones((len(y), 1))), (strata, np.eye(3)[strata])):
        x, z = (np.column_stack([v.astype(float), dummies]) for v in (received, assigned))
        bread = np.linalg.inv(z.T @ x)
        e = y - x @ (bread @ z.T @ y)
        sums = np.stack([np.bincount(cluster, weights=z[:, k] * e) for k in range(z.shape[1])], axis=1)
        groups, n, k = len(sums), len(y), x.shape[1]
        v = bread @ (sums.T @ sums) @ bread.T * groups / (groups - 1) * (n - 1) / (n - k)
        found = complier(y, assigned, received, s, cluster)
        assert found.difference == pytest.approx((bread @ z.T @ y)[0], abs=1e-8)
        assert found.error == pytest.approx(math.sqrt(v[0, 0]), abs=1e-6)


def test_permutation_of_whole_units_is_the_share_counted_by_hand():
    # Four clusters of two rows, shares 1, 1, 0, 0, the first two drawn: of the six ways to draw two, two lie as far.
    unit = np.repeat(np.arange(4), 2)
    y, assigned = np.array([1, 1, 1, 1, 0, 0, 0, 0.0]), unit < 2
    p = permutation_p(y, assigned, np.zeros(8), unit, 6000, 1)
    assert p == pytest.approx(2 / 6, abs=0.02)  # Monte Carlo error 0.006
    # Within two strata of two clusters each, one drawn: four ways; as far lie those that draw the same twice.
    strata, both = unit // 2, unit % 2 == 0
    assert permutation_p(np.where(both, 1.0, 0.0), both, strata, unit, 6000, 1) == pytest.approx(2 / 4, abs=0.02)
    with pytest.raises(StudyError, match="a unit lies in both arms"):
        permutation_p(y, np.arange(8) % 2 == 0, np.zeros(8), unit, 200, 1)


# time to an event

TIME = np.array([1.0, 2, 2, 3, 4, 5, 6, 8])
CAUSE = np.array([1, 2, 1, 0, 1, 2, 0, 1])


def test_shares_over_time_are_those_by_hand():
    days = (1, 2, 4, 8)
    # Free of any event before each time: 1, 7/8, 5/8 (two of seven), then 5/8 x 3/4 after day 4, x 2/3 after day 5.
    # Event: 1/8; + 7/8 x 1/7 = 2/8; + 5/8 x 1/4 = 0.40625; at 8 the last one: + 5/8 x 3/4 x 2/3 x 1 = 0.71875.
    aj = cumulative_share(TIME, CAUSE, days)
    assert aj.share == pytest.approx([0.125, 0.25, 0.40625, 0.71875])
    assert list(aj.events) == [1, 2, 3, 4] and list(aj.at_risk) == [8, 7, 4, 1]
    # Kaplan-Meier: 7/8, x 6/7, x 3/4, x 0.
    km = kaplan_meier(TIME, CAUSE, days)
    assert km.share == pytest.approx([0.125, 0.25, 1 - 0.75 * 0.75, 1.0])
    assert (km.low[:3] <= km.share[:3]).all() and (km.share <= km.high).all()


def test_shares_with_competing_events_agree_with_a_second_reckoning_to_six_digits():
    g = np.random.Generator(np.random.PCG64(2))
    time = np.round(g.exponential(20, 300), 0) + 1
    cause = np.where(time > 40, 0, g.integers(0, 3, 300))
    time = np.minimum(time, 40)
    free, share, greenwood, by_day = 1.0, 0.0, 0.0, {}
    for day in np.unique(time):
        at_risk = (time >= day).sum()
        share += free * ((time == day) & (cause == 1)).sum() / at_risk
        gone = ((time == day) & (cause > 0)).sum()
        free *= 1 - gone / at_risk
        by_day[int(day)] = share
    found = cumulative_share(time, cause, (5, 20, 39))
    assert found.share == pytest.approx([by_day[5], by_day[20], by_day[39]], abs=1e-9)
    alone, free = kaplan_meier(time, cause, (20,)), 1.0
    for day in np.unique(time[time <= 20]):
        n, d = (time >= day).sum(), ((time == day) & (cause == 1)).sum()
        free *= 1 - d / n
        greenwood += d / (n * (n - d))
    assert alone.share[0] == pytest.approx(1 - free, abs=1e-9)
    # log(-log) interval: S^exp(+-1.96 x sqrt(greenwood) / |log S|).
    wide = 1.959964 * math.sqrt(greenwood) / abs(math.log(free))
    assert alone.low[0] == pytest.approx(1 - free ** math.exp(-wide), abs=1e-6)
    assert alone.high[0] == pytest.approx(1 - free ** math.exp(wide), abs=1e-6)


def test_cox_with_clusters_agrees_with_a_second_reckoning_to_six_digits():
    g = np.random.Generator(np.random.PCG64(6))
    n = 250
    x = np.column_stack([g.integers(0, 2, n), g.normal(size=n)]).astype(float)
    time = np.round(g.exponential(20, n) * np.exp(-0.3 * x[:, 0]), 1) + 0.1
    cause, cluster = np.where(g.random(n) < 0.3, 0, 1), g.integers(0, 60, n)
    time[:3], cause[:3] = 0.05, 0  # leave before the first event
    event, b = cause == 1, np.zeros(2)
    for _ in range(30):
        r = np.exp(x @ b)
        s0 = np.array([r[time >= s].sum() for s in time])
        s1 = np.array([(r[:, None] * x)[time >= s].sum(axis=0) for s in time])
        s2 = np.array([(r[:, None, None] * x[:, :, None] * x[:, None, :])[time >= s].sum(axis=0) for s in time])
        mean = s1 / s0[:, None]
        information = (event[:, None, None] * (s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :])).sum(
            axis=0
        )
        b = b + np.linalg.solve(information, (event[:, None] * (x - mean)).sum(axis=0))
    score = event[:, None] * (x - mean)
    for i in range(n):
        before = event & (time <= time[i])
        score[i] -= (r[i] * (x[i] - mean[before]) / s0[before][:, None]).sum(axis=0)
    sums = np.stack([np.bincount(cluster, weights=score[:, k], minlength=60) for k in range(2)], axis=1)
    inverse = np.linalg.inv(information)
    found = cox("c", time, cause, x, cluster)
    assert found.log_ratio == pytest.approx(b[0], abs=1e-6)
    assert found.error == pytest.approx(math.sqrt((inverse @ sums.T @ sums @ inverse)[0, 0]), abs=1e-6)


# what is not known


def test_rubins_rules_are_those_by_hand():
    # Mean 2; within 1; between 1; total 1 + 4/3 = 7/3; share 4/7; freedom 2 / (4/7)^2 = 6.125.
    found = rubin(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0]))
    assert (found.difference, found.error) == (2, pytest.approx(math.sqrt(7 / 3)))
    assert (found.share_missing, found.freedom) == (pytest.approx(4 / 7), pytest.approx(6.125))


def test_rubins_rules_agree_with_statsmodels_own_pooling():
    import pandas as pd
    from statsmodels.imputation.mice import MICE, MICEData

    g = np.random.Generator(np.random.PCG64(8))
    frame = pd.DataFrame({"t": g.integers(0, 2, 300).astype(float)})
    frame["y"] = g.normal(size=300) + 0.5 * frame["t"]
    frame.loc[g.random(300) < 0.3, "y"] = np.nan
    pooled = MICE("y ~ t", sm.OLS, MICEData(frame, rng=1)).fit(n_burnin=2, n_imputations=8)
    each = [(np.asarray(r.params)[1], np.asarray(r.bse)[1]) for r in pooled.model.results_list]
    found = rubin(*np.array(each).T)
    assert found.difference == pytest.approx(np.asarray(pooled.params)[1], abs=1e-9)
    assert found.error == pytest.approx(np.asarray(pooled.bse)[1], abs=1e-6)


def test_imputation_repeats_and_keeps_what_is_known():
    g = np.random.Generator(np.random.PCG64(3))
    y, t = (g.random(400) < 0.3).astype(float), g.integers(0, 2, 400).astype(float)
    y[g.random(400) < 0.4] = np.nan
    first, second = (impute({"y": y}, [np.arange(400) % 3], [t], 5, 1, 11) for _ in range(2))
    assert all((a["y"] == b["y"]).all() for a, b in zip(first, second, strict=True))
    known = ~np.isnan(y)
    assert all((a["y"][known] == y[known]).all() and set(a["y"]) <= {0.0, 1.0} for a in first)
    assert len({a["y"].sum() for a in first}) > 1


def test_bounds_are_the_two_worst_cases_by_hand():
    t = np.array([True] * 40 + [False] * 40)
    y = np.array([1.0] * 10 + [0] * 20 + [np.nan] * 10 + [1.0] * 12 + [0] * 24 + [np.nan] * 4)
    found = bounds(y, t, lambda v: weighted_difference("w", v, t, np.ones(80), np.arange(80)))
    # Served 10/40 to 20/40; others 12/40 to 16/40.
    assert (found.lowest, found.highest) == (pytest.approx(0.25 - 0.4), pytest.approx(0.5 - 0.3))
    assert (found.unknown_treated, found.unknown_comparison) == (0.25, 0.1)
    assert found.low < found.lowest < found.highest < found.high


def test_the_interval_of_bounds_runs_from_two_sided_to_one_sided():
    assert imbens_manski(0.0, 1.0, 1.0) == pytest.approx(1.959964, abs=1e-5)
    assert imbens_manski(50.0, 1.0, 1.0) == pytest.approx(1.644854, abs=1e-5)
