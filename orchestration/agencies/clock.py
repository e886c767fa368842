"""An agency's clock as SQL: local times to instants, by the offsets of its time zone written out.

DuckDB's own timezone() looks up each row in a calendar; a search among the zone's changes is ten times faster. It
also tells the hours that the clock shows twice or skips: there two offsets are possible, and the order of events may
say which one holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

STEP = timedelta(days=7)  # no zone changes its offset twice in a week
GAP = 1_000_000  # a code beyond this tells an hour shown twice or skipped; see offset_codes
ORDINARY = 100_000  # no offset is as large, in seconds


@cache
def offset_codes(zone: str, first_year: int, last_year: int) -> tuple[tuple[datetime | None, int], ...]:
    """What holds on a zone's clock, in order: (local time from which it holds, code); the first from None.

    A code is the offset in seconds ahead of UTC. In an hour shown twice it is the later reading's offset plus the
    length of that hour in seconds times GAP; in a skipped one, that of the clock before the change less as much.
    """
    clock = ZoneInfo(zone)
    before, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    found: list[tuple[datetime | None, int]] = [(None, _offset(before, clock))]
    while before < end:
        after = before + STEP
        old, new = _offset(before, clock), _offset(after, clock)
        if old != new:
            shown = _change(before, after, clock).replace(tzinfo=None)
            low, high = shown + timedelta(seconds=min(old, new)), shown + timedelta(seconds=max(old, new))
            found += [(low, min(old, new) + (old - new) * GAP), (high, new)]
        before = after
    return tuple(found)


def _offset(instant: datetime, clock: ZoneInfo) -> int:
    return int(instant.astimezone(clock).utcoffset().total_seconds())


def _change(low: datetime, high: datetime, clock: ZoneInfo) -> datetime:
    """The first second of the new offset between two instants."""
    old = _offset(low, clock)
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if _offset(middle, clock) == old else (low, middle)
    return high


def has_changes(zone: str, first_year: int, last_year: int) -> bool:
    """Whether the zone's clock is ever put forward or back in these years."""
    return len(offset_codes(zone, first_year, last_year)) > 1


def code_sql(local: str, zone: str, first_year: int, last_year: int) -> str:
    """SQL of the code that holds at a local time; null outside of the years."""
    found = _search(local, offset_codes(zone, first_year, last_year))
    return (
        f"case when {local} between timestamp '{first_year}-01-02' and timestamp '{last_year}-12-30'"
        f" then cast({found} as bigint) end"
    )


def _search(local: str, codes: Sequence[tuple[datetime | None, int]]) -> str:
    """A binary search for the code that holds at a local time."""
    if len(codes) == 1:
        return str(codes[0][1])
    middle = len(codes) // 2
    return (
        f"case when {local} < timestamp '{codes[middle][0]}' then {_search(local, codes[:middle])}"
        f" else {_search(local, codes[middle:])} end"
    )


def is_odd_sql(code: str) -> str:
    """SQL of whether a code tells an hour shown twice or skipped."""
    return f"({code} > {ORDINARY} or {code} < -{ORDINARY})"


def is_twice_sql(code: str) -> str:
    """SQL of whether a code tells an hour shown twice."""
    return f"({code} > {ORDINARY})"


def gap_sql(code: str) -> str:
    """SQL of the seconds between the two instants that an odd code allows."""
    return f"cast(abs(round({code} / {GAP}.0)) as bigint)"


def instant_sql(local: str, code: str, zone: str) -> str:
    """SQL of the instant (timestamptz) at which the clock shows a local time: the later one where two are possible."""
    offset = (
        f"case when {is_odd_sql(code)} then {code} - {GAP} * cast(round({code} / {GAP}.0) as bigint) else {code} end"
    )
    return (
        f"case when {code} is null then timezone('{zone}', {local})"
        f" else make_timestamptz(epoch_us({local}) - 1000000 * ({offset})) end"
    )
