from hypothesis import given
from hypothesis import strategies as st

from orchestration.layers.months import UNKNOWN, month_range, shift, widen
from orchestration.run import groups

months = st.builds(lambda y, m: f"{y:04d}-{m:02d}", st.integers(1990, 2039), st.integers(1, 12))


@given(months, st.integers(-200, 200))
def test_shifting_back_gives_the_same_month(month, by):
    assert shift(shift(month, by), -by) == month


@given(months, st.integers(0, 60))
def test_a_range_has_every_month_once_and_in_order(first, length):
    found = month_range(first, shift(first, length))
    assert len(found) == length + 1 == len(set(found))
    assert found == sorted(found)


def test_widening_crosses_the_year_and_leaves_unknown_alone():
    assert widen(["2020-01", UNKNOWN], 1, 1) == {"2019-12", "2020-01", "2020-02", UNKNOWN}


@given(st.sets(months, max_size=12), st.data())
def test_groups_cover_the_months_asked_for_and_no_other_existing_month(existing, data):
    asked = sorted(data.draw(st.sets(st.sampled_from(sorted(existing)))) if existing else [])
    covered = {m for first, last in groups(asked, existing) for m in existing if first <= m <= last}
    assert covered == set(asked)


def test_unknown_is_a_group_of_its_own():
    assert groups([UNKNOWN, "2020-01", "2020-05"], [UNKNOWN, "2020-01", "2020-05"]) == [
        (UNKNOWN, UNKNOWN),
        ("2020-01", "2020-05"),
    ]
