"""Dagster's run history in SQLite with kept connections.

Dagster's own SQLite storages open a new connection for every event (8 ms each here, 250 events in a one-month run).
These subclasses keep their connections and sync at checkpoints; the gates' ledger does not depend on them.
Leans on private members of the pinned dagster; tests/unit/test_history.py fails when they change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from sqlalchemy import Connection, Engine, create_engine, event
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


@contextmanager
def _connection(conn_string: str) -> Iterator[Connection]:
    with _engine(conn_string).connect() as connection, connection.begin():
        yield connection


class EventHistory(ConsolidatedSqliteEventLogStorage):
    """Events of all runs in one SQLite file."""

    def _connect(self):
        return _connection(self._conn_string)


class RunHistory(SqliteRunStorage):
    """Runs in one SQLite file."""

    @classmethod
    def from_config_value(cls, inst_data, config_value):
        return cls.from_local(inst_data=inst_data, **config_value)

    def connect(self):
        return _connection(self._conn_string)
