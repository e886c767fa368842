"""Fails when a new Dagster changes the private members that orchestration/history.py leans on."""

import os

import dagster as dg
import pytest

from orchestration.history import EventHistory, RunHistory
from orchestration.settings import Settings


@pytest.fixture
def instance(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path)
    settings.ensure_home()
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    with dg.DagsterInstance.get() as instance:
        yield instance


@dg.asset
def something():
    return dg.MaterializeResult(metadata={"rows": 3})


def test_runs_and_events_are_kept_and_read_back(instance):
    assert isinstance(instance._event_storage, EventHistory)
    assert isinstance(instance._run_storage, RunHistory)
    result = dg.materialize([something], instance=instance)
    assert instance.get_run_by_id(result.run_id).is_success
    event = instance.get_latest_materialization_event(dg.AssetKey("something"))
    assert event.asset_materialization.metadata["rows"].value == 3


def test_another_process_reads_what_this_one_wrote(instance):
    import subprocess
    import sys

    dg.materialize([something], instance=instance)
    code = "import dagster as dg; print(len(dg.DagsterInstance.get().get_runs()))"
    out = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1"
