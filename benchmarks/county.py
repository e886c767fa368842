"""How long the fictional county takes to write, and how much memory, by size.

Each size is written by a process of its own; CPU is user and system time of that process, half of it what two free
processors would take by the clock, and peak its largest resident set. The last two sizes give a line, and the line gives 100 million calls. Files are deleted after each size.

    python benchmarks/county.py                              1, 10 and 30 million calls
    python benchmarks/county.py --calls 1000000 2000000      other sizes
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1_000_000, 10_000_000, 30_000_000)
WANTED = 100_000_000
MONTHS = 12


def measure(calls: int, folder: Path) -> dict[str, float]:
    """Write one county; seconds, CPU seconds, peak MB, MB of files and rows."""
    from orchestration.county import write_county

    started = time.perf_counter()
    counts = write_county(folder / "drop", calls, MONTHS, truth_folder=folder / "truth")
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    rows = sum(value for name, value in counts.items() if name.endswith("_rows") and not name.startswith("un"))
    return {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
        "size": size / 1e6,
        "rows": rows,
    }


def in_process(calls: int, home: Path) -> dict[str, float]:
    """The same in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="county_", dir=home))
    try:
        command = [sys.executable, __file__, "--one", str(calls), "--home", str(folder)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=list(SIZES), help="sizes (default: 1, 10, 30 million)")
    parser.add_argument("--home", type=Path, help="folder for the files (default: the system's temporary one)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.home)))
        return
    sys.stdout.reconfigure(line_buffering=True)
    import duckdb

    print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {platform.machine()}; {MONTHS} months")
    print(
        f"{'calls':>12}  {'wall s':>8}  {'CPU s':>8}  {'CPU s / 2':>9}  {'peak MB':>8}  {'files MB':>9}  {'rows':>12}  {'CPU s per 1M':>12}"
    )
    found: list[tuple[int, dict[str, float]]] = []
    for calls in options.calls:
        found.append((calls, in_process(calls, options.home)))
        print(line(calls, found[-1][1]))
    if len(found) > 1:
        (a, first), (b, last) = found[-2:]
        ahead = {name: last[name] + (last[name] - first[name]) / (b - a) * (WANTED - b) for name in last}
        print(line(WANTED, ahead) + f"  on the line through {a:,} and {b:,}")


def line(calls: int, found: dict[str, float]) -> str:
    """One row of the table."""
    return (
        f"{calls:>12,}  {found['wall']:>8.1f}  {found['cpu']:>8.1f}  {found['cpu'] / 2:>9.1f}  {found['peak']:>8,.0f}  {found['size']:>9,.0f}"
        f"  {found['rows']:>12,.0f}  {found['cpu'] / calls * 1e6:>12.1f}"
    )


if __name__ == "__main__":
    main()
