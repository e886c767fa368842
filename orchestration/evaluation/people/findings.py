"""What a study of rows found, as blocks of text, tables and figures.

Words: served against not served is associational. What differs is never called kept, saved or prevented.
"""

from __future__ import annotations

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
    refuse_small_cells,
    run_banner,
)
from orchestration.evaluation.design import Run
from orchestration.evaluation.people.analysis import Estimated, PeopleAnalysis
from orchestration.evaluation.people.study import COMPLIER, ENTROPY, INTENT, PROPENSITY, UNADJUSTED
from orchestration.evaluation.people.survival import Share
from orchestration.evaluation.people.weighting import ALIKE, Difference

NAMES = {
    UNADJUSTED: "unadjusted", PROPENSITY: "propensity weights", ENTROPY: "entropy balancing",
    INTENT: "as drawn (intent to treat)", COMPLIER: "those who comply",
}  # fmt: skip
WITHHELD = "withheld"
EFFECT_DATA = (
    "outcome", "role", "estimator", "treated_rows", "treated_yes", "treated_share", "comparison_rows", "comparison_yes",
    "share_without", "implied_without", "fewer", "fewer_low", "fewer_high", "difference", "difference_low",
    "difference_high", "clustered_error", "p_value", "holm_p_value", "effective_comparison_rows",
)  # fmt: skip
# What stands where counts are withheld: none of them follows from it.
TOLD_ALONE = (
    "outcome",
    "role",
    "estimator",
    "difference",
    "difference_low",
    "difference_high",
    "clustered_error",
    "p_value",
)
EFFECT_COUNTS = ("rows", "yes", "treated_rows", "treated_yes", "comparison_rows", "comparison_yes")
EFFECT_PARTS = (("rows", "yes"), ("treated_rows", "treated_yes"), ("comparison_rows", "comparison_yes"))


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _interval(low: float, high: float, text) -> str:
    return f"{text(low)} to {text(high)}"


def _effect_row(e: Estimated) -> tuple:
    d = e.difference
    if d is None:
        return (e.label, NAMES[e.estimator], *[WITHHELD] * 7)
    counts = (
        d.n_treated, d.events_treated, share(d.share), f"{count(d.implied)} ({share(d.without)})",
        f"{count(d.fewer)} ({_interval(d.fewer_low, d.fewer_high, count)})",
    )  # fmt: skip
    return (
        e.label, NAMES[e.estimator], *(counts if e.is_counted else [WITHHELD] * len(counts)),
        f"{points(d.difference)} ({_interval(d.low, d.high, points)})",
        p_text(d.p_value) if e.holm is None else f"{p_text(d.p_value)} ({p_text(e.holm)})",
    )  # fmt: skip


def _effect_data(e: Estimated) -> tuple:
    d = e.difference
    if d is None:
        return (e.outcome, e.role, e.estimator, *[""] * (len(EFFECT_DATA) - 3))
    numbers = (
        d.without, d.implied, d.fewer, d.fewer_low, d.fewer_high,
        d.difference, d.low, d.high, d.error, d.p_value,
    )  # fmt: skip
    found = (
        e.outcome, e.role, e.estimator, d.n_treated, d.events_treated, round(d.share, 6), d.n_comparison,
        d.events_comparison, *(round(n, 6) for n in numbers),
        "" if e.holm is None else round(e.holm, 6), round(d.effective, 6),
    )  # fmt: skip
    return (
        found if e.is_counted else tuple(v if c in TOLD_ALONE else "" for c, v in zip(EFFECT_DATA, found, strict=True))
    )


def _leaves_out_zero(d: Difference) -> bool:
    return d.low > 0 or d.high < 0


