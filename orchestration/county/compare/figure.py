"""One figure of the truth beside the warehouse's own, and the truth's tables to read it from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path

import duckdb

from orchestration.engine import text

TABLES = ("person", "record", "contact_incident", "cause", "call", "dirt", "cost")


@dataclass(frozen=True)
class Compared:
    """One figure of the truth and the warehouse's own. kind: effect, rate, cost or link.

    unit: ratio (of two shares or means), share, seconds, per contact or dollars. truth, estimate: in that unit; estimate
    is None where the warehouse has too few rows to tell it by. standard_error: of the estimate in the same unit, of a
    ratio's logarithm; None where the truth counts the same rows, so that nothing is left to chance. n: rows behind it.
    of: what of the truth it compares: a parameter, `effect.<program>.<outcome>`, `cost.<item>` or `<table>.<column>`.
    """

    kind: str
    name: str
    unit: str
    truth: float
    estimate: float | None
    standard_error: float | None
    n: int
    of: tuple[str, ...]

    @property
    def bias(self) -> float | None:
        """The warehouse's figure less the true one, in the figure's unit."""
        return None if self.estimate is None else self.estimate - self.truth

    @property
    def deviation(self) -> float | None:
        """How many standard errors lie between the two; None without one."""
        if not self.standard_error or self.estimate is None:
            return None
        gap = log(self.estimate / self.truth) if self.unit == "ratio" else self.estimate - self.truth
        return gap / self.standard_error


class Truth:
    """The tables that `crisis county` wrote beside the files, read by a connection of their own: views by name."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError when the folder is no truth, or one of some feeds only."""
        lost = [name for name in TABLES if not (folder / f"{name}.parquet").exists()]
        if lost:
            raise FileNotFoundError(f"{folder} has no {', '.join(lost)}; `crisis county` writes all beside the files")
        self.con = duckdb.connect()
        for name in TABLES:
            self.con.execute(f"create view {name} as from read_parquet({text(str(folder / f'{name}.parquet'))})")
        for name in ("rate", "effect"):
            path = text(str(folder / f"{name}.csv"))
            self.con.execute(f"create view {name} as from read_csv({path}, all_varchar = true)")

    def one(self, query: str) -> float:
        """The single number of a query; 0 for null."""
        return float(self.con.execute(query).fetchone()[0] or 0)

    @cached_property
    def rates(self) -> dict[str, float]:
        """Every parameter with the value that the county used."""
        return dict(self.con.execute("select name, cast(value as double) from rate").fetchall())

    @cached_property
    def effects(self) -> dict[tuple[str, str], float]:
        """The true effect by program and outcome."""
        rows = self.con.execute("select program, outcome, cast(effect as double) from effect").fetchall()
        return {(program, outcome): effect for program, outcome, effect in rows}


def share(
    kind: str, name: str, truth: float, events: int, rows: int, of: tuple[str, ...], is_counted: bool = False
) -> Compared:
    """A share among `rows`, with the standard error that the true share gives it; without one where it was counted."""
    error = (truth * (1 - truth) / rows) ** 0.5 if rows and not is_counted else None
    return Compared(kind, name, "share", truth, events / rows if rows else None, error, rows, of)
