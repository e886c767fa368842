"""What a study of several starts found, as blocks and conclusion: the design staggered_adoption."""

from __future__ import annotations

import math

import duckdb

from orchestration.evaluation.blocks import (
    Block,
    Figure,
    Heading,
    Listing,
    Paragraph,
    TableBlock,
    Verdict,
    count,
    flow_rows,
    p_text,
    percent,
    refuse_small_cells,
    run_banner,
)
from orchestration.evaluation.design import Results, Run
from orchestration.evaluation.power import Detectable, of_means
from orchestration.evaluation.robustness_report import bounds_line, bounds_table, holm_table, power_blocks
from orchestration.evaluation.staggered import CALLAWAY_SANTANNA, FIXED_EFFECTS, IMPUTATION, StaggeredEffect
from orchestration.evaluation.staggered_analysis import Before, Measured, StaggeredAnalysis, analyze
from orchestration.evaluation.staggered_bundle import panel_csv, scripts
from orchestration.evaluation.staggered_figures import draw
from orchestration.evaluation.staggered_rows import EligibleRows, Rows, tells_few
from orchestration.evaluation.staggered_study import RowOutcome, StaggeredStudy
from orchestration.evaluation.study import StudyError

NAMES = {
    CALLAWAY_SANTANNA: "Callaway and Sant'Anna",
    IMPUTATION: "imputation",
    FIXED_EFFECTS: "two-way fixed effects (beside)",
}
COLUMNS = (
    "outcome", "estimator", "rows", "seen", "implied without", "difference (95 %)", "change", "p",
)  # fmt: skip
DATA = (
    "outcome", "role", "estimator", "rows", "seen", "implied_without", "difference", "low", "high", "clustered_error", "p_value",
)  # fmt: skip


def results(con: duckdb.DuckDBPyConnection, study: StaggeredStudy, run: Run) -> Results:
    """Runs such a study over an open release."""
    a = analyze(con, study)
    return Results(
        blocks=findings(a, run),
        figures=draw(a),
        conclusion=tuple(conclusion(a)),
        said=f"{sum(len(m.effects) for m in a.outcomes)} estimates of {len(a.outcomes)} outcomes",
        panel=panel_csv(a),
        counts=("n", "total") if study.primary.measure == "share" else ("n",),
        parts=(("n", "total"),) if study.primary.measure == "share" else (),
        scripts=lambda panel: scripts(a, panel),
        seed=study.permutation.seed,
    )


def amount(outcome: RowOutcome, value: float) -> str:
    """A value of an outcome as it is read: a share in percent, a mean with its unit, a count as it is."""
    if outcome.measure == "share":
        return f"{100 * value:.1f} %"
    return count(value) if outcome.measure == "count" else f"{value:,.1f} {outcome.unit}".strip()


def _change(outcome: RowOutcome, value: float) -> str:
    if outcome.measure == "share":
        return f"{100 * value:+.1f}"
    return f"{value:+,.0f}" if outcome.measure == "count" else f"{value:+,.1f}"


def _interval(outcome: RowOutcome, e: StaggeredEffect) -> str:
    unit = {"share": "points", "count": "", "mean": outcome.unit}[outcome.measure]
    return f"{_change(outcome, e.effect)} {unit} ({_change(outcome, e.low)} to {_change(outcome, e.high)})".replace(
        "  ", " "
    )


def _percent(value: float) -> str:
    return percent(value) if math.isfinite(value) else "not known"


def _rows_of(measured: Measured) -> list[tuple]:
    o = measured.outcome
    return [
        (o.label, NAMES[e.estimator], e.rows, amount(o, e.seen), amount(o, e.implied), _interval(o, e), _percent(e.change),
         p_text(e.p_value))
        for e in measured.effects
    ]  # fmt: skip


def _data_of(measured: Measured) -> list[tuple]:
    return [
        (measured.outcome.name, measured.outcome.role, e.estimator, e.rows,
         *(round(v, 6) for v in (e.seen, e.implied, e.effect, e.low, e.high, e.error, e.p_value)))
        for e in measured.effects
    ]  # fmt: skip


def _effects(name: str, title: str, measured: list[Measured], note: str = "") -> TableBlock:
    return TableBlock(
        name, title, COLUMNS, tuple(r for m in measured for r in _rows_of(m)), ("rows",), note,
        data=(DATA, tuple(r for m in measured for r in _data_of(m))),
        widths=("1.6fr", "1.5fr", "auto", "auto", "auto", "2fr", "auto", "auto"),
    )  # fmt: skip


