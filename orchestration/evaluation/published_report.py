"""The checks of published arithmetic as a table in the terminal and as a page of the docs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from orchestration.evaluation.published import (
    DIFFERS,
    KINDS,
    TITLE,
    Check,
    WholeTable,
    published_checks,
    summary,
    whole_table,
)
from orchestration.settings import PROJECT, Settings

NO_EFFECT = (
    "Neither figure is an effect: the published one has no comparison group, and an agency's own rests on the design"
    " that its row names."
)
SAYS = (
    "A row that agrees says that the printed inputs give the printed output. It does not say that the study is right,"
    " that its design was sound, or that anybody repeated it."
)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:,.3f}"


def _printed(check: Check) -> str:
    """What was printed; in brackets where the output, or an input, is not printed in what was read."""
    return f"({_number(check.reference)})" if check.kind == "D" else _number(check.reference)


def print_published(console: Console) -> None:
    """Prints every row, the verdicts, and the study that prints its whole table."""
    from orchestration.report import _table

    checks, whole = published_checks(), whole_table()
    console.print(f"[bold]{TITLE}[/]")
    table = _table("id", "kind", "what", "printed", "computed", "difference", "unit", "verdict", "comparison")
    for column in ("printed", "computed", "difference"):
        next(c for c in table.columns if c.header == column).justify = "right"
    for c in checks:
        verdict = f"[bold red]{c.verdict}[/]" if c.verdict == DIFFERS else c.verdict
        table.add_row(
            c.check_id, c.kind, escape(f"{c.study.title.partition(':')[0]}: {c.what}"), _printed(c),
            _number(c.computed), _number(c.difference), c.unit, verdict, c.study.comparison,
        )  # fmt: skip
    console.print(table)
    for line in summary(checks):
        console.print(line)
    for c in checks:
        if c.verdict == DIFFERS:
            console.print(f"  {c.check_id}: {escape(c.note)}")
    console.print(SAYS)
    sources = _table("study", "design", "comparison", "who claims it")
    for s in {c.study.study_id: c.study for c in checks}.values():
        sources.add_row(escape(s.title), escape(s.design), s.comparison.replace("_", " "), escape(s.claimed_by))
    console.print(sources)
    _print_whole(console, whole)


def _print_whole(console: Console, whole: WholeTable) -> None:
    from orchestration.report import _table

    console.print(f"\n[bold]{escape(whole.study.title)}[/], no comparison group")
    table = _table("line", "kind", "USD a year", "net if 25 % lower", "net if 25 % higher", "net is zero if it")
    for x in whole.lines:
        table.add_row(
            x.line, x.kind, _number(x.usd), f"{x.net_if_lower:,.0f}", f"{x.net_if_higher:,.0f}",
            _break_even(x.break_even_change),
        )  # fmt: skip
    console.print(table)
    console.print(_whole_said(whole))


def _break_even(change: float) -> str:
    if change < -1:
        return "cannot be: more than all of it"
    return f"{'rises' if change > 0 else 'falls'} by {abs(change):,.1%}"


def _whole_said(whole: WholeTable) -> str:
    return (
        f"Costs {whole.costs:,.0f}, savings {whole.savings:,.0f}, net {whole.net:,.0f} USD a year; savings over costs"
        f" {whole.ratio:.3f}. {whole.hospital_share:.1%} of the savings are hospital stays assumed not to have happened;"
        f" if these two lines fall by {whole.hospital_break_even:.1%} together, the net is zero."
    )


def print_own(settings: Settings, console: Console, release: str | None = None) -> None:
    """Prints agencies' own net beside the published one, with its label. Raises NoRelease."""
    from orchestration.release.reader import open_release
    from orchestration.report import _table

    with open_release(settings, release) as con:
        tables = {
            r[0]
            for r in con.execute("select table_schema || '.' || table_name from information_schema.tables").fetchall()
        }
        rows = (
            con.execute(
                "select program_id, design_code, comparison_code, program_cost_usd, avoided_capacity_usd,"
                " net_capacity_usd, benefit_cost_ratio from internal.met_cost__avoided"
                " where component_code = 'all' and availability_code = 'available' order by all"
            ).fetchall()
            if "internal.met_cost__avoided" in tables
            else []
        )
    whole = whole_table()
    console.print("\n[bold]beside agencies' own figures[/] (M48, M49)")
    table = _table("who", "comparison", "cost USD", "savings or avoided capacity USD", "net USD", "ratio")
    table.add_row("El-Mallakh 2014", "no comparison group", *(f"{v:,.0f}" for v in (whole.costs, whole.savings, whole.net)), f"{whole.ratio:.3f}")  # fmt: skip
    for program, design, comparison, cost, avoided, net, ratio in rows:
        table.add_row(
            program, f"{comparison} ({design})",
            *("" if v is None else f"{v:,.0f}" for v in (cost, avoided, net)), "" if ratio is None else f"{ratio:.3f}",
        )  # fmt: skip
    console.print(table)
    console.print(NO_EFFECT if rows else "no agency of this release has both a program's cost and a comparison")


