"""The command `crisis` as its user types it: the demo, what it says to try next, and messages for mistakes."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from orchestration.release.reader import open_release
from orchestration.settings import Settings
from tests.conftest import real_data

CRISIS = Path(sys.executable).parent / "crisis"


def crisis(home: Path, *words: str, ok: bool = True, **env: str) -> str:
    """Runs the command in a process of its own; its output."""
    # A terminal's width is not passed on: what is piped is not cut.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CRISIS_", "DAGSTER_", "COLUMNS"))}
    done = subprocess.run(
        [str(CRISIS), *words],
        env={**clean, "CRISIS_HOME": str(home), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A home with the fictional county, and what `crisis demo` said."""
    home = tmp_path_factory.mktemp("demo") / "home"
    return home, crisis(home, "demo", "--calls", "4000")


def test_the_demo_says_what_there_is_and_its_three_commands_work(demo):
    home, said = demo
    lines = said.strip().splitlines()
    at = lines.index("try next:")
    assert re.search(r"[\d,]+ calls, [\d,]+ contacts, \d+ of \d+ gates open.*, \d+ tables in release", lines[at - 1])
    commands = [shlex.split(line) for line in lines[at + 1 :]]
    assert len(commands) == 3
    for command in commands:
        assert Path(command[0]).name == "crisis"
        assert crisis(home, *command[1:]).strip()


def test_the_demo_holds_the_full_set_of_metrics(demo):
    home, _ = demo
    for table in (
        "met_workload__hours_on_task",
        "met_cost__cost_per_response",
        "met_diversion__jail_diversion",
        "met_outcome__disposition_mix",
    ):
        out = crisis(home, "sql", f"select count(*) as n from {table} where availability_code = 'available'", "--csv")
        assert int(out.split()[-1]) > 0, table


def test_metrics_are_listed_and_each_is_told_with_its_value_and_sql(demo):
    home, _ = demo
    listed = crisis(home, "metrics")
    assert "M05" in listed and "met_response__incident_response" in listed
    told = crisis(home, "metrics", "show", "M05")
    for word in ("definition:", "do not conclude:", "newest value: median_seconds = ", "with metric_row as"):
        assert word in told
    printed, by = re.search(r"median_seconds = ([\d,.]+).*\n +by: (.+ limit 1)", told).groups()
    printed = printed.replace(",", "")
    assert float(crisis(home, "sql", "--csv", by).splitlines()[-1].split(",")[-1]) == pytest.approx(
        float(printed), rel=1e-5
    )
    assert crisis(home, "metrics", "show", "jail diversion", "--no-sql") == crisis(
        home, "metrics", "show", "M17", "--no-sql"
    )
    assert "no metric 'nonsense'" in crisis(home, "metrics", "show", "nonsense", ok=False)


def test_metrics_by_any_dimension_are_those_of_the_tables(demo, tmp_path):
    home, _ = demo
    asked = {
        "incident_response_median_seconds": ("met_response__incident_response", "median_seconds", "population_code = 'all'"),
        "incident_response_p90_seconds": ("met_response__incident_response", "p90_interpolated_seconds", "population_code = 'all'"),
        "incident_response_missing": ("met_response__incident_response", "missing_count", "population_code = 'all'"),
        "officer_hours": ("met_workload__hours_on_task", "officer_hours", "population_code = 'all'"),
        "call_type_bh_share_lower_bound": ("met_identification__bh_share", "bh_share",
                                           "identification_method_code = 'call_type_final' and bh_kind_code = 'any'"),
        "share_not_arrested": ("met_outcome__share_not_arrested", "share_not_arrested", "true"),
    }  # fmt: skip
    out = tmp_path / "answer.csv"
    crisis(
        home, "metrics", "query", "--metrics", ",".join(asked), "--group-by", "metric_time,agency", "--csv", str(out)
    )
    with out.open(newline="") as file:
        answers = {(r["agency"], r["metric_time__month"][:7]): r for r in csv.DictReader(file)}
    compared = 0
    for metric, (table, column, where) in asked.items():
        query = f"select agency_id, month, {column} from internal.{table} where {where} and {column} is not null"
        for agency, month, value in csv.reader(crisis(home, "sql", "--csv", query).splitlines()[1:]):
            assert float(answers[agency, month][metric]) == pytest.approx(float(value), abs=1e-4), (metric, month)
            compared += 1
    assert compared >= 30


def test_every_table_is_described(demo):
    home, _ = demo
    out = crisis(home, "describe")
    for table in ("fct_incident", "bridge_contact_disposition", "met_response__scene_time", "dim_date"):
        assert table in out
    assert "seconds" in crisis(home, "describe", "fct_unit_response")
    assert "no table 'nonsense'" in crisis(home, "describe", "nonsense", ok=False)


