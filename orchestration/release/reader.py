"""Opens a release for reading: views over its Parquet files, nothing can be written, no other file be read."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from orchestration.engine import connect, text
from orchestration.release.publish import current_release
from orchestration.release.tiers import TIERS
from orchestration.settings import Settings

READING = ("SELECT", "EXPLAIN")


class NoRelease(LookupError):
    """There is no such release; the message says which there are."""


class NotReading(ValueError):
    """A statement that would do more than read."""


def releases(settings: Settings) -> list[str]:
    """Ids of all releases, oldest first."""
    found = (p for p in settings.releases.glob("*/manifest.json") if not p.parent.name.startswith("."))
    return [
        p.parent.name for p in sorted(found, key=lambda p: (json.loads(p.read_text())["created_at"], p.parent.name))
    ]


def release_folder(settings: Settings, release: str | None = None) -> Path:
    """The folder of a release, resolved once; the current one when none is named. Raises NoRelease."""
    name = release or current_release(settings)
    if name is None:
        raise NoRelease("there is no release yet; `crisis demo` or `crisis run` makes one")
    folder = settings.releases / name
    if not (folder / "manifest.json").exists():
        raise NoRelease(f"no release '{name}'; there are: {', '.join(releases(settings)) or 'none'}")
    return folder.resolve()


def open_release(settings: Settings, release: str | None = None) -> duckdb.DuckDBPyConnection:
    """A connection that sees one release: schema `general` by default, `internal` and `care` where one may read them.

    It keeps reading that release whatever is published meanwhile.
    """
    folder = release_folder(settings, release)
    con = connect(settings=settings)
    for tier in TIERS:
        con.execute(f"create schema {tier}")
        for path in sorted((folder / tier).glob("*.parquet")):
            con.execute(f"create view {tier}.{path.stem} as select * from read_parquet({text(str(path))})")
    con.execute("set schema = 'general'")
    con.execute(f"set allowed_directories = [{text(str(folder) + '/')}]")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
    return con


def read(con: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyConnection:
    """Runs one reading statement. Raises NotReading, duckdb.Error."""
    statements = con.extract_statements(query)
    if len(statements) != 1 or statements[0].type.name not in READING:
        raise NotReading("give one statement that reads: select, from, with, describe, show, summarize or explain")
    return con.execute(query)
