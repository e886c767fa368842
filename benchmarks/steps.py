"""What the benchmark times, each step in a process of its own: python steps.py STEP FOLDER CALLS MONTHS SPAWNED.

Prints one line of JSON. A step's preparation (imports, opening, dbt's parse) is start-up and charged to no layer.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path

AGENCY = "cedar_county"
SCRIPT = Path(__file__).with_name("by_hand.sql")
KEYS = {"fct_incident": "incident_id", "fct_unit_response": "unit_response_id"}


@dataclass
class Bench:
    """The folder of one benchmark: the county's files, the homes, and the database of the hand-written script."""

    folder: Path
    calls: int
    months: int

    @property
    def drop(self) -> Path:
        return self.folder / f"drop_{self.calls}_{self.months}"

    @property
    def database(self) -> Path:
        return self.folder / "by_hand.duckdb"

    def settings(self, home: str = "road"):
        from orchestration.settings import Settings

        return Settings(home=self.folder / home)

    @cached_property
    def warehouse(self):
        from orchestration.layers.models import Warehouse

        return Warehouse.open(self.settings())

    @cached_property
    def agency(self):
        from orchestration.agencies import find_agencies, load_agency

        return load_agency(find_agencies(self.settings().agency_paths)[AGENCY])

    @property
    def landed(self) -> list[str]:
        """Months that the input layer holds."""
        from orchestration.layers.input import load_state

        return sorted(load_state(self.settings(), AGENCY).months)


# ---------------------------------------------------------------- preparations


def prepare_input(bench: Bench) -> None:
    """Loads the agency's folder and opens the home."""
    import_module("orchestration.layers.input")
    _ = bench.agency, bench.warehouse


def prepare_dbt(bench: Bench) -> None:
    """Imports dbt and parses its project, or loads what an earlier process parsed."""
    project = bench.warehouse.project
    project._parse()
    _ = project.models, project.seeds


def prepare_gate(bench: Bench) -> None:
    """Imports Great Expectations and reads the manifest that a layer left."""
    import_module("expectations.custom")
    import_module("orchestration.layers.gates")

    _ = bench.warehouse.project.models if bench.settings().warehouse.exists() else bench.agency


def prepare_release(bench: Bench) -> None:
    """Reads the manifest, and imports what stands beside the release's steps."""
    import_module("orchestration.layers.assets")
    prepare_gate(bench)


def prepare_script(bench: Bench) -> None:
    """Imports DuckDB and removes an earlier result."""
    import_module("duckdb")
    bench.database.unlink(missing_ok=True)


# ---------------------------------------------------------------- the road, as its assets call it


def land(bench: Bench) -> None:
    from orchestration.agencies import check_agency
    from orchestration.landing import land_drop

    settings = bench.settings()
    check_agency(bench.agency)
    land_drop(settings, bench.agency, bench.drop / AGENCY)


def read(bench: Bench) -> None:
    from orchestration.layers.input import build_input

    build_input(bench.settings(), bench.agency, bench.warehouse.ledger)


def judge_rows(bench: Bench) -> None:
    from orchestration.layers.gates import judge_input

    require_open(bench, judge_input(bench.warehouse, AGENCY, bench.landed))


def link(bench: Bench) -> None:
    from orchestration.layers.linkage import build_links

    build_links(bench.settings(), bench.warehouse.ledger)


def judge_linked(bench: Bench) -> None:
    from orchestration.layers.linkage import judge_links

    require_open(bench, {"links": judge_links(bench.settings(), bench.warehouse.ledger)})


def build(layer: str) -> Callable[[Bench], None]:
    return lambda bench: bench.warehouse.build(layer, bench.landed)


def judge(layer: str) -> Callable[[Bench], None]:
    def judged(bench: Bench) -> None:
        from orchestration.layers.gates import judge_layer

        require_open(bench, judge_layer(bench.warehouse, layer, bench.warehouse.window(layer, bench.landed)))

    return judged


def export(bench: Bench) -> None:
    from orchestration.layers.ledger import new_write_id
    from orchestration.release import publish as release

    ledger = bench.warehouse.ledger
    ledger.close("release", [release.RELEASE_GATE], new_write_id())
    folder = release.export_candidate(bench.warehouse)
    ledger.close("release", [release.RELEASE_GATE], release.candidate_digest(folder))


def judge_candidate(bench: Bench) -> None:
    from orchestration.layers.assets import judge_release

    require_open(bench, {"release": judge_release(bench.warehouse)})


def publish(bench: Bench) -> None:
    from orchestration.release import publish as release

    release.refuse_unless_whole(bench.warehouse)
    release.publish(bench.warehouse, bench.settings().releases / release.CANDIDATE)


def require_open(bench: Bench, opened: dict[str, bool]) -> None:
    """A benchmark of a road that stops half-way would flatter it."""
    if not opened or not all(opened.values()):
        reasons = {gate.reason for gate in bench.warehouse.ledger.gates().values() if gate.state != "open"}
        raise SystemExit(f"a gate stayed closed: {'; '.join(sorted(reasons))}")


