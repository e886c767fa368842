"""Times the linkage of people: two sources of a million records each about half a million people of the fictional county,
one written like its forms, the other like its jail's bookings.

Prints each step with its wall clock, CPU time and peak memory, then a monthly increment of two percent, and pairwise
precision and recall. Making the records is not counted.

    python benchmarks/linkage.py                   1 million by 1 million
    python benchmarks/linkage.py --records 100000  a look
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from linkage_people import make_people, make_records
from road import heading, print_machine

from orchestration.linkage import people, store
from orchestration.linkage.model import Model
from orchestration.linkage.records import normalize
from orchestration.settings import Settings

INCREMENT = 50  # one record of so many comes a month later


class Clock:
    """Wall clock, CPU time and peak memory of what lies between two calls."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), self._cpu()

    def _cpu(self) -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def lap(self, what: str) -> float:
        wall, cpu = time.perf_counter() - self.wall, self._cpu() - self.cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(f"  {what:<34} {wall:7.1f} s  {cpu:7.1f} s CPU  {peak:5.2f} GB peak", flush=True)
        self.wall, self.cpu = time.perf_counter(), self._cpu()
        return wall


def link(con, model: Model, raw: str, clock: Clock, what: str) -> float:
    """Links the raw records of a table; returns seconds."""
    normalize(con, raw, "record")
    con.execute("create or replace temp table admitted as select 'justice' as zone, record_id from record")
    con.execute(f"create or replace temp table person_link as {people.empty_output()}")
    seconds = clock.lap(f"{what}: normalize")
    found = people.link_zone(con, model, "justice", date(2024, 7, 1), False)
    seconds += clock.lap(f"{what}: compare, group, give keys")
    print(f"  {people.said(found)}")
    return seconds


def quality(con) -> tuple[float, float]:
    """Pairwise precision and recall."""
    pairs = "(select sum(n * (n - 1) / 2) from (select count(*) as n from judged group by {}))"
    con.execute(
        "create or replace temp table judged as select true_person, coalesce(person_key, record_id) as person_key"
        " from everything left join person_link using (record_id)"
    )
    return con.execute(
        f"select {pairs.format('true_person, person_key')} / {pairs.format('person_key')},"
        f" {pairs.format('true_person, person_key')} / {pairs.format('true_person')}"
    ).fetchone()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="records of each of the two sources")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GB", help="DuckDB's limit; Python needs about 1 GB beside it")
    arguments = parser.parse_args()
    print_machine()
    heading(f"{arguments.records:,} by {arguments.records:,} records")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), threads=arguments.threads, memory_limit=arguments.memory)
        with store.open_store(settings) as con:
            people = arguments.records // 4 * 2  # even: a twin follows the other
            persons = make_people(people)
            for seed, prefix, custodian in ((1, "A", "form"), (2, "B", "jail")):
                make_records(con, arguments.records, persons, seed, prefix, f"source_{prefix.lower()}", custodian)
            con.execute("create temp table everything as from source_a union all from source_b")
            con.execute("drop table source_a; drop table source_b")
            con.execute(
                f"create temp view before as from everything where md5_number_lower(record_id) % {INCREMENT} <> 0"
            )
            clock, model = Clock(), Model.load()
            first = link(con, model, "before", clock, "first run")
            increment = link(con, model, "everything", clock, "increment")
            precision, recall = quality(con)
            print(f"  first run {first:.1f} s, increment of one in {INCREMENT} {increment:.1f} s")
            print(f"  pairwise precision {precision:.4f}, recall {recall:.4f}")


if __name__ == "__main__":
    main()
