"""Programs that start in different months: by hand, against second programs, and on calls of which the truth is known."""

from __future__ import annotations

import csv
import io
import re
from itertools import pairwise

import duckdb
import numpy as np
import pytest
import yaml

from orchestration.evaluation.study import StudyError, load_study
from tests.evaluation_home import FORMS_MORE, LONGER, add_calls, write_staggered_study

pytest.importorskip("diff_diff", reason="the extra `evaluate` is not installed")
pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("vl_convert", reason="the extra `evaluate` is not installed")

from orchestration.evaluation import staggered_report
from orchestration.evaluation.design import Run
from orchestration.evaluation.staggered import (
    callaway_santanna,
    group_times,
    imputation,
    months_since_start,
    overall,
    permute_starts,
    poisson_imputation,
    two_way_fixed_effects,
)
from orchestration.evaluation.staggered_analysis import analyze
from orchestration.evaluation.staggered_rows import EligibleRows, Rows


def drawn(seed: int, effect: float = 0.0) -> Rows:
    """Twelve places by five months, with starts in the second and fourth; places differ in size and level."""
    generator = np.random.Generator(np.random.PCG64(seed))
    starts = np.array([1] * 4 + [3] * 4 + [5] * 4)
    n = generator.poisson(np.exp(generator.normal(3.2, 0.5, 12))[:, None] * np.array([1, 1.1, 0.9, 1.2, 1.0])) + 2
    place, month = (x.ravel() for x in np.indices(n.shape))
    unit, at = np.repeat(place, n.ravel()), np.repeat(month, n.ravel())
    value = generator.normal(10, 3, len(unit)) + generator.normal(0, 2, 12)[unit] + at + effect * (at >= starts[unit])
    return Rows(tuple("abcdefghijkl"), ("1", "2", "3", "4", "5"), starts, unit, at, value)


def test_effects_of_each_start_are_those_by_hand():
    # One row a place and month. The first starts in month 2 (index 1), the second in month 3, the third never.
    rows = Rows(
        ("a", "b", "c"), ("1", "2", "3"), np.array([1, 2, 3]), np.repeat([0, 1, 2], 3), np.tile([0, 1, 2], 3),
        np.array([1.0, 6, 8, 2, 3, 9, 5, 7, 8]),
    )  # fmt: skip
    n, total, _ = rows.cells()
    found = {(x.since, float(x.effect[0])) for x in group_times(n, total, rows.starts[None, :])}
    # a, month 2: (6 - 1) - ((3 + 7) / 2 - (2 + 5) / 2) = 5 - 1.5 = 3.5, b being not yet treated.
    # a, month 3: (8 - 1) - (8 - 5) = 4. b, month 3: (9 - 3) - (8 - 7) = 5. b before: (2 - 3) - (5 - 7) = 1.
    assert found == {(0, 3.5), (1, 4.0), (0, 5.0), (-2, 1.0)}
    assert overall(group_times(n, total, rows.starts[None, :]))[0] == pytest.approx((3.5 + 4 + 5) / 3)
    assert callaway_santanna(rows).effect == pytest.approx((3.5 + 4 + 5) / 3)
    # Imputed from b and c: month 2 adds 1.5; month 3 adds 3 by c. c's mean over its months with these: a0 = 1.
    assert imputation(rows).seen == pytest.approx((6 + 8 + 9) / 3)


def by_influence(rows: Rows) -> tuple[float, float]:
    """Callaway and Sant'Anna's overall effect and its error by place, from influence functions written out anew."""
    size, start, places = len(rows.value), rows.starts[rows.unit], len(rows.units)
    parts = []
    for g in sorted({int(s) for s in rows.starts if s < len(rows.months)}):
        for m in range(g, len(rows.months)):
            effect, psi = 0.0, np.zeros(size)
            for sign, who, at in (
                (1, start == g, m),
                (-1, start == g, g - 1),
                (-1, start > m, m),
                (1, start > m, g - 1),
            ):
                here = who & (rows.month == at)
                mean = rows.value[here].mean()
                effect += sign * mean
                psi[here] += sign * (rows.value[here] - mean) * size / here.sum()
            parts.append((effect, psi, (start == g).astype(float)))
    p, effects = np.array([x.mean() for _, _, x in parts]), np.array([e for e, _, _ in parts])
    whole = float(p @ effects / p.sum())
    psi = sum(pi * x for pi, (_, x, _) in zip(p / p.sum(), parts, strict=True))
    psi = psi + sum((e - whole) / p.sum() * (x - x.mean()) for e, _, x in parts)
    by_place = np.bincount(rows.unit, weights=psi, minlength=places)
    return whole, float(np.sqrt((by_place**2).sum() * places / (places - 1)) / size)


