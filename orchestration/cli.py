"""The command `crisis`: thin, every verb a call into the package. Heavy imports stay inside the verbs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


class _Month(click.ParamType):
    name = "YYYY-MM"

    def convert(self, value, param, ctx):
        import re

        if not re.match(MONTH, value):
            self.fail(f"'{value}' is not a month; write it as 2024-05", param, ctx)
        return value


def _settings():
    from orchestration.settings import Settings, SettingsError

    try:
        return Settings.from_environment()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _console():
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140)


class _Progress:
    """Prints what a run reports, one line each, with the seconds since its start."""

    def __init__(self):
        self.started = time.perf_counter()

    def __call__(self, layer: str, said: str) -> None:
        click.echo(f"{time.perf_counter() - self.started:6.1f} s  {layer:<22} {said}")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="crisis-warehouse")
def main() -> None:
    """The open warehouse for behavioral-health crisis response.

    Data lies in CRISIS_HOME (default ./.crisis). Agency folders are found on CRISIS_AGENCIES.
    """


@main.command()
@click.option("--agency", "agencies", multiple=True, help="Run this agency only; may be given again.")
@click.option("--from", "first", type=_Month(), help="First month, such as 2020-05.")
@click.option("--to", "last", type=_Month(), help="Last month, included.")
@click.option(
    "--drop",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with one folder of files per agency. Default: CRISIS_HOME/drop.",
)
def run(agencies, first, last, drop) -> None:
    """Land, read, build, judge and release.

    Without --from and --to: all months that the landed files touch or that are stale.
    """
    _run(_settings(), agencies, first, last, drop)


def _run(settings, agencies=(), first=None, last=None, drop=None):
    import warnings

    warnings.simplefilter("ignore")  # Dagster's notes on its own beta parameters
    from orchestration.agencies import AgencyError
    from orchestration.run import RunError, run_road

    try:
        outcome = run_road(settings, agencies, first, last, drop, _Progress())
    except (RunError, AgencyError) as error:
        raise click.ClickException(str(error)) from error
    for line in outcome.refused:
        click.echo(f"refused: {line}", err=True)
    for agency, why in outcome.stopped.items():
        click.echo(f"stopped: {agency}: {why}", err=True)
    for line in outcome.failed:
        click.echo(f"failed: {line}", err=True)
    if not outcome.success:
        raise click.ClickException(
            "the run did not reach a new release; `crisis gates` says why, and `current` still serves the last good one"
        )
    return outcome


@main.command()
@click.option(
    "--into",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the fresh home; not there yet, or empty.",
)
def rebuild(into) -> None:
    """Build a fresh home from landing and identity alone, and compare its release with the current one.

    Exit code 0: the same bytes; 1: it names the tables that differ.
    """
    import warnings

    warnings.simplefilter("ignore")
    from orchestration.agencies import AgencyError
    from orchestration.rebuild import rebuild as rebuild_home
    from orchestration.run import RunError

    try:
        done = rebuild_home(_settings(), into, _Progress())
    except (RunError, AgencyError) as error:
        raise click.ClickException(str(error)) from error
    for name in done.differing:
        click.echo(f"differs: {name}")
    for said in done.why:
        click.echo(f"known to differ: {said}")
    same = done.files - len(done.differing)
    click.echo(f"{done.old} and {done.new} in {_short(into)}: {same} of {done.files} files have the same bytes")
    sys.exit(1 if done.differing else 0)


@main.command()
@click.option("--calls", default=50_000, show_default=True, help="Size of the county.")
def demo(calls) -> None:
    """Build the warehouse of a fictional county and say where to look."""
    from orchestration.county import AGENCIES, write_county
    from orchestration.report import demo_summary

    settings = _settings()
    settings.ensure_home()
    click.echo(f"a fictional county's files go to {_short(settings.drop)}")
    write_county(settings.drop, calls, truth_folder=settings.home / "truth")
    _run(settings, AGENCIES)
    click.echo()
    for line in demo_summary(settings, _crisis()):
        click.echo(line)


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _crisis() -> str:
    """How the reader called this command, so that what is printed can be pasted."""
    called = Path(sys.argv[0])
    return (
        "crisis"
        if os.access(called, os.X_OK) and str(called.parent) in os.environ.get("PATH", "").split(os.pathsep)
        else _short(called)
    )


@main.command()
@click.option("--calls", default=4000, show_default=True, help="CAD events, from 5 thousand to 100 million.")
@click.option("--months", default=6, show_default=True, help="Months that they lie in.")
@click.option("--seed", default=20260101, show_default=True, help="The same seed gives the same bytes.")
@click.option("--start", type=_Month(), default="2024-01", show_default=True, help="First month.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder; made if it is not there."
)
@click.option("--dirt", default=1.0, show_default=True, help="Multiplies all dirt: 0 is clean, 2 is twice.")
@click.option("--rate", "rates", multiple=True, metavar="NAME=VALUE", help="Sets one parameter; may be given again.")
def county(calls, months, seed, start, out, dirt, rates) -> None:
    """Write the files of a fictional county, the agency folders that fit them, and the truth beside them.

    OUT gets drop/ (what the agencies' vendors export), agencies/ and truth/, which nothing else reads. To build the
    warehouse of it: CRISIS_AGENCIES=OUT/agencies crisis run --drop OUT/drop.
    """
    from orchestration.county import copy_agencies, write_county

    try:
        chosen = {name: float(value) for name, _, value in (rate.partition("=") for rate in rates)}
        counts = write_county(
            out / "drop", calls, months, seed, str(start), truth_folder=out / "truth", dirt=dirt, rates=chosen
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    copy_agencies(out / "agencies")
    for name, value in counts.items():
        click.echo(f"{value:>14,} {name.replace('_', ' ')}")
    click.echo(
        f"files in {_short(out / 'drop')}, folders in {_short(out / 'agencies')}, truth in {_short(out / 'truth')}"
    )


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port on 127.0.0.1.")
def serve(port: int) -> None:
    """Start the Dagster web UI with its daemon on 127.0.0.1."""
    settings = _settings()
    settings.ensure_home()
    from orchestration.layers.dbt import DbtProject

    click.echo("preparing the graph")
    project = DbtProject(settings)
    _ = project.manifest_path
    os.environ.update(settings.dagster_environment, CRISIS_HOME=str(settings.home), PYTHONWARNINGS="ignore")
    click.echo(f"http://127.0.0.1:{port} (stop with Ctrl-C)")
    sys.stdout.flush()
    dagster = Path(sys.executable).parent / "dagster"
    os.chdir(settings.home)
    os.execv(dagster, [str(dagster), "dev", "-m", "orchestration.definitions", "-h", "127.0.0.1", "-p", str(port)])


@main.command()
@click.option("--layer", type=click.Choice(["input", "linkage", "staging", "marts", "metrics", "release"]))
@click.option("--agency", help="Gates of this agency and findings about it.")
@click.option("--checks", is_flag=True, help="Every finding, not only the failing ones.")
def gates(layer, agency, checks) -> None:
    """Print the ledger: which gates are open, what failed, and why."""
    from orchestration.report import gates_report

    gates_report(_settings(), _console(), layer, agency, checks)


@main.command()
@click.argument("query", required=False)
@click.option("--release", help="An older release; default: the current one.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def sql(query, release, as_csv) -> None:
    """Query a release, read-only; without QUERY a prompt, or the text that is piped in.

    Tables of the general tier stand by their name; those of the internal tier as internal.NAME.
    """
    from orchestration.release.reader import NoRelease, open_release
    from orchestration.report import print_query, prompt

    if not query and not sys.stdin.isatty():
        query = sys.stdin.read().strip().rstrip(";")
        if not query:
            raise click.ClickException(
                "nothing was piped in; give a query, or run `crisis sql` in a terminal for a prompt"
            )
    try:
        with open_release(_settings(), release) as con:
            if query:
                if not print_query(con, query, _console(), as_csv):
                    sys.exit(1)
            else:
                prompt(con, _console())
    except NoRelease as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("table", required=False)
@click.option("--release", help="An older release; default: the current one.")
def describe(table, release) -> None:
    """Print the tables of a release, or the columns of one: meaning, unit, tier."""
    from orchestration.release.reader import NoRelease
    from orchestration.report import describe_release

    try:
        describe_release(_settings(), _console(), table, release)
    except NoRelease as error:
        raise click.ClickException(str(error)) from error


@main.command()
def docs() -> None:
    """Write the models' documentation with its graph as one page that opens without a network."""
    from orchestration.layers.dbt import DbtFailure
    from orchestration.layers.lock import writer_lock
    from orchestration.layers.models import Warehouse

    settings = _settings()
    settings.ensure_home()
    try:
        with writer_lock(settings.home, "crisis docs", click.echo):
            page = Warehouse.open(settings).project.write_docs()
    except DbtFailure as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"open {page} in a browser")


