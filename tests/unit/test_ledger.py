from orchestration.layers.ledger import Finding, Ledger

KEY = ("*", "2024-01")
PASSED = Finding("t.unique", "", "t", "passed", "block", 0, None, 0, "")
FAILED = Finding("t.unique", "", "t", "failed", "block", 2, None, 2, "2 of 9 rows")
WARNED = Finding("t.share", "", "t", "failed", "warn", 0.2, 0.1, 2, "2 of 9 rows")
NOTHING = Finding("t.share", "", "t", "not_applicable", "block", None, None, 0, "no row")
CRASHED = Finding("t.share", "", "t", "error", "warn", None, None, 0, "the check did not finish")


def gate(ledger):
    return ledger.gates("marts")["marts", *KEY].state


def test_a_gate_opens_only_for_the_write_that_was_checked(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.close("marts", [KEY], "first")
    assert ledger.record("marts", KEY, "first", [PASSED])
    assert gate(ledger) == "open"
    ledger.close("marts", [KEY], "second")
    assert not ledger.record("marts", KEY, "first", [PASSED])
    assert gate(ledger) == "closed"


def test_absent_is_closed(tmp_path):
    assert not Ledger(tmp_path).record("marts", KEY, "any", [PASSED])
    assert Ledger(tmp_path).gates() == {}


def test_blocking_failures_and_errors_stop_and_warnings_do_not(tmp_path):
    ledger = Ledger(tmp_path)
    for findings, is_open in (([PASSED, FAILED], False), ([PASSED, CRASHED], False), ([WARNED, NOTHING], True)):
        ledger.close("marts", [KEY], "w")
        assert ledger.record("marts", KEY, "w", findings) is is_open


def test_a_gate_held_by_another_stays_closed_and_says_so(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.close("marts", [KEY], "w")
    assert not ledger.record("marts", KEY, "w", [PASSED], held_by="held with 2024-02")
    assert ledger.gates()["marts", *KEY].reason == "held with 2024-02"


def test_what_is_written_survives_reopening(tmp_path):
    Ledger(tmp_path).close("marts", [KEY], "w")
    Ledger(tmp_path).set_fingerprints("marts", {("fct_incident", *KEY): "f"}, "w")
    assert Ledger(tmp_path).fingerprints("marts") == {("fct_incident", *KEY): "f"}
    Ledger(tmp_path).forget("marts", [KEY])
    assert Ledger(tmp_path).fingerprints("marts") == {}
