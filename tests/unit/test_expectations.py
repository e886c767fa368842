"""The gates' runner: what a result says, where it places a failure, and what it never does."""

from __future__ import annotations

import logging
import re
import stat
import warnings
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import pytest

from expectations import (
    LAYERS,
    Check,
    CheckResult,
    Suite,
    Threshold,
    judge,
    judge_suites,
    load_suites,
    load_thresholds,
)
from expectations.addresses import path_of
from expectations.loader import value_list
from orchestration.layers.dbt import Model
from orchestration.layers.links import LINK_COLUMNS
from orchestration.linkage.store import TABLE_NAMES, TABLES
from orchestration.release.tiers import TIERS, columns_by_tier
from orchestration.yaml_file import read_yaml

PROJECT = Path(__file__).parents[2]
SECRET = "Zebulon Quartermain"


def check(name: str, kind: str, condition: str = "", **given) -> Check:
    return Check(
        name=name,
        kind=kind,
        severity=given.pop("severity", "block"),
        why="it should not be so",
        remedy="mend it",
        bad=[{}],
        condition=condition,
        **given,
    )


def suite(*checks: Check, judged_by: str = "agency_month", optional: bool = False, table: str = "calls") -> Suite:
    return Suite("staging", "staging", table, judged_by, ("call_id",), optional, checks)


def allow(check_id: str, value: float | None, agency_id: str | None = None, severity: str | None = None) -> Threshold:
    return Threshold(check_id, agency_id, value, severity, "owner", "reason", date(2026, 1, 1))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two agencies and two months: agency a has a missing kind in February, agency b has none missing."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema staging")
        con.execute(
            "create table staging.calls (agency_id varchar, month varchar, call_id varchar, kind varchar,"
            " seconds integer, caller varchar)"
        )
        con.executemany(
            "insert into staging.calls values (?, ?, ?, ?, ?, ?)",
            [
                ("a", "2024-01", "a:1", "x", 10, SECRET),
                ("a", "2024-01", "a:2", "x", 20, SECRET),
                ("a", "2024-02", "a:3", None, 30, SECRET),
                ("a", "2024-02", "a:4", "x", -40, SECRET),
                ("b", "2024-01", "b:1", "y", 50, SECRET),
            ],
        )
    return path


WINDOW = [("a", "2024-01"), ("a", "2024-02"), ("b", "2024-01")]


def run(database: Path, *checks: Check, window=WINDOW, thresholds=(), **kwargs) -> dict[tuple, CheckResult]:
    """Results by (check, agency, month)."""
    judged = judge_suites([suite(*checks, **kwargs)], database, window, list(thresholds), database.parent / "results")
    found = {(r.check_id.rpartition(".")[2], r.agency_id, r.month): r for r in judged}
    assert len(found) == len(judged)
    return found


def statuses(results: dict[tuple, CheckResult]) -> dict[tuple, str]:
    return {key: r.status for key, r in results.items()}


@pytest.mark.parametrize(
    "failing",
    [
        check("c", "not_null", columns=("kind",)),
        check("c", "in_set", columns=("call_id",), values=("a:1", "a:2", "a:4", "b:1")),
        check("c", "between", columns=("seconds",), high=29, severity="block", low=-100),
        check("c", "violation", "kind is null"),
        check("c", "violation", "{column} is null", columns_like="^kind$"),
        check("c", "share", "kind is null"),
        check("c", "query", "select agency_id, month, call_id from {rows} as r where kind is null"),
    ],
    ids=lambda c: c.kind,
)
def test_a_failure_is_placed_in_its_agency_and_month(database: Path, failing: Check) -> None:
    allowed = [allow("calls.c", 0.4)]
    if failing.kind == "between":  # only a:3 lies above 29 in agency a; b has one too
        found = run(database, failing, window=WINDOW[:2], thresholds=allowed)
    else:
        found = run(database, failing, thresholds=allowed)
    assert found[("c", "a", "2024-02")].status == "failed"
    assert found[("c", "a", "2024-02")].failing_count == 1
    assert found[("c", "a", "2024-02")].reason.startswith("1 of 2 rows")
    assert "mend it" in found[("c", "a", "2024-02")].reason
    assert {r.status for key, r in found.items() if key[2] != "2024-02"} == {"passed"}
    noted = duckdb.read_parquet(str(path_of(database.parent / "results", "staging", "calls.c"))).fetchall()
    assert noted == [("a", "2024-02", "a:3")]


