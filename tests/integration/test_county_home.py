"""A clean county along the whole road: the release tells the truth, names nobody, and keeps who refused out of sight."""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import replace

import duckdb
import pytest

from orchestration.county import write_county
from orchestration.county.compare import compare
from orchestration.layers.links import link_files
from orchestration.layers.models import Warehouse
from orchestration.linkage.search import search_home
from orchestration.linkage.store import store_path
from orchestration.release.publish import current_release
from orchestration.release.reader import open_release
from orchestration.run import run_road
from orchestration.settings import PROJECT, Settings

sys.path.insert(0, str(PROJECT / "benchmarks"))
from steps import correct_month


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> tuple[Settings, object]:
    """A home after one run over a county without dirt, and the folder of its truth."""
    root = tmp_path_factory.mktemp("county")
    write_county(root / "drop", calls=6_000, months=2, seed=11, threads=2, truth_folder=root / "truth", dirt=0)
    settings = Settings(home=root / "home", agency_paths=(PROJECT / "agencies",), threads=2, memory_limit="4GB")
    outcome = run_road(settings, drop=root / "drop")
    assert outcome.success, outcome
    return settings, root / "truth"


def test_effects_rates_and_costs_are_those_of_the_truth(clean):
    """Each figure lies within four standard errors of the stated one, and money agrees to the cent."""
    settings, truth = clean
    with open_release(settings) as con:
        found = compare(con, truth)
    assert {c.kind for c in found} == {"effect", "rate", "cost"}
    assert sum(c.kind == "effect" for c in found) == 4 * 3
    far = [
        (c.name, c.truth, c.estimate, c.deviation) for c in found if c.deviation is not None and abs(c.deviation) > 4
    ]
    assert far == []
    assert [
        (c.name, c.truth, c.estimate)
        for c in found
        if c.kind == "cost" and c.truth != pytest.approx(c.estimate, abs=0.005)
    ] == []


def test_every_clean_contact_finds_its_call(clean):
    settings, truth = clean
    with open_release(settings) as con:
        linked = con.execute("select contact_id, incident_id from internal.bridge_contact_incident").fetchall()
    with duckdb.connect() as known:
        true = known.execute(
            "select agency_id || ':' || contact_number, agency_id || ':' || incident_number"
            f" from read_parquet('{truth / 'contact_incident.parquet'}')"
        ).fetchall()
    assert len(true) > 500
    assert dict(linked) == dict(true)


def test_no_identifier_leaves_the_identity_store(clean):
    settings, truth = clean
    assert search_home(settings, truth) == []


def test_who_refused_is_in_no_linked_table_of_care_though_the_twin_is_not(clean):
    """Care records of people who did not consent have no row where people are linked, not even one without a key."""
    settings, truth = clean
    with duckdb.connect() as known:
        people = f"read_parquet('{truth / 'person.parquet'}')"
        records = f"read_parquet('{truth / 'record.parquet'}')"
        refused = known.execute(
            f"select agency_id || ':' || number from {records} join {people} using (true_person)"
            " where consent in ('refused', 'withdrawn') and agency_id = 'cedar_care' and entity <> 'consent'"
        ).fetchall()
    with open_release(settings) as con:
        linked = {r for (r,) in con.execute("select record_id from care.bridge_care_person_record").fetchall()}
        justice = {e for (e,) in con.execute("select distinct entity from internal.bridge_person_record").fetchall()}
    assert refused
    assert not linked & {number for (number,) in refused}
    assert not justice & {"ed_visit", "inpatient_stay", "referral", "service_linkage", "program_enrollment", "consent"}


def test_a_corrected_month_of_calls_makes_a_whole_release_and_links_nobody_anew(clean, tmp_path):
    """February's calls come again, each closed with a report: the other months, and who is who, stay as they were."""
    first, truth = clean
    settings, folder = replace(first, home=tmp_path / "home"), tmp_path / "drop" / "cedar_county"
    shutil.copytree(first.home, settings.home, symlinks=True)
    folder.mkdir(parents=True)
    (export,) = (truth.parent / "drop" / "cedar_county").glob("cad_incidents_*_*-*.csv")
    shutil.copy(export, folder)
    correct_month(folder, "2024-02")
    with (folder / "cad_incidents_2024-02_late.csv").open(newline="") as sent:
        corrected = sum(1 for _ in csv.DictReader(sent))
    assert corrected > 2000

    before = who_is_who(settings)
    outcome = run_road(settings, drop=tmp_path / "drop")
    assert outcome.success, outcome
    assert "2024-02" in outcome.months
    assert current_release(settings) != current_release(first)
    assert closed(settings, "2024-01") == closed(first, "2024-01")
    assert closed(settings, "2024-02") == {"report_taken": corrected}
    assert Warehouse.open(settings).stale() == {}
    assert who_is_who(settings) == before
    assert run_road(settings, drop=tmp_path / "drop").months == []


def closed(settings: Settings, month: str) -> dict[str, int]:
    """How many of a month's calls the release shows closed how."""
    with open_release(settings) as con:
        return dict(
            con.execute(
                "select cad_disposition_code, count(*) from internal.fct_incident where month = ? group by all", [month]
            ).fetchall()
        )


def who_is_who(settings: Settings) -> tuple:
    """Link files with the instant of their writing, and how many builds changed the identity store."""
    with duckdb.connect(str(store_path(settings)), read_only=True) as con:
        (builds,) = con.execute("select count(*) from run").fetchone()
    return builds, {p.relative_to(settings.home): p.stat().st_mtime_ns for p in link_files(settings)}
