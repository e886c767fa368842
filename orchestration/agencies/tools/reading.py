"""The only module of the tools that calls the readers and the mapping's compiler.

What the tools need of them: a file as relation `raw`, the names of its columns, and its rows as an entity's rows.
"""

from __future__ import annotations

import csv
import gzip
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.agencies.expressions import names_in, source_sql
from orchestration.agencies.folder import Agency, AgencyError, Feed, FieldMapping, load_agency
from orchestration.agencies.mapping import (
    ANSWER_WORDS,
    RULES,
    check_agency,
    compile_entity,
    find_traits,
    pieces_sql,
    source_columns,
)
from orchestration.engine import connect, name, text
from orchestration.landing import Manifest
from orchestration.landing.readers import Refusal, check_columns, check_container, count_padded, header_of, read_raw
from orchestration.layers.input import file_version, load_lookups, shrunk
from orchestration.settings import Settings
from orchestration.standard import Entity, Field, load_standard

__all__ = [
    "ANSWER_WORDS",
    "RULES",
    "Agency",
    "AgencyError",
    "Feed",
    "FieldMapping",
    "Refusal",
    "Source",
    "check_agency",
    "count_padded",
    "load_agency",
    "load_lookups",
    "name",
    "shrunk",
    "source_sql",
    "text",
]


@dataclass(frozen=True)
class Source:
    """One file to read. label: what it is called in a report; version_name: the name that a version is read off."""

    path: Path
    label: str
    version_name: str = ""


@contextmanager
def scratch(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that spills into a folder of this user alone, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="crisis_") as spill:
        con = connect(settings=settings, spill=Path(spill))
        try:
            yield con
        finally:
            con.close()


# --- files without a mapping


def _head(path: Path, lines: int = 30) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        return [line for _, line in zip(range(lines), file, strict=False)]


def guess_feed(path: Path) -> Feed:
    """How a file is to be read: format and delimiter. Raises Refusal when it cannot be read as text or workbook."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        feed = Feed(files=(path.name,), format="xlsx", entities={})
        check_container(path, feed)
        return feed
    check_container(path, Feed(files=(path.name,), format="csv", entities={}))
    try:
        lines = _head(path)
    except UnicodeDecodeError as error:
        raise Refusal("not_utf8", "the file is not UTF-8 text", "Export the file in UTF-8.") from error
    return Feed(files=(path.name,), format="csv", delimiter=_delimiter(lines), entities={})


def _delimiter(lines: list[str]) -> str:
    """The mark that splits the header into most columns and as many in most lines."""

    def fits(mark: str) -> tuple[int, int]:
        rows = list(csv.reader(lines, delimiter=mark))
        width = len(rows[0]) if rows else 0
        return (sum(len(r) == width for r in rows) * 2 > len(rows), width) if width > 1 else (0, 0)

    return max((",", ";", "\t", "|"), key=fits) if lines else ","


def sheet_names(path: Path) -> list[str]:
    """The sheets of a workbook."""
    import fastexcel

    return list(fastexcel.read_excel(path).sheet_names)


def columns_of_file(path: Path, feed: Feed) -> list[str]:
    """Names of the file's columns. Raises Refusal."""
    return header_of(path, feed)


def load_file(con: duckdb.DuckDBPyConnection, path: Path, feed: Feed) -> tuple[int, list[int]]:
    """Makes relation `raw`; returns the rows in the file and the numbers of its malformed rows. Raises Refusal."""
    check_container(path, feed)
    with _quiet():
        rows = read_raw(con, path, feed)
    return rows, [r for (r,) in con.execute("select source_row from malformed order by 1").fetchall()]


@contextmanager
def _quiet() -> Iterator[None]:
    """fastexcel notes every empty column in its log; a report does not need it."""
    import logging

    log = logging.getLogger("fastexcel")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


# --- an agency and its files


def layout_of(agency: Agency, feed_name: str, header: Collection[str]) -> Feed:
    """The feed as a file with these columns has it."""
    return agency.feeds[feed_name].as_sent(header)


def layout_name(agency: Agency, feed_name: str, header: Collection[str]) -> str:
    """The variant that a file with these columns is; '' for the base."""
    feed, sent = agency.feeds[feed_name], layout_of(agency, feed_name, header)
    return next((n for n, layout in feed.layouts().items() if n and layout == sent), "") if feed.variants else ""


def feed_columns(agency: Agency, feed_name: str, layout: Feed) -> list[str]:
    """Source columns that the feed's mapping names."""
    return source_columns(agency, feed_name, layout)


