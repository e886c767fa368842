"""The design difference_in_differences: places and months with one start."""

from __future__ import annotations

import duckdb

from orchestration.evaluation.analysis import analyze
from orchestration.evaluation.bundle import panel_csv, scripts
from orchestration.evaluation.design import Results, Run
from orchestration.evaluation.figures import draw
from orchestration.evaluation.findings import conclusion, findings
from orchestration.evaluation.study import Study


def results(con: duckdb.DuckDBPyConnection, study: Study, run: Run) -> Results:
    """Runs such a study over an open release."""
    analysis = analyze(con, study)
    notes = tuple(n.format(fewer_reports=f"{analysis.main.effect.averted:,.0f}") for n in run.notes)
    return Results(
        blocks=findings(analysis, run.kind, run.release, run.sha256, notes),
        figures=draw(analysis),
        conclusion=tuple(conclusion(analysis)),
        said=f"{len(analysis.curve)} specifications estimated",
        panel=panel_csv(study, analysis.panel),
        counts=("n",),
        scripts=lambda panel: scripts(analysis, panel),
        seed=study.permutation.seed,
    )
