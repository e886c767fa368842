"""Every check of every suite fails on the bad rows it ships with and passes on its good rows."""

from __future__ import annotations

import pytest

from expectations import LAYERS, judge_suites, load_suites, load_thresholds
from expectations.fixtures import build, cases
from expectations.loader import Check, Suite


def _checks() -> list[tuple[Suite, Check]]:
    """Every check once: the same words over several tables are one."""
    found: list[tuple[Suite, Check]] = []
    for layer in LAYERS:
        own: list[Check] = []
        for suite in load_suites(layer):
            fresh = [c for c in suite.checks if c not in own]
            found += [(suite, c) for c in fresh]
            own += fresh
    return found


CHECKS = _checks()


def _judged(tmp_path, suite: Suite, check: Check, given: dict) -> dict[str | None, set[str]]:
    """Statuses by agency."""
    database = tmp_path / f"{'_'.join(given)}.duckdb"
    window = build(database, suite, given)
    found: dict[str | None, set[str]] = {}
    for result in judge_suites([suite.only(check.name)], database, window, load_thresholds(), tmp_path / "results"):
        assert result.status != "error", result.reason
        assert result.severity == check.severity or result.check_id != suite.check_id(check)
        found.setdefault(result.agency_id, set()).add(result.status)
    return found


@pytest.mark.parametrize(("suite", "check"), CHECKS, ids=[s.check_id(c) for s, c in CHECKS])
def test_trips_on_its_bad_rows(tmp_path, suite: Suite, check: Check) -> None:
    if suite.judged_by == "table":
        assert _judged(tmp_path, suite, check, {"bad": check.bad})[None] == {"failed"}
        if check.good:
            assert _judged(tmp_path, suite, check, {"good": check.good})[None] == {"passed"}
        return
    found = _judged(tmp_path, suite, check, cases(check))
    assert "failed" in found["bad"]
    if check.good:
        assert "passed" in found["good"]
        assert "failed" not in found["good"]