def verdicts(a: PeopleAnalysis) -> list[Verdict]:
    """The questions are fixed; what is seen follows from the numbers."""
    s, main, found = a.study, a.main, []
    after = a.table_one if s.is_randomized else [lv for lv in a.table_one if lv.after]
    off = [abs(lv.before if s.is_randomized else lv.after[s.main.estimator]) for lv in after if s.is_randomized or s.main.estimator in lv.after]  # fmt: skip
    if off:
        found.append(
            Verdict(
                "Are both arms alike in what was known before?",
                f"largest standardized difference {max(off):.3f}{'' if s.is_randomized else ' after weighting'};"
                f" {max(abs(lv.before) for lv in a.table_one):.3f} before",
                max(off) <= ALIKE,
            )
        )
    placebos = [e for e in a.effects if e.role == "placebo" and e.estimator == main.estimator and e.difference]
    moved = [e.label for e in placebos if _leaves_out_zero(e.difference)]
    found.append(
        Verdict(
            "Are both arms alike in what happened before?",
            "; ".join(f"{e.label}: {points(e.difference.difference)} points" for e in placebos) or "cannot be told",
            bool(placebos) and not moved,
        )
    )
    told = [e for e in a.records if e.difference]
    if told:
        found.append(
            Verdict(
                "Is as much written down in both arms?",
                "; ".join(f"{e.label}: {points(e.difference.difference)} points" for e in told)
                + ". An outcome that is known from forms only is told by who writes them",
                not any(_leaves_out_zero(e.difference) for e in told),
            )
        )
    same = [e for e in a.effects if e.outcome == main.outcome and e.difference and e.estimator != UNADJUSTED]
    if len(same) > 1:
        found.append(
            Verdict(
                "Do the ways of weighting agree?",
                "; ".join(f"{NAMES[e.estimator]} {points(e.difference.difference)}" for e in same),
                len({_sign(e.difference) for e in same}) == 1,
            )
        )
    if a.permutation_p is not None:
        found.append(
            Verdict(
                "Does drawing the lot anew agree with the interval?",
                f"permutation p = {p_text(a.permutation_p)}, clustered p = {p_text(main.difference.p_value)}",
                (a.permutation_p <= 0.05) == (main.difference.p_value <= 0.05),
            )
        )
    for u in a.unknown:
        if u.outcome == main.outcome:
            found.append(
                Verdict(
                    "Does the sign hold whatever the unknown outcomes are?",
                    f"between {points(u.bounds.lowest)} and {points(u.bounds.highest)} points",
                    u.bounds.lowest > 0 or u.bounds.highest < 0,
                )
            )
    return found


def _sign(d: Difference) -> int:
    return (d.low > 0) - (d.high < 0)


def conclusion(a: PeopleAnalysis) -> list[str]:
    """What was found, in counts and points, and what it may be called."""
    s, d, checks = a.study, a.main.difference, verdicts(a)
    t, c = s.treatment.treated.label, s.treatment.comparison.label
    fewer = "fewer" if d.fewer > 0 else "more"
    low, high = sorted((d.fewer_low, d.fewer_high))
    said = [
        f"{s.primary.label}: {count(d.events_treated)} of {count(d.n_treated)} {a.noun} of the arm '{t}' ({share(d.share)})."
        f" {'The arm' if s.is_randomized else 'Weighted to be alike in what was known before, the arm'} '{c}' implies"
        f" {count(d.implied)} ({share(d.without)}): {count(abs(d.fewer))} {fewer} ({count(low)} to {count(high)} fewer),"
        f" {points(d.difference)} percentage points ({_interval(d.low, d.high, points)})."
    ]
    if s.is_randomized:
        said.append(
            f"The lot was drawn by {s.treatment.lottery.unit}, and the arms are compared as drawn, whatever was received."
        )
    else:
        said.append(
            "This is associational and not the program's effect: triage decides who is served, and weights can make alike"
            " only what is written down."
        )
    if s.chosen_late:
        said.append(
            f"The population is chosen by {', '.join(s.chosen_late)}, which is known only after a call was opened and may"
            " itself depend on who was sent."
        )
    fails = sum(not v.stands for v in checks)
    said.append(f"{fails} of {len(checks)} questions that the result has to stand are answered with no.")
    return said