def published_page(root: Path = PROJECT) -> str:
    """The page docs/published.md."""
    from orchestration.standard.dictionary import generated_note
    from orchestration.standard.markdown import cell, code, page, table

    checks, whole = published_checks(root), whole_table(root)
    studies = {c.study.study_id: c.study for c in checks}
    rows = [
        [
            c.check_id, c.kind, cell(f"{c.study.title.partition(':')[0]}: {c.what}"), f"{code(c.formula)} {cell(c.inputs)}",
            c.inputs_from, _printed(c), _number(c.computed), _number(c.difference), c.unit,
            f"**{c.verdict}**" if c.verdict == DIFFERS else c.verdict, cell(c.note),
        ]
        for c in checks
    ]  # fmt: skip
    return page(
        f"# {TITLE}",
        generated_note("evaluations/published"),
        "Papers and reports on crisis response print inputs and outputs. Here each output is computed again from its"
        " printed inputs, by the formulas that the warehouse uses for agencies where it has them"
        " (`dbt_project/macros/measures/money.sql` and the `share` of every metric), else by those of"
        " `evaluations/published/formulas.sql`. `crisis published` prints the same; `crisis published --own` sets"
        " agencies' own figures beside it.",
        SAYS,
        [f"- {line}" for line in summary(checks)],
        "Kinds: " + "; ".join(f"{k}, {v}" for k, v in KINDS.items()) + ". A verdict is within the paper's own rounding."
        " References in brackets are not printed in what was read.",
        table(
            [
                "id",
                "kind",
                "what",
                "formula and inputs",
                "inputs from",
                "printed",
                "computed",
                "difference",
                "unit",
                "verdict",
                "note",
            ],
            rows,
        ),
        "## One study whole",
        f"{whole.study.title}. {whole.study.source}. Its design: {whole.study.design}. It has no comparison group.",
        table(
            ["line", "kind", "USD a year", "net if 25 % lower", "net if 25 % higher", "net is zero if it"],
            [
                [
                    x.line,
                    x.kind,
                    _number(x.usd),
                    f"{x.net_if_lower:,.0f}",
                    f"{x.net_if_higher:,.0f}",
                    _break_even(x.break_even_change),
                ]
                for x in whole.lines
            ],
        ),
        _whole_said(whole) + " The quarter is ours, to show what the net hangs on; the paper prints no range.",
        "An agency's own figures stand beside these only with the label that they have no comparison group, or with"
        " the comparison that they rest on.",
        "## Where the rows come from",
        table(
            ["study", "source", "design", "comparison group", "who claims it", "read"],
            [
                [
                    cell(s.title),
                    cell(s.source),
                    cell(s.design),
                    s.comparison.replace("_", " "),
                    cell(s.claimed_by),
                    s.read,
                ]
                for s in studies.values()
            ],
        ),
        "Read: the source itself, its abstract, or a copy of its text elsewhere.",
    )
