"""Times the input layer over one large export beside the same SQL typed by hand.

Writes one full-snapshot CSV of twelve months (not timed) and an agency folder with ten expressions and three code
lists. Lands and reads it as a run does, runs BY_HAND over the landed file, checks that both made the same values, and
prints the ratio. The hand-typed SQL knows this one file: it keeps no rejected rows, no texts as they were sent, no
versions, no hours shown twice, and writes the mapped columns only.

    python benchmarks/mapping.py                  5 million rows
    python benchmarks/mapping.py --rows 500000    a look
"""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from road import heading, print_machine

from orchestration.agencies import check_agency, load_agency
from orchestration.engine import connect
from orchestration.landing import land_drop
from orchestration.layers import input as input_layer
from orchestration.layers.ledger import Ledger
from orchestration.settings import Settings
from orchestration.standard import code_list

AGENCY, ZONE = "willow", "America/Denver"
AIM = 3.0  # the input layer may take so many times as long as the SQL typed by hand
CODES = {"call_type": 150, "call_source": 12, "cad_disposition": 40}  # local codes of each list

# Ten expressions: a concatenated key, date and time in two columns, two 12-hour times without padding, three codes
# (two of them taken from longer texts), two numbers, and an answer.
FIELDS = r"""
          incident_number: Center || '-' || substr(Opened, length(Opened) - 1) || '-' || EventNo
          received_at: {date: Opened, time: OpenedTime, format: "%m/%d/%Y %I:%M:%S %p"}
          entered_at: {column: Queued, format: "%m/%d/%Y %I:%M:%S %p"}
          closed_at: {column: Closed, format: "%m/%d/%Y %I:%M:%S %p"}
          call_type_final_code: upper(TypeClose)
          call_source_code: split_part(Source, ' ', 1)
          cad_disposition_code: Disposition
          priority_final: regexp_extract(Priority, '^P([0-9])', 1)
          held_seconds: cast(round(try_cast(HeldMinutes as double) * 60) as integer)
          cancelled: case when Cancelled = 'CNL' then 'yes' else 'no' end
"""
MAPPING = f"""
agency: {{agency_id: {AGENCY}, agency_name: Willow (invented), agency_type_code: police, time_zone: {ZONE}}}
missing: ["-"]
feeds:
  cad:
    files: "cad_*.csv"
    format: csv
    snapshot: complete
    version: {{file_name: 'cad_(\\d+)'}}
    entities:
      incident:
        fields:{FIELDS}"""

ROWS = """
copy (
    with counted as (select range as n, hash(range) as h from range({rows})),
    called as (
        select *, timestamp '2024-01-01' + to_seconds(cast(n * (366 * 86400.0 / {rows}) as bigint)) as opened from counted
    )
    select
        'C' || (h % 4 + 1) as Center,
        n as EventNo,
        strftime(opened, '%-m/%-d/%Y') as Opened,
        strftime(opened, '%-I:%M:%S %p') as OpenedTime,
        strftime(opened + to_seconds(cast(20 + h % 200 as bigint)), '%-m/%-d/%Y %-I:%M:%S %p') as Queued,
        case when h % 50 = 0 then '-'
            else strftime(opened + to_seconds(cast(300 + h % 7000 as bigint)), '%-m/%-d/%Y %-I:%M:%S %p') end as Closed,
        'type' || (h % 160) as TypeClose,
        'S' || (h % 12) || ' line' as Source,
        'D' || (h % 41) as Disposition,
        'P' || (1 + h % 5) || ' ' || case h % 5 when 0 then 'urgent' else 'routine' end as Priority,
        round((h % 600) / 10.0, 1) as HeldMinutes,
        case when h % 20 = 0 then 'CNL' else '-' end as Cancelled,
        (h % 900 + 100) || ' Elm St' as Address
    from called
) to '{path}' (header)
"""

