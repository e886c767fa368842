"""How long calls wait for a unit: a queue for each pool of patrol units, so that load makes the wait.

A pool of c units is taken for one server that works c times as fast (exact in heavy traffic). With the pool's
operational time tau, the integral of c, the work found by the n-th call is Lindley's recursion

    W[n] = max over k <= n of (work brought by k .. n-1) - (tau[n] - tau[k]),

so it is a running sum less a running minimum, by pool. A call waits for what exceeds ``queue_slack`` of the pool's
usual work, divided by c; urgent calls for a smaller part of it.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from orchestration.county.draws import share
from orchestration.county.parameters import Parameters
from orchestration.county.period import DAY, Period

SHIFTS = ((7, 15), (15, 23), (23, 31))  # hours of day; the last ends at 7
FAR = 1 << 40  # more than any work of a block, so that one pool's minimum never reaches the next


class Pools:
    """Pools of patrol units: how many, and how many units each has on each shift."""

    def __init__(self, calls: int, period: Period, p: Parameters) -> None:
        by_hour = [p.rows[f"hour.{hour:02d}"].value for hour in range(24)]
        per_second = calls * p["unit_seconds"] / (period.days * DAY)  # busy units, on average
        part = np.array(list(p.named("mix.sector").values()))
        part = part / part.sum()
        wanted = per_second / p["utilization"] / p["pool_units"]
        self.each = np.maximum(1, np.round(part * wanted)).astype(np.int64) if wanted >= 4 else None
        load = [sum(by_hour[h % 24] for h in range(a, b)) / (b - a) * 24 / sum(by_hour) for a, b in SHIFTS]
        busy = part * per_second / self.each if self.each is not None else np.array([per_second])
        self.units = np.array(
            [[max(2, math.ceil(one * shift / p["utilization"])) for shift in load] for one in busy], dtype=np.int64
        )  # by district (or one row) and shift
        self.offset = period.offsets[0][1]
        self.slack, self.mean = p["queue_slack"], p["unit_seconds"]
        self.urgent, self.routine = p["wait_urgent"], p["wait_routine"]
        self.count = int(self.each.sum()) if self.each is not None else 1
        self.left = np.zeros(self.count, dtype=np.int64)  # work left at ``seen``, by pool
        self.seen = np.full(self.count, period.begin - DAY, dtype=np.int64)

    def assign(self, happened: pa.Table) -> dict[str, np.ndarray]:
        """Pool, units on duty, seconds of waiting and of dispatch after receipt of each call, in the order of i."""
        names = ("s", "district", "priority", "on_view", "patrol", "is_cancelled", "off1", "e1", "e2", "e3", "ready")
        at = {name: happened[name].to_numpy().astype(np.int64) for name in names}
        busy = at["e1"] + np.where(at["patrol"] >= 2, at["e2"], 0) + np.where(at["patrol"] >= 3, at["e3"], 0)
        at["work"] = np.where(at["is_cancelled"] > 0, at["off1"], busy)
        if self.each is None:
            kind = pool = np.zeros(len(at["s"]), dtype=np.int64)
        else:
            kind = at["district"]
            firsts = np.cumsum(self.each) - self.each
            pool = firsts[kind] + share(happened["u_pool"].to_numpy(), self.each[kind])
        units = self.units[kind, self._shift(at["s"])]
        goes = at["patrol"] > 0
        found = np.zeros(len(units), dtype=np.int64)
        found[goes] = self._work_found(pool[goes], kind[goes], at["s"][goes], at["work"][goes])
        wait = np.maximum(found - (units * int(self.slack * self.mean)), 0) // units
        part = np.where(at["priority"] <= 2, round(self.urgent * 100), round(self.routine * 100))
        wait = np.where(at["on_view"] > 0, 0, wait * part // 100)
        return {
            "pool": pool.astype(np.int32),
            "units": units.astype(np.int32),
            "waited": wait.astype(np.int32),
            "d": at["ready"] + wait,
        }

    def _shift(self, s: np.ndarray) -> np.ndarray:
        """Shift by instant, on standard time all the year."""
        hour = (s + self.offset) // 3600 % 24
        return np.where((hour >= 7) & (hour < 15), 0, np.where((hour >= 15) & (hour < 23), 1, 2))

    def _tau(self, kind: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Unit-seconds that the pool has been on duty: days and shifts passed, and the running shift."""
        since = s + self.offset - 7 * 3600  # a day of shifts begins at seven
        day, second = since // DAY, since % DAY
        shift, into = second // 28_800, second % 28_800
        units = self.units[kind]
        passed = np.cumsum(units, axis=1) * 28_800
        before = np.where(shift == 0, 0, np.take_along_axis(passed, np.maximum(shift - 1, 0)[:, None], 1)[:, 0])
        return day * passed[:, 2] + before + np.take_along_axis(units, shift[:, None], 1)[:, 0] * into

    def _work_found(self, pool: np.ndarray, kind: np.ndarray, s: np.ndarray, work: np.ndarray) -> np.ndarray:
        """Work that each call finds in its pool, in unit-seconds; what is left is kept for the next block."""
        kinds = np.zeros(self.count, dtype=np.int64) if self.each is None else np.repeat(np.arange(4), self.each)
        pools = np.concatenate([np.arange(self.count), pool])
        instant = np.concatenate([self.seen, s])
        brought = np.concatenate([self.left, work])
        tau = self._tau(np.concatenate([kinds, kind]), instant)
        order = np.lexsort((np.arange(len(pools)), instant, pools))
        pools, tau, brought = pools[order], tau[order], brought[order]
        x = np.cumsum(brought) - brought - tau
        found = x - (np.minimum.accumulate(x - pools * FAR) + pools * FAR)
        last = np.flatnonzero(np.append(pools[1:] != pools[:-1], True))
        self.left, self.seen = (found + brought)[last], instant[order][last]
        back = np.empty_like(found)
        back[order] = found
        return back[self.count :]
