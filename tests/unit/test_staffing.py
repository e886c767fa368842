"""Units by Erlang C, forecasts with their interval, and shifts at least cost, each against a hand calculation."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from orchestration.settings import PROJECT
from orchestration.staffing import WEEK, StaffingError
from orchestration.staffing.cover import Pattern, cover, load_patterns
from orchestration.staffing.erlang import longer_than_share, units_needed, wait_share
from orchestration.staffing.forecast import forecast, held_out
from orchestration.staffing.plan import whole_days

EIGHT = Pattern("eight", 8, (0, 8, 16), 8, 1.0)
TWELVE = Pattern("twelve", 12, (0, 12), 12, 1.0)
ANY_EIGHT = Pattern("eight", 8, tuple(range(24)), 8, 1.0)


@pytest.mark.parametrize(("load", "units", "wait"), [(2, 3, 0.4444), (2, 4, 0.1739), (2, 5, 0.0597), (8, 10, 0.4092)])
def test_chance_to_wait_is_erlang_s(load, units, wait):
    """The check values of the field's tables."""
    assert wait_share(load, units) == pytest.approx(wait, abs=5e-5)


def test_units_needed_hold_the_target():
    """Load 8, an hour a task, at most 10 of 100 wait over a minute. With 12: 0.139842 exp(-4/60) = 0.130823; with 13:
    0.075999 exp(-5/60) = 0.069923. So 13."""
    assert longer_than_share(8, 12, 3600, 60) == pytest.approx(0.130823, abs=1e-6)
    assert longer_than_share(8, 13, 3600, 60) == pytest.approx(0.069923, abs=1e-6)
    assert units_needed(8, 3600, 60, 0.1) == 13
    assert units_needed(0, 3600, 60, 0.1) == 0


def test_a_longer_shift_wins_where_it_leaves_less_idle():
    """One officer in each hour: 21 shifts of 8 hours or 14 of 12 hours are 168 hours each; no plan is cheaper, since each
    hour takes one officer hour. At a factor of 1.1 for twelve hours only the eight-hour shifts cost 168."""
    dear = Pattern("twelve", 12, (0, 12), 12, 1.1)
    found = cover([1] * WEEK, [EIGHT, dear], 10.0)
    assert found.cost == 1680
    assert {s.pattern for s in found.shifts} == {"eight"} and sum(s.officers for s in found.shifts) == 21
    assert not found.over.any() and not found.under.any()


def test_least_cost_of_an_uneven_monday():
    """Monday 8 to 16 takes 2 officers, 16 to 20 one. Hours of work: 8 x 2 + 4 = 20. With shifts of 8 (cost 8) from any
    hour and of 12 (cost 12): 8-20 by twelve hours and 8-16 by eight is 20, no hour idle, and nothing can be less than
    the work. Without the twelve, three shifts of eight are needed: 24, and 4 hours idle."""
    required = np.zeros(WEEK, dtype=int)
    required[8:16], required[16:20] = 2, 1
    long = Pattern("twelve", 12, (8,), 12, 1.0)
    found = cover(required, [ANY_EIGHT, long], 1.0)
    assert found.cost == 20
    assert {(s.pattern, s.weekday, s.start_hour, s.officers) for s in found.shifts} == {
        ("eight", 0, 8, 1), ("twelve", 0, 8, 1),
    }  # fmt: skip
    short = cover(required, [ANY_EIGHT], 1.0)
    assert short.cost == 24 and short.over.sum() == 4 and not short.under.any()


def test_sunday_s_night_shift_reaches_into_monday():
    """Only Sunday 23 and Monday 0 to 2 are needed: one shift of 8 hours from Sunday covers both ends of the week."""
    required = np.zeros(WEEK, dtype=int)
    required[[167, 0, 1]] = 1
    (shift,) = cover(required, [ANY_EIGHT], 1.0).shifts
    assert shift.officers == 1 and (shift.weekday * 24 + shift.start_hour + 7) % WEEK in {1, 2, 3, 4, 5, 6}


def test_with_too_few_hours_as_little_as_possible_stays_open():
    """Monday 8 to 16 takes 2, and there are 8 paid hours: one officer comes, and 8 officer hours stay uncovered."""
    required = np.zeros(WEEK, dtype=int)
    required[8:16] = 2
    found = cover(required, [EIGHT], 1.0, most_hours=15)
    assert found.cost == 8 and found.under.sum() == 8 and not found.over.any()


def test_hours_that_no_pattern_reaches_are_named():
    day = Pattern("day", 8, (8,), 8, 1.0)
    with pytest.raises(StaffingError, match=r"no shift pattern reaches 112 hour\(s\).*Monday 00:00.*start hour"):
        cover([1] * WEEK, [day], 1.0)


