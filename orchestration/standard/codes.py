"""Reads the standard's code lists (seeds/codes/codes_<list>.csv; the first column is the code)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestration.settings import PROJECT

FOLDER = PROJECT / "seeds" / "codes"


def code_list_names(folder: Path = FOLDER) -> list[str]:
    """Names of all code lists, sorted."""
    return sorted(p.stem.removeprefix("codes_") for p in folder.glob("codes_*.csv"))


@dataclass(frozen=True)
class CodeTable:
    """One code list as its file holds it: the columns' names, and rows of texts in file order."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@cache
def code_table(name: str, folder: Path = FOLDER) -> CodeTable:
    """One code list with all of its columns. Raises FileNotFoundError for an unknown list."""
    with (folder / f"codes_{name}.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return CodeTable(name, tuple(header), tuple(tuple(row) for row in rows if row))


@cache
def code_list(name: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """The codes of one list, in file order. Raises FileNotFoundError for an unknown list."""
    return tuple(row[0] for row in code_table(name, folder).rows)