def test_pair_is_placed_too(database: Path) -> None:
    with duckdb.connect(str(database)) as con:
        con.execute("alter table staging.calls add column most integer default 25")
    found = run(database, check("c", "pair", columns=("most", "seconds")))
    assert statuses(found) == {
        ("c", "a", "2024-01"): "passed",
        ("c", "a", "2024-02"): "failed",
        ("c", "b", "2024-01"): "failed",
    }


def test_not_applicable_is_never_passed(database: Path) -> None:
    empty = ("b", "2024-02")
    found = run(
        database,
        check("all", "violation", "kind is null"),
        check("none_eligible", "share", "seconds < 0", of="kind = 'never'"),
        check("no_column", "violation", "{column} < 0", columns_like="^absent$"),
        check("built_in", "not_null", columns=("call_id",)),
        check("key", "unique", columns=("call_id",)),
        window=[*WINDOW, empty],
        thresholds=[allow("calls.none_eligible", 0.5)],
    )
    for name in ("all", "built_in", "key"):
        assert found[(name, *empty)].status == "not_applicable"
    assert {r.status for (name, _, _), r in found.items() if name in ("none_eligible", "no_column")} == {
        "not_applicable"
    }
    assert found[("built_in", "a", "2024-01")].status == "passed"
    assert not found[("all", *empty)].stops


def test_a_crashing_check_is_an_error_and_the_others_are_judged(database: Path) -> None:
    found = run(
        database,
        check("broken", "violation", "cast(caller as integer) > 0", severity="record"),
        check("no_such_column", "violation", "absent = 1", severity="warn"),
        check("no_such_built_in", "not_null", columns=("absent",)),
        check("broken_query", "query", "select agency_id, month from nowhere"),
        check("fine", "violation", "seconds > 1000"),
        check("fine_built_in", "not_null", columns=("call_id",)),
        window=WINDOW[:1],
    )
    place = ("a", "2024-01")
    for name in ("broken", "no_such_column", "no_such_built_in", "broken_query"):
        result = found[(name, *place)]
        assert (result.status, result.severity, result.stops) == ("error", "block", True)
        assert name in result.reason
        assert SECRET not in result.reason
    assert "ConversionException" in found[("broken", *place)].reason
    assert found[("fine", *place)].status == "passed"
    assert found[("fine_built_in", *place)].status == "passed"
    duckdb.connect(str(database)).close()


def test_a_missing_table_is_an_error_unless_the_suite_says_optional(database: Path) -> None:
    one = check("c", "violation", "true")
    assert {r.status for r in run(database, one, table="absent").values()} == {"error"}
    assert {r.status for r in run(database, one, table="absent", optional=True).values()} == {"not_applicable"}


