"""Suites and thresholds are files: what is refused, by name and row, and what may override what."""

from __future__ import annotations

from pathlib import Path

import pytest

from expectations import (
    HOUSE_FILE,
    LAYERS,
    SuiteError,
    ThresholdError,
    judge_suites,
    load_suites,
    load_thresholds,
)
from expectations.loader import require_thresholds, unknown_checks
from expectations.runner import one_each
from expectations.thresholds import Limits

HEADER = "check_id,agency_id,value,severity,owner,reason,since\n"
CHECK = """
checks:
  - check: c
    violation: seconds < 0
    severity: block
    why: no time is shorter than nothing
    remedy: mend the model
    bad: [{seconds: -1}]
"""


def suite_file(tmp_path: Path, text: str, table: str = "calls") -> Path:
    folder = tmp_path / "suites"
    (folder / "staging").mkdir(parents=True, exist_ok=True)
    (folder / "staging" / f"{table}.yml").write_text(text)
    return folder


def threshold_file(tmp_path: Path, *rows: str, name: str = "thresholds.csv") -> Path:
    path = tmp_path / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def test_a_plain_suite_is_read(tmp_path: Path) -> None:
    (given,) = load_suites("staging", suite_file(tmp_path, CHECK))
    assert (given.table, given.schema, given.judged_by) == ("calls", "staging", "agency_month")
    assert [given.check_id(c) for c in given.checks] == ["calls.c"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    bad: [{seconds: -1}]\n", "", "bad rows"),
        ("    bad: [{seconds: -1}]\n", "    bad: []\n", "bad rows"),
        ("severity: block", "severity: critical", "severity"),
        ("    severity: block\n", "", "severity"),
        ("    why: no time is shorter than nothing\n", "", "why"),
        ("    remedy: mend the model\n", "", "remedy"),
        ("    violation: seconds < 0\n", "", "exactly one"),
        (
            "    violation: seconds < 0\n",
            "    violation: seconds < 0\n    not_null: [seconds]\n",
            "exactly one",
        ),
        ("    violation: seconds < 0\n", "    between: {columns: [seconds]}\n", "between"),
        (
            "    violation: seconds < 0\n",
            "    in_set: {columns: [seconds], values: nothing_of_the_kind}\n",
            "in_set",
        ),
        ("    violation: seconds < 0\n", "    rows_at_least: 1\n", "by table"),
        ("check: c", "check: C-1", "lower case"),
        ("check: c", "check: c\n    each: [a, b]", "{each}"),
        ("    severity", "    sevrity: warn\n    severity", "sevrity"),
        ("    severity", "    over: [a.b]\n    severity", "over"),
        ("checks:", "judged_by: year\nchecks:", "judged_by"),
        ("checks:", "optinal: true\nchecks:", "optinal"),
    ],
)
def test_a_suite_that_cannot_be_used_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = suite_file(tmp_path, CHECK.replace(old, new, 1))
    with pytest.raises(SuiteError, match=r"calls\.yml") as error:
        load_suites("staging", folder)
    assert said in str(error.value)


def test_two_checks_of_one_name_are_refused(tmp_path: Path) -> None:
    suite_file(tmp_path, CHECK)
    folder = suite_file(tmp_path, "table: calls\n" + CHECK.lstrip(), table="more")
    with pytest.raises(SuiteError, match="two checks"):
        load_suites("staging", folder)


def test_suites_of_one_table_share_a_scan(tmp_path: Path) -> None:
    suite_file(tmp_path, "key: [a]\n" + CHECK.lstrip())
    more = "tables: {calls: [b], others: [d]}\n" + CHECK.lstrip().replace("check: c", "check: d")
    merged = one_each(load_suites("staging", suite_file(tmp_path, more, table="more")))
    assert [(s.table, s.key, [c.name for c in s.checks]) for s in merged] == [
        ("calls", ("a", "b"), ["c", "d"]),
        ("others", ("d",), ["d"]),
    ]


