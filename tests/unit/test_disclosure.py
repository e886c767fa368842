"""No cell of 1 to 10, nor one that follows by subtraction, leaves the internal tier."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.layers.dbt import Model
from orchestration.release.disclosure import DisclosureError, general_select

RULE = {
    "group": ["place"],
    "cells": ["part_count", "whole_count"],
    "complements": [["whole_count", "part_count"]],
    "values": ["share", "p90_seconds"],
    "percentiles_need": {"p90_seconds": "whole_count"},
}


def model(rule) -> Model:
    columns = {c: {} for c in ("place", "kind", "part_count", "whole_count", "share", "p90_seconds")}
    return Model(
        "m", "met_test", "metrics", "metrics", "window_table", {"disclosure": rule} if rule else {}, "", columns, (), ""
    )


def general(rows):
    with duckdb.connect() as con:
        con.execute(
            "create table t (place varchar, kind varchar, part_count bigint, whole_count bigint, share double, p90_seconds double)"
        )
        con.executemany("insert into t values (?, ?, ?, ?, ?, ?)", rows)
        return con.execute(general_select(model(RULE), "t") + " order by place, kind").fetchall()


def test_large_cells_stay():
    assert general([("a", "x", 40, 100, 0.4, 9.0)]) == [("a", "x", 40, 100, 0.4, 9.0, False)]


def test_zero_stays_and_ten_goes():
    assert general([("a", "x", 0, 100, 0.0, 9.0)])[0][2] == 0
    assert general([("a", "x", 10, 100, 0.1, 9.0)]) == [("a", "x", None, None, None, None, True)]


def test_a_small_complement_is_a_small_cell():
    assert general([("a", "x", 95, 100, 0.95, 9.0)])[0][-1] is True


def test_one_small_cell_takes_its_whole_group_and_no_other():
    """T17: a total of 30 with cells 22 and 8: leaving 22 would give 8 away."""
    found = general([("a", "x", 22, 30, 0.73, 1.0), ("a", "y", 8, 30, 0.27, 1.0), ("b", "x", 40, 80, 0.5, 1.0)])
    assert [r[2] for r in found] == [None, None, 40]


def test_percentiles_need_thirty():
    assert general([("a", "x", 12, 29, 0.4, 9.0)]) == [("a", "x", 12, 29, 0.4, None, False)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8))
def test_nothing_small_is_left_whatever_the_counts(cells):
    for row in general([(p, str(i), a, a + b, 0.5, 1.0) for i, (p, a, b) in enumerate(cells)]):
        for n in (row[2], row[3], None if row[2] is None else row[3] - row[2]):
            assert n is None or n == 0 or n >= 11


def test_a_metric_without_a_rule_or_with_an_unknown_column_is_refused():
    with pytest.raises(DisclosureError, match="cannot be released"):
        general_select(model(None), "t")
    with pytest.raises(DisclosureError, match="no_such_count"):
        general_select(model({**RULE, "cells": ["no_such_count"]}), "t")
