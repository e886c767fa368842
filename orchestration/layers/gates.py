"""The gates: runs a layer's suites over what was just written, and opens or keeps closed in the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration.agencies import find_agencies
from orchestration.engine import connect
from orchestration.layers.fingerprint import WHOLE
from orchestration.layers.input import create_input_views, load_state
from orchestration.layers.ledger import EVERY_AGENCY, Finding, Ledger
from orchestration.layers.models import DBT_LAYERS, Warehouse
from orchestration.layers.standing import Contents, judged_on, judgments, standing
from orchestration.settings import Settings
from orchestration.standard import mapped_entities


def thresholds(settings: Settings):
    """The house's thresholds and those of every agency folder."""
    from expectations import HOUSE_FILE, load_thresholds

    folders = find_agencies(settings.agency_paths).values()
    files = [f / "thresholds.csv" for f in folders if (f / "thresholds.csv").exists()]
    return load_thresholds([HOUSE_FILE, *files])


def finding(result) -> Finding:
    return Finding(
        result.check_id, result.agency_id or "", result.table, result.status, result.severity,
        result.observed, result.threshold, result.failing_count, result.reason,
    )  # fmt: skip


def judge_input(warehouse: Warehouse, agency_id: str, requested: Iterable[str]) -> dict[str, bool]:
    """Judges the agency's input of these months and of the months linked to them; {month: open now}.

    Bad data stops its own agency only: nothing is raised. A month is held while a month linked to it is.
    """
    from expectations import judge

    settings, ledger = warehouse.settings, warehouse.ledger
    state = load_state(settings, agency_id)
    months = sorted(
        {linked for m in requested if m in state.months for linked in state.judged_with(m)} & set(state.months)
    )
    if not months:
        return {}
    seen = {m: state.months[m]["write_id"] for m in months}
    window, limits = [(agency_id, m) for m in months], thresholds(settings)
    # A file's reconciliation is held against the rows of whichever window there is: it is always asked.
    tables = [j for j in judgments("input") if j.label != "reconciliation"]
    contents = _input_contents(warehouse, agency_id)
    now = {m: judged_on(tables, contents, state.judged_with(m), limits) for m in months}
    before = ledger.judged("input")
    stand = standing(now, {m: before.get((agency_id, m), {}) for m in months})
    with TemporaryDirectory(dir=settings.results) as folder:
        database = Path(folder) / "gate.duckdb"
        with connect(database) as con:
            create_input_views(con, settings, window)
        results = judge("input", database, window, limits, settings.results, stand)
    found: dict[str, list[Finding]] = {m: [] for m in months}
    for result in results:
        if result.agency_id in (None, agency_id):
            for month in months if result.month is None else [result.month]:
                found[month].append(finding(result))
    bad = {m for m, findings in found.items() if any(f.stops for f in findings)}
    opened = {}
    for month in months:
        by = sorted((state.judged_with(month) & bad) - {month})
        held = f"held with {', '.join(by)}: rows moved between the months" if by and month not in bad else ""
        opened[month] = ledger.record("input", (agency_id, month), seen[month], found[month], held, stand, now[month])
    return opened


def judge_layer(warehouse: Warehouse, layer: str, requested: Iterable[str]) -> dict[str, bool]:
    """Judges what the layer wrote for these months; {month or '*': open now}. Every connection is closed after."""
    from expectations import judge

    settings, ledger = warehouse.settings, warehouse.ledger
    seen = {m: w for (kind, m), w in warehouse.write_ids().items() if kind == layer}
    months = sorted(m for m in requested if m in seen and m != WHOLE)
    window = [(agency, m) for agency, loaded in sorted(warehouse.loaded().items()) for m in months if m in loaded]
    limits, places = thresholds(settings), [m for m in [*months, WHOLE] if m in seen]
    contents = _contents(warehouse)
    now = {m: judged_on(judgments(layer), contents, [m], limits) for m in places}
    before = ledger.judged(layer)
    stand = standing(now, {m: before.get((EVERY_AGENCY, m), {}) for m in places})
    results = judge(layer, settings.warehouse, window, limits, settings.results, stand)
    found: dict[str, list[Finding]] = defaultdict(list)
    for result in results:
        found[result.month or WHOLE].append(finding(result))
    return {
        m: ledger.record(layer, (EVERY_AGENCY, m), seen[m], found[m], standing=stand, judged_on=now[m]) for m in places
    }


def judge_whole(
    settings: Settings,
    ledger: Ledger,
    layer: str,
    write_id: str,
    contents: Contents,
    create: Callable[[Path], None],
    scratch: Path,
) -> bool:
    """Judges the tables of a layer that has one gate; opens it under the write id. Returns whether it is open now.

    contents: of every table that is there. create makes the database that is judged at a path below the folder
    scratch; it is not called where every table stands as it was judged last.
    """
    from expectations import judge

    key, limits = (EVERY_AGENCY, WHOLE), thresholds(settings)
    now = judged_on(judgments(layer, [tuple(t.split(".")) for t in contents]), contents, [WHOLE], limits)
    stand = standing({WHOLE: now}, {WHOLE: ledger.judged(layer).get(key, {})})
    results = []
    if stand != set(now):
        with TemporaryDirectory(dir=scratch) as folder:
            database = Path(folder) / "gate.duckdb"
            create(database)
            results = judge(layer, database, [], limits, settings.results, stand)
    return ledger.record(layer, key, write_id, [finding(r) for r in results], standing=stand, judged_on=now)


def _contents(warehouse: Warehouse) -> Contents:
    """What lies in the warehouse's tables: write ids by month; of what staging read, and of seeds, digests."""
    found: dict = {
        f"{m.schema}.{m.name}": written[m.name]
        for layer in DBT_LAYERS
        for written in [warehouse.ledger.written(layer)]
        for m in warehouse.project.layer(layer)
        if m.name in written
    }
    for entity in mapped_entities():
        found[f"input.{entity.name}"] = {}
    for agency, months in warehouse.loaded().items():
        for month, made in months.items():
            for entity, fingerprint in made.items():
                found[f"input.{entity}"].setdefault(month, {})[agency] = fingerprint
    seeds = warehouse.project.seeds
    return found | {f"reference.{seed.rsplit('.', 1)[-1]}": {WHOLE: made} for seed, made in seeds.items()}


def _input_contents(warehouse: Warehouse, agency_id: str) -> Contents:
    """Fingerprints of what the input layer holds of one agency, by table and month."""
    state = load_state(warehouse.settings, agency_id)
    found: dict = {
        f"input.{e.name}": {m: of["entities"].get(e.name, "no rows") for m, of in state.months.items()}
        for e in mapped_entities()
    }
    facts = warehouse.facts().items()
    return found | {f"input.{table}": {WHOLE: of[agency_id]} for table, of in facts if agency_id in of}


def stopping(warehouse: Warehouse, layer: str, keys: Iterable[tuple[str, str]]) -> list[str]:
    """Plain sentences on why these gates are closed, one per check and gate."""
    findings = warehouse.ledger.findings(layer)
    lines = []
    for agency, month in keys:
        for f in findings.get((layer, agency, month), []):
            if f.stops:
                about = f.about or agency
                place = f"{'' if about == EVERY_AGENCY else about + ' '}{'whole table' if month == WHOLE else month}"
                lines.append(f"{f.check_id} ({place}): {f.reason}")
    return lines