def named_columns(agency: Agency, feed_name: str, layout: Feed) -> set[str]:
    """Columns that somebody looked at, in lower case: mapped or classed; of a side table, those of any mapping."""
    found = {*source_columns(agency, feed_name, layout), *agency.columns}
    if not layout.entities:
        for other, feed in agency.feeds.items():
            for one in feed.layouts().values():
                found |= set(source_columns(agency, other, one))
                said = [source_sql(m) for e in one.entities.values() for m in e.fields.values()]
                found |= {c for sql in said for _, c in names_in(sql, one, "").looked_up}
    return {c.lower() for c in found}


def missing_columns(path: Path, agency: Agency, feed_name: str, layout: Feed) -> str:
    """Why the file cannot be mapped for want of columns, or ''."""
    try:
        check_columns(path, layout, source_columns(agency, feed_name, layout))
    except Refusal as refusal:
        return str(refusal)
    return ""


def fill_missing(con: duckdb.DuckDBPyConnection, agency: Agency, feed_name: str, layout: Feed) -> None:
    """Adds to `raw`, as nulls, the columns that the mapping names and the file lacks."""
    have = _columns_of_raw(con)
    lacking = [c for c in source_columns(agency, feed_name, layout) if c.lower() not in have]
    if lacking:
        con.execute("create or replace temp table kept as select * from raw")
        added = ", ".join(f"cast(null as varchar) as {name(c)}" for c in lacking)
        con.execute(f"create or replace temp view raw as select *, {added} from kept")


def _columns_of_raw(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return {d[0].lower(): d[0] for d in con.execute("select * from raw limit 0").description}


def mapped_fields(layout: Feed, entity: Entity) -> list[Field]:
    """The fields of the entity that the layout maps, in the standard's order."""
    said = layout.entities.get(entity.name)
    return [f for f in entity.fields if f.name in said.fields] if said else []


def folds(agency: Agency, feed_name: str, entity_name: str) -> bool:
    """Whether the feed may repeat a key of the entity."""
    return agency.feeds[feed_name].folds(entity_name)


def version_of(agency: Agency, feed_name: str, source: Source) -> str | None:
    """The version that the file's name tells, if the feed reads it off names."""
    return file_version(agency.feeds[feed_name], source.version_name or source.path.name)


def pieces(con: duckdb.DuckDBPyConnection, agency: Agency, feed_name: str, entity_name: str, layout: Feed) -> int:
    """How many records of `raw` an entity is asked of, where one row is not one record."""
    return con.execute(pieces_sql(agency, feed_name, entity_name, layout)).fetchone()[0]


def entity_sql(
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    agency: Agency,
    feed_name: str,
    layout: Feed,
    entity: Entity,
    source: Source,
    only: Collection[str] | None = None,
) -> str:
    """SQL that gives the file's rows (relation `raw`) as rows of the entity. Raises AgencyError."""
    have = _columns_of_raw(con)
    wanted = {c.lower() for c in (*source_columns(agency, feed_name, layout), *agency.columns)}
    return compile_entity(
        agency,
        feed_name,
        entity.name,
        source.label,
        version_of(agency, feed_name, source),
        (settings.first_month, settings.last_month),
        find_traits(con, agency, [c for low, c in have.items() if low in wanted]),
        only=frozenset(only) if only is not None else None,
        layout=layout,
    )


def columns_of(con: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """Names of the columns that a query gives."""
    return {d[0] for d in con.execute(f"select * from ({sql}) limit 0").description}


def failing_field(
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    agency: Agency,
    feed_name: str,
    layout: Feed,
    entity: Entity,
    source: Source,
) -> tuple[str, int | None]:
    """The mapped field whose expression fails on a row, and the first such row; ('', None) if none fails alone."""
    con.execute("create or replace temp table kept as select * from raw")
    for field in mapped_fields(layout, entity):
        only = {field.name} | entity.identity_fields
        sql = entity_sql(settings, con, agency, feed_name, layout, entity, source, only)
        if _runs(con, sql):
            continue
        low, high = con.execute("select min(_row), max(_row) from kept").fetchone()
        while low < high:
            middle = (low + high) // 2
            con.execute(f"create or replace temp view raw as select * from kept where _row between {low} and {middle}")
            low, high = (middle + 1, high) if _runs(con, sql) else (low, middle)
        con.execute("create or replace temp view raw as select * from kept")
        return field.name, low
    con.execute("create or replace temp view raw as select * from kept")
    return "", None


def _runs(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    try:
        con.execute(f"create or replace temp table tried as {sql}")
    except duckdb.Error:
        return False
    return True


def landed_sources(settings: Settings, agency: Agency, feed_name: str | None = None) -> dict[str, list[Source]]:
    """Accepted landed files by feed, in order of landing."""
    found: dict[str, list[Source]] = {}
    for landed in Manifest(settings, agency.id).accepted(feed_name):
        found.setdefault(landed.feed, []).append(
            Source(settings.landing / landed.path, landed.file_name, landed.file_name)
        )
    return found


def standard() -> dict[str, Entity]:
    return load_standard()
