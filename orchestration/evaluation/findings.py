"""What a study of places with one start found, as blocks of text, tables and figures.

Words: fewer offense reports, partly because responders who are not police write none. A count of reports is never
called a count of what happened, and nothing here is money kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from orchestration.evaluation.analysis import Analysis, Named
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
from orchestration.evaluation.estimators import Permuted

EFFECT_COLUMNS = (
    "what", "outcome", "base", "reports before", "reports seen", "implied without", "fewer reports (95 %)",
    "change (95 %)", "p",
)  # fmt: skip
EFFECT_WIDTHS = ("2fr", "1.7fr", "auto", "auto", "auto", "auto", "auto", "auto", "auto")
EFFECT_COUNTS = ("reports before", "reports seen", "reports_before", "reports_seen")
EFFECT_DATA = (
    "what", "outcome", "place", "base_first", "base_last", "after_first", "after_last", "days", "hours", "estimator",
    "reports_before", "reports_seen", "implied_without", "fewer_reports", "fewer_low", "fewer_high", "change",
    "change_low", "change_high", "coefficient", "clustered_error", "p_value",
)  # fmt: skip


def _effect_row(named: Named) -> tuple:
    e = named.effect
    levels = (
        e.before, e.observed, count(e.counterfactual),
        f"{count(e.averted)} ({count(e.averted_low)} to {count(e.averted_high)})",
    )  # fmt: skip
    return (
        named.name, named.outcome.replace("_", " "), f"{named.before.first} to {named.before.last}",
        *(levels if named.is_told else ("withheld",) * 4),
        f"{percent(e.change)} ({100 * e.change_low:+.1f} to {100 * e.change_high:+.1f})",
        p_text(e.p_value),
    )  # fmt: skip


def _effect_data(named: Named) -> tuple:
    e = named.effect
    levels = (
        e.before,
        e.observed,
        *(round(n, 6) for n in (e.counterfactual, e.averted, e.averted_low, e.averted_high)),
    )
    changes = tuple(round(n, 6) for n in (e.change, e.change_low, e.change_high))
    scale = tuple(round(n, 6) for n in (e.coefficient, e.error))
    if not named.is_told:  # nor what the levels follow from: of linear counts the coefficient is in rows
        levels, scale = ("",) * len(levels), ("",) * len(scale)
    return (
        named.name, named.outcome, named.place, named.before.first, named.before.last, named.after.first,
        named.after.last, named.days, named.hours, e.estimator, *levels, *changes, *scale, round(e.p_value, 6),
    )  # fmt: skip


def verdicts(a: Analysis) -> list[Verdict]:
    """The questions are fixed; what is seen follows from the numbers. Intervals are of 95 %."""
    e, found = a.main.effect, []
    if a.study.published:
        p = a.study.published
        without = p.averted / (-p.change_percent / 100)
        low, high = e.observed + e.averted_low, e.observed + e.averted_high
        found += [
            Verdict(
                "Is the published percentage inside the interval?",
                f"{p.change_percent:+.0f} % published, {percent(e.change)} found ({percent(e.change_low)} to {percent(e.change_high)})",
                e.change_low <= p.change_percent / 100 <= e.change_high,
            ),
            Verdict(
                "Is the published number of reports inside the interval?",
                f"{count(p.averted)} published, {count(e.averted)} found ({count(e.averted_low)} to {count(e.averted_high)})",
                e.averted_low <= p.averted <= e.averted_high,
            ),
            Verdict(
                "Is the count that the published figures imply without the program inside the interval?",
                f"{count(without)} implied, {count(e.counterfactual)} found ({count(low)} to {count(high)})",
                low <= without <= high,
            ),
        ]
    primary = a.main.outcome
    for outcome in (a.study.outcome(primary), *(o for o in a.study.outcomes if o.role == "placebo")):
        those = [n for n in a.placebos if n.outcome == outcome.name]
        moved = [n.name for n in those if _excludes_zero(n)]
        found.append(
            Verdict(
                f"Do starts that never happened show nothing for {outcome.label}?",
                f"{len(moved)} of {len(those)} intervals leave out zero" + (f": {', '.join(moved)}" if moved else ""),
                not moved,
            )
        )
    unmoved = [n for n in a.bases if n.outcome != primary]
    moved = [n.name for n in unmoved if _excludes_zero(n)]
    found.append(
        Verdict(
            "Does what the program should not move stay level, on each base?",
            f"{len(moved)} of {len(unmoved)} intervals leave out zero; estimates from"
            f" {percent(min(n.effect.change for n in unmoved))} to {percent(max(n.effect.change for n in unmoved))}",
            not moved,
        )
    )
    outside = next(n for n in a.hours if n.outcome == primary and n.hours == "outside")
    inside = next(n for n in a.hours if n.outcome == primary and n.hours == "inside")
    found.append(
        Verdict(
            "Is there nothing outside program hours, when no team worked?",
            f"{percent(outside.effect.change)} outside, {percent(inside.effect.change)} inside;"
            f" {count(outside.effect.averted)} of {count(outside.effect.averted + inside.effect.averted)} fewer reports lie outside",
            not _excludes_zero(outside),
        )
    )
    if a.spillover:
        near, permuted = a.spillover
        found.append(
            Verdict(
                "Do untreated places near the treated ones run like those that lie far?",
                f"{percent(near.effect.change)}; {permuted.share_as_far:.1%} of sets of as many untreated places lie as far",
                permuted.share_as_far > 0.05,
            )
        )
    bases = [n for n in a.bases if n.outcome == primary]
    found.append(
        Verdict(
            "Does the interval leave out zero on every base?",
            "; ".join(f"{n.name} {percent(n.effect.change)}" for n in bases),
            all(_excludes_zero(n) for n in bases),
        )
    )
    found.append(
        Verdict(
            "Do treated and other places run level in the months before the start?",
            f"joint test of {a.events.leads} leads: permutation of places p = {a.leads_permuted:.3f};"
            f" Wald p = {a.events.leads_p_value:.5f}, which rejects too often with so few places",
            a.leads_permuted > 0.05,
        )
    )
    found.append(
        Verdict(
            "Is the fall among the deepest 5 % of contiguous sets of like volume?",
            f"{a.contiguous.share_as_low:.1%} of {len(a.contiguous.estimates):,} sets fall as far;"
            f" on average {a.contiguous.overlap:.1f} of their places are treated ones (descriptive)",
            a.contiguous.share_as_low <= 0.05,
        )
    )
    return found


def _excludes_zero(named: Named) -> bool:
    return named.effect.change_low > 0 or named.effect.change_high < 0


def conclusion(a: Analysis) -> list[str]:
    """Follows from the verdicts: what was found, whether it is what was published, and whether it is the program's."""
    e, found = a.main.effect, verdicts(a)
    low, high = sorted((e.averted_low, e.averted_high))
    said = [
        f"In these places {count(e.averted)} {'fewer' if e.averted > 0 else 'more'} offense reports were written than the"
        f" main specification implies without the program ({count(low)} to {count(high)}): {count(e.observed)} seen,"
        f" {count(e.counterfactual)} implied, {percent(e.change)}. There are fewer offense reports partly because"
        " responders who are not police write none."
    ]
    if a.study.published:
        names = ("percentage", "number of reports", "count that they imply without the program")
        inside = [n for n, v in zip(names, found[:3], strict=True) if v.stands]
        outside = [n for n, v in zip(names, found[:3], strict=True) if not v.stands]
        said.append(
            f"Of the published figures, inside the intervals: {', '.join(inside) or 'none'}; outside:"
            f" {', '.join(outside) or 'none'}. "
            + (
                "What is counted here is then not what was counted there: the published result is not reproducible from"
                " public data."
                if outside
                else "The published result is within what these data give."
            )
        )
    checks = found[3:] if a.study.published else found
    fails = sum(not v.stands for v in checks)
    said.append(
        f"{fails} of {len(checks)} questions that the design has to stand are answered with no. "
        + ("Nothing speaks against reading the fall as the program's, as far as they can tell." if not fails else
           "The fall cannot be assigned to the program from these data.")
    )  # fmt: skip
    return said