def test_callaway_santanna_agrees_with_a_second_program_and_its_error_with_influence_functions():
    rows = drawn(2)
    found, (effect, error) = callaway_santanna(rows), by_influence(rows)
    assert found.effect == pytest.approx(effect, abs=1e-9) and found.error == pytest.approx(error, rel=1e-9)
    moderndid = pytest.importorskip("moderndid", reason="moderndid is a development dependency")
    import polars as pl

    frame = pl.DataFrame(
        {"row": np.arange(len(rows.value)), "month": rows.month + 1, "value": rows.value,
         "start": np.where(rows.starts < 5, rows.starts + 1, 0)[rows.unit]}
    )  # fmt: skip
    other = moderndid.att_gt(
        frame, "value", "month", idname="row", gname="start", est_method="reg", panel=False, boot=False,
        control_group="notyettreated", base_period="universal",
    )  # fmt: skip
    assert found.effect == pytest.approx(moderndid.aggte(other, type="simple").overall_att, abs=1e-6)
    events = moderndid.aggte(other, type="dynamic")
    since = months_since_start(rows)
    theirs = dict(zip(np.asarray(events.event_times).astype(int), np.asarray(events.att_by_event), strict=True))
    assert dict(zip(since.since, since.effects, strict=True)) == pytest.approx(theirs, abs=1e-6)


def test_imputation_agrees_with_least_squares_and_the_error_of_the_paper_written_out():
    rows = drawn(3)
    on, places = rows.is_on, len(rows.units)
    x = np.zeros((len(rows.value), places + 5))
    x[np.arange(len(x)), rows.unit] = x[np.arange(len(x)), places + rows.month] = 1
    x = np.delete(x, places, axis=1)
    tau = rows.value - x @ np.linalg.lstsq(x[~on], rows.value[~on], rcond=None)[0]
    found = imputation(rows)
    assert found.effect == pytest.approx(tau[on].mean(), abs=1e-6)
    # Theorem 3: weights of each row in the estimate, and deviations from the mean effect of its start and month.
    v = on / on.sum()
    v[~on] = -x[~on] @ np.linalg.pinv(x[~on].T @ x[~on]) @ (x[on].T @ v[on])
    for g in (1, 3):
        for m in range(g, 5):
            here = on & (rows.starts[rows.unit] == g) & (rows.month == m)
            each = np.bincount(rows.unit[here], weights=v[here], minlength=places)
            tau[here] -= (
                each @ np.bincount(rows.unit[here], weights=(v * tau)[here], minlength=places) / (each**2).sum()
            )
    error = np.sqrt((np.bincount(rows.unit, weights=v * tau, minlength=places) ** 2).sum())
    assert found.error == pytest.approx(error, rel=1e-6)


def test_counts_are_imputed_as_a_second_program_does():
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is a development dependency")
    rows = drawn(4)
    n, _, _ = rows.cells()
    place, month = (x.ravel() for x in np.indices(n.shape))
    x = np.zeros((n.size, 17))
    x[np.arange(n.size), place] = x[np.arange(n.size), 12 + month] = 1
    x = np.delete(x, 12, axis=1)
    on = month >= rows.starts[place]
    fit = sm.GLM(n.ravel()[~on], x[~on], family=sm.families.Poisson()).fit(tol=1e-12)
    found = poisson_imputation(rows)
    assert found.effect == pytest.approx(float((n.ravel()[on] - fit.predict(x[on])).sum()), rel=1e-6)
    assert found.implied + found.effect == pytest.approx(found.seen)