def findings(a: PeopleAnalysis, run: Run) -> list[Block]:
    """The blocks of the report, in order. Raises StudyError if a table holds a small cell."""
    s = a.study
    blocks = [
        *run_banner(run.kind),
        Heading("The question"),
        Paragraph(s.question),
        Heading("What follows"),
        *(Paragraph(x) for x in conclusion(a)),
        _effects("main", "Primary outcome", [e for e in a.effects if e.outcome == s.main.outcome]),
        *(Paragraph(n.format(fewer_reports=count(a.fewer))) for n in run.notes),
        TableBlock(
            "verdicts", "What the result has to stand", ("question", "seen", "stands"),
            tuple((v.question, v.seen, "yes" if v.stands else "no") for v in verdicts(a)),
        ),
        Heading("Known before, and frozen", True),
        Paragraph(s.known_before),
        Paragraph(f"Registered on {s.registered_on}; {run.kind} run of the study file {run.sha256[:16]}, on release {run.release}."),
        Heading("Methods"),
        *(Paragraph(x) for x in methods(a)),
        Heading("Rows from landed to analyzed"),
        TableBlock(
            "flow", "Flow of rows", ("step", "left out", "remain"), flow_rows(a.flow, s.suppression),
            ("left out", "remain"), "Each step's remaining rows are those of the step before less the rows left out.",
        ),
        *_arms(a),
        Heading("Both arms before", True),
        _table_one(a),
        *_balance(a),
        Heading("Outcomes", True),
        _effects("effects", "Outcomes by estimator", a.effects),
        *_complier(a),
        *_records(a),
        *_unknown(a),
        *_subgroups(a),
        *_course(a),
        Heading("Limits"),
        Listing(s.limits),
        *((Heading("References"), Listing(s.references)) if s.references else ()),
    ]  # fmt: skip
    refuse_small_cells(s, blocks)
    return blocks


def _effects(name: str, title: str, rows) -> TableBlock:
    return TableBlock(
        name, title,
        ("outcome", "estimator", "rows", "yes", "share", "implied without", "fewer (95 %)", "points (95 %)", "p (Holm)"),
        tuple(map(_effect_row, rows)), EFFECT_COUNTS,
        "Rows, yes and share are of the first arm; implied without is what the other arm says of it. Points are percentage"
        " points. Holm's correction is over the secondary outcomes of the main estimator. Withheld: a cell is too small.",
        data=(EFFECT_DATA, tuple(map(_effect_data, rows))),
        widths=("2fr", "1.3fr", "auto", "auto", "auto", "auto", "auto", "auto", "auto"), parts=EFFECT_PARTS,
    )  # fmt: skip


def _arms(a: PeopleAnalysis) -> list[Block]:
    t = a.study.treatment
    n = int(a.rows.treated.sum())
    rows = [(t.treated.label, n), (t.comparison.label, len(a.rows) - n)]
    return [TableBlock("arms", "Analyzed rows by arm", ("arm", "rows"), tuple(rows), ("rows",))]


def _table_one(a: PeopleAnalysis) -> TableBlock:
    weighted = list(a.weights)
    columns = (
        "known before",
        "level",
        "first arm",
        "other arm",
        "share, first",
        "share, other",
        "standardized difference",
    )
    return TableBlock(
        "table_one", "Both arms, by what was known before (Table 1)",
        (*columns, *(f"after {NAMES[e]}" for e in weighted)),
        tuple(
            (
                lv.covariate, lv.level, lv.n_treated, lv.n_comparison,
                *((share(lv.treated), share(lv.comparison)) if lv.level not in ("mean", "standard deviation") else (f"{lv.treated:.2f}", f"{lv.comparison:.2f}")),
                f"{lv.before:+.3f}", *(f"{lv.after[e]:+.3f}" if e in lv.after else "" for e in weighted),
            )
            for lv in a.table_one
        ),
        ("first arm", "other arm"),
        "Standardized difference: difference of means over the root of the mean of both variances before weighting."
        + "".join(f" Taken together as others of {c}, each with fewer than {a.study.suppression} rows in an arm: {', '.join(levels)}." for c, levels in a.joined),
    )  # fmt: skip


