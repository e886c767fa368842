"""Times the road from landed files to a release, layer by layer, beside a hand-written script.

Writes the files of the fictional county (not timed), runs every layer in a process of its own with the functions
that the assets call, runs by_hand.sql over the same landed files, checks that both made the same rows, and prints
the ratio. CPU seconds are those of user and system over all threads: on a busy machine they say more than the clock.

    python benchmarks/road.py                                  1 million calls, start-up itemized
    python benchmarks/road.py --calls 10000000 --no-start-up   needs about 30 GB of disk
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from steps import ROAD  # imports nothing heavy: a child's peak memory counts what its parent held

SAME_PRODUCT = ("landing", "input", "staging", "marts")  # what the hand-written script makes too
TO_RELEASE = (*SAME_PRODUCT, "metrics", "release", "publish")
GATES = tuple(name for name in ROAD if name.startswith("gate"))
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "dagster-dbt", "great-expectations")


class Processes:
    """Runs steps, each in a fresh process, over one folder."""

    def __init__(self, folder: Path, calls: int, months: int):
        self.folder, self.arguments = folder, (str(folder), str(calls), str(months))

    def __call__(self, step: str) -> dict:
        """What the step prints. Ends the benchmark if it fails."""
        command = [sys.executable, str(Path(__file__).with_name("steps.py")), step, *self.arguments]
        done = subprocess.run([*command, repr(time.time())], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"step '{step}' ended with {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])

    def clear(self, *homes: str) -> None:
        for home in homes:
            shutil.rmtree(self.folder / home, ignore_errors=True)


def least(runs: list[dict]) -> dict:
    """Of several runs the least of each measure: what disturbs a run only ever adds."""
    return {measure: min(run[measure] for run in runs) for measure in runs[0]}


def time_road(run: Processes, repeat: int) -> dict[str, dict]:
    """Measures of every layer and of the hand-written script."""
    found: dict[str, list[dict]] = {}
    for _ in range(repeat):
        run.clear("road")
        for name in (*ROAD, "by hand"):
            found.setdefault(name, []).append(run(name))
            print(f"  {name}: {found[name][-1]['wall']:.1f} s", file=sys.stderr)
    return {name: least(runs) for name, runs in found.items()}


# ---------------------------------------------------------------- printing


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def print_machine() -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB; load before: {load}")
    print(f"Python {platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in PACKAGES))


def print_layers(measured: dict[str, dict], landed: int) -> None:
    heading("Layers, each in a process of its own, start-up left out")
    print(f"{'':<14}{'wall s':>9}{'CPU s':>9}{'rows/s':>12}{'peak MB':>9}{'start-up s':>12}")
    for name, m in measured.items():
        speed = f"{landed / m['wall']:,.0f}"
        memory = m["memory"] / 2**20
        print(f"{name:<14}{m['wall']:>9.2f}{m['cpu']:>9.2f}{speed:>12}{memory:>9,.0f}{m['start_up']:>12.2f}")
    print("rows/s: landed rows by the clock. start-up s: from process start to the step, in no other number here.")


def print_ratio(measured: dict[str, dict]) -> None:
    heading("Road to hand-written script, without start-up and gates")
    script = measured["by hand"]
    for label, layers in (("road", SAME_PRODUCT), ("with metrics and release", TO_RELEASE)):
        wall, cpu = (sum(measured[layer][m] for layer in layers) for m in ("wall", "cpu"))
        print(
            f"{label:<26}wall {wall:8.2f} / {script['wall']:.2f} s = {wall / script['wall']:.2f}"
            f"      CPU {cpu:8.2f} / {script['cpu']:.2f} s = {cpu / script['cpu']:.2f}"
        )
    wall, cpu = (sum(measured[gate][m] for gate in GATES) for m in ("wall", "cpu"))
    print(f"{'gates apart':<26}wall {wall:8.2f} s{'':<18}CPU {cpu:8.2f} s")
    print(f"road = {', '.join(SAME_PRODUCT)}: the layers whose product the script makes too")


def print_comparison(tables: dict[str, dict]) -> None:
    heading("Both results")
    for table, t in tables.items():
        wrong = [f"{c} (type)" for c in t["types_differ"]] + t["differ"]
        same = t["road"] == t["by_hand"] and not wrong
        print(
            f"{table:<20}{t['road']:>12,} rows by the road, {t['by_hand']:,} by hand; {t['columns']} columns: "
            + (f"{t['left_out']} with a doubtful hour left out; " if t["left_out"] else "")
            + ("equal" if same else f"NOT EQUAL{': ' if wrong else ''}{', '.join(wrong)}")
        )


def print_orchestration(whole: dict, measured: dict[str, dict]) -> None:
    heading("The whole run in one process, everything imported and parsed before")
    wall, cpu = (sum(measured[layer][m] for layer in ROAD) for m in ("wall", "cpu"))
    print(f"{'run_road':<38}wall {whole['wall']:8.2f} s   CPU {whole['cpu']:8.2f} s")
    print(f"{'its layers and gates':<38}wall {whole['layers']:8.2f} s")
    print(f"{'orchestration: run less its layers':<38}wall {whole['wall'] - whole['layers']:8.2f} s")
    print(f"{'layers and gates one by one, as above':<38}wall {wall:8.2f} s   CPU {cpu:8.2f} s")
    print(f"{'run less those':<38}wall {whole['wall'] - wall:8.2f} s   CPU {whole['cpu'] - cpu:8.2f} s")


def print_start_up(items: dict[str, list[float]]) -> None:
    heading("Start-up of one process, in the order of a run; a module is charged to who imports it first")
    for label, (wall, cpu) in items.items():
        print(f"{label:<38}wall {wall:6.2f} s   CPU {cpu:6.2f} s")
    wall, cpu = (sum(item[n] for item in items.values()) for n in (0, 1))
    print(f"{'sum':<38}wall {wall:6.2f} s   CPU {cpu:6.2f} s")


def print_cold(cold: dict, help_seconds: list[float]) -> None:
    heading("A fresh home with the demo county, from the start of the process")
    first = dict(reversed(cold["stamps"]))
    read = max(seconds for layer, seconds in cold["stamps"] if layer == "input")
    again = cold["again"]
    print(f"{'first file landed':<46}{first['landing']:6.2f} s")
    print(f"{'all files read':<46}{read:6.2f} s")
    print(f"{'graph begins (dbt parsed, Dagster open)':<46}{first['run']:6.2f} s")
    print(f"{'cold start-up: graph begins, less reading':<46}{first['run'] - read + first['landing']:6.2f} s")
    print(f"{'released':<46}{cold['whole']:6.2f} s")
    parts = ", ".join(f"{layer} {seconds:.1f}" for layer, seconds in cold["steps"].items() if seconds)
    print(f"{'one corrected month in the same process':<46}{again['wall']:6.2f} s (CPU {again['cpu']:.2f} s; {parts})")
    print(
        f"{'crisis --help':<46}{statistics.median(help_seconds):6.2f} s (median of {len(help_seconds)};"
        f" least {min(help_seconds):.2f} s)"
    )
    for failure in cold["failed"]:
        print(f"FAILED, so the seconds above are not those of a whole run: {failure}")


def time_help(times: int = 7) -> list[float]:
    """Seconds of `crisis --help`, from start to end of its process."""
    command, found = Path(sys.executable).with_name("crisis"), []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run([str(command), "--help"], stdout=subprocess.DEVNULL, check=True)
        found.append(time.perf_counter() - started)
    return found


# ---------------------------------------------------------------- command


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="CAD events to write (default: 1000000)")
    parser.add_argument("--months", type=int, default=12, help="months that they lie in (default: 12)")
    parser.add_argument("--repeat", type=int, default=1, help="run the layers so often and print the least of each")
    parser.add_argument(
        "--start-up",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="itemize start-up, and time the whole run and the demo county as well",
    )
    parser.add_argument("--home", type=Path, help="folder for files and homes (default: a temporary one)")
    parser.add_argument("--keep", action="store_true", help="leave the folder; its county files are used again")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    folder = (options.home or Path(tempfile.mkdtemp(prefix="road_"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONWARNINGS"] = "ignore"
    run = Processes(folder, options.calls, options.months)
    try:
        print_machine()
        size = run("files")["bytes"]
        measured = time_road(run, options.repeat)
        landed = run("rows")
        heading(f"{options.calls:,} calls over {options.months} months")
        print(", ".join(f"{n:,} rows of {entity}" for entity, n in landed.items()), f"({size / 2**20:,.0f} MB)")
        print_layers(measured, sum(landed.values()))
        print_ratio(measured)
        print_comparison(run("compare"))
        if options.start_up:
            run.clear("road", "whole", "first_parse", "start_up", "demo")
            print_orchestration(run("whole"), measured)
            parse = run("first_parse")
            print_start_up(run("start_up"))
            print(
                f"{'before, once for all homes: dbt parse':<38}wall {parse['wall']:6.2f} s   CPU {parse['cpu']:6.2f} s"
            )
            run("demo_files")
            print_cold(run("cold"), time_help())
    finally:
        run.clear("road", "whole", "first_parse", "start_up", "demo")
        (folder / "by_hand.duckdb").unlink(missing_ok=True)
        if options.keep:
            print(f"\nthe county's files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
