"""The monthly partitions that every partitioned asset shares, and arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterable

UNKNOWN = "unknown"


def shift(month: str, by: int) -> str:
    """The month `by` months later, as 'YYYY-MM'."""
    index = int(month[:4]) * 12 + int(month[5:7]) - 1 + by
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def month_range(first: str, last: str) -> list[str]:
    """All months from first to last, both included."""
    months = []
    while first <= last:
        months.append(first)
        first = shift(first, 1)
    return months


def widen(months: Iterable[str], back: int, ahead: int) -> set[str]:
    """The months and their neighbors: `back` before and `ahead` after each. 'unknown' has no neighbors."""
    found = set()
    for month in months:
        found.add(month)
        if month != UNKNOWN:
            found.update(shift(month, by) for by in range(-back, ahead + 1))
    return found


def partition_keys(first: str, last: str) -> list[str]:
    """Keys of the shared partitions: 'unknown' and every month of the calendar."""
    return [UNKNOWN, *month_range(first, last)]