def verdicts(a: StaggeredAnalysis) -> list[Verdict]:
    """The questions are fixed; what is seen follows from the numbers. Intervals are of 95 %."""
    o = a.primary.outcome
    found = [
        Verdict(
            "Does the interval of every estimator for several starts leave out zero?",
            "; ".join(f"{NAMES[e.estimator]} {_interval(o, e)}" for e in a.primary.effects if e.estimator != FIXED_EFFECTS),
            all(e.excludes_zero for e in a.primary.effects if e.estimator != FIXED_EFFECTS),
        ),
        Verdict(
            "Is the effect among the 5 % farthest of starts given to other places?",
            f"{a.permuted.share_as_far:.1%} of {len(a.permuted.estimates):,} draws lie as far"
            + ("" if a.study.treatment.randomized else " (nobody drew the real starts, so it describes)"),
            a.permuted.share_as_far <= 0.05,
        ),
    ]  # fmt: skip
    if math.isfinite(a.permuted.leads_p_value):
        found.append(
            Verdict(
                "Do places run level in the months before their start?",
                f"{len(a.since.leads)} month(s) before the one before the start; by permutation p ="
                f" {a.permuted.leads_p_value:.3f}",
                a.permuted.leads_p_value > 0.05,
            )
        )
    if a.spillover:
        near, permuted = a.spillover
        found.append(
            Verdict(
                f"Do places near treated ones run like those that lie far ({', '.join(a.study.spillover.units)})?",
                f"{_interval(o, near)} from the first start on; {permuted.share_as_far:.1%} of draws of places lie as far",
                permuted.share_as_far > 0.05,
            )
        )
    for m in (m for m in a.outcomes if m.outcome.role == "placebo"):
        found.append(
            Verdict(
                f"Does what the program should not move stay level: {m.outcome.label}?",
                _interval(m.outcome, m.main),
                not m.main.excludes_zero,
            )
        )
    return found


def conclusion(a: StaggeredAnalysis) -> list[str]:
    """Follows from the verdicts: what was found, whether it stands, and what the records do."""
    e, o, found = a.primary.main, a.primary.outcome, verdicts(a)
    fails = [v for v in found if not v.stands]
    if o.measure == "count":
        level = f"{count(e.seen)} seen, {count(e.implied)} implied without the program, {_percent(e.change)}."
    else:
        level = (
            f"{amount(o, e.seen)} seen, {amount(o, e.implied)} implied without the program, {_percent(e.change)}; over"
            f" {count(e.rows)} rows."
        )
    said = [
        f"{o.label[:1].upper()}{o.label[1:]}: {_interval(o, e)} where and when the program worked. {level}",
        f"{len(fails)} of {len(found)} questions that the design has to stand are answered with no. "
        + ("Nothing speaks against reading the difference as the program's, as far as they can tell." if not fails else
           "The difference cannot be assigned to the program from these data."),
    ]  # fmt: skip
    if "rambachan_roth" in a.study.robustness:
        said.append(bounds_line(a.bounds))
    if a.shifts:
        moved = [s.label for s in a.shifts if s.effect.excludes_zero]
        said.append(
            f"Records shift when the program starts: {'; '.join(moved)}. A population or an outcome that hangs on them"
            " would be chosen by the program; these hang on call type at open, place and time."
            if moved
            else "No shift of forms or final codes was found when the program starts."
        )
    return said