@main.group(invoke_without_command=True)
@click.option("--release", help="An older release; default: the current one.")
@click.pass_context
def metrics(ctx, release) -> None:
    """List the metrics of a release, one line each; `crisis metrics show NAME` tells all of one."""
    from orchestration.release.reader import NoRelease
    from orchestration.report import list_metrics

    ctx.obj = release
    if ctx.invoked_subcommand is None:
        try:
            list_metrics(_settings(), _console(), release)
        except NoRelease as error:
            raise click.ClickException(str(error)) from error


@metrics.command("show")
@click.argument("name")
@click.option("--sql/--no-sql", "with_sql", default=True, help="The SQL that makes it.", show_default=True)
@click.pass_obj
def metrics_show(release, name, with_sql) -> None:
    """Print a metric's definition, formula, source, newest value, limits and SQL. NAME: M05, a table, or a label."""
    from orchestration.layers.dbt import DbtFailure
    from orchestration.release.reader import NoRelease
    from orchestration.report import show_metric

    try:
        show_metric(_settings(), _console(), name, release, with_sql)
    except (NoRelease, DbtFailure) as error:
        raise click.ClickException(str(error)) from error


@metrics.command("query", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def metrics_query(release, arguments) -> None:
    """Compute main measures of a release by any dimension: --metrics a,b --group-by metric_time,agency.

    The arguments are those of MetricFlow's `mf query`; `crisis metrics query --help` prints them.
    """
    from orchestration.layers.dbt import DbtFailure
    from orchestration.release.reader import NoRelease
    from orchestration.release.semantic import NoMetricFlow, ask

    try:
        sys.exit(ask(_settings(), ["query", *arguments], release))
    except (NoRelease, NoMetricFlow, DbtFailure) as error:
        raise click.ClickException(str(error)) from error


@metrics.command("record")
def metrics_record() -> None:
    """Write the newest values of the current release to docs/metric_values.json, for the page of metrics."""
    from orchestration.release.metrics import record_values
    from orchestration.release.reader import NoRelease
    from orchestration.settings import PROJECT
    from orchestration.standard.metrics_page import VALUES

    try:
        found = record_values(_settings(), PROJECT / VALUES)
    except NoRelease as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{found} values written to {VALUES}; `crisis standard write` makes the page")


@main.command()
@click.argument("table")
@click.argument("key")
@click.option("--release", help="An older release; default: the current one.")
def trace(table, key, release) -> None:
    """Follow a released row back to its landed file and row. KEY is the row's id, such as agency:number."""
    from orchestration.release.reader import NoRelease
    from orchestration.report import print_trace

    try:
        print_trace(_settings(), _console(), table, key, release)
    except NoRelease as error:
        raise click.ClickException(str(error)) from error


@main.group()
def standard() -> None:
    """The data standard: files that follow from it, and forms."""


@standard.command("write")
def standard_write() -> None:
    """Write every file of the repository that is generated from the standard."""
    from orchestration.standard.generated import write_files

    changed = write_files()
    for path in changed:
        click.echo(path)
    click.echo(f"{len(changed)} file(s) changed")
    _say_hand_written()


@standard.command("check")
def standard_check() -> None:
    """Exit with 1 and a list if a generated file is stale."""
    from orchestration.standard.generated import stale_files

    stale = stale_files()
    for problem in stale:
        click.echo(problem)
    if _say_hand_written() or stale:
        sys.exit(1)
    click.echo("all generated files are what the standard gives")


def _say_hand_written() -> bool:
    """Prints what hand-written staging models lack; returns whether there is anything."""
    from orchestration.standard.generated import hand_written_problems

    problems = hand_written_problems()
    for problem in problems:
        click.echo(problem)
    return bool(problems)


@standard.command("forms")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The agency's folder.")
@click.option("--entity", "entities", multiple=True, help="This entity only; may be given again.")
def standard_forms(out, entities) -> None:
    """Write forms (XLSX and CSV) for agencies without a system, and the agency.yml that loads them."""
    from orchestration.standard import load_standard
    from orchestration.standard.forms import agency_id_of, write_forms

    try:
        paths = write_forms(load_standard(), out, entities)
    except KeyError as error:
        raise click.ClickException(error.args[0]) from error
    except FileExistsError as error:
        raise click.ClickException(f"{error}; move them away, or name another --out") from error
    for path in paths:
        click.echo(_short(path))
    click.echo(f"correct the facts in {_short(out / 'agency.yml')}, above all the time zone")
    if agency_id_of(out) != out.resolve().name:
        click.echo(f"the folder must be called as the agency_id: rename it to {agency_id_of(out)}")


@main.group()
def agency() -> None:
    """Bring in an agency: draft its folder, check its mapping, compare extracts."""


class _File(click.Path):
    def __init__(self):
        super().__init__(exists=True, dir_okay=False, path_type=Path)


# A shell writes --from *.csv as one option and further words, so these count as files too.
def _from_files(required: bool):
    def add(verb):
        verb = click.argument("further", nargs=-1, type=_File(), metavar="[FILE]...")(verb)
        return click.option(
            "--from", "files", multiple=True, required=required, type=_File(), help="A file; name as many as you like."
        )(verb)

    return add


def _agency_folder(settings, name: str) -> Path:
    """The folder of an agency by its name, or the folder that `name` is the path of."""
    from orchestration.agencies import AgencyError, find_agencies

    if (Path(name) / "agency.yml").is_file():
        return Path(name).resolve()
    try:
        known = find_agencies(settings.agency_paths)
    except AgencyError as error:
        raise click.ClickException(str(error)) from error
    if name not in known:
        paths = os.pathsep.join(map(str, settings.agency_paths))
        raise click.UsageError(
            f"no agency folder '{name}' in {paths}; known: {', '.join(sorted(known))}. Set CRISIS_AGENCIES, or give its path"
        )
    return known[name]


@agency.command("new")
@click.argument("name")
@_from_files(required=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where agency folders lie. Default: the last of CRISIS_AGENCIES.",
)
@click.option("--zone", help="IANA time zone of the clock that wrote the times, such as America/Chicago.")
@click.option("--state", help="State, two letters.")
def agency_new(name, files, further, out, zone, state) -> None:
    """Draft an agency folder from its files: NAME/agency.yml and NAME/codes/."""
    from orchestration.agencies.tools.draft import ASK_ZONE, DraftError, new_agency

    settings = _settings()
    out = out or settings.agency_paths[-1]
    try:
        draft = new_agency(settings, name, [*files, *further], out, zone, state)
    except DraftError as error:
        raise click.UsageError(str(error)) from error
    for line in draft.said:
        click.echo(line)
    for path in draft.files:
        click.echo(f"wrote {_short(path)}")
    if zone is None:
        click.echo(
            f"first answer the time zone: put it in place of {ASK_ZONE} in {_short(draft.folder / 'agency.yml')}"
        )
    known = out.resolve() in [p.resolve() for p in settings.agency_paths]
    click.echo(
        f"next: {_crisis()} agency check {name if known else _short(draft.folder)} --from {' '.join(map(str, draft.fed))}"
    )


@agency.command("check")
@click.argument("name")
@_from_files(required=False)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as a page.")
@click.option("--json", "as_json", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON.")
def agency_check(name, files, further, html, as_json) -> None:
    """Run an agency's mapping over files and say what fits; nothing is written to CRISIS_HOME.

    The files: those given, else those of the agency's drop folder, else the landed ones.
    Exit code 0: it fits; 1: it does not; 2: the command was not understood.
    """
    import json

    from orchestration.agencies.tools.check import check_files, sources_for
    from orchestration.agencies.tools.check_text import report_lines
    from orchestration.agencies.tools.reading import AgencyError, load_agency

    settings = _settings()
    folder = _agency_folder(settings, name)
    try:
        found = load_agency(folder)
        sources, where = sources_for(settings, found, [*files, *further])
        report = check_files(settings, found, sources, where)
    except AgencyError as error:
        click.echo(f"does not fit: mapping error: {error}", err=True)
        sys.exit(1)
    for line in report_lines(report):
        click.echo(line)
    if html:
        from orchestration.agencies.tools.check_page import report_page

        html.write_text(report_page(report), encoding="utf-8")
        click.echo(f"wrote {_short(html)}")
    if as_json:
        as_json.write_text(json.dumps(report.as_dict(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        click.echo(f"wrote {_short(as_json)}")
    sys.exit(0 if report.fits else 1)


@agency.command("diff")
@click.argument("name")
@_from_files(required=True)
def agency_diff(name, files, further) -> None:
    """Compare new files with the last landed file of the same feed."""
    from orchestration.agencies.tools.diff import diff_files, difference_lines
    from orchestration.agencies.tools.reading import AgencyError, Source, load_agency

    settings = _settings()
    try:
        found = load_agency(_agency_folder(settings, name))
        differences = diff_files(settings, found, [Source(p, p.name) for p in (*files, *further)])
    except AgencyError as error:
        raise click.ClickException(str(error)) from error
    for difference in differences:
        for line in difference_lines(difference):
            click.echo(line)
    if all(d.problem for d in differences):
        sys.exit(1)


@main.group()
def linkage() -> None:
    """People linked across sources: link, compare with a truth, search for identifiers."""


_truth = click.option(
    "--truth",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The truth folder of a fictional county.",
)


@main.command("truth")
@_truth
def hold_against_truth(truth) -> None:
    """Hold the current release of a fictional county against its truth: effects, rates, costs, links to calls."""
    from orchestration.county.compare import compare, print_compared
    from orchestration.release.reader import NoRelease, open_release

    try:
        with open_release(_settings()) as con:
            print_compared(compare(con, truth), _console())
    except (NoRelease, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


@linkage.command("run")
@click.option(
    "--retrain", is_flag=True, help="Learn the model anew from what is there now; keys change where people do."
)
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Day on which consents are judged. Default: today.")
def linkage_run(retrain, as_of) -> None:
    """Link the people of all agencies that may be linked, and judge the links. `crisis run` does so by itself."""
    from orchestration.layers.ledger import Ledger
    from orchestration.layers.linkage import build_links, judge_links
    from orchestration.layers.lock import writer_lock

    settings = _settings()
    if as_of:
        settings = replace(settings, as_of=as_of.date())
    settings.ensure_home()
    ledger = Ledger(settings.home)
    with writer_lock(settings.home, "crisis linkage run", click.echo):
        found = build_links(settings, ledger, click.echo, retrain)
        is_open = judge_links(settings, ledger)
    click.echo(f"{len(found.changed)} agency month(s) changed" if found else "nothing has changed")
    if not is_open:
        raise click.ClickException("the gate of linkage is closed; `crisis gates` says why")


@linkage.command("report")
@_truth
@click.option("--zone", "zones", multiple=True, type=click.Choice(["justice", "care"]), help="This zone only.")
def linkage_report(truth, zones) -> None:
    """Print precision and recall of linkage against a truth, by kind of dirt and by group: people, and calls of contacts."""
    from orchestration.linkage.evaluate import evaluate, print_report, print_scores
    from orchestration.linkage.evaluate_calls import evaluate_calls
    from orchestration.release.reader import NoRelease

    try:
        for zone in zones or ("justice", "care"):
            print_report(evaluate(_settings(), truth, zone), _console())
        whole, *slices = evaluate_calls(_settings(), truth)
        print_scores("Contacts and their calls against the truth", whole, [whole, *slices], _console())
    except (FileNotFoundError, NoRelease) as error:
        raise click.ClickException(str(error)) from error


@linkage.command("search")
@_truth
def linkage_search(truth) -> None:
    """Search warehouse, input, releases, logs and events for the identifiers of a truth; exit with 1 if any is found."""
    from orchestration.linkage.search import search_home

    try:
        found = search_home(_settings(), truth, click.echo)
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error
    for find in found:
        click.echo(f"{find.place}: {find.different:,} different {find.kind.replace('_', ' ')}(s)")
    click.echo(f"{len(found)} place(s) hold identifiers" if found else "no identifier was found")
    sys.exit(1 if found else 0)


@main.command()
@click.argument("agency")
@click.option(
    "--calls",
    "population",
    default="all",
    show_default=True,
    help="all, or behavioral-health calls by this way of knowing: call_type_initial, call_type_final, field_form.",
    type=click.Choice(["all", "call_type_initial", "call_type_final", "field_form"]),
)
@click.option("--weeks", default=4, show_default=True, type=click.IntRange(1, 13), help="How far to look ahead.")
@click.option(
    "--cover",
    "what",
    default="units",
    show_default=True,
    type=click.Choice(["units", "gap", "cit"]),
    help="What the shifts cover: all units needed; what the roster lacks of them; hours without a CIT officer.",
)
@click.option(
    "--patterns",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of shift patterns; default: seeds/staffing/shift_pattern.csv.",
)
@click.option(
    "--hours",
    "most_hours",
    type=click.FloatRange(min=0),
    help="Paid officer hours that there are in a week; default: as many as it takes.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the tables (CSV) and the page (HTML)."
)
@click.option("--release", help="An older release; default: the current one.")
def staffing(agency, population, weeks, what, patterns, most_hours, out, release) -> None:
    """Forecast an agency's demand, and print the units, officers and shifts that it takes.

    Reads the internal tier of a release. Needs the extra `staffing`.
    """
    from orchestration.release.reader import NoRelease, open_release, release_folder
    from orchestration.staffing import StaffingError

    settings = _settings()
    try:
        from orchestration.staffing.cover import load_patterns
        from orchestration.staffing.plan import make_plan, write_tables
        from orchestration.staffing.report import page, print_plan

        shifts = load_patterns(patterns or settings.seeds / "staffing" / "shift_pattern.csv")
        name = release_folder(settings, release).name
        with open_release(settings, name) as con:
            plan = make_plan(con, agency, shifts, population, weeks, what, most_hours)
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is not installed; `pip install 'crisis-warehouse[staffing]'` brings it"
        ) from error
    except (NoRelease, StaffingError) as error:
        raise click.ClickException(str(error)) from error
    print_plan(plan, _console())
    if out:
        written = write_tables(plan, out)
        (out / "staffing.html").write_text(page(plan, name), encoding="utf-8")
        click.echo(f"{len(written) + 1} files in {_short(out)}; open staffing.html in a browser")


@main.command()
@click.option("--own", is_flag=True, help="Agencies' own figures of a release beside those of the study shown whole.")
@click.option("--release", help="With --own: an older release; default: the current one.")
def published(own, release) -> None:
    """Check published arithmetic: printed numbers of the field, computed again. These are not reproduced evaluations."""
    from orchestration.evaluation.published import PublishedError
    from orchestration.evaluation.published_report import print_own, print_published
    from orchestration.release.reader import NoRelease

    console = _console()
    try:
        print_published(console)
        if own:
            print_own(_settings(), console, release)
    except (PublishedError, NoRelease) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("study")
@click.option("--release", help="An older release; default: the current one.")
@click.option("--freeze", "only_freeze", is_flag=True, help="Check the study, freeze it by hash, and estimate nothing.")
@click.option("--exploratory", is_flag=True, help="Run a study that is not frozen as it is now; every page says so.")
@click.option("--dua-id", help="Data use agreement under which data that may not be public are written, sealed.")
def evaluate(study, release, only_freeze, exploratory, dua_id) -> None:
    """Run a frozen study over a release: tables, figures and a PDF. STUDY: a folder of evaluations/, or its path."""
    from datetime import date

    from orchestration.evaluation.freeze import freeze
    from orchestration.evaluation.run import evaluate as evaluate_study
    from orchestration.evaluation.run import power_before, sealed_folder
    from orchestration.evaluation.study import StudyError, load_study, study_folder
    from orchestration.release.reader import NoRelease

    settings, progress = _settings(), _Progress()
    try:
        folder = study_folder(study)
        if only_freeze:
            found = load_study(folder)
            for line in power_before(settings, found, release):
                click.echo(line)
            click.echo(f"{found.study_id} is frozen as {freeze(folder, settings.home, found.study_id, date.today())}")
            return
        say = lambda said: progress("evaluate", said)  # noqa: E731
        done = evaluate_study(settings, folder, release, exploratory, say=say, dua_id=dua_id)
    except (StudyError, NoRelease) as error:
        raise click.ClickException(str(error)) from error
    for line in done.conclusion:
        click.echo(line)
    click.echo(
        f"{_short(done.folder / 'report.pdf')}, report.html, tables/, figures/, main_model.do, main_model.R, CITATION.cff,"
        " manifest.json"
    )
    if not done.panel["is_public"]:
        where = (
            f"is sealed in {_short(sealed_folder(done.folder))}"
            if dua_id
            else "was not written: give --dua-id to seal it"
        )
        click.echo(
            f"the main model's data may not be public ({done.panel['file']}): the file {where}; the manifest names its checksum"
        )


@main.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--release", help="Rebuild from this one; default: the one that the bundle names, else the current one.")
def reproduce(bundle, release) -> None:
    """Rebuild the results of a bundle from a release, and compare them byte for byte, then number for number.

    BUNDLE: a folder that `crisis evaluate` wrote. Exit code 0: the same bytes; 1: it prints what differs, and why.
    """
    from orchestration.evaluation.reproduce import reproduce as reproduce_bundle
    from orchestration.evaluation.study import StudyError
    from orchestration.release.reader import NoRelease

    progress = _Progress()
    try:
        done = reproduce_bundle(_settings(), bundle, release, lambda said: progress("reproduce", said))
    except (StudyError, NoRelease) as error:
        raise click.ClickException(str(error)) from error
    for line in (*done.results, *done.why):
        click.echo(line)
    click.echo(done.verdict)
    sys.exit(1 if done.results else 0)


@main.command()
def doctor() -> None:
    """Check the installation and say what to do."""
    from orchestration.doctor import examine

    console, bad = _console(), 0
    for ok, what, remedy in examine(_settings()):
        mark = "[green]ok[/]     " if ok else "[bold red]problem[/]"
        console.print(f"{mark} {what}" + ("" if ok else f"\n        do: {remedy}"))
        bad += not ok
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
