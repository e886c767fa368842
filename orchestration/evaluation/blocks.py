"""What reports are made of: blocks of text, tables and figures, how numbers are read, and what may not be told.

How blocks look is for `render` to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.evaluation.freeze import EXPLORATORY
from orchestration.evaluation.panel import FlowStep
from orchestration.evaluation.study import Question, StudyError


@dataclass(frozen=True)
class Heading:
    text: str
    on_new_page: bool = False


@dataclass(frozen=True)
class Paragraph:
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Listing:
    items: tuple[str, ...]


@dataclass(frozen=True)
class TableBlock:
    """A table. rows: cells as text or numbers; counts: the columns that are counts of records, which must not be small.

    parts: pairs of columns, a count and a part of it: what is left must not be small either. in_report: whether it is
    printed there, or only written as CSV. data: columns and rows of the CSV where they are not those that are shown.
    widths: of the columns in the PDF.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple, ...]
    counts: tuple[str, ...] = ()
    note: str = ""
    in_report: bool = True
    data: tuple[tuple[str, ...], tuple[tuple, ...]] | None = None
    widths: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()

    def small_cells(self, smallest: int) -> list[str]:
        """Cells of 1 to `smallest` - 1, shown or in the CSV, and what follows from them by subtraction within a row."""
        return [
            f"{row[0]}, {what}"
            for columns, rows in ((self.columns, self.rows), self.data or ((), ()))
            for row in rows
            for what, n in self._cells(dict(zip(columns, row, strict=True)))
            if 0 < n < smallest
        ]

    def _cells(self, row: dict) -> Iterable[tuple[str, int]]:
        yield from ((c, row[c]) for c in self.counts if isinstance(row.get(c), int))
        for whole, part in self.parts:
            if isinstance(row.get(whole), int) and isinstance(row.get(part), int):
                yield f"{whole} less {part}", row[whole] - row[part]


@dataclass(frozen=True)
class Figure:
    """A figure by the name of its drawing in `figures`. alt: what it shows, in words."""

    name: str
    title: str
    alt: str


Block = Heading | Paragraph | Listing | TableBlock | Figure


def percent(value: float) -> str:
    return f"{100 * value:+.1f} %"


def count(value: float) -> str:
    return f"{value:,.0f}"


def p_text(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


@dataclass(frozen=True)
class Verdict:
    """One question that the result has to stand, what was seen, and whether it stands."""

    question: str
    seen: str
    stands: bool


def run_banner(kind: str) -> list[Block]:
    """What stands first where a run is exploratory."""
    said = "EXPLORATORY: the study file was not frozen as it is now before these results were seen."
    return [Paragraph(said, True)] if kind == EXPLORATORY else []


def refuse_small_cells(study: Question, blocks: list[Block], others: Iterable[str] = ()) -> None:
    """Raises StudyError if a count of a table is too small to leave the internal tier, or one that follows from others."""
    small = [f"{b.name}: {c}" for b in blocks if isinstance(b, TableBlock) for c in b.small_cells(study.suppression)]
    small += others
    if small:
        raise StudyError(
            f"{study.study_id}: a cell of 1 to {study.suppression - 1} may not leave the internal tier ({small[0]});"
            " take wider months, more places or a wider outcome"
        )


def flow_rows(flow: tuple[FlowStep, ...], smallest: int) -> tuple[tuple, ...]:
    """The steps, each that leaves out a small number taken together with the next one."""
    rows: list[tuple] = []
    names, gone = [], 0
    for s in flow:
        names, gone = [*names, s.step], gone + s.left_out
        if not 0 < gone < smallest:
            rows.append(("; ".join(names), gone, s.remain))
            names, gone = [], 0
    if names:
        step, left_out, _ = rows.pop()
        rows.append(("; ".join([step, *names]), left_out + gone, flow[-1].remain))
    return tuple(rows)
