"""Thresholds are data: how much of something a check allows, for whom, who decided it and why.

A thresholds.csv has the columns check_id, agency_id (empty = every agency), value, severity (empty = as the
suite says), owner, reason, since (YYYY-MM-DD).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from expectations.results import SEVERITIES

HOUSE_FILE = Path(__file__).parent / "thresholds.csv"
COLUMNS = ("check_id", "agency_id", "value", "severity", "owner", "reason", "since")


class ThresholdError(ValueError):
    """A row of a thresholds.csv cannot be used; the message names file and row."""


@dataclass(frozen=True)
class Threshold:
    """One row of a thresholds.csv. agency_id None = every agency; value None = only the severity is set."""

    check_id: str
    agency_id: str | None
    value: float | None
    severity: str | None
    owner: str
    reason: str
    since: date


def load_thresholds(paths: Sequence[Path] = (HOUSE_FILE,)) -> list[Threshold]:
    """Thresholds of all files; a later file overrides an earlier one for the same check and agency.

    The first file is the house's and may speak for every agency. Each further file is one agency's own: all
    its rows name that agency. Raises ThresholdError, naming file and row, for anything else: an empty owner
    or reason, a value that is no finite number, an unknown severity, a date that is none, a row given twice.
    """
    merged: dict[tuple[str, str | None], Threshold] = {}
    for position, path in enumerate(paths):
        rows = _read(path)
        if position > 0:
            _check_one_agency(path, rows)
        merged.update(rows)
    return list(merged.values())


def _read(path: Path) -> dict[tuple[str, str | None], Threshold]:
    rows: dict[tuple[str, str | None], Threshold] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ThresholdError(f"{path}: the columns must be {', '.join(COLUMNS)}")
        for number, raw in enumerate(reader, start=2):
            threshold = _row(f"{path}, row {number}", {k: (v or "").strip() for k, v in raw.items() if k})
            key = (threshold.check_id, threshold.agency_id)
            if key in rows:
                raise ThresholdError(f"{path}, row {number}: an earlier row has the same check and agency")
            rows[key] = threshold
    return rows


def _row(where: str, raw: dict[str, str]) -> Threshold:
    for column in ("check_id", "owner", "reason", "since"):
        if not raw.get(column):
            raise ThresholdError(f"{where}: {column} is empty")
    if raw["severity"] and raw["severity"] not in SEVERITIES:
        raise ThresholdError(f"{where}: severity is not one of {', '.join(SEVERITIES)}")
    if not raw["value"] and not raw["severity"]:
        raise ThresholdError(f"{where}: give a value, a severity, or both")
    try:
        value = float(raw["value"]) if raw["value"] else None
    except ValueError as error:
        raise ThresholdError(f"{where}: value is not a number") from error
    if value is not None and not math.isfinite(value):
        raise ThresholdError(f"{where}: value is not a finite number")
    try:
        since = date.fromisoformat(raw["since"])
    except ValueError as error:
        raise ThresholdError(f"{where}: since is not a date (YYYY-MM-DD)") from error
    return Threshold(
        check_id=raw["check_id"],
        agency_id=raw["agency_id"] or None,
        value=value,
        severity=raw["severity"] or None,
        owner=raw["owner"],
        reason=raw["reason"],
        since=since,
    )


def _check_one_agency(path: Path, rows: dict[tuple[str, str | None], Threshold]) -> None:
    agencies = {agency_id for _, agency_id in rows}
    if None in agencies:
        raise ThresholdError(f"{path}: agency_id is empty; only the house's file speaks for every agency")
    if len(agencies) > 1:
        raise ThresholdError(f"{path}: an agency's own file names one agency, this one names {len(agencies)}")


class Limits:
    """Looks up what applies to one check and agency: the agency's own row, else the one for every agency."""

    def __init__(self, thresholds: Iterable[Threshold]):
        self._rows = {(t.check_id, t.agency_id): t for t in thresholds}

    def has_default(self, check_id: str) -> bool:
        """Whether a value for every agency is there."""
        row = self._rows.get((check_id, None))
        return row is not None and row.value is not None

    def value(self, check_id: str, agency_id: str | None) -> float | None:
        """The value that applies; None where there is none."""
        return self._first(check_id, agency_id, "value")

    def severity(self, check_id: str, agency_id: str | None, default: str) -> str:
        """The severity that applies."""
        return self._first(check_id, agency_id, "severity") or default

    def own_values(self, check_id: str) -> dict[str, float]:
        """Values of the agencies that have their own, by agency_id."""
        return {a: t.value for (c, a), t in self._rows.items() if c == check_id and a and t.value is not None}

    def check_ids(self) -> set[str]:
        """Every check that some row names."""
        return {check_id for check_id, _ in self._rows}

    def _first(self, check_id: str, agency_id: str | None, attribute: str):
        for agency in dict.fromkeys((agency_id, None)):
            row = self._rows.get((check_id, agency))
            if row is not None and getattr(row, attribute) is not None:
                return getattr(row, attribute)
        return None
