"""What makes a bundle of a study of several starts: its panel, and scripts for other programs."""

from __future__ import annotations

import csv
import io

from orchestration.evaluation.bundle import PANEL
from orchestration.evaluation.staggered import IMPUTATION
from orchestration.evaluation.staggered_analysis import StaggeredAnalysis


def panel_csv(a: StaggeredAnalysis) -> str:
    """The primary outcome by place and month: how many rows, and their sum."""
    n, total, _ = a.rows.cells()
    is_whole = a.study.primary.measure != "mean"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("unit", "month", "period", "start", "is_on", "n", "total"))
    writer.writerows(
        (
            u, m, j + 1, int(start) + 1 if start < len(a.rows.months) else 0, int(j >= start), int(n[i, j]),
            int(total[i, j]) if is_whole else round(float(total[i, j]), 6),
        )
        for i, (u, start) in enumerate(zip(a.rows.units, a.rows.starts, strict=True))
        for j, m in enumerate(a.rows.months)
    )  # fmt: skip
    return out.getvalue()


def scripts(a: StaggeredAnalysis, panel: dict) -> dict[str, str]:
    """{file name: text} of a Stata and an R script that impute the primary outcome again and stop where they disagree."""
    found = [e for e in a.primary.effects if e.estimator == IMPUTATION]
    if not found:
        return {}
    where = f"It lies in {PANEL}." if panel["is_public"] else f"It is sealed: put it at {PANEL}."
    head = (
        f"{a.study.title}: the imputation estimate of the primary outcome, again.",
        f"Run it from the bundle's folder. The panel has a row per place and month. {where}",
        f"SHA-256 of the panel: {panel['sha256']}",
    )
    texts = (STATA_COUNT, R_COUNT) if a.study.primary.measure == "count" else (STATA, R)
    return {
        name: text.format(head="\n".join(f"{mark} {x}" for x in head), effect=found[0].effect, file=PANEL)
        for name, mark, text in (("main_model.do", "*", texts[0]), ("main_model.R", "#", texts[1]))
    }


STATA = """\
{head}
version 14
import delimited "{file}", clear stringcols(1 2)
drop if n == 0
generate double mean = total / n
encode unit, generate(place)
regress mean i.place i.period [aweight = n] if !is_on
predict double without
generate double effect = mean - without
summarize effect [aweight = n] if is_on
display "effect " r(mean)
assert abs(r(mean) - ({effect:.9f})) < 1e-4
"""

R = """\
{head}
panel <- read.csv("{file}", colClasses = c(unit = "character", month = "character"))
panel <- panel[panel$n > 0, ]
panel$mean <- panel$total / panel$n
untreated <- lm(mean ~ factor(unit) + factor(period), panel[panel$is_on == 0, ], weights = n)
treated <- panel[panel$is_on == 1, ]
effect <- weighted.mean(treated$mean - predict(untreated, treated), treated$n)
print(effect)
stopifnot(abs(effect - ({effect:.9f})) < 1e-4)
"""

STATA_COUNT = """\
{head}
version 14
import delimited "{file}", clear stringcols(1 2)
encode unit, generate(place)
poisson n i.place i.period if !is_on
predict double without
generate double effect = n - without
summarize effect if is_on
display "effect " r(sum)
assert abs(r(sum) - ({effect:.9f})) < 1e-2
"""

R_COUNT = """\
{head}
panel <- read.csv("{file}", colClasses = c(unit = "character", month = "character"))
untreated <- glm(n ~ factor(unit) + factor(period), poisson, panel[panel$is_on == 0, ])
treated <- panel[panel$is_on == 1, ]
effect <- sum(treated$n - predict(untreated, treated, type = "response"))
print(effect)
stopifnot(abs(effect - ({effect:.9f})) < 1e-2)
"""
