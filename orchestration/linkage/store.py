"""The identity store: identity/people.duckdb, one file of its own, for its owner alone, only ever added to.

- person (zone, person_key, run, number): every key that was ever given, in the order in which they were given
- assignment (run, zone, record_id, person_key, profile_id): what a record's key became; the newest row counts, and a
  row without a key takes the record out
- event (seq, date, zone, kind, record_id, person_key, previous_key, run): every change of a key, with its day.
  kind: created, joined, merged, split, withdrawn
- edge (zone, version, l, r, weight, is_exact, run): pairs of profiles that count as one person under a model
- model (zone, version, digest, prior, trained_on, is_stated, parameters, date), term_frequency and hot_key: frozen
- run (run, zone, date): the builds of a zone that changed something
- secret (salt): what profile ids are salted with

No name, birth date, phone or address stands in it but for values and keys that several profiles had, in
`term_frequency` and `hot_key`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import duckdb

from orchestration.engine import connect, text
from orchestration.linkage.model import Frozen, Model
from orchestration.settings import Settings

TABLES = """
    create table if not exists store.secret (salt varchar not null);
    create table if not exists store.run (run integer not null, zone varchar not null, date date not null);
    create table if not exists store.person (zone varchar not null, person_key varchar not null, run integer not null, number bigint not null);
    create table if not exists store.assignment (run integer not null, zone varchar not null, record_id varchar not null, person_key varchar, profile_id uuid);
    create table if not exists store.event (seq bigint not null, date date not null, zone varchar not null, kind varchar not null,
        record_id varchar not null, person_key varchar, previous_key varchar, run integer not null);
    create table if not exists store.edge (zone varchar not null, version integer not null, l uuid not null, r uuid not null,
        weight double not null, is_exact boolean not null, run integer not null);
    create table if not exists store.model (zone varchar not null, version integer not null, digest varchar not null, prior double not null,
        trained_on bigint not null, is_stated boolean not null, parameters varchar not null, date date not null);
    create table if not exists store.term_frequency (zone varchar not null, version integer not null, term_column varchar not null,
        value varchar not null, uses bigint not null, frequency double not null);
    create table if not exists store.hot_key (zone varchar not null, version integer not null, rule varchar not null, key varchar not null);
"""
TABLE_NAMES = ("run", "person", "assignment", "event")  # what a gate may look at: no value that tells who somebody is


def store_path(settings: Settings):
    """The file of the identity store."""
    return settings.identity / "people.duckdb"


@contextmanager
def open_store(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with the identity store attached as `store`; made if it is not there, with mode 0600."""
    settings.identity.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.identity.chmod(0o700)
    spill = settings.identity / ".spill"
    con = connect(settings=settings, spill=spill)
    before = os.umask(0o077)  # the file and its log are never readable for others, not even while they are made
    try:
        con.execute(f"attach {text(str(store_path(settings)))} as store (storage_version 'latest')")
        con.execute(TABLES)
        if not con.execute("select count(*) from store.secret").fetchone()[0]:
            con.execute("insert into store.secret values (?)", [secrets.token_hex(16)])
        yield con
    finally:
        con.close()
        os.umask(before)


def salt(con: duckdb.DuckDBPyConnection) -> str:
    return con.execute("select salt from store.secret").fetchone()[0]


def load_model(con: duckdb.DuckDBPyConnection, zone: str, model: Model) -> Frozen | None:
    """The zone's newest frozen model, if it was made by this model file, with its tables `term_frequency`, `hot_key`."""
    row = con.execute(
        "select version, digest, prior, trained_on, is_stated, parameters from store.model"
        " where zone = ? order by version desc limit 1",
        [zone],
    ).fetchone()
    if row is None or row[1] != model.digest:
        return None
    frozen = Frozen(*row[:5], json.loads(row[5]))
    for table, columns in (("term_frequency", "term_column, value, uses, frequency"), ("hot_key", "rule, key")):
        con.execute(
            f"create or replace temp table {table} as select {columns} from store.{table} where zone = ? and version = ?",
            [zone, frozen.version],
        )
    return frozen


def next_version(con: duckdb.DuckDBPyConnection, zone: str) -> int:
    return con.execute("select coalesce(max(version), 0) + 1 from store.model where zone = ?", [zone]).fetchone()[0]


def current_sql(zone: str) -> str:
    """SQL of what holds now: record_id, person_key, profile_id."""
    return (
        "select record_id, last.person_key as person_key, last.profile_id as profile_id from ("
        " select record_id, arg_max({'person_key': person_key, 'profile_id': profile_id}, run) as last"
        f" from store.assignment where zone = {text(zone)} group by record_id) where last.person_key is not null"
    )


@contextmanager
def _all_or_nothing(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute("begin")
    try:
        yield
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise


def append(con: duckdb.DuckDBPyConnection, zone: str, frozen: Frozen | None, is_new_model: bool, as_of: date) -> int:
    """Adds what a build found to the store, at once or not at all; returns its number, 0 if nothing changed.

    Reads tables new_edge (l, r, weight, is_exact), new_person (person_key, number), changed (record_id, person_key,
    profile_id) and new_event (kind, record_id, person_key, previous_key).
    """
    counts = [
        con.execute(f"select count(*) from {t}").fetchone()[0]
        for t in ("new_edge", "new_person", "changed", "new_event")
    ]
    if not (is_new_model or any(counts)):
        return 0
    (run,) = con.execute("select coalesce(max(run), 0) + 1 from store.run").fetchone()
    (seq,) = con.execute("select coalesce(max(seq), 0) from store.event").fetchone()
    z, day = text(zone), f"date '{as_of.isoformat()}'"
    with _all_or_nothing(con):
        con.execute(f"insert into store.run values ({run}, {z}, {day})")
        if is_new_model:
            con.execute(
                "insert into store.model values (?, ?, ?, ?, ?, ?, ?, ?)",
                [zone, frozen.version, frozen.digest, frozen.prior, frozen.trained_on, frozen.is_stated,
                 json.dumps(frozen.parameters), as_of],
            )  # fmt: skip
            con.execute(
                f"insert into store.term_frequency select {z}, {frozen.version}, term_column, value, uses, frequency from term_frequency"
            )
            con.execute(f"insert into store.hot_key select {z}, {frozen.version}, rule, key from hot_key")
        if frozen:
            con.execute(
                f"insert into store.edge select {z}, {frozen.version}, l, r, weight, is_exact, {run} from new_edge"
            )
        con.execute(f"insert into store.person select {z}, person_key, {run}, number from new_person")
        con.execute(f"insert into store.assignment select {run}, {z}, record_id, person_key, profile_id from changed")
        con.execute(
            f"insert into store.event select {seq} + row_number() over (order by record_id), {day}, {z}, kind, record_id,"
            f" person_key, previous_key, {run} from new_event"
        )
    return run


def forget(con: duckdb.DuckDBPyConnection, record_ids: list[str]) -> None:
    """Erases what the store holds of records: sealing, expungement and the like. The only deletion there is."""
    con.execute("create or replace temp table forgotten as select unnest(?) as record_id", [record_ids])
    with _all_or_nothing(con):
        for table in ("assignment", "event"):
            con.execute(f"delete from store.{table} where record_id in (select record_id from forgotten)")
        con.execute(
            "delete from store.edge where l not in (select profile_id from store.assignment where profile_id is not null)"
            " or r not in (select profile_id from store.assignment where profile_id is not null)"
        )
        con.execute(
            "delete from store.person where person_key not in (select person_key from store.assignment where person_key is not null)"
        )
    con.execute("checkpoint store")
