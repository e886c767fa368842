"""What the command prints: gates, tables, traces and query results."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.landing import Manifest
from orchestration.landing.zone import landed_agencies
from orchestration.layers.fingerprint import WHOLE
from orchestration.layers.ledger import EVERY_AGENCY, LAYERS, Ledger
from orchestration.layers.models import DBT_LAYERS, Warehouse
from orchestration.layers.months import UNKNOWN, shift
from orchestration.metric import METRIC_NOTES
from orchestration.release.metrics import Metric, Value, find_metrics, model_sql, named, newest_value
from orchestration.release.publish import current_release, held_back, load_manifest
from orchestration.release.reader import NoRelease, NotReading, open_release, read, release_folder
from orchestration.release.tiers import TIERS, home_tier
from orchestration.release.trace import trace
from orchestration.settings import Settings

ROWS_SHOWN = 200
HISTORY = "sql_history"


def _table(*columns: str) -> Table:
    from rich import box

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def spans(months: Iterable[str]) -> str:
    """Months as ranges: '2020-05 to 2020-07, unknown'; '*' reads 'whole tables'."""
    known = sorted(m for m in months if m not in (UNKNOWN, WHOLE))
    out: list[list[str]] = []
    for month in known:
        if out and shift(out[-1][1], 1) == month:
            out[-1][1] = month
        else:
            out.append([month, month])
    said = [a if a == b else f"{a} to {b}" for a, b in out]
    return ", ".join(
        [*said, *("unknown" for m in months if m == UNKNOWN), *("whole tables" for m in months if m == WHOLE)]
    )


def gates_report(settings: Settings, console: Console, layer: str | None, agency: str | None, checks: bool) -> None:
    """Prints gates by layer, agency and state, then findings, then refused files."""
    settings.ensure_home()
    warehouse = Warehouse.open(settings)
    ledger: Ledger = warehouse.ledger
    all_findings = ledger.findings(layer)
    there = warehouse.write_ids()
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for key, gate in ledger.gates(layer).items():
        state, reason = gate.state, gate.reason
        if agency and gate.agency_id not in (agency, EVERY_AGENCY):
            continue
        written = there.get((gate.layer, gate.month))  # input, links and releases lie outside the warehouse
        if gate.layer in DBT_LAYERS and state == "open" and written != gate.write_id:
            state, reason = "closed", "opened for other rows than the warehouse holds now; run `crisis run`"
        rows.setdefault((gate.layer, gate.agency_id, state, reason), []).append(key[2])
    if not rows:
        console.print("no gate yet: nothing was ever run here. `crisis demo` or `crisis run` begins.")
        return
    table = _table("layer", "agency", "months", "gate", "passed", "failed", "n/a", "error", "why closed")
    for (kind, who, state, reason), months in sorted(
        rows.items(), key=lambda r: (LAYERS.index(r[0][0]), r[0][1], r[1])
    ):
        counts = Counter(f.status for m in months for f in all_findings.get((kind, who, m), []))
        color = "green" if state == "open" else "bold red"
        table.add_row(
            kind, "all" if who == EVERY_AGENCY else who, spans(months), f"[{color}]{state}[/]",
            *(str(counts[s]) for s in ("passed", "failed", "not_applicable", "error")), escape(_wrapped(reason)),
        )  # fmt: skip
    console.print(table)
    _print_findings(console, all_findings, agency, checks)
    _print_refused(settings, console, agency)


def _wrapped(reason: str, limit: int = 300) -> str:
    return reason if len(reason) <= limit else reason[:limit] + " …"


def _print_findings(console: Console, found, agency: str | None, checks: bool) -> None:
    grouped: dict[tuple, list[str]] = {}
    for (layer, who, month), findings in found.items():
        for f in findings:
            about = f.about or ("" if who == EVERY_AGENCY else who)
            if (checks or f.status in ("failed", "error")) and agency in (None, about, ""):
                grouped.setdefault(
                    (layer, about, f.check_id, f.status, f.severity, "" if f.status == "passed" else f.reason), []
                ).append(month)
    if not grouped:
        return
    table = _table("layer", "agency", "check", "status", "severity", "months", "what was found")
    for (layer, about, check, status, severity, reason), months in sorted(
        grouped.items(), key=lambda g: (LAYERS.index(g[0][0]), g[0][1:])
    ):
        color = {"passed": "green", "failed": "red" if severity == "block" else "yellow", "error": "bold red"}.get(
            status, "dim"
        )
        table.add_row(
            layer, about or "all", check, f"[{color}]{status}[/]", severity, spans(months), escape(_wrapped(reason))
        )
    console.print(
        "[bold]findings[/]"
        if checks
        else "[bold]findings that failed[/] (severity warn and record do not close a gate)"
    )
    console.print(table)


def _print_refused(settings: Settings, console: Console, agency: str | None) -> None:
    refused = [
        f
        for a in landed_agencies(settings)
        if agency in (None, a)
        for f in Manifest(settings, a).files().values()
        if f.status == "refused"
    ]
    if not refused:
        return
    table = _table("agency", "file", "rule", "why", "remedy")
    for f in refused:
        table.add_row(f.agency_id, escape(f.file_name), f.rule, escape(f.reason), escape(f.remedy))
    console.print("[bold]refused files[/] (landed, and nothing of them goes further)")
    console.print(table)


def describe_release(settings: Settings, console: Console, table: str | None, release: str | None) -> None:
    """Prints the tables of a release, or one table's columns. Raises NoRelease."""
    manifest = load_manifest(settings, release_folder(settings, release).name)
    tables, files = manifest["tables"], manifest["files"]
    if table is None:
        out = _table("table", "rows", "tiers", "what it holds")
        for name, said in tables.items():
            tiers = [t for t in reversed(TIERS) if f"{t}/{name}.parquet" in files]
            rows = files[f"{home_tier(said['tier'])}/{name}.parquet"]["rows"]
            out.add_row(name, f"{rows:,}", ", ".join(tiers), escape(_first_sentence(said["description"])))
        console.print(f"release {manifest['release']}")
        console.print(out)
        console.print("`crisis describe TABLE` prints the columns of one.")
        return
    table = table.rpartition(".")[2]
    if table not in tables:
        raise NoRelease(f"no table '{table}' in release {manifest['release']}; `crisis describe` lists them")
    said = tables[table]
    console.print(f"[bold]{table}[/]: {escape(' '.join(said['description'].split()))}")
    for label in ("definition", "formula", "source", "do_not_conclude"):
        if said.get(label):
            console.print(f"{label.replace('_', ' ')}: {escape(' '.join(str(said[label]).split()))}")
    console.print(f"one row per: {', '.join(said['primary_key'])}")
    out = _table("column", "type", "unit", "tier", "meaning")
    for column, c in said["columns"].items():
        out.add_row(
            column, c["type"] or "", c["unit"] or "", c["tier"] or "", escape(" ".join(c["description"].split()))
        )
    console.print(out)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].rstrip(".") + "."