def test_patterns_that_cannot_be_read_name_row_and_remedy(tmp_path):
    assert {p.hours for p in load_patterns(PROJECT / "seeds" / "staffing" / "shift_pattern.csv")} == {8, 10, 12}
    path = tmp_path / "mine.csv"
    head = "pattern_key,shift_hours,start_hours,paid_hours,cost_factor,source\n"
    path.write_text(head + "a,8,06|x,8,1,me\n")
    with pytest.raises(StaffingError, match=r"mine.csv, row 2: .*'x'.*06\|14\|22"):
        load_patterns(path)
    path.write_text(head + "a,30,06,8,1,me\n")
    with pytest.raises(StaffingError, match="row 2: a shift lasts 1 to 24 hours"):
        load_patterns(path)
    path.write_text("pattern_key\n")
    with pytest.raises(StaffingError, match=r"shift_hours.*missing"):
        load_patterns(path)


FIRST = date(2023, 1, 2)  # a Monday
HOLIDAYS = {FIRST + timedelta(days=k) for k in (30, 70, 100, 140, 214)}


def drawn(days: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Poisson counts and their true means, (days, 24): a wave over the day, half again on Saturdays, half on holidays."""
    hour = 4 + 3 * np.sin(2 * np.pi * (np.arange(24) - 9) / 24)
    mean = np.tile(hour, (days, 1))
    for i in range(days):
        day = FIRST + timedelta(days=i)
        mean[i] *= (1.5 if day.weekday() == 5 else 1.0) * (0.5 if day in HOLIDAYS else 1.0)
    return np.random.default_rng(seed).poisson(mean), mean


def test_the_forecast_finds_the_means_that_the_counts_were_drawn_from():
    """210 days, four weeks ahead with one holiday in them: each hour's mean within 25 percent (a Saturday has 30 counts
    of about 6 and shares its curve with no other day), the total within 3, the holiday near a half."""
    counts, _ = drawn(210, 1)
    _, truth = drawn(238, 1)
    told = forecast(counts, FIRST, 4, HOLIDAYS)
    assert told.days[0] == FIRST + timedelta(days=210) and len(told.days) == 28
    assert told.expected.sum() == pytest.approx(truth[210:].sum(), rel=0.03)
    assert (np.abs(told.expected / truth[210:] - 1) < 0.25).all()
    assert told.holiday_factor == pytest.approx(0.5, abs=0.08)
    assert told.expected[4].sum() / told.expected[11].sum() == pytest.approx(
        told.holiday_factor
    )  # a Friday, and the next
    usual, low, high = told.by_hour_of_week(HOLIDAYS)
    assert usual[5 * 24 + 15] == pytest.approx(1.5 * 7, rel=0.15) and (low <= usual).all() and (usual <= high).all()


def test_nine_of_ten_held_out_hours_lie_inside_and_the_plain_mean_does_worse():
    """Whole numbers: an interval of 90 percent holds a little more. 2,688 hours: half a percent of chance error."""
    counts, _ = drawn(280, 2)
    told = held_out(counts, FIRST, 4, HOLIDAYS)
    assert (told.folds, told.hours) == (4, 2688)
    assert 0.89 <= told.inside_share <= 0.97
    assert told.hour_error < told.plain_hour_error
    assert abs(told.total_error) < 0.03


def test_counts_that_scatter_more_than_chance_get_a_wider_interval():
    counts, mean = drawn(210, 3)
    wild = np.random.default_rng(4).poisson(mean * np.random.default_rng(5).gamma(2, 0.5, mean.shape))
    calm, wide = forecast(counts, FIRST, 2, HOLIDAYS), forecast(wild, FIRST, 2, HOLIDAYS)
    assert (wide.high - wide.low).mean() > 1.5 * (calm.high - calm.low).mean()
    assert held_out(wild, FIRST, 2, HOLIDAYS).inside_share > 0.87


def test_too_few_days_are_refused():
    with pytest.raises(StaffingError, match=r"27 whole days.*needs 84"):
        forecast(drawn(27, 1)[0], FIRST, 4, HOLIDAYS)
    assert held_out(drawn(90, 1)[0], FIRST, 4, HOLIDAYS) is None


def test_days_before_a_gap_are_left_out_and_quiet_days_are_no_gap():
    """20 days of 30 calls, day 8 has none: whole days are 10 to 18 (9 and 19 may be cut). With 2 calls a day: 1 to 18."""
    days = [FIRST + timedelta(days=k) for k in range(20) if k != 8]
    assert whole_days(dict.fromkeys(days, 30)) == (FIRST + timedelta(days=10), FIRST + timedelta(days=18))
    assert whole_days(dict.fromkeys(days, 2)) == (FIRST + timedelta(days=1), FIRST + timedelta(days=18))
