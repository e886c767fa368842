"""The ledger: the state of every gate, what each check found, and what each partition was made of.

A gate is told by (layer, agency_id, month); agency_id is '*' after the input layer. A layer closes its gate before
it writes, under a new write id; only a finished, passing check that saw that same id opens it.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Container, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

EVERY_AGENCY = "*"
LAYERS = ("input", "linkage", "staging", "marts", "metrics", "release")
Key = tuple[str, str]  # (agency_id, month)

_SCHEMA = """
create table if not exists gate (
    layer text, agency_id text, month text, state text not null, write_id text not null,
    closed_at text not null, opened_at text, reason text not null,
    primary key (layer, agency_id, month)
);
create table if not exists check_result (
    layer text, agency_id text, month text, check_id text, about text, table_name text, status text, severity text,
    observed real, threshold real, failing_count integer, reason text, write_id text,
    primary key (layer, agency_id, month, check_id, about)
);
create table if not exists partition (
    layer text, table_name text, agency_id text, month text, fingerprint text not null,
    primary key (layer, table_name, agency_id, month)
);
create table if not exists written (
    layer text, table_name text, month text, write_id text not null,
    primary key (layer, table_name, month)
);
create table if not exists judged (
    layer text, agency_id text, month text, table_name text, judged_on text not null,
    primary key (layer, agency_id, month, table_name)
);
"""


@dataclass(frozen=True)
class Gate:
    """One gate as the ledger has it."""

    layer: str
    agency_id: str
    month: str
    state: str
    write_id: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """What one check found for one gate. status: passed, failed, not_applicable or error.

    about: the agency whose rows the finding is about; empty for the table as a whole.
    """

    check_id: str
    about: str
    table: str
    status: str
    severity: str
    observed: float | None
    threshold: float | None
    failing_count: int
    reason: str

    @property
    def stops(self) -> bool:
        return self.status == "error" or (self.status == "failed" and self.severity == "block")


def new_write_id() -> str:
    return uuid.uuid4().hex


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Ledger:
    """Gates, findings and fingerprints in home/ledger/ledger.sqlite; every change is one transaction."""

    def __init__(self, home: Path):
        self.path = home / "ledger" / "ledger.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as con, con:
            con.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        con = sqlite3.connect(self.path, timeout=30)
        con.execute("pragma journal_mode = wal")
        con.execute("pragma synchronous = full")
        return con

    def close(self, layer: str, keys: Iterable[Key], write_id: str, reason: str = "written, not yet checked") -> None:
        """Closes gates under a new write id; what was found under the old one no longer counts."""
        with closing(self._connect()) as con, con:
            con.executemany(
                "insert or replace into gate values (?, ?, ?, 'closed', ?, ?, null, ?)",
                [(layer, agency, month, write_id, _now(), reason) for agency, month in keys],
            )

    def record(
        self,
        layer: str,
        key: Key,
        write_id: str,
        findings: list[Finding],
        held_by: str = "",
        standing: Container[str] = (),
        judged_on: Mapping[str, str | None] = MappingProxyType({}),
    ) -> bool:
        """Writes the findings of a finished check and opens the gate if nothing stops it.

        The gate stays closed when the check saw another write id than the ledger holds (superseded).
        held_by: why the gate stays closed although its own checks passed. Returns whether it is open now.
        standing: tables that were not asked again, whose last findings count under this write id as well.
        judged_on: {table: digest of all that its judgment saw}, kept where nothing of the table's stops the gate.
        """
        agency, month = key
        stopping = [f for f in findings if f.stops]
        passed = set(judged_on) - {f.table for f in stopping}
        with closing(self._connect()) as con, con:
            row = con.execute(
                "select write_id from gate where layer = ? and agency_id = ? and month = ?", (layer, agency, month)
            ).fetchone()
            if row is None or row[0] != write_id:
                return False
            place = (layer, agency, month)
            for table in ("check_result", "judged"):
                known = con.execute(
                    f"select distinct table_name from {table} where layer = ? and agency_id = ? and month = ?", place
                ).fetchall()
                con.executemany(
                    f"delete from {table} where layer = ? and agency_id = ? and month = ? and table_name = ?",
                    [(*place, name) for (name,) in known if name not in standing],
                )
            con.execute(
                "update check_result set write_id = ? where layer = ? and agency_id = ? and month = ?",
                (write_id, *place),
            )
            con.executemany(
                "insert or replace into judged values (?, ?, ?, ?, ?)",
                [(*place, table, judged_on[table]) for table in sorted(passed) if judged_on[table]],
            )
            con.executemany(
                "insert or replace into check_result values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        layer,
                        agency,
                        month,
                        f.check_id,
                        f.about,
                        f.table,
                        f.status,
                        f.severity,
                        f.observed,
                        f.threshold,
                        f.failing_count,
                        f.reason,
                        write_id,
                    )
                    for f in findings
                ],
            )
            opens = not stopping and not held_by
            reason = "; ".join(f"{f.check_id}: {f.reason}" for f in stopping) or held_by
            con.execute(
                "update gate set state = ?, opened_at = ?, reason = ? where layer = ? and agency_id = ? and month = ?",
                ("open" if opens else "closed", _now() if opens else None, reason, layer, agency, month),
            )
        return opens

    def gates(self, layer: str | None = None) -> dict[tuple[str, str, str], Gate]:
        """All gates by (layer, agency_id, month), ordered."""
        query = "select layer, agency_id, month, state, write_id, reason from gate"
        with closing(self._connect()) as con:
            rows = con.execute(query + (" where layer = ?" if layer else ""), (layer,) if layer else ()).fetchall()
        rows.sort(key=lambda r: (LAYERS.index(r[0]), r[1], r[2]))
        return {row[:3]: Gate(*row) for row in rows}

    def findings(self, layer: str | None = None) -> dict[tuple[str, str, str], list[Finding]]:
        """Findings of the last finished check of every gate; none where something was written since."""
        query = (
            "select layer, agency_id, month, check_id, about, table_name, status, severity, observed, threshold,"
            " failing_count, check_result.reason"
            " from check_result join gate using (layer, agency_id, month, write_id)"
        )
        found: dict[tuple[str, str, str], list[Finding]] = {}
        with closing(self._connect()) as con:
            for row in con.execute(
                query + (" where layer = ?" if layer else "") + " order by check_id", (layer,) if layer else ()
            ):
                found.setdefault(row[:3], []).append(Finding(*row[3:]))
        return found

    def judged(self, layer: str) -> dict[tuple[str, str], dict[str, str]]:
        """What tables that stop nothing were judged on: {(agency_id, month): {table: digest}}."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        with closing(self._connect()) as con:
            for agency, month, table, judged_on in con.execute(
                "select agency_id, month, table_name, judged_on from judged where layer = ?", (layer,)
            ):
                found.setdefault((agency, month), {})[table] = judged_on
        return found

    def forget(self, layer: str, keys: Iterable[Key]) -> None:
        """Drops gates, findings and fingerprints of partitions that no longer exist."""
        with closing(self._connect()) as con, con:
            for table in ("gate", "check_result", "judged", "partition"):
                con.executemany(
                    f"delete from {table} where layer = ? and agency_id = ? and month = ?",
                    [(layer, agency, month) for agency, month in keys],
                )

    def forget_tables(self, layer: str, tables: Iterable[str], months: Iterable[str]) -> None:
        """Drops fingerprints of partitions that are about to be written."""
        months = list(months)
        with closing(self._connect()) as con, con:
            for table in ("partition", "written"):
                con.executemany(
                    f"delete from {table} where layer = ? and table_name = ? and month = ?",
                    [(layer, name, month) for name in tables for month in months],
                )

    def set_fingerprints(self, layer: str, made: dict[tuple[str, str, str], str], write_id: str) -> None:
        """Notes what partitions are made of, {(table, agency_id, month): fingerprint}, and their last writing."""
        with closing(self._connect()) as con, con:
            con.executemany(
                "insert or replace into partition values (?, ?, ?, ?, ?)",
                [(layer, *key, fingerprint) for key, fingerprint in made.items()],
            )
            con.executemany(
                "insert or replace into written values (?, ?, ?, ?)",
                [(layer, table, month, write_id) for table, _, month in made],
            )

    def written(self, layer: str) -> dict[str, dict[str, str]]:
        """The write id under which each partition was last written: {table: {month: write_id}}."""
        found: dict[str, dict[str, str]] = {}
        with closing(self._connect()) as con:
            for table, month, write_id in con.execute(
                "select table_name, month, write_id from written where layer = ?", (layer,)
            ):
                found.setdefault(table, {})[month] = write_id
        return found

    def fingerprints(self, layer: str) -> dict[tuple[str, str, str], str]:
        """{(table, agency_id, month): fingerprint} of one layer."""
        query = "select table_name, agency_id, month, fingerprint from partition where layer = ?"
        with closing(self._connect()) as con:
            return {row[:3]: row[3] for row in con.execute(query, (layer,))}