def test_a_row_is_traced_to_its_landed_file_and_row(demo):
    home, _ = demo
    key = crisis(
        home, "sql", "select incident_id from internal.fct_incident where month = '2024-04' order by 1 limit 1", "--csv"
    ).split()[-1]
    out = crisis(home, "trace", "fct_incident", key)
    assert "corrected.csv" in out
    assert "superseded" in out
    number = key.split(":")[1]
    row = int(re.search(r"corrected\.csv\s+(\d+)", out).group(1))
    landed = next((home / "drop" / "cedar_county").glob("*corrected.csv")).read_text().splitlines()
    assert landed[row].startswith(number)
    assert "no row" in crisis(home, "trace", "fct_incident", "cedar_county:none", ok=False)


def test_the_doctor_finds_nothing_wrong(demo):
    assert "problem" not in crisis(demo[0], "doctor")


def test_gates_are_printed_with_reasons(demo):
    out = crisis(demo[0], "gates", "--checks", "--layer", "input")
    assert "cedar_county" in out
    assert "passed" in out
    states = re.findall(r"  (open|closed)  ", crisis(demo[0], "gates"))
    assert set(states) == {"open"}


def test_writing_sql_is_refused(demo):
    assert "reads" in crisis(demo[0], "sql", "create table x as select 1", ok=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--agency", "atlantis"], "no agency folder 'atlantis'"),
        (["run", "--from", "May"], "2024-05"),
        (["run"], "nothing to run"),
        (["sql", "select 1"], "no release yet"),
    ],
)
def test_mistakes_are_explained(tmp_path, words, says):
    assert says in crisis(tmp_path / "home", *words, ok=False)


def test_months_land_and_run_through_the_web_ui_and_a_second_run_waits(demo, tmp_path):
    """What the UI's launch button sends, and a command that is started meanwhile."""
    import shutil
    import socket

    home = tmp_path / "home"
    shutil.copytree(demo[0], home, symlinks=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CRISIS_", "DAGSTER_"))}
    with (tmp_path / "serve.log").open("w") as log:
        served = subprocess.Popen(
            [str(CRISIS), "serve", "--port", str(port)],
            env={**clean, "CRISIS_HOME": str(home)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(lambda: _ask(port, "{version}"), 120)
        selector = {
            "repositoryLocationName": "orchestration.definitions",
            "repositoryName": "__repository__",
            "pipelineName": "road",
        }
        launched = _ask(
            port,
            "mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) { __typename ... on LaunchRunSuccess { run { runId } } } }",
            {
                "p": {
                    "selector": selector,
                    "mode": "default",
                    "runConfigData": {},
                    "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "2024-03"}]},
                }
            },
        )["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess"
        _wait(lambda: (home / "writer.lock").exists() and "run " in (home / "writer.lock").read_text(), 120)
        meanwhile = crisis(home, "run", "--agency", "cedar_county", "--from", "2024-02", "--to", "2024-02")
        assert re.search(r"waiting: run \w+ \(process \d+", meanwhile)
        status = "query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }"
        run = {"r": launched["run"]["runId"]}
        _wait(lambda: _ask(port, status, run)["runOrError"]["status"] in ("SUCCESS", "FAILURE"), 120)
        assert _ask(port, status, run)["runOrError"]["status"] == "SUCCESS"
    finally:
        os.killpg(served.pid, signal.SIGKILL)
        served.wait()


def _ask(port: int, query: str, variables: dict | None = None) -> dict:
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def _wait(ready, seconds: int) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if ready():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.5)
    raise TimeoutError("not ready in time")


@real_data
def test_minneapolis_and_seattle_end_to_end(tmp_path):
    from tests.conftest import REAL_DATA

    drop = tmp_path / "drop"
    for agency, pattern in (("minneapolis", "cad_*.xlsx"), ("seattle", "spd_crisis_data*.csv")):
        (drop / agency).mkdir(parents=True)
        for path in (REAL_DATA / agency).glob(pattern):
            (drop / agency / path.name).symlink_to(path)
    home = tmp_path / "home"
    crisis(home, "run", "--drop", str(drop))

    assert crisis(home, "sql", "select count(*) from internal.fct_incident", "--csv").split()[-1] == str(14_199 + 7_230)

    def one(query: str) -> str:
        with open_release(Settings(home=home)) as con:
            return str(con.execute(query).fetchone()[0])

    assert one("select count(distinct contact_id) from internal.fct_contact") == "1093"
    assert one(
        "select count(*) from internal.fct_incident where call_type_final_local = 'Emotionally Disturb Person (P)'"
    ) == str(291 + 109)
    assert (
        one(
            "select count(*) from internal.fct_reconciliation where rows_landed <> rows_accepted + rows_rejected + rows_superseded + rows_folded + rows_not_applicable"
        )
        == "0"
    )
    for metric in ("met_workload__hours_on_task", "met_cost__cost_per_response"):
        assert one(f"select count(*) from internal.{metric} where availability_code = 'available'") == "0"
        assert one(f"select count(*) from internal.{metric} where availability_reason = ''") == "0"
    assert (
        one(
            "select count(distinct response_scope_code) || min(response_scope_code) from internal.fct_unit_response where agency_id = 'minneapolis'"
        )
        == "1first_arriving"
    )
    assert (
        one(
            "select count(*) from internal.met_response__incident_response where agency_id = 'seattle' and availability_code = 'available'"
        )
        == "0"
    )
