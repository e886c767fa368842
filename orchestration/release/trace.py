"""Follows a released row back to the landed files and rows that it was made of."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.engine import connect, text
from orchestration.landing import Manifest
from orchestration.layers.input import entity_files, input_agencies, load_state, superseded_file
from orchestration.release.publish import load_manifest
from orchestration.release.reader import NoRelease, open_release, release_folder
from orchestration.release.tiers import home_tier
from orchestration.settings import Settings
from orchestration.standard import load_standard


@dataclass(frozen=True)
class Origin:
    """One landed row behind a released row. status: current, superseded or folded."""

    entity: str
    agency_id: str
    feed: str
    file_name: str
    path: str
    row: int
    month: str
    status: str


def trace(settings: Settings, table: str, key: str, release: str | None = None) -> list[Origin]:
    """Origins of the rows of `table` whose id is `key`, current ones first.

    Raises NoRelease when the release has no such table or row.
    """
    manifest = load_manifest(settings, release_folder(settings, release).name)
    tables = manifest["tables"]
    if table not in tables:
        raise NoRelease(f"no table '{table}' in the release; `crisis describe` lists them")
    ids = [
        c
        for c in tables[table]["primary_key"]
        if c.endswith("_id") and c != "agency_id" and c.removesuffix("_id") in load_standard()
    ]
    if not ids:
        raise NoRelease(
            f"{table} holds no single records; trace one of: {', '.join(t for t in tables if t.startswith('fct_'))}"
        )
    with open_release(settings, release) as con:
        there = con.execute(
            f"select count(*) from {home_tier(tables[table]['tier'])}.{table} where {ids[0]} = ?", [key]
        ).fetchone()[0]
    if not there:
        raise NoRelease(f"no row of {table} has {ids[0]} '{key}'; ids read agency:number")
    entities = [e for e in load_standard().values() if ids[0] in (e.id, e.group_id)]
    return [
        o
        for agency in input_agencies(settings)
        if key.startswith(agency + ":")
        for e in entities
        for o in _origins(settings, agency, e, ids[0], key)
    ]


def _origins(settings: Settings, agency_id: str, entity, column: str, key: str) -> list[Origin]:
    files = entity_files(settings, entity.name, agency_id)
    if not files:
        return []
    landed = {
        f.sha256: f
        for f in Manifest(settings, agency_id).files().values()
        if f.sha256 in load_state(settings, agency_id).files
    }
    gone = superseded_file(settings, entity.name, agency_id)
    listed = ", ".join(text(f) for f in files)
    with connect() as con:
        rows = con.execute(
            f"""
            select rows.source_file, rows.source_row, rows.month, coalesce(gone.status, 'current') as status
            from read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false, union_by_name = true) as rows
            left join read_parquet({text(str(gone))}) as gone
                on gone.source_file = rows.source_file and gone.source_row = rows.source_row
            where rows.{column} = ?
            order by status <> 'current', rows.source_file, rows.source_row
            """,
            [key],
        ).fetchall()
    return [
        Origin(
            entity.name,
            agency_id,
            landed[sha].feed,
            landed[sha].file_name,
            f"landing/{landed[sha].path}",
            row,
            month,
            status,
        )
        for sha, row, month, status in rows
    ]
