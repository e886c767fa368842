"""A small home for tests: two test agencies, their files, and the road through them."""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import hypothesis
import pytest

from orchestration.layers.lock import writer_lock
from orchestration.layers.models import Warehouse
from orchestration.release.publish import current_release
from orchestration.run import Outcome, run_road
from orchestration.settings import PROJECT, Settings

# A busy machine is no failure: timings belong to the benchmarks.
hypothesis.settings.register_profile("crisis", deadline=None)
hypothesis.settings.load_profile("crisis")

AGENCIES = Path(__file__).parent / "agencies"
REAL_DATA = PROJECT.parent / "shared" / "data"
real_data = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the folder of public records is absent")

CAD = [
    "number",
    "master",
    "source",
    "received",
    "closed",
    "type_open",
    "type_close",
    "priority",
    "cancelled",
    "beat",
    "address",
    "caller",
    "phone",
    "lat",
    "lon",
    "updated",
]
UNITS = ["number", "unit", "officers", "clinicians", "dispatched", "enroute", "arrived", "cleared", "officer"]
FORMS = [
    "form",
    "number",
    "occurred",
    "reported",
    "force",
    "arrestable",
    "basis",
    "disposition",
    "name",
    "born",
    "phone",
    "address",
    "officer",
    "narrative",
]
JAIL = ["booking", "number", "booked", "released", "name", "born"]
BIRCH = ["form", "occurred", "force", "disposition"]


def table(columns: list[str], rows: Iterable[dict]) -> str:
    """CSV text with a header; what a row does not give is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def calls(month: str, n: int = 24, **over) -> list[dict]:
    """n calls of a month, an hour apart; every third is a crisis at close."""
    return [
        {
            "number": f"{month[2:4]}{month[5:]}-{i:03d}", "source": "911",
            "received": f"{month}-{i // 24 + 2:02d} {i % 24:02d}:00:00", "closed": f"{month}-{i // 24 + 2:02d} {i % 24:02d}:55:00",
            "type_open": "CHECK", "type_close": "CRISIS" if i % 3 == 0 else "CHECK", "priority": "2", "cancelled": "N", "beat": "B1",
            "updated": "2024-12-01", **over,
        }
        for i in range(n)
    ]  # fmt: skip


def units(month: str, n: int = 24, **over) -> list[dict]:
    """One unit of one officer for each of the calls: 5 minutes to arrive, 35 on scene."""
    return [
        {
            "number": c["number"], "unit": "A1", "officers": "1", "clinicians": "0",
            **{k: c["received"].replace(":00:00", f":{minute}:00") for k, minute in (("dispatched", "01"), ("enroute", "02"), ("arrived", "05"), ("cleared", "40"))},
            **over,
        }
        for c in calls(month, n)
    ]  # fmt: skip


def forms(month: str, n: int = 12, **over) -> list[dict]:
    """n contact forms of a month, each naming a call."""
    return [
        {
            "form": f"F{month}-{i:02d}", "number": c["number"], "occurred": c["received"], "reported": c["closed"], "force": "N",
            "arrestable": "Y" if i % 2 else "N", "basis": "pc_diverted" if i % 2 else "no_pc", "disposition": "resolved_on_scene", **over,
        }
        for i, c in enumerate(calls(month, n))
    ]  # fmt: skip


@dataclass
class Home:
    """A temporary home with helpers that act as its users do."""

    settings: Settings

    def drop(self, agency: str, name: str, content: str | bytes) -> Path:
        folder = self.settings.drop / agency
        folder.mkdir(parents=True, exist_ok=True)
        content = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return folder / name

    def fill(self, *months: str) -> None:
        """Files of both agencies for these months."""
        for month in months:
            self.drop("alder", f"cad_{month}.csv", table(CAD, calls(month)))
            self.drop("alder", f"units_{month}.csv.gz", table(UNITS, units(month)))
            self.drop("alder", f"forms_{month}.csv", table(FORMS, forms(month)))
            self.drop("birch", f"forms_{month.replace('-', '')}01.csv", table(BIRCH, [
                {"form": f"{month}-{i}", "occurred": f"{month}-05 10:00:00", "force": "N", "disposition": "resources_given"} for i in range(12)
            ]))  # fmt: skip

    def run(
        self, *agencies: str, first: str | None = None, last: str | None = None, settings: Settings | None = None
    ) -> Outcome:
        self.said: list[str] = []
        settings = settings or self.settings
        return run_road(
            settings, agencies, first, last, report=lambda layer, said: self.said.append(f"{layer}: {said}")
        )

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse.open(self.settings)

    @property
    def release(self) -> str | None:
        return current_release(self.settings)

    def rows(self, query: str) -> list[tuple]:
        """Runs a query over the current release; tables as internal.NAME or general.NAME."""
        from orchestration.release.reader import open_release

        with open_release(self.settings) as con:
            return con.execute(query).fetchall()

    def in_warehouse(self, query: str, write: bool = False) -> list[tuple]:
        with duckdb.connect(str(self.settings.warehouse), read_only=not write) as con:
            return con.execute(query).fetchall()

    def checksums(self) -> dict[str, str]:
        from orchestration.release.publish import load_manifest

        return {n: f["sha256"] for n, f in load_manifest(self.settings, self.release)["files"].items()}


def empty_home(folder: Path) -> Home:
    """An empty home with the two test agencies."""
    return Home(Settings(home=folder / "home", agency_paths=(AGENCIES,), threads=2, memory_limit="2GB"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return empty_home(tmp_path)


@pytest.fixture(scope="session")
def worker_folder(tmp_path_factory) -> Path:
    """A folder of this process alone, for as long as it lives."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(scope="session")
def built(worker_folder) -> Home:
    """A home with two months of both agencies, built and released once for all processes. Only read; copies are broken."""
    shared = worker_folder.parent if "PYTEST_XDIST_WORKER" in os.environ else worker_folder
    home, done = empty_home(shared / "built"), shared / "built" / "done"
    with writer_lock(shared / "built", "building a home for tests"):
        if not done.exists():
            home.fill("2024-01", "2024-02")
            outcome = home.run()
            assert outcome.success, (outcome, home.said)
            done.touch()
    return home


def copy_home(home: Home, target: Path) -> Home:
    """A copy of a home, in place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(home.settings.home, target, symlinks=True)
    return Home(replace(home.settings, home=target))


@pytest.fixture
def fresh(built, worker_folder) -> Home:
    """A copy of the built home, to be broken; all copies at one path, where this process has read dbt's project."""
    return copy_home(built, worker_folder / "home")


# These take longest; begun first, they leave no processor waiting for the other at the end.
LONGEST = ("test_road.py", "test_county_home.py", "test_command.py", "test_agencies.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
