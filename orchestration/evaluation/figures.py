"""The figures of a study, as SVG: drawn by altair without a browser, the same bytes each time."""

from __future__ import annotations

import numpy as np

from orchestration.evaluation.analysis import Analysis, Named

BLUE, ORANGE, GRAY, DARK = "#1f5fa8", "#c8590a", "#8a8f98", "#22262b"
WIDTH = 560


def draw(a: Analysis) -> dict[str, str]:
    """SVG text by the name of the figure."""
    return svgs(
        {
            "monthly": _monthly(a), "events": _events(a), "placebos": _placebos(a), "permutation": _permutation(a),
            "curve": _curve(a),
        }
    )  # fmt: skip


def svgs(charts: dict) -> dict[str, str]:
    """{name: SVG text} of altair charts, in the one style of reports."""
    import vl_convert as vlc

    return {name: vlc.vegalite_to_svg(_styled(chart).to_json()) for name, chart in charts.items()}


def _styled(chart):
    return (
        chart.configure(font="Arial", background="white")
        .configure_axis(labelColor=DARK, titleColor=DARK, gridColor="#e6e8eb", labelFontSize=11, titleFontSize=11)
        .configure_legend(labelFontSize=11, titleFontSize=11, orient="top")
        .configure_view(stroke=None)
    )


def altair():
    """The drawing library, without its limit of rows."""
    import altair as alt

    alt.data_transformers.disable_max_rows()
    return alt


def frame_of(**columns):
    """Columns to draw, as a data frame."""
    import pandas as pd

    # Estimates repeat to about 12 digits; rounded, the drawing repeats byte for byte.
    return pd.DataFrame(columns).round(6)


def _monthly(a: Analysis):
    alt = altair()
    months = [m for m, _, _ in a.monthly]
    frame = frame_of(
        month=[f"{m}-01" for m in months] * 2,
        reports=[t for _, t, _ in a.monthly] + [o for _, _, o in a.monthly],
        places=["treated places"] * len(months) + ["other places"] * len(months),
    )
    lines = (
        alt.Chart(frame)
        .mark_line(point={"size": 18})
        .encode(
            x=alt.X("month:T", title=None, axis=alt.Axis(format="%b %Y", tickCount=10)),
            y=alt.Y("reports:Q", title="reports a month"),
            color=alt.Color("places:N", title=None, scale=alt.Scale(range=[GRAY, BLUE])),
            strokeDash=alt.StrokeDash("places:N", title=None),
        )
    )
    band = frame_of(first=[f"{a.study.after.first}-01"], last=[f"{a.study.after.last}-28"])
    shade = alt.Chart(band).mark_rect(color=ORANGE, opacity=0.15).encode(x="first:T", x2="last:T")
    return (shade + lines).properties(width=WIDTH, height=230)


def _events(a: Analysis):
    alt = altair()
    parts = []
    for events, label in ((a.events, "primary outcome"), (a.placebo_events, "placebo outcome")):
        parts.append(
            frame_of(month=list(events.months), estimate=events.estimates, low=events.low, high=events.high, of=label)
        )
    import pandas as pd

    frame = pd.concat(parts)
    starts = frame_of(month=[a.study.after.first])

    def panel(label: str, color: str):
        base = alt.Chart(frame[frame["of"] == label])
        x = alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-60, labelFontSize=9))
        y = alt.Y("estimate:Q", title="log ratio")
        return (
            base.mark_rule(color=color).encode(x=x, y=alt.Y("low:Q", title="log ratio"), y2="high:Q")
            + base.mark_point(filled=True, color=color, size=35, opacity=1).encode(x=x, y=y)
            + alt.Chart(frame_of(y=[0])).mark_rule(color=DARK).encode(y="y:Q")
            + alt.Chart(starts).mark_rule(color=ORANGE, strokeDash=[4, 3], size=2).encode(x="month:O")
        ).properties(width=WIDTH, height=170, title=alt.Title(label, fontSize=12, anchor="start"))

    return alt.vconcat(panel("primary outcome", BLUE), panel("placebo outcome", GRAY))