def test_words_stay_words(tmp_path: Path) -> None:
    text = CHECK.replace("bad: [{seconds: -1}]", "bad: [{answer: yes, other: no, day: 2024-01-01, n: 1, f: 0.5}]")
    ((check,),) = (s.checks for s in load_suites("staging", suite_file(tmp_path, text)))
    assert check.bad == [{"answer": "yes", "other": "no", "day": "2024-01-01", "n": 1, "f": 0.5}]


def test_a_check_with_a_threshold_needs_one_for_every_agency(tmp_path: Path) -> None:
    folder = suite_file(tmp_path, CHECK.replace("violation: seconds < 0", "share: seconds < 0"))
    suites = load_suites("staging", folder)
    with pytest.raises(SuiteError, match=r"calls\.c"):
        require_thresholds(suites, Limits([]))
    own = threshold_file(tmp_path, "calls.c,a,0.1,,me,because,2026-01-01")
    with pytest.raises(SuiteError, match=r"calls\.c"):
        judge_suites(suites, tmp_path / "absent.duckdb", [], load_thresholds([own]), tmp_path)
    everybody = threshold_file(tmp_path, "calls.c,,0.1,,me,because,2026-01-01")
    require_thresholds(suites, Limits(load_thresholds([everybody])))


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(SuiteError, match="layers"):
        load_suites("gold")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x.c,,0.1,,,because,2026-01-01", "owner"),
        ("x.c,,0.1,,me,,2026-01-01", "reason"),
        ("x.c,,0.1,,me,because,", "since"),
        ("x.c,,0.1,,me,because,soon", "since"),
        (",,0.1,,me,because,2026-01-01", "check_id"),
        ("x.c,,much,,me,because,2026-01-01", "number"),
        ("x.c,,nan,,me,because,2026-01-01", "finite"),
        ("x.c,,0.1,fatal,me,because,2026-01-01", "severity"),
        ("x.c,,,,me,because,2026-01-01", "value"),
        ("x.b,,0.2,,me,again,2026-01-01", "earlier row"),
    ],
)
def test_a_threshold_that_cannot_be_used_is_named_by_file_and_row(tmp_path: Path, row: str, said: str) -> None:
    path = threshold_file(tmp_path, "x.b,,0.1,,me,because,2026-01-01", row)
    with pytest.raises(ThresholdError, match="row 3") as error:
        load_thresholds([path])
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.csv"
    path.write_text("check_id,value\nx.c,1\n")
    with pytest.raises(ThresholdError, match="columns"):
        load_thresholds([path])


def test_an_agency_overrides_for_itself_alone(tmp_path: Path) -> None:
    house = threshold_file(tmp_path, "x.c,,0.1,,me,because,2026-01-01")
    own = threshold_file(tmp_path, "x.c,a,0.4,warn,chief,old system,2026-02-01", name="a.csv")
    limits = Limits(load_thresholds([house, own]))
    assert (limits.value("x.c", "a"), limits.value("x.c", "b"), limits.value("x.c", None)) == (0.4, 0.1, 0.1)
    assert (limits.severity("x.c", "a", "block"), limits.severity("x.c", "b", "block")) == ("warn", "block")
    for rows in (
        ["x.c,,0.9,,chief,all of you,2026-02-01"],
        ["x.c,a,1,,me,r,2026-01-01", "x.c,b,1,,me,r,2026-01-01"],
    ):
        with pytest.raises(ThresholdError, match=r"b\.csv"):
            load_thresholds([house, threshold_file(tmp_path, *rows, name="b.csv")])


def test_the_house_s_own_files_fit_together() -> None:
    limits = Limits(load_thresholds([HOUSE_FILE]))
    needed = set()
    for layer in LAYERS:
        suites = load_suites(layer)
        assert suites, layer
        require_thresholds(suites, limits)
        needed |= {s.check_id(c) for s in suites for c in s.checks if c.needs_threshold}
    assert unknown_checks(limits) == []
    assert limits.check_ids() <= needed
