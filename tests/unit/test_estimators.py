"""Estimators on counts worked out by hand, against a second program, and against a true effect."""

from __future__ import annotations

import numpy as np
import pytest

from orchestration.evaluation.estimators import (
    contiguous_sets,
    difference_in_differences,
    event_study,
    leads_by_permutation,
    permute_any,
    ratio_of_ratios,
)
from orchestration.evaluation.panel import Panel
from orchestration.evaluation.study import Window

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")

MONTHS = ("2020-04", "2020-05", "2020-06", "2020-07")
BASE, AFTER = Window(first="2020-04", last="2020-05"), Window(first="2020-06", last="2020-07")


def small() -> tuple[Panel, np.ndarray]:
    # Treated places: 100 + 60 before, 80 + 40 after. Others: 200 + 40 before, 220 + 68 after.
    counts = np.array([[55, 45, 42, 38], [28, 32, 22, 18], [90, 110, 120, 100], [22, 18, 30, 38]])
    return Panel(("a", "b", "c", "d"), MONTHS, counts), np.array([True, True, False, False])


def test_the_poisson_estimate_and_its_level_are_those_by_hand():
    effect = difference_in_differences(*small(), BASE, AFTER)
    # (120 / 160) / (288 / 240) = 0.75 / 1.2 = 0.625, so 37.5 % fewer; without: 120 / 0.625 = 192, so 72 averted.
    assert effect.change == pytest.approx(-0.375, abs=1e-7)
    assert (effect.before, effect.observed) == (160, 120)
    assert effect.counterfactual == pytest.approx(192, abs=1e-4)
    assert effect.averted == pytest.approx(72, abs=1e-4)
    # The interval of the level is that of the ratio: observed / ratio - observed.
    assert effect.averted_high == pytest.approx(120 / (1 + effect.change_low) - 120)


def test_the_linear_estimate_and_its_level_are_those_by_hand():
    effect = difference_in_differences(*small(), BASE, AFTER, "linear")
    # Per place and month: treated 30 - 40 = -10, others 72 - 60 = +12, so -22; four cells: 88 averted of 208.
    assert effect.coefficient == pytest.approx(-22)
    assert effect.averted == pytest.approx(88)
    assert effect.change == pytest.approx(-88 / 208)


def test_the_closed_form_is_the_poisson_estimate():
    panel, treated = small()
    effect = difference_in_differences(panel, treated, BASE, AFTER)
    found = ratio_of_ratios(panel.over(BASE), panel.over(AFTER), treated[None, :])[0]
    assert found == pytest.approx(np.log(0.625)) and found == pytest.approx(effect.coefficient, abs=1e-7)


def test_the_event_study_gives_each_month_against_the_reference():
    panel, treated = small()
    events = event_study(panel, treated, Window(first="2020-04", last="2020-07"), "2020-05", "2020-06")
    # June: treated 64, others 150; May: treated 77, others 128; April: 83 and 112.
    assert events.estimates[2] == pytest.approx(np.log((64 / 77) / (150 / 128)), abs=1e-6)
    assert events.estimates[0] == pytest.approx(np.log((83 / 77) / (112 / 128)), abs=1e-6)
    assert (events.estimates[1], events.leads) == (0, 1)


def test_permutation_counts_the_treated_set_itself():
    # One of four places fell to a half: a quarter of all sets are the treated one, and no other is as low or as far.
    fell, level = [50, 50, 25, 25], [50, 50, 50, 50]
    panel = Panel(tuple("abcd"), MONTHS, np.array([fell, level, level, level]))
    found = permute_any(panel, np.array([True, False, False, False]), BASE, AFTER, 999, 1)
    assert found.treated == pytest.approx(np.log(0.5))
    assert found.share_as_low == pytest.approx(0.25, abs=0.05)
    assert found.share_as_far == pytest.approx(found.share_as_low)
    assert found.overlap == pytest.approx(0.25, abs=0.05)


def test_contiguous_sets_are_connected_and_distinct():
    # A line a-b-c-d and an island e: pairs are ab, bc, cd, and never one with e.
    line = {"a": {"b"}, "b": {"a", "c"}, "c": {"b", "d"}, "d": {"c"}, "e": set()}
    sets = contiguous_sets(tuple("abcde"), line, 2, 500, 1)
    assert {"".join(np.array(list("abcde"))[row]) for row in sets} == {"ab", "bc", "cd"}
    assert len(sets) == 3


def test_a_true_effect_is_found_and_none_is_not():
    generator = np.random.Generator(np.random.PCG64(11))
    level = np.exp(generator.normal(4, 0.5, 36))[:, None] * np.ones((1, 4))
    treated = np.arange(36) < 8
    on = treated[:, None] & np.array([False, False, True, True])[None, :]
    for truth in (0.0, -0.3):
        panel = Panel(tuple(map(str, range(36))), MONTHS, generator.poisson(level * (1 + truth * on)))
        effect = difference_in_differences(panel, treated, BASE, AFTER)
        assert effect.change_low < truth < effect.change_high
        assert effect.change == pytest.approx(truth, abs=0.1)


def test_on_counts_of_known_truth_the_tests_hold_what_they_promise():
    """A small version of benchmarks/estimators.py: 8 of 36 places treated, each wandering in its own way."""
    from benchmarks.estimators import draw_panel

    window, starts, draws = Window(first="2020-01", last="2020-12"), "2020-07", 199
    before, after = Window(first="2020-01", last="2020-06"), Window(first="2020-07", last="2020-12")
    generator = np.random.Generator(np.random.PCG64(3))
    rejected, found, flagged, trend_flagged = [], [], [], []
    for trial in range(120):
        panel, treated = draw_panel(generator, 8, 1.0, 0.08)
        rejected.append(permute_any(panel, treated, before, after, draws, trial).share_as_far <= 0.05)
        flagged.append(leads_by_permutation(panel, treated, window, "2020-06", starts, draws, trial) <= 0.05)
        panel, treated = draw_panel(generator, 8, 0.6, 0.08)
        found.append(permute_any(panel, treated, before, after, draws, trial).share_as_far <= 0.05)
        panel, treated = draw_panel(generator, 8, 1.0, 0.08, slope=0.1)
        trend_flagged.append(leads_by_permutation(panel, treated, window, "2020-06", starts, draws, trial) <= 0.05)
    # One in twenty is promised; 120 trials tell it to two in a hundred.
    assert np.mean(rejected) <= 0.10 and np.mean(flagged) <= 0.10
    assert np.mean(found) >= 0.9 and np.mean(trend_flagged) >= 0.7
