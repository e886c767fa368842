"""Dagster's run history in SQLite with kept connections.

Dagster's own SQLite storages open a new connection for every event (8 ms each here, 250 events in a one-month run,
and one more for each table and further month). These subclasses keep their connections, write the months of a table
in one transaction, and sync at checkpoints; the gates' ledger does not depend on them.
Leans on private members of the pinned dagster; tests/unit/test_history.py fails when they change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from dagster import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.runs import SqliteRunStorage
from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select
from sqlalchemy.pool import QueuePool


@cache
def _engine(conn_string: str) -> Engine:
    # A connection serves one thread at a time, and any thread may have it next.
    arguments = {"timeout": 60, "check_same_thread": False}
    engine = create_engine(conn_string, poolclass=QueuePool, pool_size=4, max_overflow=60, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _pragmas(connection, _record) -> None:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")

    return engine


@cache
def _has_table(conn_string: str, table_name: str) -> bool:
    return inspect(_engine(conn_string)).has_table(table_name)


@contextmanager
def _connection(conn_string: str) -> Iterator[Connection]:
    with _engine(conn_string).connect() as connection, connection.begin():
        yield connection


class EventHistory(ConsolidatedSqliteEventLogStorage):
    """Events of all runs in one SQLite file."""

    def _connect(self):
        return _connection(self._conn_string)

    def has_table(self, table_name: str) -> bool:
        return _has_table(self._conn_string, table_name)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Writes events of assets at once: a table's months, or a run's plan. DAGSTER_EVENT_BATCH_SIZE asks for it."""
        rows = [self._event_to_row(entry) for entry in events]
        with self.index_connection() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
            last = connection.execute(select(func.max(SqlEventLogStorageTable.c.id))).scalar_one()
            ids = range(last - len(rows) + 1, last + 1)  # nobody else writes while this transaction does
            self._store_asset_event_tags(connection, events, ids)
            latest = {entry.get_dagster_event().asset_key: (entry, n) for entry, n in zip(events, ids, strict=True)}
            for entry, number in latest.values():
                self._store_asset_event(connection, entry, number)


class RunHistory(SqliteRunStorage):
    """Runs in one SQLite file."""

    @classmethod
    def from_config_value(cls, inst_data, config_value):
        return cls.from_local(inst_data=inst_data, **config_value)

    def connect(self):
        return _connection(self._conn_string)
