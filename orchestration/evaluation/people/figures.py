"""The figures of a study of rows, as SVG."""

from __future__ import annotations

from orchestration.evaluation.figures import BLUE, DARK, GRAY, ORANGE, WIDTH, altair, frame_of, svgs
from orchestration.evaluation.people.analysis import PeopleAnalysis
from orchestration.evaluation.people.findings import NAMES


def draw(a: PeopleAnalysis) -> dict[str, str]:
    """SVG text by the name of the figure; one that has nothing to show is not drawn."""
    charts = {}
    if a.weights:
        charts["balance"] = _balance(a)
    if a.course:
        charts["time_to_event"] = _course(a)
    return svgs(charts)


def _balance(a: PeopleAnalysis):
    alt = altair()
    levels = [lv for lv in a.table_one if lv.after]
    names = [f"{lv.covariate}: {lv.level}" for lv in levels]
    points = [("before", lv.before) for lv in levels]
    for e in a.weights:
        points += [(f"after {NAMES[e]}", lv.after[e]) for lv in levels]
    frame = frame_of(
        level=names * (1 + len(a.weights)), when=[w for w, _ in points], difference=[v for _, v in points]
    )  # fmt: skip
    kinds = ["before", *(f"after {NAMES[e]}" for e in a.weights)]
    marks = (
        alt.Chart(frame)
        .mark_point(filled=True, size=45, opacity=1)
        .encode(
            x=alt.X("difference:Q", title="standardized difference"),
            y=alt.Y("level:N", title=None, sort=names),
            color=alt.Color(
                "when:N", title=None, scale=alt.Scale(domain=kinds, range=[GRAY, ORANGE, BLUE][: len(kinds)])
            ),
            shape=alt.Shape("when:N", title=None, scale=alt.Scale(domain=kinds)),
        )
    )
    lines = alt.Chart(frame_of(x=[-0.1, 0.1])).mark_rule(color=DARK, strokeDash=[4, 3]).encode(x="x:Q")
    zero = alt.Chart(frame_of(x=[0])).mark_rule(color=DARK).encode(x="x:Q")
    return (lines + zero + marks).properties(width=WIDTH - 160, height=max(120, 14 * len(names)))


def _course(a: PeopleAnalysis):
    alt = altair()
    labels = [a.study.treatment.treated.label, a.study.treatment.comparison.label]
    parts = list(zip(labels, a.course.shares, strict=True))
    frame = frame_of(
        arm=[label for label, s in parts for _ in s.days], day=[d for _, s in parts for d in s.days],
        share=[100 * v for _, s in parts for v in s.share], low=[100 * v for _, s in parts for v in s.low],
        high=[100 * v for _, s in parts for v in s.high],
    )  # fmt: skip
    base = alt.Chart(frame)
    x = alt.X("day:Q", title="days after the contact")
    color = alt.Color("arm:N", title=None, scale=alt.Scale(domain=labels, range=[BLUE, GRAY]))
    offset = alt.XOffset("arm:N", sort=labels)
    title = "share with an event, %"
    y = alt.Y("share:Q", title=title)
    lines = base.mark_line(strokeDash=[2, 2]).encode(x=x, y=y, color=color)
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=x, y=y, color=color, xOffset=offset, shape=alt.Shape("arm:N", title=None, scale=alt.Scale(domain=labels))
    )
    rules = base.mark_rule(size=2).encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=color, xOffset=offset)
    return (rules + lines + points).properties(width=WIDTH, height=230)
