"""The road end to end over two test agencies: gates, ledger, fingerprints, releases, readers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from orchestration.agencies import load_agency
from orchestration.landing import land_drop
from orchestration.layers import gates as gates_module
from orchestration.layers.dbt import DbtFailure
from orchestration.layers.ledger import Ledger
from orchestration.layers.models import DBT_LAYERS, GateClosed, Warehouse
from orchestration.rebuild import rebuild
from orchestration.release.publish import ReleaseRefused, export_candidate, load_manifest
from orchestration.release.reader import NotReading, open_release, read
from orchestration.run import RunError
from orchestration.settings import Settings
from tests.conftest import AGENCIES, BIRCH, CAD, FORMS, JAIL, UNITS, Home, calls, copy_home, forms, table, units

ONE_MORE = table(BIRCH, [{"form": "n", "occurred": "2024-02-07 10:00:00", "force": "N", "disposition": "no_action"}])
CONTACTS = "select count(*) from internal.fct_contact"


@dataclass
class Later:
    """The built home after a run that brought one contact more.

    asked: the tables that the gates asked in that run, by layer. read: contacts that a reader counted who opened the
    release before the run, before and after it.
    """

    home: Home
    asked: dict[str, set[str]]
    read: list[int]


@pytest.fixture(scope="module")
def later(built, worker_folder) -> Later:
    import expectations

    home, asked, whole = copy_home(built, worker_folder / "home"), {}, expectations.judge
    home.drop("birch", "forms_20240301.csv", ONE_MORE)

    def noted(layer, *given):
        results = whole(layer, *given)
        asked.setdefault(layer, set()).update(r.table for r in results)
        return results

    with pytest.MonkeyPatch.context() as patch, open_release(home.settings) as reader:
        patch.setattr(expectations, "judge", noted)
        (before,) = reader.execute(CONTACTS).fetchone()
        assert home.run().success, home.said
        (after,) = reader.execute(CONTACTS).fetchone()
    return Later(copy_home(home, worker_folder / "later"), asked, [before, after])


@pytest.fixture
def fresh_later(later, worker_folder) -> Home:
    """A copy of the later home, to be broken."""
    return copy_home(later.home, worker_folder / "home")


def open_months(home: Home, layer: str) -> set[str]:
    return home.warehouse.open_gates(layer)


def gate_states(home: Home, layer: str) -> dict[tuple[str, str], str]:
    return {(a, m): g.state for (_, a, m), g in Ledger(home.settings.home).gates(layer).items()}


# -- what comes out


def test_the_release_holds_what_was_landed(built):
    assert built.rows("select agency_id, month, count(*) from internal.fct_incident group by all order by all") == [
        ("alder", "2024-01", 24),
        ("alder", "2024-02", 24),
    ]
    assert built.rows("select agency_id, count(*) from internal.fct_contact group by all order by all") == [
        ("alder", 24),
        ("birch", 24),
    ]
    # Five minutes from call to arrival, for every call of every month; see conftest.units.
    found = built.rows(
        "select month, known_count, median_seconds, p90_nearest_rank_seconds, p90_interpolated_seconds"
        " from internal.met_response__incident_response where agency_id = 'alder' and population_code = 'all' order by month"
    )
    assert found == [("2024-01", 24, 300, 300, 300), ("2024-02", 24, 300, 300, 300)]


def test_an_agency_without_units_says_not_available_and_why(built):
    found = built.rows(
        "select distinct availability_code, availability_reason <> '' from internal.met_workload__hours_on_task where agency_id = 'birch'"
    )
    assert found == [("not_available", True)]
    assert built.rows(
        "select count(*) from internal.met_workload__hours_on_task where agency_id = 'birch' and officer_hours is not null"
    ) == [(0,)]


def test_every_gate_is_open_and_the_manifest_tells_all(built):
    for layer in (*DBT_LAYERS, "input", "release"):
        assert set(gate_states(built, layer).values()) == {"open"}, layer
    manifest = load_manifest(built.settings, built.release)
    assert {f["file_name"] for files in manifest["inputs"].values() for f in files} >= {
        "cad_2024-01.csv",
        "units_2024-02.csv.gz",
    }
    assert manifest["held_back"] == []
    assert manifest["versions"]["duckdb"].startswith("1.5")
    assert all(c["description"] and c["tier"] for t in manifest["tables"].values() for c in t["columns"].values())


def test_the_general_tier_holds_no_record_and_no_small_cell(built):
    folder = built.settings.releases / built.release
    assert not [p.name for p in (folder / "general").iterdir() if p.name.startswith(("fct_", "bridge_"))]
    assert (folder / "internal").stat().st_mode & 0o077 == 0
    with open_release(built.settings) as con:
        for path in (folder / "general").glob("met_*.parquet"):
            table = f"general.{path.stem}"
            counts = [name for name, *_ in con.execute(f"describe {table}").fetchall() if name.endswith("_count")]
            small = " or ".join(f"{name} between 1 and 10" for name in counts)
            assert not counts or con.execute(f"select count(*) from {table} where {small}").fetchone() == (0,), table


def test_what_law_enforcement_does_not_see_stands_in_the_care_tier_alone(built):
    folder = built.settings.releases / built.release
    assert (folder / "care").stat().st_mode & 0o077 == 0
    seen, kept = ({n for n, *_ in built.rows(f"describe {tier}.fct_contact")} for tier in ("internal", "care"))
    health = {"substance_use_disorder", "dx_group_code", "dx_group_local", "receiving_services", "consent_status_code"}
    assert not health & seen
    assert health <= kept
    assert seen & kept == {"agency_id", "contact_id"}
    (rows,) = built.rows(
        "select count(*) from internal.fct_contact join care.fct_contact using (agency_id, contact_id)"
    )
    assert built.rows("select count(*) from internal.fct_contact") == [rows]


def test_files_without_a_row_are_said_to_be_too_little(tmp_path):
    home = Home(Settings(home=tmp_path / "home", agency_paths=(AGENCIES,), threads=2, memory_limit="2GB"))
    home.drop("alder", "cad_2024-01.csv", table(CAD, []))
    with pytest.raises(RunError, match="no row to build from"):
        home.run()


def test_a_second_run_finds_nothing_to_do_and_keeps_the_release(fresh):
    before = fresh.release
    outcome = fresh.run()
    assert outcome.success
    assert outcome.months == []
    assert fresh.release == before


# -- same in, same out


def test_months_in_another_order_and_one_thread_give_the_same_bytes(built, tmp_path):
    other = Home(replace(built.settings, home=tmp_path / "other", threads=1))
    other.fill("2024-01", "2024-02")
    assert other.run(first="2024-02", last="2024-02").success
    assert other.run(first="2024-01", last="2024-01").success
    assert other.checksums() == built.checksums()


def test_a_corrected_file_rebuilds_the_months_of_its_keys_and_those_that_read_them(fresh):
    moved = {**calls("2024-01", 1)[0], "received": "2024-03-03 10:00:00", "updated": "2025-01-01"}
    fresh.drop("alder", "cad_fix.csv", table(CAD, [moved]))
    outcome = fresh.run()
    assert outcome.success, fresh.said
    assert "2024-01" in outcome.months
    assert "2024-03" in outcome.months
    assert fresh.rows("select month, count(*) from internal.fct_incident group by all order by all") == [
        ("2024-01", 23),
        ("2024-02", 24),
        ("2024-03", 1),
    ]


def test_a_correction_rebuilds_no_further_than_the_models_read(fresh):
    """With five months, a correction of the fourth touches the third (which reads ahead) and the fifth, not the first."""
    home = fresh
    home.fill("2024-03", "2024-04", "2024-05")
    assert home.run().success
    late = home.warehouse.ledger.gates("marts")["marts", "*", "2024-01"].write_id
    home.drop("alder", "cad_fix.csv", table(CAD, [{**calls("2024-04", 1)[0], "beat": "B9", "updated": "2025-01-01"}]))
    outcome = home.run()
    assert outcome.success, (outcome, home.said)
    assert outcome.months == ["2024-04"]
    gates = home.warehouse.ledger.gates("marts")
    assert gates["marts", "*", "2024-01"].write_id == late
    assert gates["marts", "*", "2024-03"].write_id == gates["marts", "*", "2024-05"].write_id != late
    assert home.warehouse.stale() == {}


def test_a_home_built_anew_has_the_same_release_and_says_what_differs(built, fresh, tmp_path):
    with pytest.raises(RunError, match="no release to hold a rebuilt one against"):
        rebuild(replace(built.settings, home=tmp_path / "empty"), tmp_path / "none")
    # After the first release: bookings, a late version of some calls, and a file that is refused.
    booked = [{"booking": f"J{i}", "number": c["number"], "booked": c["received"]} for i, c in enumerate(calls("2024-02", 3))]  # fmt: skip
    fresh.drop("alder", "jail_1.csv", table(JAIL, booked))
    fresh.drop("alder", "cad_late.csv", table(CAD, calls("2024-02", 5, type_close="CHECK", updated="2025-01-01")))
    fresh.drop("alder", "strange.txt", "x")
    assert fresh.run().success

    done = rebuild(fresh.settings, tmp_path / "again")
    assert (done.differing, done.why) == ((), ()) and done.files == len(fresh.checksums())
    assert not any((tmp_path / "again" / "drop").iterdir())
    with pytest.raises(RunError, match="is not empty"):
        rebuild(fresh.settings, tmp_path / "again")

    # A file that landed and that no release holds yet: one more call of January.
    more = {**calls("2024-01", 1)[0], "number": "2401-900"}
    fresh.drop("alder", "cad_more.csv", table(CAD, [more]))
    land_drop(fresh.settings, load_agency(AGENCIES / "alder"), fresh.settings.drop / "alder")
    done = rebuild(fresh.settings, tmp_path / "other")
    assert "internal/fct_incident.parquet" in done.differing and "internal/fct_jail_booking.parquet" not in done.differing  # fmt: skip
    assert done.why == ("landed files of alder: 1 more and 0 fewer than then",)


# -- what is stale


def stale_tables(home: Home, settings: Settings) -> dict[str, set[tuple[str, str]]]:
    return {layer: set(parts) for layer, parts in Warehouse.open(settings).stale().items()}


@pytest.fixture
def project(tmp_path):
    """A copy of the dbt project and the seeds, to be edited."""
    import shutil

    from orchestration.settings import PROJECT

    for part in ("dbt_project", "seeds"):
        shutil.copytree(PROJECT / part, tmp_path / "edited" / part, ignore=shutil.ignore_patterns("target"))
    return tmp_path / "edited"


COSTS = {  # all that is counted in dollars
    "dim_cost_parameter",
    "met_cost__avoided",
    "met_cost__component",
    "met_cost__cost_per_response",
    "met_cost__perspective",
    "met_cost__program",
    "met_cost__repeat_response",
    "met_indicator__common",
}


def edited(home: Home, project) -> Settings:
    return replace(home.settings, dbt_project=project / "dbt_project", seeds=project / "seeds")


def test_dbt_can_read_the_parse_that_it_saved(built):
    from dbt.contracts.graph.manifest import Manifest

    # Every start would parse the whole project anew, and say so in a log alone.
    assert Manifest.from_msgpack((built.settings.home / "dbt" / "partial_parse.msgpack").read_bytes()).nodes


def test_nothing_is_stale_after_a_run(built):
    assert built.warehouse.stale() == {}


def test_a_changed_metric_makes_only_its_own_partitions_stale(fresh, project):
    (path,) = (project / "dbt_project").rglob("met_outcome__share_not_arrested.sql")
    path.write_text(path.read_text().replace("select * from final", "select * from final where true"))
    assert stale_tables(fresh, edited(fresh, project)) == {
        "metrics": {
            ("met_outcome__share_not_arrested", "2024-01"),
            ("met_outcome__share_not_arrested", "2024-02"),
            ("met_indicator__common", "*"),  # it reads that share
        }
    }


def test_a_changed_seed_makes_stale_what_reads_it_and_nothing_else(fresh, project):
    path = project / "seeds" / "costs" / "price_index.csv"
    path.write_text(path.read_text().replace("313.689", "313.690"))
    found = stale_tables(fresh, edited(fresh, project))
    assert {t for parts in found.values() for t, _ in parts} == COSTS
    outcome = fresh.run(settings=edited(fresh, project))
    assert outcome.success
    assert stale_tables(fresh, edited(fresh, project)) == {}


def test_a_new_month_of_one_agency_leaves_the_other_months_alone(fresh):
    from orchestration.layers.input import build_input

    fresh.drop(
        "birch",
        "forms_20240901.csv",
        table(BIRCH, [{"form": "x", "occurred": "2024-09-05 10:00:00", "force": "N", "disposition": "no_action"}]),
    )
    agency = load_agency(AGENCIES / "birch")
    land_drop(fresh.settings, agency, fresh.settings.drop / "birch")
    build_input(fresh.settings, agency, Ledger(fresh.settings.home))
    gates_module.judge_input(fresh.warehouse, "birch", ["2024-09"])
    months = {m for parts in fresh.warehouse.stale().values() for _, m in parts}
    assert months <= {"2024-09", "*"}
    assert "2024-09" in months


@pytest.mark.parametrize(
    ("table_name", "select", "said"),
    [
        ("met_outcome__before_after", "*, 1 as more", "-more"),  # written whole by each run
        ("met_outcome__share_not_arrested", "* replace (7 as month)", "month INTEGER -> VARCHAR"),
        ("met_outcome__share_not_arrested", "* exclude (month)", "+month"),
    ],
)
def test_a_query_with_other_columns_than_its_contract_is_not_built(fresh, project, table_name, select, said):
    (path,) = (project / "dbt_project").rglob(f"{table_name}.sql")
    path.write_text(path.read_text().replace("select * from final", f"select {select} from final"))
    rows = fresh.in_warehouse(f"from metrics.{table_name} order by all")
    with pytest.raises(DbtFailure, match=re.escape(f"the query has other columns than the contract: {said}.")):
        Warehouse.open(edited(fresh, project)).project.invoke("run", "--select", table_name)
    assert fresh.in_warehouse(f"from metrics.{table_name} order by all") == rows


def test_a_large_window_is_filled_month_by_month_with_the_same_rows(fresh, project):
    table_name = "met_response__interval_by_slice"
    steps_back = f"select month < lag(month) over (order by rowid) as is_back from metrics.{table_name}"
    rows = fresh.in_warehouse(f"from metrics.{table_name} order by all")
    assert len({row[1] for row in rows}) > 1
    assert fresh.in_warehouse(f"from ({steps_back}) where is_back")
    (path,) = (project / "dbt_project").rglob(f"{table_name}.sql")
    path.write_text(path.read_text().replace("rows_in_one_go=2000000", "rows_in_one_go=1"))
    Warehouse.open(edited(fresh, project)).project.invoke("run", "--select", table_name)
    assert fresh.in_warehouse(f"from metrics.{table_name} order by all") == rows
    assert not fresh.in_warehouse(f"from ({steps_back}) where is_back")


# -- gates


def break_model(project, table_name: str, column: str, value: str) -> None:
    """Makes one column of a model wrong in every row."""
    (path,) = (project / "dbt_project").rglob(f"{table_name}.sql")
    text = path.read_text()
    assert "select * from final" in text
    path.write_text(text.replace("select * from final", f"select * replace ({value} as {column}) from final"))


BROKEN = {
    "staging": ("stg_incident", "incident_id", "'alder:same'"),
    "marts": ("fct_incident", "incident_id", "'alder:same'"),
    "metrics": ("met_identification__bh_share", "bh_share", "cast(7.0 as double)"),
}


@pytest.mark.parametrize("layer", DBT_LAYERS)
def test_a_failing_gate_stops_the_layers_behind_it_in_this_run_and_in_later_ones(fresh, project, layer):
    before, good = fresh.release, edited(fresh, project)
    original = {p: p.read_text() for p in (project / "dbt_project").rglob("*.sql")}
    break_model(project, *BROKEN[layer])
    outcome = fresh.run(settings=good)
    assert not outcome.success
    assert f"gate_{layer}" in " ".join(outcome.failed)
    assert fresh.release == before
    behind = DBT_LAYERS[DBT_LAYERS.index(layer) + 1 :]
    said = [s.split(":")[0] for s in fresh.said]
    assert not set(behind) & set(said)
    assert "release" not in said
    # A later run of the layers behind alone, from the same place a click would start it.
    warehouse = Warehouse.open(good)
    for later in behind[:1]:
        with pytest.raises(GateClosed, match=f"gate {layer}"):
            warehouse.build(later, ["2024-01"])
    with pytest.raises(ReleaseRefused):
        export_candidate(warehouse)
    assert fresh.rows("select count(distinct incident_id) from internal.fct_incident") == [(48,)]
    # After the mend all of it runs.
    for path, text in original.items():
        path.write_text(text)
    assert fresh.run(settings=good).success
    for kind in DBT_LAYERS:
        assert {"2024-01", "2024-02", "*"} <= Warehouse.open(good).open_gates(kind)


def test_materializing_marts_alone_from_the_dagster_command_obeys_the_ledger(fresh):
    """What a click does: a process of its own, marts only, over a closed staging gate."""
    Ledger(fresh.settings.home).close("staging", [("*", "2024-01")], "somebody wrote")
    env = {
        **os.environ,
        "CRISIS_HOME": str(fresh.settings.home),
        "CRISIS_AGENCIES": str(AGENCIES),
        "DAGSTER_HOME": str(fresh.settings.dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [
        sys.executable,
        "-m",
        "dagster",
        "asset",
        "materialize",
        "-m",
        "orchestration.definitions",
        "--select",
        "key:marts/*",
        "--partition",
        "2024-01",
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=fresh.settings.home, check=False)
    assert done.returncode != 0
    assert "gate staging 2024-01" in done.stdout + done.stderr
    assert open_months(fresh, "marts") >= {"2024-01", "2024-02"}


def test_one_agencys_bad_input_is_held_back_and_the_others_new_rows_go_in(fresh):
    twice = [{**r, "cleared": "2023-01-01 00:00:00", "dispatched": "2024-02-02 00:01:00"} for r in units("2024-02")]
    fresh.drop("alder", "units_2024-02b.csv.gz", table(UNITS, [{**u, "unit": "B7"} for u in twice]))
    more = [
        {"form": f"n{i}", "occurred": "2024-02-07 10:00:00", "force": "N", "disposition": "no_action"} for i in range(5)
    ]
    fresh.drop("birch", "forms_20240301.csv", table(BIRCH, more))
    # The agency's own threshold turns the order of times into a blocking check for this test.
    failing = break_input_gate(fresh, "alder", "2024-02")
    outcome = fresh.run()
    assert outcome.success, fresh.said
    assert gate_states(fresh, "input")["alder", "2024-02"] == "closed", failing
    assert gate_states(fresh, "input")["birch", "2024-02"] == "open"
    assert fresh.rows("select count(*) from internal.fct_contact where agency_id = 'birch' and month = '2024-02'") == [
        (17,)
    ]
    assert fresh.rows(
        "select count(*) from internal.fct_unit_response where agency_id = 'alder' and month = '2024-02'"
    ) == [(24,)]
    assert [
        (h["agency_id"], h["month"], h["serves"]) for h in load_manifest(fresh.settings, fresh.release)["held_back"]
    ] == [("alder", "2024-02", "its last passing rows")]


def break_input_gate(home: Home, agency: str, month: str) -> str:
    """Drops a file whose rows fail a blocking check of the input layer: contacts reported before they happened, in bulk."""
    rows = [{**f, "form": f"bad{i}", "disposition": "no such thing at all"} for i, f in enumerate(forms(month, 24))]
    home.drop(agency, f"forms_{month}_bad.csv", table(FORMS, rows))
    return "contact_disposition.unmapped"


def test_a_check_process_killed_half_way_leaves_its_gate_closed(fresh, tmp_path):
    code = f"""
