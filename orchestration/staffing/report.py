"""A staffing plan as it is read: on the terminal in 80 columns, and as one page without script or network."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from rich.console import Console
from rich.table import Table

from orchestration.staffing import DAYS
from orchestration.staffing.forecast import HeldOut
from orchestration.staffing.plan import LEAST_BEAT_CALLS, Plan

SCREEN = (
    "A screen, not a roster: Erlang C takes calls to come singly and all to be alike; several units at one call make real"
    " waits longer. Only work on calls is in it: no patrol, training, court or least crew. Calls are no measure of need."
)
SHORT_DAYS = [day[:3] for day in DAYS]
COVERED = {
    "units": "all officers needed",
    "gap": "officers needed beyond those on duty now",
    "cit": "areas and hours without an officer trained in crisis intervention",
}


def said(plan: Plan) -> list[str]:
    """What the plan rests on, a sentence each."""
    d, t, last = plan.demand, plan.target, plan.calls.days
    seen = [f"{day:%d %b} {name}" for day, name in plan.holidays.items() if day >= last[0]]
    lines = [
        f"{plan.agency_id}, {'all calls' if plan.population == 'all' else 'behavioral-health calls by ' + plan.population}:"
        f" {d.calls.sum():,} calls and {d.responses.sum():,} unit responses in {len(d.calls)} whole days from {d.first}.",
        f"Forecast for {plan.weeks} week(s), {last[0]} to {last[-1]}; holidays in it: {', '.join(seen) or 'none'}.",
        "Level of the last eight weeks. "
        + ("A season is told apart." if plan.calls.has_season else "Under two years of days: no season is told apart, and how much levels moved widens the interval.")
        + (f" On holidays {plan.calls.holiday_factor:.2f} times the calls." if plan.calls.holiday_factor else " Too few holidays to tell them apart."),
    ]  # fmt: skip
    lines += [_error(name, h) for name, h in (("calls", plan.calls_held_out), ("responses", plan.responses_held_out))]
    lines.append(
        f"Target: at most {t.share:.0%} of responses wait more than {t.limit_seconds:.0f} seconds;"
        f" {d.officers_per_unit:.2f} officers in a unit."
    )
    return lines


def _error(name: str, h: HeldOut | None) -> str:
    if h is None:
        return f"Too few weeks to hold back any: the error of the forecast of {name} is not known."
    return (
        f"Held back {h.folds} time(s), {h.hours:,} hours of {name}: off by {h.hour_error:.2f} an hour on average"
        f" (the plain mean of the eight weeks before: {h.plain_hour_error:.2f}), {h.total_error:+.1%} in all;"
        f" {h.inside_share:.0%} of hours in the interval of 90%."
    )


def totals(plan: Plan) -> list[str]:
    c, t = plan.cover, plan.target
    lines = [
        f"{sum(s.officers for s in c.shifts):,} shifts a week, {c.paid_hours:,.0f} paid hours, ${c.cost:,.2f} at"
        f" ${t.officer_hour_usd:.2f} an hour (prices of {t.price_year}; capacity, not cash).",
        f"{plan.headcount:,} officers on the payroll: relief factor {plan.relief_factor:.3f} for a post around the clock,"
        f" {t.net_hours_a_year:,.0f} hours a year each.",
        f"Officer hours beyond what is to be covered: {c.over.sum():,}; not covered: {c.under.sum():,}.",
    ]
    if plan.roster.months:
        bare = int((plan.roster.bare > 0).sum())
        lines.append(
            f"On duty now by the roster of {', '.join(plan.roster.months)}: {plan.roster.on_duty.mean():.1f} officers on average;"
            f" {bare} of 168 hours of the week lack a trained officer somewhere at times."
        )
    else:
        lines.append("No roster: officers on duty and trained officers are not available.")
    return lines


def grids(plan: Plan) -> list[tuple[str, str, Callable[[int], str]]]:
    """Tables by hour and weekday: title, what a cell says, the cell of an hour of the week."""
    mean, low, high = plan.calls.by_hour_of_week(plan.holidays)
    out = [
        ("Calls expected", "mean of a usual hour, and between what 9 of 10 such hours lie",
         lambda h: f"{mean[h]:.1f} ({low[h]:.0f}-{high[h]:.0f})"),
        ("Units needed", "units on duty that hold the target at the expected responses (Erlang C)", lambda h: str(plan.units[h])),
        ("Officers on the shifts below", f"officers on duty / to cover: {COVERED[plan.what]}",
         lambda h: f"{plan.cover.on_duty[h]}/{plan.cover.required[h]}"),
    ]  # fmt: skip
    if plan.roster.months:
        out.insert(2, ("Officers on duty now", "mean by the roster; * some area at times lacks a trained officer",
                       lambda h: f"{plan.roster.on_duty[h]:.1f}{'*' if plan.roster.bare[h] > 0 else ''}"))  # fmt: skip
    return out


def print_plan(plan: Plan, console: Console) -> None:
    """The plan on the terminal; fits 80 columns."""
    for line in said(plan):
        console.print(line)
    for title, what, cell in grids(plan):
        table = _plain("hour", *SHORT_DAYS)
        for hour in range(24):
            table.add_row(f"{hour:02d}", *(cell(day * 24 + hour) for day in range(7)))
        console.print(f"\n[bold]{title}[/]: {what}")
        console.print(table)
    console.print(f"\n[bold]Shifts at least cost[/]: {COVERED[plan.what]}")
    table = _plain("start", "pattern", *SHORT_DAYS)
    for row in _shift_rows(plan):
        table.add_row(*row)
    console.print(table)
    for line in [*totals(plan), SCREEN]:
        console.print(line)


def _plain(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 or column == "pattern" else "right", no_wrap=True)
    return table


def _shift_rows(plan: Plan) -> list[list[str]]:
    """Officers who start, by start hour and pattern: a row each, a column a weekday."""
    kinds = sorted({(s.start_hour, s.hours, s.pattern) for s in plan.cover.shifts})
    at = {(s.start_hour, s.hours, s.pattern, s.weekday): s.officers for s in plan.cover.shifts}
    return [[f"{k[0]:02d}:00", k[2], *(str(at.get((*k, day), "")) for day in range(7))] for k in kinds]


STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 70rem; font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; } .note { color: #444; font-size: .9rem; }
.screen { border-left: .5rem solid #b34700; background: #f4f6f8; padding: .5rem .75rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid #d5d9dd; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, .t { text-align: left; } th[scope=row] { position: sticky; left: 0; background: #fff; }
@media (max-width: 40rem) { body { padding: .75rem; font-size: 15px; } th, td { padding: .15rem .35rem; font-size: .8rem; } }
@media print { body { max-width: none; } }
"""


