from orchestration.layers.ledger import Finding, Ledger
from orchestration.layers.standing import Judgment, judged_on, judgments, standing

KEY = ("*", "2024-01")
CALLS = Judgment("calls", "staging.calls", frozenset({"staging.units", "reference.codes"}))
CONTENTS = {
    "staging.calls": {"2024-01": "w1", "2024-02": "w1"},
    "staging.units": {"2024-01": "w1"},
    "reference.codes": {"*": "d1"},
}


def seen(contents=CONTENTS, months=("2024-01",), thresholds=("t1",)):
    return judged_on([CALLS], contents, months, thresholds)["calls"]


def changed(table, month, value):
    return CONTENTS | {table: CONTENTS[table] | {month: value}}


def test_a_judgment_is_told_by_its_own_month_every_month_it_reads_and_the_thresholds():
    assert seen() == seen()
    assert seen(changed("staging.calls", "2024-02", "w2")) == seen()  # another month of the table itself
    assert seen(changed("staging.calls", "2024-01", "w2")) != seen()
    assert seen(changed("staging.units", "2024-07", "w2")) != seen()
    assert seen(changed("reference.codes", "*", "d2")) != seen()
    assert seen(thresholds=("t2",)) != seen()
    assert seen(changed("staging.calls", "2024-02", "w2"), months=["*"]) != seen(months=["*"])


def test_what_is_not_known_never_stands():
    assert seen(months=["2024-09"]) is None
    assert seen({t: c for t, c in CONTENTS.items() if t != "staging.units"}) is None
    assert standing({"m": {"calls": None}}, {"m": {"calls": None}}) == set()


def test_a_table_stands_only_if_it_stands_in_every_place():
    now = {"a": {"calls": "1", "units": "1"}, "b": {"calls": "1", "units": "2"}}
    assert standing(now, {"a": now["a"], "b": {"calls": "1", "units": "1"}}) == {"calls"}
    assert standing(now, {"a": now["a"]}) == set()


def test_tables_that_a_suite_reads_are_found_in_its_sql():
    (calls,) = (j for j in judgments("marts") if j.label == "fct_incident")
    assert {"staging.stg_incident", "marts.dim_agency", "marts.dim_call_type"} <= calls.reads


def finding(table, status):
    return Finding(f"{table}.c", "", table, status, "block", 0, None, 0, "why")


def found(ledger):
    return {f.table for f in ledger.findings("marts").get(("marts", *KEY), [])}


def test_findings_of_a_standing_table_count_under_the_next_write_id_and_only_when_it_is_judged(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.close("marts", [KEY], "first")
    ledger.record(
        "marts", KEY, "first", [finding("a", "passed"), finding("b", "passed")], judged_on={"a": "1", "b": "1"}
    )
    ledger.close("marts", [KEY], "second")
    assert found(ledger) == set()  # nothing is known of the new write yet
    assert ledger.gates()["marts", *KEY].state == "closed"
    assert not ledger.record("marts", KEY, "first", [finding("b", "passed")], standing={"a"})
    assert ledger.record("marts", KEY, "second", [finding("b", "passed")], standing={"a"}, judged_on={"b": "2"})
    assert found(ledger) == {"a", "b"}
    assert ledger.judged("marts") == {KEY: {"a": "1", "b": "2"}}
    ledger.close("marts", [KEY], "third")
    ledger.record("marts", KEY, "third", [finding("b", "passed")])  # "a" is neither asked nor standing
    assert found(ledger) == {"b"}


def test_a_table_that_stops_its_gate_is_asked_again(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.close("marts", [KEY], "w")
    bad = [finding("a", "failed"), finding("b", "error"), finding("c", "passed")]
    assert not ledger.record("marts", KEY, "w", bad, judged_on={"a": "1", "b": "1", "c": "1"})
    assert ledger.judged("marts") == {KEY: {"c": "1"}}


def test_a_table_that_is_about_to_be_written_has_no_write_id(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.set_fingerprints("marts", {("a", *KEY): "f"}, "w1")
    assert ledger.written("marts") == {"a": {"2024-01": "w1"}}
    ledger.forget_tables("marts", ["a"], ["2024-01"])
    assert ledger.written("marts") == {}