BY_HAND = """
copy (
    with sent as (
        select * from read_csv('{path}', all_varchar = true, nullstr = ['', '-'])
    ),
    typed as (
        select
            Center || '-' || substr(Opened, length(Opened) - 1) || '-' || EventNo as incident_number,
            try_strptime(Opened || ' ' || OpenedTime, '%m/%d/%Y %I:%M:%S %p') as received_local_at,
            try_strptime(Queued, '%m/%d/%Y %I:%M:%S %p') as entered_local_at,
            try_strptime(Closed, '%m/%d/%Y %I:%M:%S %p') as closed_local_at,
            upper(TypeClose) as call_type_final_local,
            split_part(Source, ' ', 1) as call_source_local,
            Disposition as cad_disposition_local,
            try_cast(regexp_extract(Priority, '^P([0-9])', 1) as integer) as priority_final,
            cast(round(try_cast(HeldMinutes as double) * 60) as integer) as held_seconds,
            case when Cancelled = 'CNL' then 'yes' else 'no' end as cancelled
        from sent
    )
    select
        '{agency}:' || incident_number as incident_id,
        typed.*,
        {instants}
        coalesce(t.standard_code, 'other') as call_type_final_code,
        coalesce(s.standard_code, 'other') as call_source_code,
        coalesce(d.standard_code, 'other') as cad_disposition_code,
        strftime(received_local_at, '%Y-%m') as month
    from typed
    left join read_csv('{codes}/call_type.csv', all_varchar = true) as t on t.local_code = call_type_final_local
    left join read_csv('{codes}/call_source.csv', all_varchar = true) as s on s.local_code = call_source_local
    left join read_csv('{codes}/cad_disposition.csv', all_varchar = true) as d on d.local_code = cad_disposition_local
) to '{out}' (format parquet, partition_by (month), overwrite)
"""
TIMES = ("received", "entered", "closed")
INSTANTS = " ".join(f"timezone('{ZONE}', {t}_local_at) as {t}_at," for t in TIMES)
# The clock is put forward or back on these days; an instant is compared on all others.
CHANGES = "('2024-03-10', '2024-11-03')"


