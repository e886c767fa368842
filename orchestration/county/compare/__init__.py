"""Holds a release of the county against its truth: programs' effects, rates, costs and links, with standard errors.

What differs in a clean county differs by chance; what differs in a dirty one is the bias that dirt causes.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.county.compare.costs import costs
from orchestration.county.compare.effects import effects
from orchestration.county.compare.figure import Compared, Truth
from orchestration.county.compare.links import links
from orchestration.county.compare.rates import rates
from orchestration.county.compare.seen import see

__all__ = ["Compared", "compare", "print_compared"]
KINDS = ("effect", "rate", "cost", "link")
FAR = 3  # standard errors beyond which a figure is marked


def compare(con: duckdb.DuckDBPyConnection, folder: Path) -> list[Compared]:
    """All figures of the truth that the release `con` (schemas internal and care) can tell.

    folder: the truth that `crisis county` wrote. Raises FileNotFoundError when it is no such folder.
    """
    truth, seen = Truth(folder), see(con)
    with truth.con, seen:
        found = [*effects(seen, truth), *rates(seen, truth), *costs(seen, truth), *links(seen, truth)]
    return sorted(found, key=lambda c: KINDS.index(c.kind))


def print_compared(found: list[Compared], console) -> None:
    """One table a kind, with units; those farther than three standard errors marked."""
    from rich import box
    from rich.table import Table

    for kind in dict.fromkeys(c.kind for c in found):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        lines = [c for c in found if c.kind == kind]
        sampled = any(c.standard_error is not None for c in lines)
        for column in (kind, "unit", "truth", "warehouse", "bias", *(("s.e.", "bias in s.e.") if sampled else ()), "n"):
            table.add_column(column, justify="left" if column in (kind, "unit") else "right", no_wrap=True)
        for c in lines:
            table.add_row(c.name, c.unit, *(_number(c, v) for v in (c.truth, c.estimate)), _number(c, c.bias, "+"),
                          *((_error(c), _deviation(c)) if sampled else ()), f"{c.n:,}" if c.n else "")  # fmt: skip
        console.print(table)
    judged = sum(c.deviation is not None for c in found)
    console.print(
        "bias: warehouse less truth; none: too few rows to tell. s.e.: standard error, of a ratio that of its logarithm"
        " (ln); empty where the truth\ncounts the same rows. repeat contacts: of the same person in the 30 days after;"
        " added: after served less after unserved contacts.\n"
        f"*: farther than {FAR} s.e.; of {judged} figures chance alone marks about {judged * 0.0027:.1f}."
    )


_DIGITS = {"dollars": 2, "seconds": 1, "ratio": 3, "share": 4, "per contact": 3}


def _number(c: Compared, value: float | None, sign: str = "") -> str:
    if value is None:
        return "none"
    digits = _DIGITS[c.unit]
    return f"{round(value, digits) + 0.0:{sign},.{digits}f}"  # adding zero takes the sign off a rounded -0


def _error(c: Compared) -> str:
    if c.standard_error is None:
        return ""
    return f"{'ln ' if c.unit == 'ratio' else ''}{c.standard_error:,.{_DIGITS[c.unit]}f}"


def _deviation(c: Compared) -> str:
    if c.deviation is None:
        return ""
    return f"{c.deviation:+.1f}" + (" *" if abs(c.deviation) > FAR else "  ")
