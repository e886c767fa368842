"""One run along the road: land, read, and build, judge and release the months that have something to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.agencies import AgencyError, check_agency, find_agencies, load_agency
from orchestration.landing import land_drop
from orchestration.landing.zone import landed_agencies
from orchestration.layers.fingerprint import WHOLE
from orchestration.layers.input import build_input, input_agencies, load_state
from orchestration.layers.linkage import links_to_do
from orchestration.layers.lock import writer_lock
from orchestration.layers.models import Warehouse
from orchestration.layers.months import UNKNOWN
from orchestration.release import publish as release
from orchestration.settings import Settings


class RunError(ValueError):
    """What was asked cannot be run; the message says what to do."""


@dataclass
class Outcome:
    """How a run ended. stopped: agencies that could not be read, with the reason. failed: layers that did not pass."""

    months: list[str] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def success(self) -> bool:
        return not (self.stopped or self.failed)


def choose_agencies(settings: Settings, chosen: Iterable[str], drop: Path) -> list[str]:
    """The agencies of a run: the chosen ones, else those with dropped or landed files. Raises RunError."""
    known = find_agencies(settings.agency_paths)
    chosen = list(chosen)
    for agency in chosen:
        if agency not in known:
            raise RunError(f"no agency folder '{agency}'; known: {', '.join(known) or 'none'}. See CRISIS_AGENCIES.")
    dropped = [a for a in known if (drop / a).is_dir() and any(p.is_file() for p in (drop / a).iterdir())]
    return chosen or sorted({*dropped, *(a for a in landed_agencies(settings) if a in known)})


def _take_in(
    settings: Settings, warehouse: Warehouse, agencies: list[str], drop: Path, report, outcome: Outcome
) -> None:
    """Lands and reads what the agencies dropped; only then the months are known."""
    folders = find_agencies(settings.agency_paths)
    for name in agencies:
        say = lambda text: report("landing" if text.startswith("refused") else "input", text)  # noqa: E731
        try:
            agency = load_agency(folders[name])
            check_agency(agency)
        except AgencyError as error:
            outcome.stopped[name] = str(error)
            report("landing", f"{name} is stopped before anything is read: {error}")
            continue
        rows = land_drop(settings, agency, drop / name, say=say)
        refused = [r for r in rows if r.status == "refused"]
        outcome.refused += [f"{name}/{r.file_name}: {r.rule}: {r.reason}. {r.remedy}" for r in refused]
        report("landing", f"{name}: {len(rows) - len(refused)} new file(s), {len(refused)} refused")
        build_input(settings, agency, warehouse.ledger, say)


def plan(
    settings: Settings, warehouse: Warehouse, agencies: list[str], first: str | None, last: str | None, to_link: bool
) -> list[str]:
    """Months that the run asks for: the chosen ones, else all that are stale or whose gate is closed.

    to_link: whether people are to be linked, which asks for the whole tables.
    """
    existing = {m for a in agencies for m in load_state(settings, a).months} | set(warehouse.wanted())
    if first or last:
        return sorted(m for m in existing if m != UNKNOWN and (first or "") <= m <= (last or "9999-12"))
    gates = warehouse.ledger.gates("input")
    unjudged = {
        m
        for a in agencies
        for m, made in load_state(settings, a).months.items()
        if not ((gate := gates.get(("input", a, m))) and gate.state == "open" and gate.write_id == made["write_id"])
    }
    to_do = {m for months in warehouse.to_do().values() for m in months}
    if to_link:
        to_do.add(WHOLE)
    return sorted((unjudged | to_do) & (existing | {WHOLE}))


def groups(months: list[str], existing: Iterable[str]) -> list[tuple[str, str]]:
    """Ranges (first, last) that cover the months and no other existing month; 'unknown' is a range of its own."""
    ranges: list[list[str]] = []
    previous = False
    for month in sorted(m for m in existing if m != UNKNOWN):
        if month in months:
            if previous:
                ranges[-1][1] = month
            else:
                ranges.append([month, month])
        previous = month in months
    found = [(UNKNOWN, UNKNOWN)] if UNKNOWN in months else []
    return found + [(a, b) for a, b in ranges]


_kept: dict = {}


def _job(settings: Settings, warehouse: Warehouse, report):
    """The Dagster job of one home, kept between runs of one process while nothing it is made of changes."""
    from orchestration.definitions import ROAD, build_definitions

    folders = find_agencies(settings.agency_paths)
    mappings = tuple((a, (f / "agency.yml").stat().st_mtime_ns) for a, f in folders.items())
    made_of = (settings, warehouse.project.digest, mappings)
    if _kept.get("made_of") != made_of:
        relay = _Relay()
        _kept.update(made_of=made_of, job=build_definitions(settings, relay).resolve_job_def(ROAD), relay=relay)
    _kept["relay"].report = report
    return _kept["job"]


class _Relay:
    """Passes what the graph reports to whoever runs it now."""

    def __init__(self):
        self.report = lambda layer, said: None

    def __call__(self, layer: str, said: str) -> None:
        self.report(layer, said)


def run_road(
    settings: Settings,
    agencies: Iterable[str] = (),
    first: str | None = None,
    last: str | None = None,
    drop: Path | None = None,
    report=lambda layer, said: None,
) -> Outcome:
    """Runs the whole graph for chosen agencies and months, in this process.

    first, last: 'YYYY-MM', both included; without them all months that landed files touch or that are stale.
    drop: folder with one folder per agency (default home/drop). report(layer, text) is told of progress.
    """
    settings.ensure_home()
    drop = drop or settings.drop
    names = choose_agencies(settings, agencies, drop)
    if not names:
        raise RunError(f"nothing to run: put files into {drop}/<agency>/, or name a folder with --drop.")
    outcome = Outcome()
    with writer_lock(settings.home, f"crisis run {' '.join(names)}", lambda text: report("lock", text)):
        warehouse = Warehouse.open(settings)
        _take_in(settings, warehouse, names, drop, report, outcome)
        readable = [n for n in names if n not in outcome.stopped]
        to_link = links_to_do(settings, warehouse.ledger)
        months = plan(settings, warehouse, readable, first, last, to_link)
        outcome.months = [m for m in months if m != WHOLE]
        if not months and release.is_current(warehouse):
            report(
                "run",
                f"nothing is stale, every gate is open, and release {release.current_release(settings)} is current",
            )
            return outcome
        is_empty = not any(load_state(settings, a).months for a in input_agencies(settings))
        if is_empty and not outcome.stopped and not outcome.refused:
            raise RunError(
                f"no row to build from: what landed for {', '.join(names)} holds no calls, contacts or other records yet;"
                f" put their files into {drop}/<agency>/"
            )
        _run_graph(settings, warehouse, readable, months, to_link, report, outcome)
    return outcome


def _run_graph(
    settings, warehouse: Warehouse, agencies: list[str], months: list[str], to_link: bool, report, outcome: Outcome
) -> None:
    import os

    import dagster as dg

    os.environ.update(settings.dagster_environment)
    job = _job(settings, warehouse, report)
    existing = {m for a in agencies for m in load_state(settings, a).months} | set(warehouse.wanted())
    ranges = groups(months, existing) or ([_any(existing)] if existing else [])
    keys = job.asset_layer.executable_asset_keys if hasattr(job.asset_layer, "executable_asset_keys") else None
    to_build = warehouse.may_build()
    if to_link:
        to_build |= warehouse.readers_of("person_link")
    chosen = [
        k
        for k in keys
        if k.path[0] in ("linkage", "release")
        or k.path[1] in (agencies if k.path[0] in ("landing", "input") else to_build)
    ]
    with dg.DagsterInstance.get() as instance:
        for index, (start, end) in enumerate(ranges):
            is_last = index == len(ranges) - 1
            report("run", f"months {start} to {end}" if start != end else f"month {start}")
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[k for k in chosen if is_last or k.path[0] != "release"],
                tags={"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end},
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
            if not result.success:
                outcome.failed += _failures(result)
                return


def _any(existing: set[str]) -> tuple[str, str]:
    month = max(existing - {UNKNOWN}, default=UNKNOWN)
    return month, month


def _failures(result) -> list[str]:
    """What failed, in the words of the errors raised; failing checks speak through the ledger."""
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause or error
            if "AssetCheck" not in (cause.cls_name or ""):
                said.append(f"{event.step_key}: {cause.message.split(': ', 1)[-1].strip()}")
            else:
                said.append(f"{event.step_key}: closed, see `crisis gates`")
    return said or ["the run failed; see its log in the web UI"]