def _withheld(a: Analysis) -> str:
    return f"they differ by 1 to {a.study.suppression - 1} from others that lie within them, or that they lie within."


def curve_summary(a: Analysis) -> str:
    changes = np.array([n.effect.change for n in a.curve])
    averted = np.array([n.effect.averted for n in a.curve])
    shown = np.array([n.effect.averted for n in a.curve if n.is_told])
    left_out = sum(_excludes_zero(n) for n in a.curve)
    said = (
        f"{len(a.curve)} specifications: {len(a.study.curve.outcomes)} outcomes, {len(a.study.curve.places)} sets of"
        f" places, {len(a.study.curve.bases)} bases, {len(a.study.curve.days)} ways of days,"
        f" {len(a.study.curve.estimators)} estimators. Change from {percent(changes.min())} to {percent(changes.max())},"
        f" median {percent(float(np.median(changes)))}; fewer reports from {count(shown.min())} to"
        f" {count(shown.max())}, median {count(float(np.median(shown)))}. The interval leaves out zero in {left_out}."
    )
    if len(shown) < len(a.curve):
        said += f" The reports of {len(a.curve) - len(shown)} specifications are withheld: {_withheld(a)}"
    if a.study.published:
        p = a.study.published
        near = int(((changes > p.change_percent / 100 - 0.05) & (changes < p.change_percent / 100 + 0.05)).sum())
        reach = int((averted >= p.averted).sum())
        both = int((((changes > p.change_percent / 100 - 0.05) & (changes < p.change_percent / 100 + 0.05)) & (averted >= p.averted)).sum())  # fmt: skip
        said += (
            f" {near} lie within five points of the published percentage, {reach} reach the published number of reports,"
            f" {both} do both. The curve describes how fragile the number is; it is no place to look for the published one."
        )
    return said


