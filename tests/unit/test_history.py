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


def test_the_months_of_a_table_are_written_at_once_and_each_is_read_back(instance, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    months = dg.StaticPartitionsDefinition([f"2024-{m:02}" for m in range(1, 13)])
    written = []

    @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run())
    def monthly():
        return dg.MaterializeResult(metadata={"rows": 3}, tags={"kind": "monthly"})

    store = type(instance._event_storage).store_event_batch
    monkeypatch.setattr(EventHistory, "store_event_batch", lambda s, e: (written.append(len(e)), store(s, e))[1])
    tags = {"dagster/asset_partition_range_start": "2024-02", "dagster/asset_partition_range_end": "2024-05"}
    dg.materialize([monthly, something], instance=instance, tags=tags)
    assert written == [5, 4]  # the plan of the run, and the months of one table
    key = dg.AssetKey("monthly")
    assert instance.get_latest_materialization_event(dg.AssetKey("something"))
    assert instance.get_materialized_partitions(key) == {"2024-02", "2024-03", "2024-04", "2024-05"}
    events = instance.fetch_materializations(key, limit=10).records
    assert {e.partition_key for e in events} == {"2024-02", "2024-03", "2024-04", "2024-05"}
    newest = max(events, key=lambda e: e.storage_id)
    assert instance.get_latest_materialization_event(key).asset_materialization.partition == newest.partition_key
    kept = instance.get_asset_records([key])[0].asset_entry.last_materialization_record
    assert kept.storage_id == newest.storage_id


def test_another_process_reads_what_this_one_wrote(instance):
    import subprocess
    import sys

    dg.materialize([something], instance=instance)
    code = "import dagster as dg; print(len(dg.DagsterInstance.get().get_runs()))"
    out = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1"
