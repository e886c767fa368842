"""Figures of a study of several starts."""

from __future__ import annotations

import numpy as np

from orchestration.evaluation.figures import BLUE, DARK, GRAY, ORANGE, WIDTH, altair, frame_of, svgs
from orchestration.evaluation.staggered_analysis import StaggeredAnalysis


def draw(a: StaggeredAnalysis) -> dict[str, str]:
    """SVG text by the name of the figure."""
    return svgs({"monthly": _monthly(a), "since": _since(a), "permutation": _permutation(a)})


def _scaled(a: StaggeredAnalysis, values) -> np.ndarray:
    return np.asarray(values, dtype=float) * (100 if a.study.primary.measure == "share" else 1)


def _unit(a: StaggeredAnalysis) -> str:
    return {"share": "%", "count": "rows", "mean": a.study.primary.unit}[a.study.primary.measure]


def _monthly(a: StaggeredAnalysis):
    alt = altair()
    frame = frame_of(
        places=[p for p, _, _ in a.monthly],
        month=[m for _, m, _ in a.monthly],
        value=_scaled(a, [v for _, _, v in a.monthly]),
    )
    return (
        alt.Chart(frame)
        .mark_line(point={"size": 24})
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-60)),
            y=alt.Y("value:Q", title=_unit(a), scale=alt.Scale(zero=False)),
            color=alt.Color("places:N", title=None),
            strokeDash=alt.StrokeDash("places:N", title=None),
        )
        .properties(width=WIDTH, height=220)
    )  # fmt: skip


def _since(a: StaggeredAnalysis):
    alt, e = altair(), a.since
    frame = frame_of(since=list(e.since), effect=_scaled(a, e.effects), low=_scaled(a, e.low), high=_scaled(a, e.high))
    x = alt.X("since:O", title="months since the start", axis=alt.Axis(labelAngle=0))
    base = alt.Chart(frame)
    return (
        base.mark_rule(color=BLUE).encode(x=x, y=alt.Y("low:Q", title=f"difference, {_unit(a)}"), y2="high:Q")
        + base.mark_point(filled=True, color=BLUE, size=45, opacity=1).encode(x=x, y="effect:Q")
        + alt.Chart(frame_of(y=[0])).mark_rule(color=DARK).encode(y="y:Q")
    ).properties(width=WIDTH, height=200)


def _permutation(a: StaggeredAnalysis):
    alt = altair()
    counts, edges = np.histogram(_scaled(a, a.permuted.estimates), bins=40)
    bars = (
        alt.Chart(frame_of(low=edges[:-1], high=edges[1:], draws=counts))
        .mark_bar(color=GRAY)
        .encode(
            x=alt.X("low:Q", bin="binned", title=f"difference, {_unit(a)}"), x2="high:Q", y=alt.Y("draws:Q", title="draws")
        )
    )  # fmt: skip
    line = alt.Chart(frame_of(x=_scaled(a, [a.permuted.real]))).mark_rule(color=ORANGE, size=3).encode(x="x:Q")
    return (bars + line).properties(width=WIDTH, height=160)