def _balance(a: PeopleAnalysis) -> list[Block]:
    if not a.weights:
        return []
    n = int((~a.rows.treated).sum())
    rows = []
    for e, w in a.weights.items():
        others = w[~a.rows.treated]
        rows.append(
            (
                NAMES[e], n, f"{a.effective[e]:,.1f}", f"{others.max() / others.mean():.2f}",
                f"{max(abs(lv.before) for lv in a.table_one):.3f}",
                f"{max(abs(lv.after[e]) for lv in a.table_one if e in lv.after):.3f}",
            )
        )  # fmt: skip
    return [
        TableBlock(
            "balance", "Weights of the comparison",
            ("weights", "rows", "effective rows", "largest weight over mean", "largest difference before", "after"),
            tuple(rows), ("rows",),
            "Effective rows (Kish): as many equally weighted rows as tell as much.",
        ),
        Figure("balance", "Standardized differences before and after weighting", "Points of standardized differences of each level before weighting and after, by kind of weights, with lines at 0.1."),
    ]  # fmt: skip


def _complier(a: PeopleAnalysis) -> list[Block]:
    c = a.complier
    if c is None:
        return []
    return [
        TableBlock(
            "complier", "Effect of receiving on those who comply (two-stage least squares), primary outcome",
            ("take-up, points", "F of the first stage", "about so many drawn rows", "fewer among them (95 %)", "points (95 %)", "p"),
            ((
                points(c.take_up), f"{c.first_stage_f:,.1f}", count(c.compliers),
                f"{count(-c.compliers * c.difference)} ({_interval(-c.compliers * c.high, -c.compliers * c.low, count)})",
                f"{points(c.difference)} ({_interval(c.low, c.high, points)})", p_text(c.p_value),
            ),),
            note="Needs that being drawn changes the outcome through receiving only, and keeps nobody from it.",
        )
    ]  # fmt: skip


def _records(a: PeopleAnalysis) -> list[Block]:
    return [
        Heading("Does the response change what is written down?"),
        Paragraph(a.study.form_and_recode_shift.why),
        *([_effects("records", "Forms and changed types, by arm", a.records)] if a.records else []),
    ]


def _unknown(a: PeopleAnalysis) -> list[Block]:
    if not a.unknown:
        return []
    return [
        Heading("What is not known"),
        Paragraph(a.study.missing.why),
        TableBlock(
            "unknown", "Outcomes that are not known in every row, in percentage points",
            ("outcome", "not known, first arm", "other arm", "known only (95 %)", "imputed (95 %)", "due to missing", "bounds", "bounds (95 %)"),
            tuple(
                (
                    u.label, share(u.bounds.unknown_treated), share(u.bounds.unknown_comparison),
                    f"{points(u.known.difference)} ({_interval(u.known.low, u.known.high, points)})",
                    f"{points(u.pooled.difference)} ({_interval(u.pooled.low, u.pooled.high, points)})",
                    share(u.pooled.share_missing), _interval(u.bounds.lowest, u.bounds.highest, points),
                    _interval(u.bounds.low, u.bounds.high, points),
                )
                for u in a.unknown
            ),
            widths=("2fr", *["auto"] * 7),
            note=f"Imputed {a.study.missing.imputations} times by chained equations with predictive mean matching (statsmodels),"
            " pooled by Rubin's rules: right if what is not known hangs only on what is known. Bounds (Manski; interval of"
            " Imbens and Manski) hold whatever the unknown ones are. Due to missing: share of the variance.",
        ),
    ]  # fmt: skip


def _subgroups(a: PeopleAnalysis) -> list[Block]:
    rows = [
        (
            column.replace("_", " "), level, d.n_treated, d.events_treated, share(d.share), f"{count(d.implied)} ({share(d.without)})",
            f"{count(d.fewer)} ({_interval(d.fewer_low, d.fewer_high, count)})",
            f"{points(d.difference)} ({_interval(d.low, d.high, points)})",
        )
        for column, levels in a.subgroups
        for level, d in levels
    ]  # fmt: skip
    if not rows:
        return []
    return [
        TableBlock(
            "subgroups", "Primary outcome by subgroup",
            ("by", "level", "rows", "yes", "share", "implied without", "fewer (95 %)", "points (95 %)"), tuple(rows), ("rows", "yes"),
            "Weights are made anew within each level. Of many levels some differ by chance.", parts=(("rows", "yes"),),
        )
    ]  # fmt: skip