def script(bench: Bench) -> None:
    """Runs the hand-written script over the files that the road landed, with the road's threads and memory.

    It opens DuckDB as one does by hand: the road's storage format is the road's own.
    """
    import duckdb

    settings = bench.settings()
    landed = settings.landing / AGENCY
    con = duckdb.connect(
        str(bench.database), config={"threads": settings.threads, "memory_limit": settings.memory_limit}
    )
    con.execute(f"set variable cad = {sorted(map(str, landed.glob('cad/*.csv')))}")
    con.execute(f"set variable units = {sorted(map(str, landed.glob('units/*.csv')))}")
    con.execute(f"set variable codes = '{bench.agency.folder / 'codes'}'; set variable seeds = '{settings.seeds}'")
    con.execute(SCRIPT.read_text())
    con.close()


ROAD: dict[str, tuple[Callable[[Bench], None], Callable[[Bench], None]]] = {
    "landing": (prepare_input, land),
    "input": (prepare_input, read),
    "gate input": (prepare_gate, judge_rows),
    "linkage": (prepare_gate, link),
    "gate linkage": (prepare_gate, judge_linked),
    "staging": (prepare_dbt, build("staging")),
    "gate staging": (prepare_gate, judge("staging")),
    "marts": (prepare_dbt, build("marts")),
    "gate marts": (prepare_gate, judge("marts")),
    "metrics": (prepare_dbt, build("metrics")),
    "gate metrics": (prepare_gate, judge("metrics")),
    "release": (prepare_release, export),
    "gate release": (prepare_release, judge_candidate),
    "publish": (prepare_release, publish),
}
STEPS = ROAD | {"by hand": (prepare_script, script)}


# ---------------------------------------------------------------- beside the road


def files(bench: Bench, spawned: float) -> dict:
    """Writes the county's CAD and unit files, unless they are there."""
    from orchestration.county import write_county

    if not bench.drop.exists():
        write_county(bench.drop, bench.calls, bench.months, feeds=("cad", "units"))
    return {"bytes": sum(p.stat().st_size for p in (bench.drop / AGENCY).iterdir())}


def rows(bench: Bench, spawned: float) -> dict:
    """Rows that were landed, by entity."""
    from orchestration.layers.input import load_state

    found: dict[str, int] = {}
    for file in load_state(bench.settings(), AGENCY).files.values():
        for entity, counts in file["entities"].items():
            found[entity] = found.get(entity, 0) + counts["landed"]
    return found


def compare(bench: Bench, spawned: float) -> dict:
    """For both tables: rows on either side, rows left out, and columns whose type or values differ.

    Values are compared by a sum of hashes, each over the row's key and the value. Left out are events with a time in
    an hour that the clock shows twice or skips, and their units: there the road reads the order of events, which the
    script does not.
    """
    import duckdb

    found = {}
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach '{bench.settings().warehouse}' as road (read_only)")
        con.execute(f"attach '{bench.database}' as by_hand (read_only)")
        con.execute(
            "create temp table doubtful as select incident_id from road.marts.fct_incident where stamp_imputed <> ''"
            " union select incident_id from road.marts.fct_unit_response where stamp_imputed <> ''"
        )
        for table, key in KEYS.items():
            sides = (f"road.marts.{table}", f"by_hand.main.{table}")
            types = [[(c, t) for c, t, *_ in con.execute(f"describe {side}").fetchall()] for side in sides]
            columns = [c for c, _ in types[0]]
            sums = ", ".join(f"sum(hash({key}, {c}))" for c in columns)
            (n, *road), (m, *by_hand) = (
                con.execute(f"select count(*), {sums} from {s} as s anti join doubtful using (incident_id)").fetchone()
                for s in sides
            )
            (left_out,) = con.execute(f"select count(*) - {n} from {sides[0]}").fetchone()
            differ = [c for c, a, b in zip(columns, road, by_hand, strict=True) if a != b]
            other = [c for (c, a), (d, b) in zip(*types, strict=True) if (c, a) != (d, b)]
            counts = {"road": n, "by_hand": m, "left_out": left_out, "columns": len(columns)}
            found[table] = counts | {"differ": differ, "types_differ": other}
    return found


def whole(bench: Bench, spawned: float) -> dict:
    """The whole road in one process as `crisis run` runs it, everything imported and parsed before."""
    from orchestration import run
    from orchestration.layers.models import Warehouse

    settings, layers = bench.settings("whole"), []
    import_module("orchestration.definitions")
    Warehouse.open(settings).project._parse()
    prepare_gate(bench)

    def clocked(work: Callable) -> Callable:
        def call(*given, **named):
            with timed() as took:
                result = work(*given, **named)
            layers.append(took["wall"])
            return result

        return call

    def report(layer: str, said: str) -> None:
        layers.append(seconds_said(said))

    run.land_drop, run.build_input = clocked(run.land_drop), clocked(run.build_input)
    with timed() as took:
        outcome = run.run_road(settings, [AGENCY], drop=bench.drop, report=report)
    if not outcome.success:
        raise SystemExit(f"the run did not succeed: {outcome}")
    return took | {"layers": sum(layers)}


