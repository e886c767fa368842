"""No cell of 1 to 10, nor one that follows by subtraction, leaves the internal tier."""

from functools import cache

import duckdb
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestration.layers.dbt import Model
from orchestration.release.disclosure import DisclosureError, general_select
from orchestration.release.tiers import columns_by_tier
from orchestration.settings import PROJECT

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


# T17 on every table of the general tier, by the rule that it has.


@cache
def _tables() -> dict[str, dict]:
    """The contracts of all tables that the models' YAML describes, by name."""
    files = (PROJECT / "dbt_project" / "models").rglob("*.yml")
    return {m["name"]: m for f in files for m in (yaml.safe_load(f.read_text()) or {}).get("models", [])}


def _meta(said: dict) -> dict:
    return (said.get("config") or {}).get("meta") or said.get("meta") or {}


@cache
def _general() -> dict[str, dict]:
    """Of the tables that a release holds, those with a file in the general tier; `told` are its columns."""
    found = {}
    for name, said in _tables().items():
        columns = {c["name"]: c for c in said.get("columns", [])}
        as_model = Model("", name, "", "", "", _meta(said), "", columns, (), "")
        if name.startswith(("met_", "dim_", "fct_", "bridge_")) and "general" in (tiers := columns_by_tier(as_model)):
            found[name] = said | {"told": [columns[c] for c in tiers["general"]]}
    return found


METRICS = sorted(n for n in _general() if n.startswith("met_"))


@pytest.mark.parametrize("name", METRICS)
def test_t17_of_every_metric_table(name):
    """A total of 30 with cells 22 and 8: neither of the two, nor anything of their group, is told. Other groups are."""
    said = _general()[name]
    rule, columns = _meta(said)["disclosure"], [c["name"] for c in said["columns"]]
    kinds = {c["name"]: c["data_type"] for c in said["columns"]}
    numbers = [*rule["cells"], *rule["values"]]
    key = next(c for c in rule["group"] if kinds[c] == "varchar")
    complements = [tuple(c) for c in rule.get("complements", [])]
    nested = {c for pair in complements for c in pair}
    base = dict.fromkeys(rule["cells"], 400) | dict.fromkeys(rule["values"], 1)
    # A whole is larger than its parts, each by much.
    base |= {whole: 4000 + 100 * i for i, (whole, _) in enumerate(complements)}
    cases = [({c: 22}, {c: 8}) for c in rule["cells"] if c not in nested]
    cases += [({whole: 30, part: part_of}, {}) for whole, part in complements for part_of in (22, 8)]
    groups = {f"case {i}": pair for i, pair in enumerate(cases)} | {"elsewhere": ({}, {})}
    rows = [base | changed | {key: group} for group, pair in groups.items() for changed in pair]
    as_model = Model("m", name, "metrics", "metrics", "table", _meta(said), "", {c: {} for c in columns}, (), "")
    with duckdb.connect() as con:
        con.execute(f"create table t ({', '.join(f'{c} {kinds[c]}' for c in columns)})")
        con.executemany(
            f"insert into t ({', '.join(rows[0])}) values ({', '.join('?' * len(rows[0]))})",
            [list(r.values()) for r in rows],
        )
        is_told = " or ".join(f"{c} is not null" for c in numbers)
        told = con.execute(f"select {key} from ({general_select(as_model, 't')}) where {is_told}").fetchall()
    assert told == [("elsewhere",)] * 2


def test_a_table_of_the_general_tier_that_is_no_metric_counts_nobody():
    """A dimension has no rule of disclosure, so none of its columns in that tier may count persons or events."""
    for name, said in _general().items():
        if not name.startswith("met_"):
            assert [
                c["name"] for c in said["told"] if c["name"].endswith("_count") or _meta(c).get("unit") == "count"
            ] == [], name


def test_every_count_of_a_metric_table_is_a_cell_or_a_value():
    for name in METRICS:
        said, rule = _general()[name], _meta(_general()[name])["disclosure"]
        known = {*rule["cells"], *rule["values"]}
        assert [c["name"] for c in said["told"] if c["name"].endswith("_count") and c["name"] not in known] == [], name
