"""The same question by other means, and what could be found at all, as blocks of a report."""

from __future__ import annotations

import math

import numpy as np

from orchestration.evaluation.analysis import Analysis
from orchestration.evaluation.blocks import Block, Heading, Paragraph, TableBlock, p_text, percent
from orchestration.evaluation.bounds import RELATIVE, Bound, against_last_before, bounds
from orchestration.evaluation.power import Detectable
from orchestration.evaluation.robustness import (
    Other,
    holm,
    interrupted_time_series,
    synthetic_control,
    synthetic_did,
    wild_bootstrap,
)
from orchestration.evaluation.study import StudyError

BOUNDS_NOTE = (
    "Relative magnitudes: from month to month the places draw apart by at most so many times the largest move before the"
    " start; its interval adds the error of the effect and takes the months before as certain. Smoothness: the slope of"
    " their difference changes by at most so many times the largest change before the start; its interval is the"
    " fixed-length one of the paper, and its bounds are not shown where the months before bend more themselves."
    " Multiple 0 of smoothness lets a straight trend go on."
)


def others(a: Analysis) -> list[Other]:
    """The estimates of a study's robustness list, in its order. Raises StudyError where the data do not allow one."""
    s, panel = a.study, a.panel
    treated, base = panel.of(s.places[s.main.place].units), s.base(s.main.base).months
    draws, seed = s.permutation.draws, s.permutation.seed
    known = {
        "wild_bootstrap": lambda: wild_bootstrap(panel, treated, base, s.after, draws, seed, a.main.effect.change),
        "synthetic_control": lambda: synthetic_control(panel, treated, s.after),
        "synthetic_did": lambda: synthetic_did(panel, treated, s.after, min(draws, 500), seed),
        "interrupted_time_series": lambda: interrupted_time_series(panel, treated, s.after),
    }
    try:
        return [known[r]() for r in s.robustness if r in known]
    except ValueError as error:
        raise StudyError(f"{s.study_id}/study.yml: robustness: {error}") from error


def place_blocks(a: Analysis) -> list[Block]:
    """What the robustness list of a study of places and months with one start asks for."""
    if not a.study.robustness:
        return []
    estimates = others(a)
    blocks: list[Block] = [Heading("The same question by other means", True)]
    if estimates:
        blocks.append(
            TableBlock(
                "robustness", "Other estimates of the primary outcome",
                ("estimate", "change (95 %)", "p", "misfit before", "how"),
                tuple((o.name, _change(o), _p(o.p_value), _share(o.fit), o.what) for o in estimates),
                note="Synthetic estimates are fitted to all months of the data before the start, the others to the main base.",
                data=(
                    ("estimate", "change", "change_low", "change_high", "p_value", "misfit_before", "how"),
                    tuple((o.name, *(_number(v) for v in (o.change, o.change_low, o.change_high, o.p_value, o.fit)), o.what) for o in estimates),
                ),
                widths=("1.3fr", "1.6fr", "auto", "auto", "2fr"),
            )
        )  # fmt: skip
    if "rambachan_roth" in a.study.robustness:
        found = place_bounds(a)
        blocks += [Paragraph(bounds_line(found)), bounds_table(found, lambda v: percent(math.expm1(v)))]
    if "holm" in a.study.robustness:
        rows = [n for n in a.outcomes if a.study.outcome(n.outcome).role == "secondary"]
        blocks.append(holm_table([(n.name, n.effect.p_value) for n in rows]))
    return [b for b in blocks if not isinstance(b, TableBlock) or b.rows]


def place_bounds(a: Analysis) -> tuple[Bound, ...]:
    """Bounds of the mean log ratio after the start, from the event study."""
    e, starts = a.events, a.study.after.first
    last = max(i for i, m in enumerate(e.months) if m < starts)
    reference = e.months.index(a.study.event_study.reference)
    return bounds(*against_last_before(e.estimates, e.covariance, reference, last), last)


def bounds_table(found: tuple[Bound, ...], shown) -> TableBlock:
    """Bounds as they are read by `shown`."""
    return TableBlock(
        "bounds", "Bounds where places would not have run in parallel (Rambachan and Roth)",
        ("restriction", "multiple", "bounds", "with 95 % for chance", "leaves out zero"),
        tuple(
            (b.restriction, f"{b.multiple:g}", _range(b.low, b.high, shown), _range(b.interval_low, b.interval_high, shown),
             "yes" if b.excludes_zero else "no")
            for b in found
        ),
        note=BOUNDS_NOTE,
        data=(
            ("restriction", "multiple", "low", "high", "interval_low", "interval_high"),
            tuple((b.restriction, b.multiple, *(_number(v) for v in (b.low, b.high, b.interval_low, b.interval_high))) for b in found),
        ),
    )  # fmt: skip


def bounds_line(found: tuple[Bound, ...]) -> str:
    """How far the places may draw apart before the interval holds zero."""
    if not found:
        return "No month lies before the last one before the start, so nothing tells how far places draw apart by themselves."
    held = [b.multiple for b in found if b.restriction == RELATIVE and b.excludes_zero]
    first = min((b.multiple for b in found if b.restriction == RELATIVE and not b.excludes_zero), default=None)
    if first is None:
        return f"The interval leaves out zero even if places draw apart by {max(held):g} times their largest move before the start."
    if not held:
        return "The interval holds zero even if places run in parallel after the start."
    return (
        f"If places draw apart from month to month by {first:g} times their largest move before the start, the interval holds"
        " zero; "
        + (f"it leaves it out up to {max(held):g} times." if max(held) else "it leaves it out if they run in parallel.")
    )


def holm_table(tests: list[tuple[str, float]]) -> TableBlock:
    """p of the secondary outcomes, alone and corrected for being several."""
    corrected = holm([p for _, p in tests])
    return TableBlock(
        "multiple_tests", f"{len(tests)} secondary outcomes, corrected for being several (Holm)",
        ("outcome", "p", "p, corrected", "stands at 5 %"),
        tuple(
            (name, _p(p), _p(c), "yes" if c <= 0.05 else "no") for (name, p), c in zip(tests, corrected, strict=True)
        ),
        data=(("outcome", "p_value", "p_value_holm"), tuple((n, _number(p), _number(c)) for (n, p), c in zip(tests, corrected, strict=True))),
    )  # fmt: skip


def power_blocks(found: Detectable, why: str) -> list[Block]:
    """What the study could find at all."""
    return [Heading("What could be found, told before"), *(Paragraph(x) for x in power_lines(found)), Paragraph(why)]


def power_lines(found: Detectable) -> list[str]:
    """Printed when the study is frozen, and in the report."""
    return [
        f"From untreated places and months alone ({found.what}): a test at 5 % finds with a probability of {found.share:.0%} a"
        f" fall of {100 * -found.fall:.1f} % or a rise of {100 * found.rise:.1f} %, and smaller effects more seldom."
        f" An effect of {percent(found.expected)}, which the study expects, is found with a probability of {found.found:.0%}."
    ]


def _change(o: Other) -> str:
    if math.isnan(o.change_low):
        return percent(o.change)
    return f"{percent(o.change)} ({_end(o.change_low)} to {_end(o.change_high)})"


def _end(value: float) -> str:
    return f"{100 * value:+.1f}" if math.isfinite(value) else "no limit"


def _range(low: float, high: float, shown) -> str:
    return "not within" if math.isnan(low) or math.isnan(high) else f"{shown(low)} to {shown(high)}"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f} %"


def _p(value: float) -> str:
    return "not known" if math.isnan(value) else p_text(value)


def _number(value: float) -> float | str:
    return round(float(value), 6) if np.isfinite(value) else ""