def test_no_value_is_told_anywhere(database: Path, capfd, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        found = run(
            database,
            check("listed", "in_set", columns=("caller",), values=("nobody",)),
            check("rule", "violation", f"caller = '{SECRET}'"),
            check("broken", "violation", "cast(caller as integer) > 0"),
            check("share", "share", "caller is not null"),
            thresholds=[allow("calls.share", 0.1)],
        )
    assert {r.status for r in found.values()} == {"failed", "error"}
    output = capfd.readouterr()
    told = [r.reason for r in found.values()] + [output.out, output.err, caplog.text, *map(str, raised)]
    assert not any(SECRET in text or "Zebulon" in text for text in told)
    for path in (database.parent / "results" / "staging").glob("*.parquet"):
        assert duckdb.read_parquet(str(path)).columns == ["agency_id", "month", "call_id"]


def test_addresses_are_for_their_owner_alone(database: Path) -> None:
    run(database, check("c", "not_null", columns=("kind",)))
    path = path_of(database.parent / "results", "staging", "calls.c")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["calls.c.parquet"]


def test_addresses_of_other_months_stay_and_mended_ones_go(database: Path) -> None:
    rule = check("c", "violation", "seconds in (10, 30)")
    path = path_of(database.parent / "results", "staging", "calls.c")
    run(database, rule)
    assert len(duckdb.read_parquet(str(path))) == 2
    with duckdb.connect(str(database)) as con:
        con.execute("update staging.calls set seconds = 11 where seconds = 10")
    run(database, rule, window=[("a", "2024-01")])
    assert duckdb.read_parquet(str(path)).fetchall() == [("a", "2024-02", "a:3")]
    with duckdb.connect(str(database)) as con:
        con.execute("update staging.calls set seconds = 31 where seconds = 30")
    run(database, rule)
    assert not path.exists()


def test_only_the_window_is_judged(database: Path) -> None:
    found = run(database, check("c", "violation", "kind is null"), window=[("a", "2024-01")])
    assert statuses(found) == {("c", "a", "2024-01"): "passed"}
    assert run(database, check("c", "violation", "kind is null"), window=[]) == {}


@pytest.mark.parametrize("rows", [1, 40], ids=["among many", "among few"])
def test_a_key_is_unique_across_months(database: Path, rows: int) -> None:
    """Both ways of looking for repeats find one that stands in a month outside of the window."""
    with duckdb.connect(str(database)) as con:
        con.execute("insert into staging.calls values ('a', '2024-03', 'a:1', 'x', 1, '')")
        con.execute(
            "insert into staging.calls select 'a', '2024-04', 'more:' || i, 'x', 1, '' from range(?) as r(i)",
            [rows],
        )
    found = run(database, check("c", "unique", columns=("call_id",)), window=[("a", "2024-01"), ("a", "2024-02")])
    assert found[("c", "a", "2024-01")].reason.startswith("1 of 2 rows")
    assert found[("c", "a", "2024-02")].status == "passed"


def test_an_agency_has_its_own_threshold_and_severity(database: Path) -> None:
    missing = check("c", "share", "kind is null")
    house = allow("calls.c", 0.1)
    found = run(database, missing, thresholds=[house])
    assert found[("c", "a", "2024-02")].status == "failed"
    assert found[("c", "a", "2024-02")].observed == 0.5
    assert "(50 %; allowed 10 %)" in found[("c", "a", "2024-02")].reason
    found = run(database, missing, thresholds=[house, allow("calls.c", 0.5, "a")])
    assert (found[("c", "a", "2024-02")].status, found[("c", "a", "2024-02")].threshold) == ("passed", 0.5)
    assert found[("c", "b", "2024-01")].threshold == 0.1
    found = run(database, missing, thresholds=[house, allow("calls.c", None, "a", "warn")])
    assert found[("c", "a", "2024-02")].severity == "warn"
    assert found[("c", "a", "2024-02")].threshold == 0.1
    assert not found[("c", "a", "2024-02")].stops


def test_a_threshold_in_a_condition_is_the_agency_s_own(database: Path) -> None:
    slow = check("c", "violation", "seconds > {threshold}")
    found = run(database, slow, thresholds=[allow("calls.c", 15), allow("calls.c", 100, "b")])
    assert statuses(found) == {
        ("c", "a", "2024-01"): "failed",
        ("c", "a", "2024-02"): "failed",
        ("c", "b", "2024-01"): "passed",
    }


def test_an_agency_or_a_table_is_judged_as_a_whole(database: Path) -> None:
    missing = check("c", "violation", "kind is null")
    assert statuses(run(database, missing, judged_by="agency")) == {
        ("c", "a", None): "failed",
        ("c", "b", None): "passed",
    }
    assert statuses(run(database, missing, judged_by="table", window=[])) == {("c", None, None): "failed"}


def test_a_failure_outside_the_window_is_not_lost(database: Path) -> None:
    elsewhere = check("c", "query", "select 'z' as agency_id, cast(null as varchar) as month")
    found = run(database, elsewhere)
    assert found[("c", "z", None)].status == "failed"
    assert found[("c", "a", "2024-01")].status == "passed"


def test_failing_columns_are_named(database: Path) -> None:
    found = run(
        database,
        check("built_in", "not_null", columns=("kind", "caller")),
        check("like", "violation", "{column} is null", columns_like="^(kind|caller)$"),
    )
    for name in ("built_in", "like"):
        assert "(columns: kind)" in found[(name, "a", "2024-02")].reason


def test_sql_is_taken_as_it_stands(database: Path) -> None:
    """Colons, per cent signs and braces mean nothing to the layers between a suite and the database."""
    odd = check(
        "c",
        "violation",
        "call_id like 'a:%' and regexp_full_match(call_id, '[a-z]{1}:[0-9]{1}') and ':x' = ':x'",
    )
    found = run(database, odd)
    assert found[("c", "a", "2024-01")].failing_count == 2
    assert found[("c", "b", "2024-01")].status == "passed"


def test_no_connection_stays_open(tmp_path: Path, database: Path) -> None:
    """The next layer writes right after; odd characters in a path mean nothing."""
    folder = tmp_path / "home of $HOME & 100%"
    folder.mkdir()
    database = database.rename(folder / "ware house.duckdb")
    for _ in range(2):
        run(database, check("c", "violation", "kind is null"), check("broken", "violation", "absent"))
        with duckdb.connect(str(database)) as con:
            con.execute("create or replace table staging.written as select 1 as one")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        judge("release", tmp_path / "absent.duckdb", [], [], tmp_path)


def test_instants_are_utc(database: Path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "America/Denver")
    found = run(database, check("c", "violation", "current_setting('TimeZone') <> 'UTC'"))
    assert {r.status for r in found.values()} == {"passed"}


def by_kind(entity) -> dict[str, set[str]]:
    """The fields of an entity that reach the input tables, by kind."""
    found: dict[str, set[str]] = {}
    for field in (f for f in entity.fields if not f.is_identifying):
        found.setdefault(field.kind, set()).add(field.name)
    return found


@pytest.mark.parametrize(("layer", "prefix"), [("input", ""), ("staging", "stg_")])
def test_every_mapped_entity_has_a_suite(layer: str, prefix: str) -> None:
    from orchestration.standard import mapped_entities

    checks: dict[str, set[str]] = {}
    for given in load_suites(layer):
        checks.setdefault(given.table, set()).update(c.name for c in given.checks)
    for entity in mapped_entities():
        assert {"key_present", "key_unique"} <= checks.get(f"{prefix}{entity.name}", set()), entity.name


def test_every_answer_of_the_standard_is_asked() -> None:
    """A suite of one entity names its answers and codes; one of many, every answer that any of them has."""
    from orchestration.standard import load_standard

    standard, asked = load_standard(), 0
    for given in load_suites("input"):
        if given.table not in standard:
            continue
        entity, kinds = standard[given.table], by_kind(standard[given.table])
        names, answers = {c.name: c for c in given.checks}, kinds.get("answer", set())
        pattern = names["answers_listed"].columns_like if answers else "^()$"
        columns = {c.name for c in entity.columns}
        assert answers == {c for c in columns if re.search(pattern, c)}, given.table
        codes = {n.removesuffix("_code") for n in kinds.get("code", set())}
        unmapped = {n.removeprefix("unmapped_") for n in names if n.startswith("unmapped_")}
        assert unmapped == (codes if "month_basis_listed" not in names else set()), given.table
        asked += len(answers)
    assert asked > 100


@cache
def models() -> dict[str, dict]:
    """The models' contracts by name, as their YAML says."""
    files = (PROJECT / "dbt_project" / "models").rglob("*.yml")
    return {m["name"]: m for f in files for m in (read_yaml(f) or {}).get("models", [])}


def meta(model: dict) -> dict:
    return (model.get("config") or {}).get("meta") or model.get("meta") or {}


def files_of(name: str, model: dict) -> dict[str, list[str]]:
    """{tier: columns} of the files that a release holds of a table."""
    said = {"tier": meta(model).get("tier"), "primary_key": meta(model).get("primary_key", [])}
    columns = {c["name"]: c for c in model["columns"]}
    return columns_by_tier(Model("", name, "", "", "", said, "", columns, (), ""))


LAYER_OF = {"stg": "staging", "dim": "marts", "fct": "marts", "bridge": "marts", "met": "metrics"}


@pytest.fixture
def empty_warehouse(tmp_path: Path) -> Path:
    """Every table of input, warehouse and release as standard, seeds and contracts say, without rows."""
    from orchestration.standard import load_standard

    path = tmp_path / "empty.duckdb"
    with duckdb.connect(str(path)) as con:
        for schema in ("input", "reference", *LAYER_OF.values(), *TIERS):
            con.execute(f"create schema if not exists {schema}")
        for entity in load_standard().values():
            columns = ", ".join(f'"{c.name}" {c.type}' for c in entity.columns)
            con.execute(f"create table input.{entity.name} ({columns})")
        con.execute("create table input.agency_code (agency_id varchar, code_list varchar, local_code varchar)")
        parts = ("landed", "accepted", "rejected", "superseded", "folded", "not_applicable")
        counts = ", ".join(f"rows_{part} bigint" for part in parts)
        con.execute(
            "create table input.reconciliation"
            f" (agency_id varchar, feed varchar, source_file varchar, entity varchar, {counts})"
        )
        con.execute("create schema linkage")
        con.execute(f"create table linkage.person_link ({', '.join(f'{c} {t}' for c, t in LINK_COLUMNS.items())})")
        con.execute("attach ':memory:' as store")
        con.execute(TABLES)
        for table in TABLE_NAMES:
            con.execute(f"create table linkage.{table} as from store.{table}")
        for seed in (PROJECT / "seeds" / "codes").glob("*.csv"):
            con.execute(f"create table reference.{seed.stem} as from read_csv('{seed}', all_varchar = true)")
        for name, model in models().items():
            layer = LAYER_OF.get(name.partition("_")[0])
            if layer is None:
                continue
            columns = ", ".join(f'"{c["name"]}" {c["data_type"]}' for c in model["columns"])
            con.execute(f"create table {layer}.{name} ({columns})")
            if layer == "staging":
                continue
            for tier, kept in files_of(name, model).items():
                columns = ", ".join(f'"{c["name"]}" {c["data_type"]}' for c in model["columns"] if c["name"] in kept)
                added = ", is_suppressed boolean" if (layer, tier) == ("metrics", "general") else ""
                con.execute(f"create table {tier}.{name} ({columns}{added})")
    return path


@pytest.mark.parametrize("layer", LAYERS)
def test_suites_fit_the_tables_that_they_judge(empty_warehouse: Path, layer: str) -> None:
    """No column that a suite names is unknown to the standard, the seeds and the models' contracts."""
    results = judge(layer, empty_warehouse, [("a", "2024-01")], load_thresholds(), empty_warehouse.parent)
    assert [r.reason for r in results if r.status == "error"] == []
    failed = {r.check_id for r in results if r.status == "failed"}
    assert {check_id.rpartition(".")[2] for check_id in failed} <= {"has_rows"}
    tables = {s.table for s in load_suites(layer)}
    assert {n for n in models() if LAYER_OF.get(n.partition("_")[0]) == layer != "staging"} <= tables


def test_every_released_table_has_its_key_judged() -> None:
    keys = {(s.schema, s.table): set(s.key) for s in load_suites("release") if "*" not in s.table}
    for name, model in models().items():
        layer = LAYER_OF.get(name.partition("_")[0])
        if layer in ("marts", "metrics"):
            for tier in files_of(name, model):
                if tier == "general":  # a key may hold more there
                    assert keys[(tier, name)] >= set(meta(model)["primary_key"]), name
                else:
                    assert keys[(tier, name)] == set(meta(model)["primary_key"]), name


def test_identifying_columns_come_from_the_standard() -> None:
    assert {"caller_name", "birth_date", "narrative", "address"} <= set(value_list("identifying_columns"))
    assert {"person_key", "care_person_key"} <= set(value_list("row_level_columns"))
    assert {"dx_group_code", "substance_use_disorder", "receiving_services"} <= set(value_list("care_columns"))
    assert not {"enforcement_code", "agency_id", "incident_number"} & set(value_list("care_columns"))
    assert {"incident_id", "contact_number", "unit_number", "beat"} <= set(value_list("row_level_columns"))
    assert {"crisis_line_contact_number", "report_number", "responder_id"} <= set(value_list("row_level_columns"))
    shared = {"precinct", "program_number", "program_id", "facility_number", "shift_number", "shift_id"}
    assert not shared & set(value_list("row_level_columns"))