def methods(a: StaggeredAnalysis) -> list[str]:
    """Methods text, written from the study file."""
    s, o = a.study, a.primary.outcome
    starts = "; ".join(f"{x.month} in {', '.join(x.units)}: {x.why}" for x in s.treatment.starts)
    never = [u for u in s.unit.values if u not in s.start_of]
    hours = s.treatment.hours
    eligible = "; ".join(f"{r.column} is {' or '.join(r.values)}" for r in s.population.where)
    return [
        f"Design: staggered adoption over {len(s.unit.values)} places ({s.unit.column}) and the months"
        f" {s.population.data.first} to {s.population.data.last}. Estimand: {s.estimand.replace('_', ' ')} over all eligible"
        f" rows of the places and hours of the program. Eligible, before anybody arrives: {eligible}. Hours {hours.from_hour}"
        f" to {hours.to_hour}. {hours.why}",
        f"Starts: {starts}",
        f"Comparison: {s.comparison} Never treated within the data: {', '.join(never)}.",
        f"Primary outcome: {o.label}. {o.why}",
        *(f"Further outcome: {x.label}. {x.why}" for x in s.outcomes if x is not o),
        "Estimators: Callaway and Sant'Anna (2021), each start against places not yet treated and the last month before it,"
        " rows as a cross-section of each month, weighed by rows of each start (diff-diff); imputation, from fixed effects"
        " of places and months in untreated rows, with the conservative error of Borusyak, Jaravel and Spiess (2024)"
        " (diff-diff). Counts run in parallel as ratios, so they are imputed by Poisson (Wooldridge 2023, diff-diff) and"
        " have no estimate by differences. Two-way fixed effects (pyfixest, CRV1; Poisson for counts) stand beside: where"
        " starts differ they hold places against ones that are treated already, which misleads when effects grow or fade."
        f" Errors are clustered by {s.clustering}: of Callaway and Sant'Anna from influence functions summed by place, times"
        " G / (G - 1) for G places; of imputation without such a factor; of two-way fixed effects CRV1 with pyfixest's"
        f" default. Intervals take t with {len(s.unit.values) - 1} degrees of freedom.",
        f"Whether form and re-code rates shift when the program starts: {'tested' if s.form_and_recode_shift.tested else 'not tested'}."
        f" {s.form_and_recode_shift.why}",
        f"Cells of 1 to {s.suppression - 1} are not shown. Seed of all draws: {s.permutation.seed}.",
    ]  # fmt: skip


def findings(a: StaggeredAnalysis, run: Run) -> list[Block]:
    """The report. Raises StudyError if a count of 1 to 10 would leave."""
    s = a.study
    _refuse_small_shares(a)
    by_role = lambda role: [m for m in a.outcomes if m.outcome.role == role]  # noqa: E731
    blocks: list[Block] = [
        *run_banner(run.kind),
        Paragraph(s.question.strip()),
        *(Paragraph(line, strong=True) for line in conclusion(a)),
        _effects(
            "main", "The primary outcome", [a.primary],
            "Seen and implied are per row in the treated places and months, or of a count the number. The first estimator is the"
            " main one.",
        ),
        *(Paragraph(x) for x in run.notes),
        TableBlock(
            "verdicts", "What the result has to stand", ("question", "seen", "stands"),
            tuple((v.question, v.seen, "yes" if v.stands else "no") for v in verdicts(a)),
        ),
        Heading("Known before, and frozen"),
        Paragraph(s.known_before),
        Paragraph(f"Registered on {s.registered_on}; {run.kind} run of the study file {run.sha256[:16]}, on release {run.release}."),
        Heading("Methods"),
        *(Paragraph(x) for x in methods(a)),
        Heading("Rows from landed to analyzed"),
        TableBlock(
            "flow", "Flow of rows", ("step", "left out", "remain"), flow_rows(a.flow, s.suppression), ("left out", "remain"),
            "Each step's remaining rows are those of the step before less the rows left out.",
        ),
        TableBlock(
            "table_one", "Before the first start: places that start later, and places that never do (Table 1)",
            ("outcome", "months", "rows, later", "rows, never", "later", "never", "standardized difference"),
            tuple(
                (b.outcome.label, b.months, *(["not shown"] * 5 if k in a.withheld else (b.later_rows, b.never_rows, *_levels(b, s.suppression))))
                for k, b in enumerate(a.before)
            ),
            ("rows, later", "rows, never"),
            "A share or mean is per row, a count per place and month. A share of 1 to 10 rows is not shown, nor what differs"
            " from another count by so few.",
        ),
        Figure("monthly", f"{s.primary.label} by month", "Lines of the primary outcome by month, one for the places of each start."),
        Heading("Months since the start"),
        Figure("since", "Effects by months since the start, 95 % intervals", "Effects of the primary outcome by months since the start."),
        TableBlock(
            "event_study", "Effects by months since the start", ("months since the start", "difference", "95 %"),
            tuple(
                (f"{m:+d}", _change(s.primary, e), f"{_change(s.primary, lo)} to {_change(s.primary, hi)}" if m != -1 else "reference")
                for m, e, lo, hi in zip(a.since.since, a.since.effects, a.since.low, a.since.high, strict=True)
            ),
        ),
        Heading("Further outcomes", True),
        _effects("outcomes", "Secondary outcomes", by_role("secondary")),
        _effects("placebos", "What the program should not move", by_role("placebo")),
        *_shift_blocks(a),
        Heading("Starts given to other places"),
        Paragraph(
            f"{a.permuted.share_as_far:.1%} of {len(a.permuted.estimates):,} draws lie as far from zero as the real starts."
            + ("" if s.treatment.randomized else " Nobody drew the real ones by lot, so the share describes and is no test.")
        ),
        Figure("permutation", "Effects of drawn starts", "Histogram of effects of drawn starts with the real one marked."),
        *_robustness(a),
        *(power_blocks(_detectable(s, a.rows), s.power.why) if s.power else ()),
        Heading("Limits"),
        Listing(s.limits),
        Heading("References"),
        Listing(s.references),
    ]  # fmt: skip
    blocks = [b for b in blocks if not (isinstance(b, TableBlock) and not b.rows)]
    refuse_small_cells(s, blocks, a.derivable)
    return blocks


