"""The design difference_in_differences: places and months with one start."""

from __future__ import annotations

import duckdb

from orchestration.evaluation.analysis import Analysis, analyze
from orchestration.evaluation.blocks import Block
from orchestration.evaluation.bundle import panel_csv, scripts
from orchestration.evaluation.cost import tables_read, with_cost
from orchestration.evaluation.design import Results, Run
from orchestration.evaluation.figures import draw
from orchestration.evaluation.findings import conclusion, findings
from orchestration.evaluation.panel import Counts, Panel
from orchestration.evaluation.power import Detectable, of_counts
from orchestration.evaluation.robustness_report import place_blocks, power_blocks
from orchestration.evaluation.study import Study


def results(con: duckdb.DuckDBPyConnection, study: Study, run: Run) -> Results:
    """Runs such a study over an open release."""
    analysis = analyze(con, study)
    notes = tuple(n.format(fewer_reports=f"{analysis.main.effect.averted:,.0f}") for n in run.notes)
    blocks = findings(analysis, run.kind, run.release, run.sha256, notes, [*place_blocks(analysis), *_power(analysis)])
    blocks, figures = with_cost(con, study, analysis, blocks, draw(analysis))
    return Results(
        blocks=blocks,
        figures=figures,
        conclusion=tuple(conclusion(analysis)),
        said=f"{len(analysis.curve)} specifications estimated",
        panel=panel_csv(study, analysis.panel),
        counts=("n",),
        scripts=lambda panel: scripts(analysis, panel),
        seed=study.permutation.seed,
        reads=tables_read(study),
    )


def detectable(con: duckdb.DuckDBPyConnection, study: Study) -> Detectable:
    """What the study can find, from the months of its main base alone."""
    return _detectable(study, Counts(con, study).panel(study.main.outcome))


def _detectable(study: Study, panel: Panel) -> Detectable:
    treated, base = panel.of(study.places[study.main.place].units), study.base(study.main.base).months
    return of_counts(panel, treated, base, study.after, study.power.share, study.power.expected)


def _power(a: Analysis) -> list[Block]:
    return power_blocks(_detectable(a.study, a.panel), a.study.power.why) if a.study.power else []