def _placebos(a: Analysis):
    alt = altair()
    primary = a.main.outcome

    def row(n: Named, start: str) -> dict:
        e = n.effect
        of = "primary outcome" if n.outcome == primary else "placebo outcome"
        return {
            "start": start,
            "of": of,
            "change": 100 * e.change,
            "low": 100 * e.change_low,
            "high": 100 * e.change_high,
        }

    real = [row(n, f"{a.study.after.first} (real)") for n in a.bases if n.base == a.study.main.base]
    fake = [row(n, n.after.first) for n in a.placebos]
    import pandas as pd

    frame = pd.DataFrame(sorted(real + fake, key=lambda r: r["start"])).round(6)
    y = alt.Y("start:N", title="start", sort=None)
    base = alt.Chart(frame)
    color = alt.Color(
        "of:N", title=None, scale=alt.Scale(domain=["primary outcome", "placebo outcome"], range=[BLUE, GRAY])
    )
    offset = alt.YOffset("of:N", sort="descending")
    return (
        base.mark_rule(size=2).encode(
            x=alt.X("low:Q", title="change, %"), x2="high:Q", y=y, yOffset=offset, color=color
        )
        + base.mark_point(filled=True, size=50, opacity=1).encode(
            x="change:Q",
            y=y,
            yOffset=offset,
            color=color,
            shape=alt.Shape(
                "of:N",
                title=None,
                scale=alt.Scale(domain=["primary outcome", "placebo outcome"], range=["circle", "square"]),
            ),
        )
        + alt.Chart(frame_of(x=[0])).mark_rule(color=DARK).encode(x="x:Q")
    ).properties(width=WIDTH - 40, height=210)


def _permutation(a: Analysis):
    alt = altair()
    changes = 100 * np.expm1(a.contiguous.estimates)
    counts, edges = np.histogram(changes, bins=40)
    frame = frame_of(low=edges[:-1], high=edges[1:], sets=counts)
    bars = (
        alt.Chart(frame)
        .mark_bar(color=GRAY)
        .encode(
            x=alt.X("low:Q", bin="binned", title="change, %"), x2="high:Q", y=alt.Y("sets:Q", title="contiguous sets")
        )
    )
    line = (
        alt.Chart(frame_of(x=[100 * float(np.expm1(a.contiguous.treated))], label=["treated set"]))
        .mark_rule(color=ORANGE, size=3)
        .encode(x="x:Q")
    )
    return (bars + line).properties(width=WIDTH, height=170)


def _curve(a: Analysis):
    alt = altair()
    order = sorted(a.curve, key=lambda n: n.effect.change)
    frame = frame_of(
        rank=list(range(1, len(order) + 1)),
        change=[100 * n.effect.change for n in order],
        low=[100 * n.effect.change_low for n in order],
        high=[100 * n.effect.change_high for n in order],
        fewer=[n.effect.averted if n.is_told else float("nan") for n in order],
        estimator=[n.effect.estimator for n in order],
    )
    x = alt.X("rank:Q", title=None, scale=alt.Scale(domain=[0, len(order) + 1]))
    base = alt.Chart(frame)
    color = alt.Color("estimator:N", title=None, scale=alt.Scale(range=[ORANGE, BLUE]))
    marks = lambda y: base.mark_point(filled=True, size=16, opacity=1).encode(x=x, y=y, color=color)  # noqa: E731
    y = alt.Y("change:Q", title="change, %")
    top = base.mark_rule(color="#d5d8dc").encode(x=x, y=alt.Y("low:Q", title="change, %"), y2="high:Q") + marks(y)
    bottom = marks(alt.Y("fewer:Q", title="fewer reports"))
    p = a.study.published
    if p:
        top += _line(alt, p.change_percent, f"published {p.change_percent:g} %")
        bottom += _line(alt, p.averted, f"published {p.averted:,.0f}")
    top += alt.Chart(frame_of(y=[0])).mark_rule(color=DARK).encode(y="y:Q")
    return alt.vconcat(top.properties(width=WIDTH, height=220), bottom.properties(width=WIDTH, height=150))


def _line(alt, value: float, label: str):
    frame = frame_of(y=[value], label=[label])
    return alt.Chart(frame).mark_rule(color=DARK, strokeDash=[4, 3]).encode(y="y:Q") + alt.Chart(frame).mark_text(
        align="left", dy=-6, x=WIDTH * 0.02, fontSize=11, color=DARK
    ).encode(y="y:Q", text="label:N")