def _course(a: PeopleAnalysis) -> list[Block]:
    c, t = a.course, a.study.time_to_event
    if t is None:
        return []
    event, competing = t.event.replace("_", " "), ", ".join(t.competing).replace("_", " ")
    head = [Heading(f"Time to the next {event}", True), Paragraph(t.why)]
    if c is None:
        return [*head, Paragraph("A cell is too small, so no time is told.", True)]
    labels = (a.study.treatment.treated.label, a.study.treatment.comparison.label)

    def row(label: str, i: int, x: Share, y: Share) -> tuple:
        return (
            label, x.days[i], int(x.events[i]), f"{share(x.share[i])} ({_interval(x.low[i], x.high[i], share)})",
            f"{share(y.share[i])} ({_interval(y.low[i], y.high[i], share)})",
        )  # fmt: skip

    return [
        *head,
        TableBlock(
            "time_to_event", f"Share with a {event} by day, unweighted",
            ("arm", "day", "so far", f"share, {competing or 'nothing'} competing (95 %)", "Kaplan-Meier (95 %)"),
            tuple(row(labels[k], i, c.shares[k], c.alone[k]) for k in (0, 1) for i in range(len(c.shares[k].days))),
            ("so far",),
            f"{c.n_treated:,} and {c.n_comparison:,} rows with a known person ({'every contact' if t.index == 'every' else 'first contacts only'});"
            f" {c.competing_treated:,} and {c.competing_comparison:,} end with a competing event. Aalen-Johansen where events compete;"
            " Kaplan-Meier is the share if competing events never came. Days between which too few fall are not told.",
        ),
        Figure("time_to_event", f"Share with a {event} by day", "Points with intervals of the share with an event by day in both arms, with competing events."),
        TableBlock(
            "hazards", f"Ratio of hazards of a {event}", ("model", "ratio (95 %)", "p"),
            tuple((h.name, f"{h.ratio:.2f} ({h.low:.2f} to {h.high:.2f})", p_text(h.p_value)) for h in c.hazards),
            note=f"Cox (ties by Breslow), errors clustered by {a.study.clustering}. A ratio of hazards tells of those to whom the event"
            " still can come, not how many will have it.",
        ),
    ]  # fmt: skip


def methods(a: PeopleAnalysis) -> list[str]:
    """Methods text, written from the study file."""
    s, p, t = a.study, a.study.population, a.study.treatment
    rules = "; ".join(f"{r.column} in {', '.join(r.values)}" for r in p.where) or "none"
    said = [
        f"Design: individual, {a.noun} of {p.table}, {p.data.first} to {p.data.last}"
        + (f", hours {', '.join(map(str, p.hours))}" if p.hours else "")
        + f"; rules: {rules}. Estimand: {s.estimand.replace('_', ' ')}. Claim: {s.claim}.",
        f"Arms by {t.column}: '{t.treated.label}' against '{t.comparison.label}'. {t.why}",
        f"Primary outcome: {s.primary.label}. {s.primary.why}",
        *(f"Further outcome ({o.role}): {o.label}. {o.why}" for o in s.outcomes if o is not s.primary),
        f"Known before: {', '.join(c.label for c in s.covariates)}. Levels with fewer than {s.suppression} rows in an arm are"
        " taken together.",
    ]
    if s.is_randomized:
        said.append(
            f"Lot drawn by {t.lottery.unit}{f' ({t.lottery.by})' if t.lottery.by else ''}"
            + (f" within {', '.join(t.lottery.strata)}" if t.lottery.strata else "")
            + ". Difference as drawn by least squares within strata; errors clustered by what was drawn (CRV1, pyfixest),"
            f" interval by t with clusters less one. {t.lottery.draws:,} permutations of whole units within strata."
        )
    else:
        said.append(
            "Weights are those of the effect on the served: propensity by logit (statsmodels), odds for the others; entropy"
            " balancing (Hainmueller 2012) makes the means equal. Difference by weighted least squares (pyfixest), errors"
            f" clustered by {s.clustering} (CRV1), which take the weights as given; interval by t with clusters less one."
        )
    said += [
        f"Events of a person are those of the {s.zone.replace('_', ' ')} zone."
        + (f" Legal basis: {s.legal_basis}." if s.legal_basis else ""),
        f"Cells of 1 to {s.suppression - 1} are not shown, nor what they follow from. Seed of all draws: {s.seed}.",
    ]
    return said