def write_folder(folder: Path) -> None:
    """Writes the agency's folder; nine in ten local codes of each list are mapped."""
    (folder / "codes").mkdir(parents=True)
    (folder / "agency.yml").write_text(MAPPING)
    starts = {"call_type": "TYPE", "call_source": "S", "cad_disposition": "D"}
    for name, count in CODES.items():
        standard = list(code_list(name))
        with (folder / "codes" / f"{name}.csv").open("w", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(["local_code", "standard_code"])
            lines.writerows([f"{starts[name]}{n}", standard[n % len(standard)]] for n in range(count))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of all threads together."""
    used, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


class Bench:
    """One folder: the export, the agency's folder, the home of the road, and the result by hand."""

    def __init__(self, folder: Path, rows: int):
        self.folder, self.rows, self.compiled = folder, rows, Counter()
        write_folder(folder / "agencies" / AGENCY)
        self.agency = load_agency(folder / "agencies" / AGENCY)
        check_agency(self.agency)
        self.drop = folder / "drop"
        self.drop.mkdir()
        with connect() as con:
            con.execute(ROWS.format(rows=rows, path=self.drop / "cad_20250101.csv"))
        self.settings = Settings(home=folder / "home")
        self._count_compilations()

    def _count_compilations(self) -> None:
        compile_entity = input_layer.compile_entity

        def counted(agency, feed, entity, source_file, *rest, only=None, **more):
            self.compiled[source_file[:8], entity, "rows" if only is None else "identity"] += 1
            return compile_entity(agency, feed, entity, source_file, *rest, only=only, **more)

        input_layer.compile_entity = counted

    def clear(self) -> None:
        self.compiled.clear()
        shutil.rmtree(self.settings.home, ignore_errors=True)
        self.settings.ensure_home()

    def land(self) -> None:
        land_drop(self.settings, self.agency, self.drop, say=print)

    def read(self) -> None:
        input_layer.build_input(self.settings, self.agency, Ledger(self.settings.home))

    @property
    def landed(self) -> Path:
        return next((self.settings.landing / AGENCY / "cad").glob("*.csv"))

    def by_hand(self, instants: str) -> None:
        """Runs the hand-typed SQL over the landed file, with the road's threads and memory."""
        said = {"path": self.landed, "agency": AGENCY, "out": self.folder / "by_hand", "instants": instants}
        with connect(settings=self.settings) as con:
            con.execute("set preserve_insertion_order = false")
            con.execute(BY_HAND.format(codes=self.agency.folder / "codes", **said))

    def differences(self) -> tuple[int, int, list[str]]:
        """Rows on either side, and the columns whose values differ, by a sum of hashes over key and value."""
        with connect() as con:
            options = "hive_partitioning = true, hive_types_autocast = false"
            road = f"read_parquet('{self.settings.input}/incident/*/*/*.parquet', {options})"
            hand = f"read_parquet('{self.folder}/by_hand/*/*.parquet', {options})"
            columns = [c for c, *_ in con.execute(f"describe from {hand}").fetchall()]
            shown = [
                f"case when cast({c.replace('_at', '_local_at')} as date)::varchar not in {CHANGES} then {c} end"
                if c in [f"{t}_at" for t in TIMES]
                else c
                for c in columns
            ]
            asked = "select count(*), " + ", ".join(f"sum(hash(incident_id, {c}))" for c in shown)
            (n, *ours), (m, *theirs) = (con.execute(f"{asked} from {side}").fetchone() for side in (road, hand))
        return n, m, [c for c, a, b in zip(columns, ours, theirs, strict=True) if a != b]


def line(label: str, took: tuple[float, float], rows: int) -> None:
    print(f"{label:<38}{took[0]:>9.2f}{took[1]:>9.2f}{rows / took[0]:>13,.0f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the export (default: 5000000)")
    parser.add_argument("--repeat", type=int, default=3, help="run all so often and print the least (default: 3)")
    parser.add_argument("--home", type=Path, help="folder to work in, made and removed (default: a temporary one)")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    folder = (options.home or Path(tempfile.mkdtemp(prefix="mapping_"))).resolve()
    try:
        print_machine()
        bench = Bench(folder, options.rows)
        steps: dict[str, Callable[[], None]] = {
            "landing": bench.land,
            "input": bench.read,
            "by hand, local times only": lambda: bench.by_hand(""),
            "by hand": lambda: bench.by_hand(INSTANTS),
        }
        runs: list[dict[str, tuple[float, float]]] = []
        for _ in range(options.repeat):
            bench.clear()
            runs.append({name: timed(step) for name, step in steps.items()})
            print("run: " + ", ".join(f"{name} {took[0]:.1f} s" for name, took in runs[-1].items()))
        took = {name: tuple(min(run[name][i] for run in runs) for i in (0, 1)) for name in steps}
        heading(f"{options.rows:,} rows, {bench.landed.stat().st_size / 2**20:,.0f} MB, one file, least of {len(runs)}")
        print(f"{'':<38}{'wall s':>9}{'CPU s':>9}{'rows/s':>13}")
        for name in steps:
            line(name, took[name], options.rows)
        heading("Input layer to SQL typed by hand")
        whole = tuple(sum(pair) for pair in zip(took["landing"], took["input"], strict=True))
        for label, ours, theirs in (
            ("input / by hand", took["input"], took["by hand"]),
            ("landing and input / by hand", whole, took["by hand"]),
            ("input / by hand, local times only", took["input"], took["by hand, local times only"]),
        ):
            print(f"{label:<38}wall {ours[0] / theirs[0]:5.2f}    CPU {ours[1] / theirs[1]:5.2f}")
        ratio = took["input"][0] / took["by hand"][0]
        print(f"aim: at most {AIM:.0f} times as long as by hand: {'met' if ratio <= AIM else 'MISSED'}")
        n, m, differ = bench.differences()
        print(f"{n:,} rows by the road, {m:,} by hand: " + (f"NOT EQUAL: {', '.join(differ)}" if differ else "equal"))
        heading("A full snapshot is compiled once into all its months")
        for (file, entity, part), times in sorted(bench.compiled.items(), key=lambda kv: kv[0][::-1]):
            print(f"file {file}, {entity}, SQL of {part:<10} compiled {times} time(s)")
        months = list((bench.settings.input / "incident" / f"agency_id={AGENCY}").glob("month=*"))
        print(f"months written: {len(months)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