import os, signal
from pathlib import Path
import expectations
from orchestration.settings import Settings
from orchestration.layers.models import Warehouse
from orchestration.layers.gates import judge_layer
w = Warehouse.open(Settings(home=Path({str(fresh.settings.home)!r}), agency_paths=(Path({str(AGENCIES)!r}),)))
w.build("staging", ["2024-01"])
expectations.judge = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
judge_layer(w, "staging", ["2024-01"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert gate_states(fresh, "staging")["*", "2024-01"] == "closed"
    with pytest.raises(GateClosed):
        fresh.warehouse.build("marts", ["2024-01"])
    assert fresh.run().success
    assert gate_states(fresh, "staging")["*", "2024-01"] == "open"


def test_tables_that_were_not_written_are_not_asked_again_and_the_findings_are_those_of_asking_all(later, fresh_later):
    asked, home = later.asked, fresh_later
    assert {"stg_contact", "stg_contact_disposition"} <= asked["staging"]
    assert not {"stg_unit_response", "stg_jail_booking", "stg_agency"} & asked["staging"]
    assert "dim_date" not in asked["marts"]
    ledger, warehouse = Ledger(home.settings.home), home.warehouse
    # A contact's checks read the call's table: whatever they compare is the same as if all had been asked.
    for layer in DBT_LAYERS:
        found = in_order(ledger.findings(layer))
        ledger_without_judgments(home)
        assert all(gates_module.judge_layer(warehouse, layer, warehouse.window(layer, ["2024-02"])).values())
        assert in_order(ledger.findings(layer)) == found


def in_order(findings: dict) -> dict:
    return {key: sorted(found, key=lambda f: (f.check_id, f.about)) for key, found in findings.items()}


def ledger_without_judgments(home: Home) -> None:
    import sqlite3

    with sqlite3.connect(home.settings.home / "ledger" / "ledger.sqlite") as con:
        con.execute("delete from judged")


def test_a_crashing_check_is_an_error_and_keeps_the_gate_closed(fresh, monkeypatch):
    import expectations

    def crash(*args, **kwargs):
        raise RuntimeError("boom")

    fresh.drop("birch", "forms_20240301.csv", ONE_MORE)
    with monkeypatch.context() as patch:
        patch.setattr(expectations, "judge", crash)
        before = fresh.release
        assert not fresh.run().success
    assert gate_states(fresh, "input")["birch", "2024-02"] == "closed"
    assert fresh.release == before
    assert fresh.run().success


def test_a_warehouse_restored_from_yesterday_closes_the_gates_that_no_longer_match(built, fresh_later):
    home, after = fresh_later, fresh_later.checksums()
    home.settings.warehouse.write_bytes(built.settings.warehouse.read_bytes())
    assert "2024-02" not in open_months(home, "staging")
    assert "2024-01" in open_months(home, "staging")
    with pytest.raises(GateClosed):
        home.warehouse.build("metrics", ["2024-02"])
    assert home.run().success
    assert home.checksums() == after


# -- readers


def test_a_reader_keeps_its_release_and_sees_the_new_one_after_reconnecting(built, later):
    assert later.read == [48, 48]
    assert later.home.release != built.release
    assert later.home.rows(CONTACTS) == [(49,)]
    with open_release(later.home.settings, built.release) as reader:
        assert reader.execute(CONTACTS).fetchone() == (48,)


@pytest.mark.parametrize(
    "statement",
    [
        "create table general.x as select 1",
        "copy (select 1) to 'out.csv'",
        "attach 'x.db'",
        "drop view general.dim_agency",
        "select 1; select 2",
        "set threads = 1",
    ],
)
def test_a_release_is_only_read(built, statement):
    with open_release(built.settings) as con, pytest.raises(NotReading):
        read(con, statement)


def test_a_release_cannot_be_used_to_read_other_files(built):
    import duckdb

    with open_release(built.settings) as con, pytest.raises(duckdb.Error):
        read(con, f"select * from read_csv('{built.settings.drop}/alder/cad_2024-01.csv')").fetchall()


# -- persons


def test_planted_identifiers_are_nowhere_but_in_identity_landing_and_drop(tmp_path):
    """Every identifying column of every feed carries a planted text; no other file of the home may hold it."""
    home = Home(Settings(home=tmp_path / "home", agency_paths=(AGENCIES,), threads=2, memory_limit="2GB"))
    month, secret = "2024-01", "Zzplanted"
    planted = {k: f"{secret} {k}" for k in ("address", "caller", "phone", "lat", "lon")}
    home.drop("alder", "cad_1.csv", table(CAD, calls(month, **planted)))
    home.drop("alder", "units_1.csv.gz", table(UNITS, units(month, officer=f"{secret} officer")))
    home.drop(
        "alder",
        "forms_1.csv",
        table(
            FORMS,
            forms(month, **{k: f"{secret} {k}" for k in ("name", "born", "phone", "address", "officer", "narrative")}),
        ),
    )
    booking = {
        "booked": "2024-01-05 10:00:00",
        "released": "2024-01-06 10:00:00",
        "name": f"{secret} name",
        "born": f"{secret} born",
    }
    home.drop("alder", "jail_1.csv", table(JAIL, [{"booking": str(i), **booking} for i in range(12)]))
    bad = [{**calls(month, 1)[0], "number": "bad", "received": f"{secret} not a time", **planted}]
    home.drop("alder", "cad_2.csv", table(CAD, bad) + f"{secret},too,few\n")
    assert home.run().success, home.said
    inside = [p for p in home.settings.home.rglob("*") if p.is_file() and not p.is_symlink()]
    holding = set()
    for path in inside:
        content = path.read_bytes()
        if path.suffix == ".parquet":
            import duckdb

            content += str(duckdb.sql(f"from '{path}'").fetchall()).encode()
        if secret.encode() in content:
            holding.add(path.relative_to(home.settings.home).parts[0])
    assert holding == {"identity", "landing", "drop"}
    with Warehouse.open(home.settings).connect(read_only=True) as con:
        tables = con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where not internal"
        ).fetchall()
        for (name,) in tables:
            assert con.execute(
                f"select count(*) from {name} as t where cast(t as varchar) like '%{secret}%'"
            ).fetchone() == (0,), name
    assert not any(secret in s for s in home.said)


def test_a_failing_release_gate_leaves_the_last_good_release_in_place(fresh_later, built, monkeypatch):
    """With disclosure control switched off the candidate holds small cells, and its gate says so."""
    from orchestration.release import disclosure

    # All is built, and the release of before the one more contact is current.
    home, before = fresh_later, built.release
    home.settings.current.unlink()
    home.settings.current.symlink_to(os.path.join("releases", before))
    with monkeypatch.context() as patch:
        patch.setattr(disclosure, "SMALLEST_CELL", 0)
        outcome = home.run()
    assert not outcome.success
    assert gate_states(home, "release") == {("*", "*"): "closed"}
    assert home.release == before
    assert home.rows(CONTACTS) == [(48,)]
    assert home.run().success
    assert home.rows(CONTACTS) == [(49,)]
