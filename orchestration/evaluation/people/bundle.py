"""What makes a bundle of a study of rows: its rows, which are sealed always, and scripts for other programs."""

from __future__ import annotations

import csv
import io

import numpy as np

from orchestration.evaluation.people.analysis import PeopleAnalysis
from orchestration.evaluation.people.rows import tables_of
from orchestration.evaluation.people.study import WEIGHTED, IndividualStudy

ROWS = "data/rows.csv"


def tables_read(study: IndividualStudy) -> tuple[str, ...]:
    """The release's files that a study reads beside its population's table."""
    return tuple(f"{t.replace('.', '/')}.parquet" for t in tables_of(study))


def rows_csv(a: PeopleAnalysis) -> str:
    """A row per row of the population: arm, cluster, what was known before, the main estimate's weight, outcomes (empty: not known).

    Numbered in the order of the release's ids, which stay behind.
    """
    r, s = a.rows, a.study
    columns: dict[str, np.ndarray] = {"arm": r.treated.astype(int), "cluster": r.cluster, "unit": r.unit}
    if r.received is not None:
        columns["received"] = r.received.astype(int)
    columns |= {c: r.columns[c] for c in s.columns}
    columns["weight"] = np.round(a.main_weights, 7)
    columns |= {o.name: np.where(np.isnan(v), "", np.nan_to_num(v).astype(int).astype(str)) for o, v in zip(s.outcomes, r.outcomes.values(), strict=True)}  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", *columns])
    writer.writerows(zip(range(1, len(r) + 1), *(c.tolist() for c in columns.values()), strict=True))
    return out.getvalue()


def scripts(a: PeopleAnalysis, written: dict) -> dict[str, str]:
    """{file name: text} of a Stata and an R script that rerun the main estimate and stop where they disagree."""
    s, d = a.study, a.main.difference
    y, weight = s.main.outcome, "weight" if s.main.estimator in WEIGHTED else ""
    strata = s.treatment.lottery.strata if s.treatment.lottery else ()
    head = (
        f"{s.title}: the main estimate, again.",
        f"Run it from the bundle's folder. The data have a row per row of the population and are sealed: put them at {ROWS}.",
        f"SHA-256 of the data: {written['sha256']}",
    )
    known = {"file": ROWS, "y": y, "b": d.difference, "se": d.error, "columns": ", ".join(f'"{c}"' for c in strata)}
    return {
        "main_model.do": STATA.format(
            head="\n".join(f"* {x}" for x in head), **known,
            fit=(f"egen stratum = group({' '.join(strata)})\nareg {y} arm, absorb(stratum) vce(cluster cluster)" if strata
                 else f"regress {y} arm{f' [pweight = {weight}]' if weight else ''}, vce(cluster cluster)"),
            # areg counts the strata among what it estimates; so does the default of fixest where clusters span them.
            tolerance="1e-3" if strata else "1e-5",
        ),
        "main_model.R": R.format(
            head="\n".join(f"# {x}" for x in head), **known,
            fit=f"feols({y} ~ arm{' | ' + '^'.join(strata) if strata else ''}, rows, cluster = ~cluster"
            + (f", weights = ~{weight})" if weight else ")"),
        ),
    }  # fmt: skip


STATA = """\
{head}
version 14
import delimited "{file}", clear
drop if missing({y})
{fit}
display "difference " _b[arm] "  error " _se[arm]
assert abs(_b[arm] - ({b:.9f})) < 1e-5
assert abs(_se[arm] - {se:.9f}) < {tolerance}
"""

R = """\
{head}
# Needs the package fixest; its default small-sample correction is the one that was used.
library(fixest)
rows <- read.csv("{file}", stringsAsFactors = FALSE)
rows <- rows[!is.na(rows${y}), ]
fit <- {fit}
print(summary(fit))
stopifnot(abs(coef(fit)[["arm"]] - ({b:.9f})) < 1e-5)
stopifnot(abs(se(fit)[["arm"]] - {se:.9f}) < 1e-5)
"""