def list_metrics(settings: Settings, console: Console, release: str | None) -> None:
    """Prints every metric of a release in one line. Raises NoRelease."""
    out = _table("id", "metric", "newest value", "table")
    out.columns[-1].no_wrap = True
    with open_release(settings, release) as con:
        for metric in find_metrics(settings, release):
            value = newest_value(con, metric)
            shown = f"{_number(value.value)} {_unit(metric)} ({_place(value)})" if value else "[dim]none[/]"
            out.add_row(metric.metric_id, metric.label, shown, metric.table)
    console.print(out)
    console.print("`crisis metrics show NAME` prints what one means, what not to conclude, and its SQL.")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.6g}"


def _unit(metric: Metric) -> str:
    """The unit of the value; none where each row has its own."""
    unit = metric.said["columns"][metric.headline]["unit"] or ""
    return "" if unit == "as unit says" else unit.replace("_", " ")


def _place(value: Value) -> str:
    """Whose and when a value is; the tier only where it is not open to all readers."""
    said = [value.agency_id, value.month, *([f"{value.tier} tier"] if value.tier != "general" else [])]
    return ", ".join(s for s in said if s)


def show_metric(settings: Settings, console: Console, name: str, release: str | None, with_sql: bool) -> None:
    """Prints all that is known of a metric, for each table that holds it. Raises NoRelease, DbtFailure."""
    with open_release(settings, release) as con:
        for metric in named(find_metrics(settings, release), name):
            console.print(f"[bold]{metric.metric_id} {escape(metric.label)}[/] in {metric.table}, tier {metric.tier}")
            for label in METRIC_NOTES:
                if metric.said.get(label):
                    text = " ".join(str(metric.said[label]).split())
                    console.print(f"  {label.replace('_', ' ')}: {escape(text)}")
            console.print(f"  one row per: {', '.join(metric.said['primary_key'])}")
            value = newest_value(con, metric)
            if value:
                console.print(
                    f"  newest value: {metric.headline} = {_number(value.value)} ({value.agency_id}, {value.month})"
                )
                console.print(f"  by: {escape(value.query)}", soft_wrap=True)
            else:
                console.print("  newest value: none in this release; `availability_reason` says why")
            if with_sql:
                console.print("  SQL of the model:")
                console.print(escape(model_sql(settings, metric.table)), soft_wrap=True)


