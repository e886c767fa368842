"""The design individual: rows of which some were served, or drawn by lot."""

from __future__ import annotations

import duckdb

from orchestration.evaluation import cost
from orchestration.evaluation.design import Results, Run
from orchestration.evaluation.people.analysis import analyze
from orchestration.evaluation.people.bundle import ROWS, rows_csv, scripts, tables_read
from orchestration.evaluation.people.figures import draw
from orchestration.evaluation.people.findings import conclusion, findings
from orchestration.evaluation.people.study import IndividualStudy


def results(con: duckdb.DuckDBPyConnection, study: IndividualStudy, run: Run) -> Results:
    """Runs such a study over an open release."""
    a = analyze(con, study)
    blocks, figures = cost.with_cost(con, study, a, findings(a, run), draw(a))
    return Results(
        blocks=blocks,
        figures=figures,
        conclusion=tuple(conclusion(a)),
        said=f"{len(a.rows):,} rows, {len(a.effects)} estimates",
        panel=rows_csv(a),
        counts=(),
        scripts=lambda written: scripts(a, written),
        seed=study.seed,
        reads=(*tables_read(study), *cost.tables_read(study)),
        file=ROWS,
        is_sealed=True,
    )