def page(plan: Plan, release: str) -> str:
    """The plan as HTML: nothing is fetched and no script runs."""
    parts = [f"<p>{escape(line)}</p>" for line in said(plan)]
    for title, what, cell in grids(plan):
        rows = [[f"{h:02d}:00", *(cell(day * 24 + h) for day in range(7))] for h in range(24)]
        parts.append(_grid(title, what, ["hour", *SHORT_DAYS], rows))
    parts.append(
        _grid(
            "Shifts at least cost",
            f"Officers who start; {COVERED[plan.what]}.",
            ["start", "pattern", *SHORT_DAYS],
            _shift_rows(plan),
        )
    )
    parts.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in totals(plan)) + "</ul>")
    beats = [
        [beat, f"{f.expected.sum() / plan.weeks:,.1f}", f"{int(plan.demand.by_beat[beat].sum()):,}"]
        for beat, f in plan.beats.items()
    ]
    left = (
        f" Left out, with fewer calls than {LEAST_BEAT_CALLS:,}: {', '.join(plan.beats_left_out)}."
        if plan.beats_left_out
        else ""
    )
    parts.append(
        _grid(
            "Beats",
            f"Calls expected a week; by hour in by_beat.csv.{left}",
            ["beat", "calls a week", "calls seen"],
            beats,
        )
    )
    title = f"Staffing by demand: {plan.agency_id}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f'<p class="note">From release {escape(release)}. Hours are of the agency\'s own clock.</p>'
        f'<p class="screen">{escape(SCREEN)}</p>{"".join(parts)}</main></body></html>\n'
    )


def _grid(title: str, what: str, head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p>{escape(what)}</p>"
    top = "".join(f'<th scope="col"{" class=t" if h == "pattern" else ""}>{escape(h)}</th>' for h in head)
    body = "".join(
        f'<tr><th scope="row">{escape(r[0])}</th>'
        + "".join(
            f"<td{' class=t' if name == 'pattern' else ''}>{escape(c)}</td>"
            for name, c in zip(head[1:], r[1:], strict=True)
        )
        + "</tr>"
        for r in rows
    )
    return (
        f'<h2>{escape(title)}</h2><p class="note">{escape(what)}</p><div class="scroll" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
