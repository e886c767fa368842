"""Judges a layer: evaluates its suites over one window and says what each check found, place by place."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from expectations.addresses import note
from expectations.datasource import Source, exception_name, open_source
from expectations.evidence import Evidence, gather
from expectations.loader import Check, Suite, load_suites, require_thresholds
from expectations.results import CheckResult, Place, exceeds, percent, rows_of
from expectations.sql import Frame, Window
from expectations.thresholds import Limits, Threshold


def judge(
    layer: str,
    database: Path,
    window: Window,
    thresholds: Sequence[Threshold],
    results_dir: Path,
    standing: Container[str] = (),
) -> list[CheckResult]:
    """Judges the layer's tables in a DuckDB file over the pairs (agency_id, month) that were written.

    Gives one result per check and place: each pair of the window, each agency, or the table as a whole, as
    the suite says; none for the tables named as standing. Failing rows' addresses go to results_dir/<layer>/<check_id>.parquet. The file is opened
    read-only; no connection is left open. Raises SuiteError when a suite or a needed threshold is missing or
    wrong, and what opening the file raises; a check that cannot be evaluated is a result with status error.
    """
    return judge_suites(load_suites(layer), database, window, thresholds, results_dir, standing)


def judge_suites(
    suites: Iterable[Suite],
    database: Path,
    window: Window,
    thresholds: Sequence[Threshold],
    results_dir: Path,
    standing: Container[str] = (),
) -> list[CheckResult]:
    """As judge, for the given suites."""
    suites, limits = list(suites), Limits(thresholds)
    require_thresholds(suites, limits)
    pairs = tuple(sorted(set(window)))
    results: list[CheckResult] = []
    with open_source(database) as source:
        present = source.columns()
        for suite in one_each(s for given in suites for s in given.for_tables(present)):
            if suite.label in standing:
                continue
            columns = present.get((suite.schema, suite.table))
            frame = Frame(suite, pairs, columns or ())
            if frame.places:
                results += _judged(source, frame, limits, results_dir, is_present=columns is not None)
    return results


def one_each(suites: Iterable[Suite]) -> list[Suite]:
    """Several suites of one table, placed alike, as one: a table is asked once."""
    found: dict[tuple, Suite] = {}
    for suite in suites:
        name = suite.schema, suite.table, suite.judged_by, suite.optional
        if first := found.get(name):
            key = tuple(dict.fromkeys((*first.key, *suite.key)))
            suite = replace(first, key=key, checks=(*first.checks, *suite.checks))
        found[name] = suite
    return list(found.values())


def _judged(source: Source, frame: Frame, limits: Limits, results_dir: Path, is_present: bool) -> list[CheckResult]:
    """All results of one table."""
    suite = frame.suite
    if is_present:
        evidence = gather(source, frame, limits)
    elif suite.optional:
        evidence = {c.name: Evidence() for c in suite.checks}
    else:
        evidence = {c.name: Evidence(error="TableMissing") for c in suite.checks}
    results = []
    for check in suite.checks:
        found = evidence[check.name]
        placed = _results(frame, limits, check, found)
        failed = [(r.agency_id, r.month) for r in placed if r.status == "failed"]
        if not found.error:
            try:
                note(source, frame, check, limits, failed, results_dir)
            except Exception as error:  # a failure without its rows cannot be mended: say so, and block
                found = Evidence(error=f"rows not noted: {exception_name(error)}")
                placed = _results(frame, limits, check, found)
        results += placed
    return results


def _results(frame: Frame, limits: Limits, check: Check, found: Evidence) -> list[CheckResult]:
    """One result per place of the frame, and per further place where something was found."""
    if found.error:
        reason = (
            f"{frame.suite.check_id(check)} could not be evaluated ({found.error});"
            " remedy: compare the table's columns with the suite"
        )
        return [_result(frame, limits, check, place, "error", reason) for place in frame.places]
    places = dict.fromkeys(frame.places, (0, 0)) | found.places
    return [_placed(frame, limits, check, found, place, *counts) for place, counts in places.items()]


def _placed(
    frame: Frame, limits: Limits, check: Check, found: Evidence, place: Place, eligible: int, failing: int
) -> CheckResult:
    """The result of a check in one place."""
    if eligible == 0 and failing == 0:
        return _result(frame, limits, check, place, "not_applicable", "no row to judge")
    allowed = limits.value(frame.suite.check_id(check), place[0]) or 0.0
    observed: float = failing
    counted = rows_of(failing, eligible)
    if check.kind == "share":
        observed = round(failing / eligible, 6)
        counted += f" ({percent(observed)}; allowed {percent(allowed)})"
    elif check.kind == "no_columns":
        counted = f"{failing} of {eligible} columns"
    elif check.kind == "rows_at_least":
        observed, counted = eligible, f"{eligible:,} rows"
    if not (exceeds(failing, eligible, allowed) if check.kind == "share" else failing):
        return _result(frame, limits, check, place, "passed", counted, observed, failing)
    where = f" (columns: {found.columns})" if found.columns else ""
    reason = f"{counted}{where}: {check.why}; remedy: {check.remedy}"
    return _result(frame, limits, check, place, "failed", reason, observed, failing)


def _result(
    frame: Frame,
    limits: Limits,
    check: Check,
    place: Place,
    status: str,
    reason: str,
    observed: float | None = None,
    failing: int = 0,
) -> CheckResult:
    check_id, (agency_id, month) = frame.suite.check_id(check), place
    return CheckResult(
        check_id=check_id,
        table=frame.suite.label,
        agency_id=agency_id,
        month=month,
        status=status,
        severity="block" if status == "error" else limits.severity(check_id, agency_id, check.severity),
        observed=observed,
        threshold=limits.value(check_id, agency_id) if check.needs_threshold else None,
        failing_count=failing,
        reason=reason,
    )
