"""What every listing of metrics shares: what a metric's contract says of it, and the order of metric numbers."""

from __future__ import annotations

import re

# Beside its columns, in the order of reading.
METRIC_NOTES = ("definition", "formula", "unit", "denominator", "source", "decision", "do_not_conclude")


def metric_order(metric_id: str) -> tuple[bool, str, int, str]:
    """Sorts M01 to M56 with what belongs to them (M08b, M46.booking) by number, then the added families by name."""
    family, number, rest = re.fullmatch(r"([A-Z]+)(\d*)(.*)", metric_id).groups()
    return family != "M", family, int(number or 0), rest