def print_trace(settings: Settings, console: Console, table: str, key: str, release: str | None) -> None:
    """Prints the landed rows behind a released row. Raises NoRelease."""
    out = _table("entity", "landed file", "row", "feed", "month", "status")
    origins = trace(settings, table, key, release)
    for o in origins:
        out.add_row(o.entity, f"{escape(o.file_name)}\n[dim]{o.path}[/]", str(o.row), o.feed, o.month, o.status)
    console.print(out)
    console.print("Rows are counted from 1, the header not among them.")


def print_query(con: duckdb.DuckDBPyConnection, query: str, console: Console, as_csv: bool = False) -> bool:
    """Runs one query and prints it; False when it could not be run."""
    try:
        result = read(con, query)
    except (duckdb.Error, NotReading) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        return False
    names = [d[0] for d in result.description]
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        while rows := result.fetchmany(10_000):
            writer.writerows(rows)
        return True
    rows = result.fetchmany(ROWS_SHOWN + 1)
    table = _table(*names)
    for row in rows[:ROWS_SHOWN]:
        table.add_row(*("[dim]null[/]" if v is None else escape(str(v)) for v in row))
    console.print(table)
    if len(rows) > ROWS_SHOWN:
        console.print(f"The first {ROWS_SHOWN} rows; add a limit, or --csv for all.")
    return True


def prompt(con: duckdb.DuckDBPyConnection, console: Console) -> None:
    """A prompt over one release; a statement ends with ';' or an empty line."""
    from prompt_toolkit import PromptSession

    console.print("Tables: `show all tables;`. Leave with Ctrl-D.")
    session: PromptSession = PromptSession()
    while True:
        try:
            lines = [session.prompt("crisis> ")]
            while lines[-1].strip() and not lines[-1].rstrip().endswith(";"):
                lines.append(session.prompt("   ...> "))
        except (EOFError, KeyboardInterrupt):
            return
        query = "\n".join(lines).strip().rstrip(";")
        if query.lower() in ("exit", "quit", "\\q"):
            return
        if query:
            print_query(con, query, console)


def demo_summary(settings: Settings, crisis: str) -> list[str]:
    """The closing lines of the demo: counts, and three commands to try."""
    release = current_release(settings)
    if release is None:
        raise NoRelease("the demo made no release")
    manifest = load_manifest(settings, release)
    ledger = Ledger(settings.home)
    gates = ledger.gates().values()
    n_open = sum(g.state == "open" for g in gates)
    rows = {Path(name).stem: f["rows"] for name, f in manifest["files"].items() if not name.startswith("general/")}
    held = len(held_back(Warehouse.open(settings)))
    return [
        f"{rows['fct_incident']:,} calls, {rows['fct_contact']:,} contacts, {n_open} of {len(gates)} gates open"
        + (f" ({held} agency-months held back)" if held else "")
        + f", {len(rows)} tables in release {release}",
        "try next:",
        f"  {crisis} sql \"select month, known_count, median_seconds, p90_nearest_rank_seconds, availability_code, is_suppressed from met_response__incident_response where population_code = 'all' order by month\"",
        f"  {crisis} describe met_diversion__jail_diversion",
        f"  {crisis} gates",
    ]
