"""What a design gives for its bundle, and which design a study has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from orchestration.evaluation.blocks import Block
    from orchestration.evaluation.power import Detectable
    from orchestration.evaluation.study import Question


@dataclass(frozen=True)
class Run:
    """One run of a study. kind: final or exploratory; notes: paragraphs that stand beside the result."""

    kind: str
    release: str
    sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """What a bundle is written from.

    figures: {name: SVG}. said: one line on how much was estimated. panel: CSV of the main model's data, whose columns
    `counts` must hold no small cell, nor leave one of the pairs `parts`, if it is to be public. scripts: from what is said of the panel, {file name: text}. reads: files of
    the release that it reads beside its population's table. file: where the main model's data lie. is_sealed: whether
    they may never be public.
    """

    blocks: list[Block]
    figures: dict[str, str]
    conclusion: tuple[str, ...]
    said: str
    panel: str
    counts: tuple[str, ...]
    scripts: Callable[[dict], dict[str, str]]
    seed: int
    parts: tuple[tuple[str, str], ...] = ()
    reads: tuple[str, ...] = ()
    file: str = "data/panel.csv"
    is_sealed: bool = False


# A module of this package each, with results(con, study, run) and detectable(con, study).
DESIGNS = {
    "difference_in_differences": "places",
    "staggered_adoption": "staggered_report",
    "individual": "people.report",
}


def results(con: duckdb.DuckDBPyConnection, study: Question, run: Run) -> Results:
    """Runs a study over an open release, as its design asks."""
    return _module(study).results(con, study, run)


def detectable(con: duckdb.DuckDBPyConnection, study: Question) -> Detectable:
    """What a study with `power` can find, from untreated places and months alone."""
    return _module(study).detectable(con, study)


def _module(study: Question):
    return import_module(f"orchestration.evaluation.{DESIGNS[study.design]}")