def test_a_growing_effect_misleads_two_way_fixed_effects_and_not_the_others():
    # The effect grows by 2 a month. True mean over treated places and months: the first start has 2, 4, 6, 8 (mean 5),
    # the second 2, 4 (mean 3); three places each: (4 * 5 + 2 * 3) / 6 = 4.33.
    months, starts = 5, np.array([1, 1, 1, 3, 3, 3, 5, 5, 5])
    place, at, _ = (x.ravel() for x in np.indices((9, months, 40)))
    value = place + at + 2.0 * np.maximum(at - starts[place] + 1, 0) + np.tile([-1.0, 1.0], len(at) // 2)
    rows = Rows(tuple("abcdefghi"), tuple("12345"), starts, place, at, value)
    assert callaway_santanna(rows).effect == pytest.approx(26 / 6)
    assert imputation(rows).effect == pytest.approx(26 / 6)
    assert two_way_fixed_effects(rows).effect < 26 / 6 - 0.3


def test_permutation_of_starts_tells_a_real_effect_from_none():
    assert permute_starts(drawn(5, effect=6.0), 500, 1).share_as_far < 0.02
    shares = [permute_starts(drawn(s), 200, 1) for s in range(20)]
    assert np.mean([p.share_as_far <= 0.05 for p in shares]) <= 0.2
    assert np.mean([p.leads_p_value <= 0.05 for p in shares]) <= 0.2


@pytest.fixture(scope="module")
def con():
    found = duckdb.connect()
    add_calls(found)
    yield found
    found.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return load_study(write_staggered_study(tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="module")
def analysis(con, study):
    return analyze(con, study)


def test_rows_are_those_of_a_query_by_hand(con, study):
    rows = EligibleRows(con, study).outcome(study.primary)
    where = "call_type_initial_code = 'WELFARE' and hour(received_local_at) between 10 and 21 and elapsed_scene_status_code = 'valid'"
    n, total = con.execute(
        f"select count(*), sum(elapsed_scene_seconds) / 60 from internal.fct_incident where {where} and beat = 'B4'"
        " and strftime(received_local_at, '%Y-%m') = '2024-05'"
    ).fetchone()
    counts, sums, _ = rows.cells()
    assert counts[4, 4] == n and sums[4, 4] == pytest.approx(total)
    assert list(rows.starts) == [2, 2, 2, 4, 4, 4, 7, 7, 7]
    assert rows.is_on[(rows.unit == 4)].tolist() == (rows.month[rows.unit == 4] >= 4).tolist()


def test_the_study_finds_what_is_there_and_nothing_else(analysis):
    for e in analysis.primary.effects:
        assert e.low < LONGER < e.high and e.excludes_zero
    others = [m for m in analysis.outcomes if m.outcome.role != "primary"]
    assert not any(m.main.excludes_zero for m in others)
    assert [len(m.effects) for m in others] == [3, 2, 3]  # a count has no estimate by differences
    forms, recoded = analysis.shifts
    assert forms.effect.low < FORMS_MORE < forms.effect.high and forms.effect.excludes_zero
    assert not recoded.effect.excludes_zero
    assert all(a.remain - b.left_out == b.remain for a, b in pairwise(analysis.flow))


def test_the_report_gives_levels_shift_and_the_caution(analysis, tmp_path):
    blocks = staggered_report.findings(analysis, Run("final", "r1", "0" * 64, ("A note.",)))
    from orchestration.evaluation.render import write_report

    write_report(tmp_path, "Oak Street", blocks, staggered_report.draw(analysis))
    text = re.sub(r"<[^>]+>", " ", (tmp_path / "report.html").read_text())
    for needed in ("implied without", "Table 1", "misleads when effects grow or fade", "Records shift when the program starts: calls with a form", "A note."):  # fmt: skip
        assert needed in text
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    with (tmp_path / "tables" / "main.csv").open(newline="") as file:
        main = next(csv.DictReader(file))
    assert float(main["seen"]) - float(main["difference"]) == pytest.approx(float(main["implied_without"]), abs=1e-5)


def test_the_scripts_recompute_the_panels_estimate(analysis):
    # What main_model.R does, in another language: weighted least squares over untreated cells, then the mean excess.
    rows = list(csv.DictReader(io.StringIO(staggered_report.panel_csv(analysis))))
    n = np.array([float(r["n"]) for r in rows])
    mean = np.array([float(r["total"]) for r in rows]) / n
    on = np.array([r["is_on"] == "1" for r in rows])
    x = np.array([[r["unit"] == u for u in analysis.rows.units] + [r["month"] == m for m in analysis.rows.months[1:]] for r in rows], float)  # fmt: skip
    w = np.sqrt(n[~on])
    b = np.linalg.lstsq(x[~on] * w[:, None], mean[~on] * w, rcond=None)[0]
    effect = np.average(mean[on] - x[on] @ b, weights=n[on])
    script = staggered_report.scripts(analysis, {"is_public": True, "sha256": "0"})["main_model.R"]
    assert float(re.search(r"effect - \((-?[\d.]+)\)", script).group(1)) == pytest.approx(effect, abs=1e-5)


def test_a_share_that_tells_of_few_rows_does_not_leave(con, tmp_path):
    folder = write_staggered_study(tmp_path)
    con.execute("create or replace table kept as select * from internal.fct_incident")
    try:
        con.execute(
            "update internal.fct_incident set cad_disposition_code = 'assisted' where rowid % 6 > 0 or received_local_at <"
            " '2024-05-01' or beat <> 'B0'"
        )
        found = analyze(con, load_study(folder))
        with pytest.raises(StudyError, match="'calls closed by arrest' tells of 1 to 10 rows"):
            staggered_report.findings(found, Run("final", "r1", "0" * 64, ()))
    finally:
        con.execute("create or replace table internal.fct_incident as select * from kept")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["treatment"]["starts"][0].update(month="2024-01"), "leaves no month before it"),
        (lambda s: s["treatment"]["starts"][1].update(units=["B0"]), "B0 start twice"),
        (lambda s: s["treatment"]["starts"][1].update(units=["X9"]), "X9 not among unit.in"),
        (lambda s: s["unit"].update({"in": ["B0", "B1", "B2", "B3", "B4", "B5"]}), "leaves no place without a start"),
        (lambda s: s["estimators"].reverse(), "hold treated places against treated ones"),
        (lambda s: s["outcomes"][0].pop("of"), "names the column of a mean"),
        (lambda s: s["form_and_recode_shift"].pop("rates"), "name the shares that are tested"),
        (lambda s: s.update(clustering="month"), "cluster by the unit that is treated"),
        (
            lambda s: s["population"].update(where=[{"column": "bh_field_form", "in": ["yes"]}]),
            "known only after arrival",
        ),
        (
            lambda s: (s["outcomes"][0].update(role="secondary"), s["outcomes"][2].update(role="primary")),
            "put imputation first, which is Poisson for counts",
        ),
    ],
)
def test_the_validator_says_what_a_study_of_several_starts_breaks(tmp_path, change, said):
    folder = write_staggered_study(tmp_path)
    study = yaml.safe_load((folder / "study.yml").read_text())
    change(study)
    (folder / "study.yml").write_text(yaml.safe_dump(study, sort_keys=False))
    with pytest.raises(StudyError, match=said):
        load_study(folder)


