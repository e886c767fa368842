"""The time that the county covers: months, hours with their demand, the zone, exports, special weeks and months."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from orchestration.county.draws import draw, share
from orchestration.county.parameters import Parameters, search_sql

ZONE = ZoneInfo("America/Denver")
FILE_CALLS = 1_000_000  # an export covers as many months as hold about so many calls
DAY = 86_400


@dataclass(frozen=True)
class Period:
    """``months`` months of the county's clock from ``start`` ('YYYY-MM')."""

    start: str
    months: int

    @cached_property
    def firsts(self) -> list[datetime]:
        """First local midnight of each month, and of the month after the last."""
        year, month = (int(part) for part in self.start.split("-"))
        return [
            datetime(year + (month - 1 + n) // 12, (month - 1 + n) % 12 + 1, 1, tzinfo=ZONE)
            for n in range(self.months + 1)
        ]

    @cached_property
    def edges(self) -> list[int]:
        """Instants of ``firsts``, in epoch seconds."""
        return [int(first.timestamp()) for first in self.firsts]

    @property
    def begin(self) -> int:
        return self.edges[0]

    @property
    def end(self) -> int:
        return self.edges[-1]

    @property
    def days(self) -> float:
        return (self.end - self.begin) / DAY

    def month_start(self, n: int) -> int:
        """Instant at which the n-th month begins, at latest the end."""
        return self.edges[min(n, self.months)]

    @property
    def middle(self) -> int:
        """Begin of the month in the middle: codes drift, programs grow, and it is the corrected month."""
        return self.month_start(self.months // 2)

    @property
    def corrected(self) -> tuple[int, int]:
        """The month that is exported a second time: its begin and end."""
        return self.middle, self.month_start(self.months // 2 + 1)

    @property
    def changed(self) -> tuple[int, int]:
        """The month in which the jail's export has another layout."""
        n = min(1, self.months - 1)
        return self.month_start(n), self.month_start(n + 1)

    @property
    def silent(self) -> tuple[int, int]:
        """The week of which the treatment provider sent nothing: the second of the corrected month."""
        return self.middle + 7 * DAY, self.middle + 14 * DAY

    def label(self, a: int, b: int) -> str:
        """Label of the months a to b, b left out: 2024-01_2024-06."""
        return f"{self.firsts[a]:%Y-%m}_{self.firsts[b - 1]:%Y-%m}"

    def exports(self, calls: int) -> list[tuple[str, int, int]]:
        """Label, begin and end (instants) of each export of a large feed."""
        each = max(1, int(FILE_CALLS * self.months // max(calls, 1)))
        cuts = [*range(0, self.months, each), self.months]
        return [(self.label(a, b), self.edges[a], self.edges[b]) for a, b in pairwise(cuts)]

    def stamp(self, days: int) -> str:
        """When an export was made: six in the morning, some days after the period."""
        return f"{self.firsts[-1].replace(tzinfo=None) + timedelta(days=days, hours=6)}"

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """Changes of the zone's offset: (instant, offset in seconds from then on)."""
        changes: list[tuple[int, int]] = []
        for at in range(self.begin - 2 * DAY, self.end + 200 * DAY, 3600):
            offset = int(datetime.fromtimestamp(at, UTC).astimezone(ZONE).utcoffset().total_seconds())
            if not changes or changes[-1][1] != offset:
                changes.append((at, offset))
        return changes

    def offset_sql(self, s: str) -> str:
        """SQL for the zone's offset at an instant."""
        whens = [f"when {s} >= {at} then {offset}" for at, offset in reversed(self.offsets[1:])]
        return f"(case {' '.join(whens)} else {self.offsets[0][1]} end)" if whens else f"({self.offsets[0][1]})"

    def macros(self) -> list[str]:
        """SQL macros: ``clock(s)``, the local time of an instant; ``wall(s)``, its seconds; ``text(t)``, as text."""
        return [
            f"create macro wall(s) as cast(s as bigint) + {self.offset_sql('s')}",
            "create macro clock(s) as make_timestamp(wall(s) * 1000000)",
            "create macro day_text(s) as strftime(clock(s), '%Y-%m-%d')",
            f"create macro month_text(s) as {self._label_sql('%Y-%m')}",
            f"create macro year_text(s) as {self._label_sql('%y')}",
        ]

    def _label_sql(self, form: str) -> str:
        """SQL for a label of the instant s's month: looked up among the period's months, else formatted."""
        years = range(self.firsts[0].year - 1, self.firsts[-1].year + 2)
        firsts = [datetime(year, month, 1, tzinfo=ZONE) for year in years for month in range(1, 13)]
        found = [(int(first.timestamp()), f"{first:{form}}") for first in firsts]
        known = [found[k] for k in range(len(found)) if not k or found[k][1] != found[k - 1][1]]
        inside = f"s >= {known[0][0]} and s < {int(datetime(years[-1] + 1, 1, 1, tzinfo=ZONE).timestamp())}"
        return f"case when {inside} then {search_sql('s', [at for at, _ in known[1:]], [text for _, text in known])} else strftime(clock(s), '{form}') end"


@dataclass(frozen=True)
class Hours:
    """Hours of the period: instant, local offset, calls before it and calls in it."""

    at: np.ndarray
    offset: np.ndarray
    below: np.ndarray
    n: np.ndarray


def demand(period: Period, p: Parameters, seed: int, calls: int) -> Hours:
    """Shares the calls out over the hours by hour of day, weekday, month and chance; whole numbers only."""
    at = np.arange(period.begin, period.end, 3600, dtype=np.int64)
    offset = np.full(len(at), period.offsets[0][1], dtype=np.int64)
    for instant, seconds in period.offsets:
        offset[at >= instant] = seconds
    wall = at + offset
    days = wall // DAY
    month = (days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)) % 12
    by_hour, by_weekday, by_month = (
        np.array([int(p.rows[name].value) for name in sorted(p.rows) if name.startswith(prefix)], dtype=np.int64)
        for prefix in ("hour.", "weekday.", "month.")
    )
    chance = 700 + share(draw(seed, "demand", 0, len(at)), 600)
    weight = by_hour[wall // 3600 % 24] * by_weekday[(days + 3) % 7] * by_month[month] // 100 * chance // 100
    edge = [0, *(int(total) for total in np.cumsum(weight))]
    cuts = np.array([calls * e // edge[-1] for e in edge], dtype=np.int64)
    return Hours(at, offset, cuts[:-1], np.diff(cuts))
