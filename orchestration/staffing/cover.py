"""Shifts that cover the officers needed in each hour of the week at least cost: an integer program (Dantzig 1954)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestration.staffing import DAYS, WEEK, StaffingError

COLUMNS = ("pattern_key", "shift_hours", "start_hours", "paid_hours", "cost_factor", "source")


@dataclass(frozen=True)
class Pattern:
    """A kind of shift: how long, at which hours of the day it may start, and what an hour of it costs over a usual one."""

    key: str
    hours: int
    starts: tuple[int, ...]
    paid_hours: float
    cost_factor: float


@dataclass(frozen=True)
class Shift:
    """Officers who start together. weekday: 0 is Monday. cost: of all of them for the week, in the unit of hour_cost."""

    pattern: str
    weekday: int
    start_hour: int
    hours: int
    officers: int
    paid_hours: float
    cost: float


@dataclass(frozen=True)
class Cover:
    """Shifts of a week. required, on_duty: officers by hour of the week, (168,); both arrays of whole numbers."""

    shifts: tuple[Shift, ...]
    required: np.ndarray
    on_duty: np.ndarray

    @property
    def cost(self) -> float:
        return sum(s.cost for s in self.shifts)

    @property
    def paid_hours(self) -> float:
        return sum(s.paid_hours for s in self.shifts)

    @property
    def over(self) -> np.ndarray:
        return np.maximum(self.on_duty - self.required, 0)

    @property
    def under(self) -> np.ndarray:
        return np.maximum(self.required - self.on_duty, 0)


def load_patterns(path: Path) -> list[Pattern]:
    """The shift patterns of a file. Raises StaffingError with file, row, rule and remedy."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := [c for c in COLUMNS if c not in (reader.fieldnames or [])]:
            raise StaffingError(f"{path.name}: column {', '.join(missing)} is missing; add it to the first row")
        found = [_pattern(path, number, row) for number, row in enumerate(reader, 2)]
    if not found:
        raise StaffingError(f"{path.name}: there is no shift pattern; add a row")
    return found


def _pattern(path: Path, number: int, row: dict[str, str]) -> Pattern:
    try:
        pattern = Pattern(
            row["pattern_key"],
            int(row["shift_hours"]),
            tuple(int(h) for h in row["start_hours"].split("|")),
            float(row["paid_hours"]),
            float(row["cost_factor"]),
        )
    except ValueError as error:
        raise StaffingError(
            f"{path.name}, row {number}: {error}; write numbers, and start hours as 06|14|22"
        ) from error
    if not 1 <= pattern.hours <= 24 or not all(0 <= h <= 23 for h in pattern.starts):
        raise StaffingError(f"{path.name}, row {number}: a shift lasts 1 to 24 hours and starts at an hour 0 to 23")
    if pattern.paid_hours <= 0 or pattern.cost_factor <= 0:
        raise StaffingError(f"{path.name}, row {number}: paid_hours and cost_factor are more than nothing")
    return pattern


def cover(
    required: Sequence[int], patterns: Sequence[Pattern], hour_cost: float, most_hours: float | None = None
) -> Cover:
    """The cheapest shifts that have the required officers on duty in every hour of a week that repeats.

    required: (168,), Monday midnight first. most_hours: paid hours that there are in a week; then as few officer hours
    as possible stay uncovered, and that at least cost. Raises StaffingError where an hour cannot be covered at all.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    required = np.asarray(required, dtype=int)
    starts = [(p, day, hour) for p in patterns for day in range(7) for hour in p.starts]
    covers = np.zeros((WEEK, len(starts)))
    for column, (pattern, day, hour) in enumerate(starts):
        covers[(day * 24 + hour + np.arange(pattern.hours)) % WEEK, column] = 1
    if bare := [h for h in range(WEEK) if required[h] > 0 and not covers[h].any()]:
        named = ", ".join(f"{DAYS[h // 24]} {h % 24:02d}:00" for h in bare[:5])
        raise StaffingError(
            f"no shift pattern reaches {len(bare)} hour(s) that need officers: {named}{' …' if len(bare) > 5 else ''}."
            " Allow a start hour before them or a longer shift in the file of patterns."
        )
    paid = np.array([p.paid_hours for p, _, _ in starts])
    cost = np.array([p.paid_hours * p.cost_factor * hour_cost for p, _, _ in starts])
    n = len(starts)

    def solve(objective, *constraints):
        """Officers by start, then officers lacking by hour."""
        most = np.concatenate([np.full(n, np.inf), np.full(WEEK, np.inf if most_hours is not None else 0)])
        found = milp(
            objective,
            integrality=np.ones(n + WEEK),
            bounds=Bounds(0, most),
            constraints=[LinearConstraint(np.hstack([covers, np.eye(WEEK)]), lb=required), *constraints],
            options={"mip_rel_gap": 0, "time_limit": 120},
        )
        if found.status != 0:
            raise StaffingError(
                f"no cheapest cover was found ({found.message}); allow fewer start hours in the file of patterns"
            )
        return np.round(found.x).astype(int)

    limits = []
    if most_hours is not None:
        limits.append(LinearConstraint(np.concatenate([paid, np.zeros(WEEK)]), ub=most_hours))
        lacking = np.concatenate([np.zeros(n), np.ones(WEEK)])
        limits.append(LinearConstraint(lacking, ub=solve(lacking, *limits)[n:].sum()))
    officers = solve(np.concatenate([cost, np.zeros(WEEK)]), *limits)[:n]
    shifts = tuple(
        Shift(p.key, day, hour, p.hours, int(k), float(k * p.paid_hours), float(k * c))
        for (p, day, hour), k, c in zip(starts, officers, cost, strict=True)
        if k
    )
    return Cover(
        tuple(sorted(shifts, key=lambda s: (s.weekday, s.start_hour, s.hours))),
        required,
        (covers @ officers).astype(int),
    )