def test_on_small_counties_of_known_truth_flags_and_intervals_hold_what_they_promise():
    """A small version of benchmarks/staggered.py: 15 places, wandering, ten of which start in two months."""
    from benchmarks.staggered import EFFECT, WANDER, draw_rows, spill, with_forms

    generator, wander = np.random.Generator(np.random.PCG64(8)), WANDER["wandering"]
    covered, rejected, false, formed, unformed, near, quiet = [], [], [], [], [], [], []
    for trial in range(60):
        none, some = draw_rows(generator, wander=wander), draw_rows(generator, effect=EFFECT, wander=wander)
        effect = callaway_santanna(some)
        covered.append(effect.low <= EFFECT <= effect.high)
        permuted = permute_starts(none, 199, trial)
        rejected.append(permuted.share_as_far <= 0.05)
        false.append(permuted.leads_p_value <= 0.05)
        formed.append(callaway_santanna(with_forms(generator, none, 0.2)[0]).excludes_zero)
        unformed.append(callaway_santanna(with_forms(generator, none, 0.0)[0]).excludes_zero)
        big = draw_rows(generator, "8 of 36", wander=wander)
        for found, size in ((near, 15.0), (quiet, 0.0)):
            rows = spill(big, 10, size).near(tuple(big.units[8:18]))
            found.append(permute_starts(rows, 199, trial).share_as_far <= 0.05)
    assert np.mean(covered) >= 0.85
    # One in twenty is promised; 60 trials tell it to three in a hundred.
    assert max(np.mean(x) for x in (rejected, false, unformed, quiet)) <= 0.12
    assert np.mean(formed) >= 0.75 and np.mean(near) >= 0.6