def _permutation_rows(a: Analysis) -> tuple[tuple, ...]:
    def row(name: str, p: Permuted) -> tuple:
        return (
            name, len(p.estimates), percent(float(np.expm1(p.treated))), f"{p.share_as_low:.4f}", f"{p.share_as_far:.4f}",
            f"{p.overlap:.1f}",
        )  # fmt: skip

    low, high = a.study.permutation.volume_from, a.study.permutation.volume_to
    return (
        row("any set of as many places", a.any_set),
        row(f"contiguous sets with {low:g} to {high:g} times the reports before (descriptive)", a.contiguous),
    )


def findings(
    a: Analysis, kind: str, release: str, sha256: str, notes: tuple[str, ...] = (), more: Iterable[Block] = ()
) -> list[Block]:
    """The blocks of the report, in order; notes are paragraphs that stand beside the result, more stands before the limits.

    Raises StudyError if a table holds a small cell.
    """
    study = a.study

    def effects(name: str, title: str, rows: Iterable[Named], note: str = "") -> TableBlock:
        rows = tuple(rows)
        if not all(n.is_told for n in rows):
            note = f"{note} Reports are withheld where {_withheld(a)}".strip()
        return TableBlock(
            name, title, EFFECT_COLUMNS, tuple(map(_effect_row, rows)), EFFECT_COUNTS, note,
            data=(EFFECT_DATA, tuple(map(_effect_data, rows))), widths=EFFECT_WIDTHS,
        )  # fmt: skip

    blocks: list[Block] = [
        *run_banner(kind),
        Heading("The question"),
        Paragraph(study.question),
        Heading("What follows"),
        *(Paragraph(x) for x in conclusion(a)),
        TableBlock(
            "main", "Main specification beside what was published", ("", "found", "published"), _main_rows(a),
            note="Every percentage stands with its level: reports seen, the count implied without the program, and their difference.",
        ),
        *(Paragraph(x) for x in notes),
        TableBlock(
            "verdicts", "What the result has to stand", ("question", "seen", "stands"),
            tuple((v.question, v.seen, "yes" if v.stands else "no") for v in verdicts(a)),
        ),
        Heading("Known before, and frozen", True),
        Paragraph(study.known_before),
        Paragraph(
            f"Registered on {study.registered_on}; {kind} run of the study file {sha256[:16]}, on release {release}."
        ),
        Heading("Methods"),
        *(Paragraph(x) for x in methods(a)),
        Heading("Rows from landed to analyzed"),
        TableBlock(
            "flow", "Flow of rows", ("step", "left out", "remain"), flow_rows(a.flow, study.suppression),
            ("left out", "remain"), "Each step's remaining rows are those of the step before less the rows left out.",
        ),
        TableBlock(
            "table_one", "Reports before, treated and other places (Table 1)",
            ("outcome", "months", "treated", "others", "treated, mean", "others, mean", "standardized difference"),
            tuple(
                (g.outcome, g.period, g.treated_count, g.other_count, f"{g.treated_mean:.1f}", f"{g.other_mean:.1f}", f"{g.standardized_difference:.2f}")
                for g in a.table_one
            ),
            ("treated", "others"), "Means are reports per place and month.",
        ),
        Figure(
            "monthly", "Reports of the primary outcome by month",
            "Lines of monthly reports of the primary outcome in the treated and the other places, with the program's months marked.",
        ),
        Heading("By outcome, and by base", True),
        effects("outcomes", "Outcomes, main base", a.outcomes),
        effects("bases", "Bases: what the months after are held against", a.bases),
        Heading("Starts that never happened"),
        effects("placebos", "In-time placebos", a.placebos, "Where the interval leaves out zero, the design finds a program that was not there."),
        Figure("placebos", "In-time placebos", "Estimates with intervals of the real start and of the starts that never happened, primary and placebo outcome."),
        Heading("Leads", True),
        Paragraph(
            f"Log ratio of treated to other places in each month against {study.event_study.reference}. {study.event_study.why}"
            f" Joint test of the {a.events.leads} months before the start: by permutation of whole places p ="
            f" {a.leads_permuted:.3f}; Wald (chi-square) p = {a.events.leads_p_value:.5f}, which rejects too often with"
            f" {len(study.places[study.main.place].units)} treated places and is printed to describe."
        ),
        Figure("events", "Event study with its leads", "Monthly log ratios with 95 % intervals, primary and placebo outcome."),
        TableBlock(
            "event_study", "Event study", ("month", "primary", "primary, 95 %", "placebo", "placebo, 95 %"),
            tuple(
                (m, f"{x:+.3f}", f"{lo:+.3f} to {hi:+.3f}", f"{y:+.3f}", f"{lo2:+.3f} to {hi2:+.3f}")
                for m, x, lo, hi, y, lo2, hi2 in zip(
                    a.events.months, a.events.estimates, a.events.low, a.events.high, a.placebo_events.estimates,
                    a.placebo_events.low, a.placebo_events.high, strict=True,
                )
            ),
            in_report=False,
        ),
        Heading("Days left out, and program hours"),
        *(
            Paragraph(f"{before - without:,} of the {before:,} reports before fall on the days left out ({d.first} to {d.last}). {d.why}")
            for d, (_, before, without) in zip(study.left_out_days, a.days_count, strict=True)
        ),
        effects("days", "Without these days", a.days),
        effects("hours", "Inside and outside program hours", a.hours, study.treatment.hours.why),
        Heading("Permutation of places"),
        TableBlock(
            "permutation", "Estimates of other sets of places",
            ("sets", "drawn", "treated set", "share as low", "share as far", "mean overlap"), _permutation_rows(a), ("drawn",),
            "Nobody drew the treated places by lot, so these shares describe and are no test. Contiguous: neighbors share"
            f" a {study.permutation.neighbors_share} with at least {study.permutation.neighbors_share_rows} reports of"
            f" {study.permutation.neighbors_in.first[:4]} in each.",
        ),
        Figure("permutation", "Contiguous sets of like volume", "Histogram of estimates of contiguous sets with the treated set marked."),
        Heading("Specification curve", True),
        Paragraph(curve_summary(a)),
        Figure("curve", "All specifications", "Sorted estimates of all specifications: change in percent above, fewer reports below, with the published values marked."),
        TableBlock(
            "curve", "All specifications", EFFECT_DATA, tuple(map(_effect_data, a.curve)),
            ("reports_before", "reports_seen"), in_report=False,
        ),
        *((Heading("Places near"), effects("spillover", "Untreated places near, against those that lie far", [a.spillover[0]], a.study.spillover.why)) if a.spillover else ()),
        *more,
        Heading("Limits"),
        Listing(study.limits),
        Heading("References"),
        Listing(study.references),
    ]  # fmt: skip
    refuse_small_cells(study, blocks, a.derivable)
    return blocks