def _levels(b: Before, smallest: int) -> tuple[str, str, str]:
    """Later, never, standardized difference; a share that tells of too few rows, or all but too few, is not shown."""
    if b.outcome.measure == "count":
        return f"{b.later:,.1f}", f"{b.never:,.1f}", f"{b.standardized:+.2f}"
    hidden = [
        b.outcome.measure == "share" and tells_few(rows, value, smallest)
        for rows, value in ((b.later_rows, b.later), (b.never_rows, b.never))
    ]
    shown = ["not shown" if h else amount(b.outcome, v) for h, v in zip(hidden, (b.later, b.never), strict=True)]
    return shown[0], shown[1], "not shown" if any(hidden) else f"{b.standardized:+.2f}"


def _refuse_small_shares(a: StaggeredAnalysis) -> None:
    """Raises StudyError where a share of treated rows tells of too few."""
    shares = [(m.outcome.label, m.main.rows, m.main.seen) for m in a.outcomes if m.outcome.measure == "share"]
    shares += [
        (x.label, n, v) for x in a.shifts for n, v in ((x.rows_before, x.before), (x.effect.rows, x.effect.seen))
    ]
    for label, rows, share in shares:
        if tells_few(rows, share, a.study.suppression):
            raise StudyError(
                f"{a.study.study_id}: '{label}' tells of 1 to {a.study.suppression - 1} rows, which may not leave the internal"
                " tier; take more places or months, or a wider rule"
            )


def _robustness(a: StaggeredAnalysis) -> list[Block]:
    """What the study's robustness list asks for."""
    s = a.study
    blocks: list[Block] = []
    if "rambachan_roth" in s.robustness:
        blocks += [Paragraph(bounds_line(a.bounds)), bounds_table(a.bounds, lambda v: _change(s.primary, v))]
    if "holm" in s.robustness:
        rows = [m for m in a.outcomes if m.outcome.role == "secondary"]
        blocks.append(holm_table([(m.outcome.label, m.main.p_value) for m in rows]))
    return [Heading("The same question by other means"), *blocks] if blocks else []


def detectable(con: duckdb.DuckDBPyConnection, study: StaggeredStudy) -> Detectable:
    """What the study can find, from rows of places before their own start alone."""
    return _detectable(study, EligibleRows(con, study).outcome(study.primary))


def _detectable(study: StaggeredStudy, rows: Rows) -> Detectable:
    return of_means(rows, study.power.share, study.power.expected)


def _shift_blocks(a: StaggeredAnalysis) -> list[Block]:
    if not a.shifts:
        return []
    return [
        Heading("Forms and final codes"),
        Paragraph(
            "Where these move with the program, a comparison of forms, or of calls by their final code, is chosen by the"
            " program. " + a.study.form_and_recode_shift.why
        ),
        TableBlock(
            "shift", "Whether records shift when the program starts",
            ("share of eligible rows", "rows before", "before", "rows after", "after", "shift, points (95 %)", "p", "shifts"),
            tuple(
                (x.label, x.rows_before, f"{100 * x.before:.1f} %", x.effect.rows, f"{100 * x.effect.seen:.1f} %",
                 f"{100 * x.effect.effect:+.1f} ({100 * x.effect.low:+.1f} to {100 * x.effect.high:+.1f})",
                 p_text(x.effect.p_value), "yes" if x.effect.excludes_zero else "not found")
                for x in a.shifts
            ),
            ("rows before", "rows after"), "Callaway and Sant'Anna over eligible rows in program hours; before: places that start later.",
        ),
    ]  # fmt: skip
