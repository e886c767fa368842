"""Reads the standard's code lists (seeds/codes/codes_<list>.csv; the first column is the code)."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from orchestration.settings import PROJECT

FOLDER = PROJECT / "seeds" / "codes"


def code_list_names(folder: Path = FOLDER) -> list[str]:
    """Names of all code lists, sorted."""
    return sorted(p.stem.removeprefix("codes_") for p in folder.glob("codes_*.csv"))


@cache
def code_list(name: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """The codes of one list, in file order. Raises FileNotFoundError for an unknown list."""
    with (folder / f"codes_{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        return tuple(row[0] for row in rows if row)
