"""The Great Expectations data source over one DuckDB file, read-only and closed when done.

Great Expectations fetches a result after it has given its connection back; DuckDB drops the result when that
connection is rolled back. The connection options below keep it (no patching needed).
"""

from __future__ import annotations

import builtins
import itertools
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

_number = itertools.count(1)


@cache
def _context():
    """The context of this process: no files, no telemetry, no progress bars. Holds no connection."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    logging.captureWarnings(False)  # the import turns it on for the whole process
    config = DataContextConfig(
        # Without this, each context makes a temporary directory for pages that nobody reads.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(project_config=config, mode="ephemeral")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the library's log silent: its error messages repeat values of failing rows."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


class Batch:
    """The rows of one select, as Great Expectations sees them."""

    def __init__(self, batch):
        self._batch = batch

    def validate(self, expectations: Sequence[Expectation]) -> list[Outcome]:
        """One outcome for each expectation, in order."""
        from great_expectations import ExpectationSuite

        for position, expectation in enumerate(expectations):
            expectation.meta = {"position": position}
        suite = ExpectationSuite(name="gate", expectations=list(expectations))
        validated = self._batch.validate(suite, result_format="SUMMARY")
        found = {r.expectation_config.meta["position"]: Outcome(r) for r in validated.results}
        return [found[position] for position in range(len(expectations))]


class Outcome:
    """What one expectation came to. error: the class of what was raised, without its message, or ''."""

    def __init__(self, result):
        self.passed: bool = bool(result.success)
        self.details: dict[str, Any] = (result.result or {}).get("details") or {}
        self.error = _exception_class(result.exception_info)


class Source:
    """One DuckDB file, open read-only through Great Expectations."""

    def __init__(self, datasource):
        from sqlalchemy import event

        self._datasource = datasource
        self._engine = datasource.get_execution_engine().engine
        event.listen(self._engine, "connect", _settle)
        self._window: tuple | None = None

    def fetch(self, sql: str) -> list[tuple]:
        """Rows of one statement."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql).fetchall()]

    def run(self, sql: str) -> None:
        """Runs one statement whose result nobody needs."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(sql).close()

    def columns(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Columns in order of every table and view, by (schema, table)."""
        found: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in self.fetch(
            "select schema_name, table_name, column_name from duckdb_columns()"
            " where database_name = current_database() and not internal order by 1, 2, column_index"
        ):
            found.setdefault((schema, table), []).append(column)
        return {key: tuple(columns) for key, columns in found.items()}

    def batch(self, select: str) -> Batch:
        """The rows of a select. Nothing is copied; the batch before it is done with.

        One query asset serves all selects: the library writes its whole configuration anew for each asset added.
        """
        if self._window is None:
            asset = self._datasource.add_query_asset(name="rows", query=select)
            self._window = asset, asset.add_batch_definition_whole_table("window")
        asset, definition = self._window
        asset.query = select
        return Batch(definition.get_batch())

    def dispose(self) -> None:
        """Closes every connection."""
        self._engine.dispose()
        self._datasource.get_engine().dispose()


def _settle(connection, _record) -> None:
    """Settings of a new connection that cannot be given while connecting."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")


@contextmanager
def open_source(database: Path) -> Iterator[Source]:
    """Opens a DuckDB file for judging; on leaving, no connection to it is open in this process.

    Raises FileNotFoundError, and what DuckDB raises when another process or connection writes the file.
    """
    if not database.is_file():
        raise FileNotFoundError(f"no database to judge: {database}")
    from sqlalchemy import URL

    context = _context()
    url = URL.create("duckdb", database=str(database.resolve())).render_as_string(hide_password=False)
    config = {}
    if threads := os.environ.get("CRISIS_THREADS"):
        config["threads"] = threads
    if memory := os.environ.get("CRISIS_MEMORY_LIMIT"):
        config["memory_limit"] = memory
    datasource_name = f"gate_{next(_number)}"
    with _quiet():
        try:
            datasource = context.data_sources.add_sql(
                name=datasource_name,
                connection_string=url.replace("$", r"\$"),  # the library fills in $VARIABLES
                create_temp_table=False,
                kwargs={
                    "isolation_level": "AUTOCOMMIT",
                    "skip_autocommit_rollback": True,
                    "pool_reset_on_return": None,
                    "connect_args": {"read_only": True, "config": config},
                },
            )
            source = Source(datasource)
            try:
                yield source
            finally:
                source.dispose()
        finally:
            context.data_sources.delete(datasource_name)


def exception_name(error: BaseException) -> str:
    """The class of an exception; of the driver's own where the database raised it."""
    return type(getattr(error, "orig", None) or error).__name__


def _exception_class(info: dict | None) -> str:
    """The class of the exception behind a result, read off its traceback; '' where none was raised.

    Only names of exception classes that the libraries have are looked for: the rest of the text may hold
    values.
    """
    if not info:
        return ""
    infos = [info] if "raised_exception" in info else list(info.values())
    if not any(i.get("raised_exception") for i in infos):
        return ""
    import duckdb
    import great_expectations.exceptions as gx_exceptions
    import sqlalchemy.exc

    raised = " ".join(str(i.get("exception_traceback")) for i in infos)
    words = re.findall(r"\b[A-Za-z]+(?:Exception|Error)\b", raised)
    for module in (duckdb, sqlalchemy.exc, gx_exceptions, builtins):
        for word in words:
            if hasattr(module, word):
                return word
    return "Exception"