def start_up(bench: Bench, spawned: float) -> dict:
    """Seconds of everything that a process does before it can work, in the order of a run, on a fresh home."""
    items: dict[str, tuple[float, float]] = {"start of Python": (time.time() - spawned, time.process_time())}

    @contextmanager
    def item(label: str) -> Iterator[None]:
        with timed() as took:
            yield
        items[label] = took["wall"], took["cpu"]

    with item("import duckdb"):
        import_module("duckdb")
    with item("import orchestration.run"):
        import_module("orchestration.run")
    with item("import dbt"):
        import_module("dbt.cli.main")
        import_module("dbt.adapters.duckdb")
    settings = bench.settings("start_up")
    from orchestration.layers.models import Warehouse

    with item("load dbt's parse, fresh home"):
        project = Warehouse.open(settings).project
        _ = project.models
        project._parse()
    with item("import dagster"):
        import dagster as dg
    with item("import dagster_dbt"):
        import_module("dagster_dbt")
    with item("build the graph"):
        from orchestration.definitions import ROAD as JOB
        from orchestration.definitions import build_definitions

        build_definitions(settings).resolve_job_def(JOB)
    os.environ.update(settings.dagster_environment)
    with item("open Dagster's storage, fresh home"), dg.DagsterInstance.get():
        pass
    with item("import great_expectations"):
        import_module("expectations.custom")
    return items


def cold(bench: Bench, spawned: float) -> dict:
    """The demo county on a fresh home, and then one corrected month in the same process."""
    from orchestration.county import AGENCIES, write_county
    from orchestration.run import run_road

    settings = bench.settings("demo")
    stamps: list[tuple[str, float]] = []
    outcome = run_road(
        settings, list(AGENCIES), report=lambda layer, said: stamps.append((layer, time.time() - spawned))
    )
    whole_run = time.time() - spawned
    write_county(settings.drop, feeds=("cad",))
    correct_month(settings.drop / AGENCY)
    steps: dict[str, float] = {}

    def add(layer: str, said: str) -> None:
        layer = "gates" if layer.startswith("gate ") else layer
        steps[layer] = steps.get(layer, 0) + seconds_said(said)

    with timed() as took:
        again = run_road(settings, [AGENCY], report=add)
    failed = [*outcome.failed, *again.failed, *outcome.stopped.values()]
    return {"stamps": stamps, "whole": whole_run, "again": took, "steps": steps, "failed": failed}


def seconds_said(said: str) -> float:
    """The seconds that a step of the graph reports when it ends; 0 for other reports."""
    found = re.search(r"\(([\d.]+) s\)$", said)
    return float(found.group(1)) if found else 0.0


def demo_files(bench: Bench, spawned: float) -> dict:
    """Writes the demo county into a fresh home."""
    from orchestration.county import write_county

    return write_county(bench.settings("demo").drop)


def correct_month(folder: Path, month: str = "2024-05") -> None:
    """Writes a later export of one month: the same events, each closed with a report."""
    (export,) = folder.glob("cad_incidents_*_*-*.csv")
    with export.open(newline="") as source:
        events = [r for r in csv.DictReader(source) if r["Received"].startswith(month)]
    out = io.StringIO()
    writer = csv.DictWriter(out, events[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(r | {"CloseCode": "RPT", "ExportedAt": "2024-08-01 06:00:00"} for r in events)
    (folder / f"cad_incidents_{month}_late.csv").write_text(out.getvalue())


def first_parse(bench: Bench, spawned: float) -> dict:
    """Seconds of the parse that setting up makes for every home, over a copy of the project that has none."""
    from orchestration.layers.dbt import DbtProject
    from orchestration.settings import PROJECT

    settings = bench.settings("first_parse")
    shutil.copytree(PROJECT / "dbt_project", settings.home / "dbt_project", ignore=shutil.ignore_patterns("target"))
    (settings.home / "seeds").symlink_to(PROJECT / "seeds")
    import_module("dbt.cli.main")
    with timed() as took:
        _ = DbtProject(replace(settings, dbt_project=settings.home / "dbt_project")).manifest
    return took


BESIDE = {f.__name__: f for f in (files, rows, compare, whole, first_parse, start_up, cold, demo_files)}


# ---------------------------------------------------------------- one process


@contextmanager
def timed() -> Iterator[dict]:
    """Wall and CPU seconds (user and system, all threads) of the block."""
    took: dict = {}
    wall, cpu = time.perf_counter(), time.process_time()
    yield took
    took.update(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def peak_bytes() -> int:
    """The most memory that this process held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    name, folder, calls, months, spawned = sys.argv[1:]
    warnings.simplefilter("ignore")
    bench = Bench(Path(folder), int(calls), int(months))
    if name in BESIDE:
        print(json.dumps(BESIDE[name](bench, float(spawned))))
        return
    from orchestration.layers.lock import writer_lock

    prepare, work = STEPS[name]
    prepare(bench)
    ready = time.time() - float(spawned)
    with writer_lock(bench.settings().home, name), timed() as took:
        work(bench)
    print(json.dumps({"start_up": ready, "memory": peak_bytes(), **took}))


if __name__ == "__main__":
    main()
