"""Increments end as a run over all would, under the same frozen model."""

from __future__ import annotations

import sys
from datetime import date

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.linkage import store
from orchestration.linkage.model import Model
from orchestration.linkage.people import empty_output, link_zone
from orchestration.linkage.records import normalize
from orchestration.settings import PROJECT, Settings

sys.path.insert(0, str(PROJECT / "benchmarks"))
from linkage_people import make_people, make_records

PEOPLE, RECORDS = 60, 240


def small_model(smallest_training: int) -> Model:
    """The stated model with few records to train on, and blocks that are soon too large."""
    said = dict(Model.load().said)
    said |= {"smallest_training": smallest_training, "largest_block": {"name": 3, "other": 6}}
    return Model(said)


def run(con, model: Model, chosen: list[int]) -> set[frozenset[str]]:
    """Links the chosen records and returns who is together."""
    con.execute("create or replace temp table chosen as select unnest(?) as n", [chosen])
    con.execute(
        "create or replace temp table record as select * exclude (n) from everything semi join chosen using (n)"
    )
    con.execute("create or replace temp table admitted as select 'justice' as zone, record_id from record")
    con.execute(f"create or replace temp table person_link as {empty_output()}")
    link_zone(con, model, "justice", date(2024, 7, 1), False)
    return groups(con)


def groups(con) -> set[frozenset[str]]:
    rows = con.execute(
        "select list(record_id) from person_link where person_key is not null group by person_key"
    ).fetchall()
    return {frozenset(r) for (r,) in rows}


def links(con) -> list[tuple]:
    return con.execute(
        "select record_id, match_method_code, match_weight from person_link order by record_id"
    ).fetchall()


def forget_people(con) -> None:
    """Leaves the frozen model alone in the store."""
    for table in ("assignment", "event", "person", "edge", "run"):
        con.execute(f"delete from store.{table}")


@pytest.mark.parametrize("smallest_training", [10_000, 100], ids=["stated", "trained"])
@hypothesis_settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_increments_with_new_changed_and_withdrawn_records_end_as_a_full_run(smallest_training, data, tmp_path_factory):
    batches = data.draw(
        st.lists(st.sampled_from([0, 1, 2]), min_size=RECORDS, max_size=RECORDS), label="batch of each record"
    )
    gone = data.draw(st.sets(st.integers(0, RECORDS - 1), max_size=60), label="withdrawn in the second batch")
    model = small_model(smallest_training)
    with store.open_store(Settings(home=tmp_path_factory.mktemp("home"), threads=1, memory_limit="1GB")) as con:
        make_records(con, RECORDS, make_people(PEOPLE, seed=7), 7, "R", "raw")
        normalize(con, "raw", "named")
        con.execute(
            "create temp table everything as select *, row_number() over (order by record_id) - 1 as n from named"
        )
        first = [n for n in range(RECORDS) if batches[n] == 0]
        second = [n for n in range(RECORDS) if batches[n] <= 1 and n not in gone]
        run(con, model, first)
        in_steps = [(run(con, model, chosen), links(con)) for chosen in (second, list(range(RECORDS)))]
        for chosen, (people, methods) in zip((second, list(range(RECORDS))), in_steps, strict=True):
            forget_people(con)
            assert run(con, model, chosen) == people
            assert links(con) == methods
        (versions,) = con.execute("select count(*) from store.model").fetchone()
        assert versions <= 1, "the frozen model was used throughout"


def test_a_small_increment_leaves_other_people_untouched(tmp_path):
    model = small_model(10_000)
    with store.open_store(Settings(home=tmp_path, threads=1, memory_limit="1GB")) as con:
        make_records(con, RECORDS, make_people(PEOPLE, seed=7), 7, "R", "raw")
        normalize(con, "raw", "named")
        con.execute(
            "create temp table everything as select *, row_number() over (order by record_id) - 1 as n from named"
        )
        before = run(con, model, list(range(RECORDS - 1)))
        keys = dict(con.execute("select record_id, person_key from person_link").fetchall())
        after = run(con, model, list(range(RECORDS)))
        (touched,) = con.execute("select count(*) from touched").fetchone()
        now = dict(con.execute("select record_id, person_key from person_link").fetchall())
        assert len(before ^ after) <= 3
        assert touched < 20
        assert sum(now[r] != k for r, k in keys.items()) <= 3