def _main_rows(a: Analysis) -> tuple[tuple, ...]:
    e, p = a.main.effect, a.study.published
    low, high = e.observed + e.averted_low, e.observed + e.averted_high
    rows = [
        ("reports before, treated places", count(e.before), "not printed"),
        ("reports seen, treated places", count(e.observed), count(p.averted / (-p.change_percent / 100) - p.averted) + " (implied)" if p else ""),
        ("implied without the program", f"{count(e.counterfactual)} ({count(low)} to {count(high)})", count(p.averted / (-p.change_percent / 100)) + " (implied)" if p else ""),
        ("fewer reports", f"{count(e.averted)} ({count(e.averted_low)} to {count(e.averted_high)})", count(p.averted) if p else ""),
        ("change", f"{percent(e.change)} ({percent(e.change_low)} to {percent(e.change_high)})", f"{p.change_percent:+.0f} %" if p else ""),
    ]  # fmt: skip
    if p and e.averted > 0:
        rows.append(
            (
                "program cost per report fewer, USD",
                f"{count(p.program_cost_usd / e.averted)}", f"{count(p.program_cost_usd / p.averted)}",
            )
        )  # fmt: skip
    return tuple(rows)


def methods(a: Analysis) -> list[str]:
    """Methods text, written from the study file."""
    s = a.study
    base, places = s.base(s.main.base).months, s.treatment.where
    primary = s.outcome(s.main.outcome)
    return [
        f"Design: difference in differences over {len(s.unit.values)} places ({s.unit.column}) and months, {base.first} to"
        f" {base.last} against {s.after.first} to {s.after.last}. Estimand: {s.estimand.replace('_', ' ')} over all places"
        " and hours of the treated months.",
        f"Treated: {', '.join(places.units)}. {places.why}",
        f"Comparison: {s.comparison}",
        f"Primary outcome: {primary.label}. {primary.why} Types: {', '.join(v for r in primary.where for v in r.values)}.",
        *(f"Further outcome: {o.label}. {o.why}" for o in s.outcomes if o is not primary),
        "Main estimator: Poisson regression of counts with fixed effects of places and months (pyfixest), errors clustered"
        f" by {s.clustering} (CRV1 with the package's default small-sample correction, which it calls nonnested), p by"
        " the normal. The implied count without the program is the seen count over the estimated ratio. Linear: the same on"
        f" counts. Adjusted for: {', '.join(s.adjustments) or 'nothing'}.",
        f"Whether form and re-code rates shift when the program starts: {'tested' if s.form_and_recode_shift.tested else 'not tested'}."
        f" {s.form_and_recode_shift.why}",
        f"Cells of 1 to {s.suppression - 1} are not shown. Seed of all draws: {s.permutation.seed}.",
    ]  # fmt: skip
