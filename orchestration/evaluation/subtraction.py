"""What follows by subtraction from counts that a report tells side by side.

Each count is of a set of rows. Where one set lies within another, the difference of both counts is a cell too, in
whatever tables the two stand: an outcome within another one, a base within a longer one, days that are left out, rows
for which something is known. (Of pairs; what three counts or more would give together is not looked for.)
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np


@dataclass(frozen=True)
class Told:
    """Counts that a report tells. names: of each; rows: (counts, kinds of rows), true for the kinds that it is of; sizes: rows of
    each kind."""

    names: tuple[str, ...]
    rows: np.ndarray
    sizes: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return self.rows @ self.sizes

    def of(self, kept: np.ndarray) -> Told:
        """Some of them."""
        return Told(tuple(self.names[i] for i in kept), self.rows[kept], self.sizes)

    def few(self, smallest: int) -> np.ndarray:
        """(counts, counts): true where the second lies within the first and leaves 1 to `smallest` - 1 rows."""
        held = self.rows.astype(float)
        common = (held * self.sizes) @ held.T
        own = np.diag(common)
        left = own[:, None] - own[None, :]
        return (common == own[None, :]) & (left > 0) & (left < smallest)

    def derivable(self, smallest: int) -> list[str]:
        """Each such pair in words."""
        return [f"{self.names[i]} less {self.names[j]}" for i, j in np.argwhere(self.few(smallest))]

    def withheld(self, always: int, groups: list[list[int]], smallest: int) -> frozenset[int]:
        """Which groups of counts, by their place, are not told beside the first `always` counts and the groups before."""
        few = self.few(smallest)
        clash, shown, out = few | few.T, np.arange(len(self.names)) < always, set()
        for k, own in enumerate(groups):
            with_own = shown.copy()
            with_own[own] = True
            if clash[np.ix_(with_own, with_own)].sum() > clash[np.ix_(shown, shown)].sum():
                out.add(k)
            else:
                shown = with_own
        return frozenset(out)


def told(con: duckdb.DuckDBPyConnection, conditions: list[tuple[str, str]]) -> Told:
    """Of which eligible rows of a study's table `evaluated` counts are. conditions: name of each and SQL of its rows."""
    flags = ", ".join(f"coalesce({c}, false) as c{i}" for i, (_, c) in enumerate(conditions))
    found = con.execute(
        f"select {flags}, count(*) as n from evaluated where is_eligible group by all order by all"
    ).fetchnumpy()
    rows = np.array([found[f"c{i}"] for i in range(len(conditions))], dtype=bool)
    return Told(tuple(name for name, _ in conditions), rows, found["n"].astype(float))
