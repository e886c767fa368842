"""Units for a stated target by Erlang C (M41 and M43), as met_staffing__offered_load reckons."""

from __future__ import annotations

from math import exp


def wait_share(load: float, units: int) -> float:
    """Chance that work has to wait (M41). load: units that are busy on average; 1 where units do not exceed it.

    By Erlang's B, which is summed without factorials: B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)); C = B / (1 - a/c (1 - B)).
    """
    if units <= load:
        return 1.0
    blocked = 1.0
    for k in range(1, units + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1 - load / units * (1 - blocked))


def longer_than_share(load: float, units: int, service_seconds: float, limit_seconds: float) -> float:
    """Chance of a wait longer than the limit (M43)."""
    if units <= load:
        return 1.0
    return wait_share(load, units) * exp(-(units - load) * limit_seconds / service_seconds)


def units_needed(load: float, service_seconds: float, limit_seconds: float, target: float) -> int:
    """The smallest number of units with which at most the share ``target`` waits longer than the limit; 0 for no load."""
    units = 0
    while load > 0 and longer_than_share(load, units, service_seconds, limit_seconds) > target:
        units += 1
    return units
