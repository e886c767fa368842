"""The same question by other means: each against a second implementation on the same data, and power by hand."""

from __future__ import annotations

import math
import re

import duckdb
import numpy as np
import pytest

from orchestration.evaluation.panel import Panel
from orchestration.evaluation.study import StudyError, Window, load_study
from tests.evaluation_home import MONTHS, add_calls, make_release, offenses, write_staggered_study, write_study

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
from orchestration.evaluation.staggered import callaway_santanna
from orchestration.evaluation.staggered_rows import Rows

LONG = tuple(f"{y}-{m:02d}" for y in (2018, 2019, 2020) for m in range(1, 13))
AFTER, BASE = Window(first="2020-07", last="2020-12"), Window(first="2020-01", last="2020-06")


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
    tight = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-13}
    cp.Problem(cp.Minimize(cost), [w >= 0, cp.sum(w) == 1]).solve(solver=cp.CLARABEL, **tight)
    return w.value


def test_synthetic_control_agrees_with_an_exact_solver():
    panel, treated = city()
    series = np.vstack([panel.counts[treated].sum(axis=0), panel.counts[~treated]]).astype(float)
    series /= series[:, :30].mean(axis=1, keepdims=True)
    implied = weighed(series[0, :30], series[1:, :30].T) @ series[1:, 30:]
    found = synthetic_control(panel, treated, AFTER)
    assert found.change == pytest.approx(series[0, 30:].mean() / implied.mean() - 1, abs=1e-6)
    # One of eleven series is the treated one; p is its place among them.
    assert found.p_value * 11 == pytest.approx(round(found.p_value * 11))


def test_synthetic_did_agrees_with_an_exact_solver():
    panel, treated = city()
    y, n1, t1, t0 = panel.counts.astype(float), 4, 6, 30
    before, donors = y[:, :t0], y[~treated]
    noise = np.diff(donors[:, :t0], axis=1).std(ddof=1)
    zeta = (n1 * t1) ** 0.25 * noise
    omega = weighed(before[treated].mean(axis=0), donors[:, :t0].T, ridge=zeta**2, intercept=True)
    months = weighed(donors[:, t0:].mean(axis=1), donors[:, :t0], ridge=(1e-6 * noise) ** 2, intercept=True)
    effect = (y[treated][:, t0:].mean() - y[treated][:, :t0].mean(axis=0) @ months) - omega @ (
        donors[:, t0:].mean(axis=1) - donors[:, :t0] @ months
    )
    found = synthetic_did(panel, treated, AFTER, 50, 1)
    # The package stops its search where R's synthdid stops, near the least and not at it.
    assert found.change == pytest.approx(effect / (y[treated][:, t0:].mean() - effect), abs=5e-3)
    assert found.change_low < -0.2 < found.change_high


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
    assert spread == pytest.approx((1.96 + 2.9694 / 12 + 0.4160 / 144 - 0.5324 / 1728) * error, rel=1e-5)


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


def test_bounds_agree_with_a_second_program():
    moderndid = pytest.importorskip("moderndid", reason="moderndid is a development dependency")
    effects = np.array([0.06, -0.04, 0.02, -0.25, -0.3, -0.2])
    generator = np.random.Generator(np.random.PCG64(1))
    draws = generator.normal(0, 0.05, (60, 6)) + generator.normal(0, 0.04, (60, 1))
    covariance = np.cov(draws.T)
    weights = np.ones((3, 1)) / 3
    found = bounds(effects, covariance, 3)
    # Before, the largest move is 0.10. At a multiple m the places may be 0.1 m apart after a month, then 0.2 m, 0.3 m.
    for b in (b for b in found if b.restriction == RELATIVE):
        assert (b.low, b.high) == pytest.approx((-0.25 - 0.2 * b.multiple, -0.25 + 0.2 * b.multiple), abs=1e-6)
    bend = np.abs(np.diff([*effects[:3].tolist(), 0.0], 2)).max()
    for b in (b for b in found if b.restriction == SMOOTH and b.multiple):
        theirs = moderndid.compute_flci(effects, covariance, b.multiple * bend, 3, 3, weights)
        # Both search for the shortest interval, and stop near it.
        assert (b.interval_low, b.interval_high) == pytest.approx(theirs.flci, rel=5e-3)


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
        make_release(home.settings, kept, f"2024-05-06-{name}")
        folder = write_study(tmp_path / name, power=power)
        done = CliRunner().invoke(main, ["evaluate", str(folder), "--freeze"])
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert "a test at 5 % finds with a probability of 80% a fall of" in said[0] and "is frozen as" in said[0]
    assert said[0] == said[1]
