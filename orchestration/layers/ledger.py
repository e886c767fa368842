"""The ledger: the state of every gate, what each check found, and what each partition was made of.

A gate is told by (layer, agency_id, month); agency_id is '*' after the input layer. A layer closes its gate before
it writes, under a new write id; only a finished, passing check that saw that same id opens it.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
        """Closes gates under a new write id and forgets what was found under the old one."""
        keys = list(keys)
        with closing(self._connect()) as con, con:
            con.executemany(
                "insert or replace into gate values (?, ?, ?, 'closed', ?, ?, null, ?)",
                [(layer, agency, month, write_id, _now(), reason) for agency, month in keys],
            )
            con.executemany(
                "delete from check_result where layer = ? and agency_id = ? and month = ?",
                [(layer, agency, month) for agency, month in keys],
            )

    def record(self, layer: str, key: Key, write_id: str, findings: list[Finding], held_by: str = "") -> bool:
        """Writes the findings of a finished check and opens the gate if nothing stops it.

        The gate stays closed when the check saw another write id than the ledger holds (superseded).
        held_by: why the gate stays closed although its own checks passed. Returns whether it is open now.
        """
        agency, month = key
        stopping = [f for f in findings if f.stops]
        with closing(self._connect()) as con, con:
            row = con.execute(
                "select write_id from gate where layer = ? and agency_id = ? and month = ?", (layer, agency, month)
            ).fetchone()
            if row is None or row[0] != write_id:
                return False
            con.execute(
                "delete from check_result where layer = ? and agency_id = ? and month = ?", (layer, agency, month)
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
        """Findings of the last finished check of every gate."""
        query = (
            "select layer, agency_id, month, check_id, about, table_name, status, severity, observed, threshold,"
            " failing_count, reason from check_result"
        )
        found: dict[tuple[str, str, str], list[Finding]] = {}
        with closing(self._connect()) as con:
            for row in con.execute(
                query + (" where layer = ?" if layer else "") + " order by check_id", (layer,) if layer else ()
            ):
                found.setdefault(row[:3], []).append(Finding(*row[3:]))
        return found

    def forget(self, layer: str, keys: Iterable[Key]) -> None:
        """Drops gates, findings and fingerprints of partitions that no longer exist."""
        with closing(self._connect()) as con, con:
            for table in ("gate", "check_result", "partition"):
                con.executemany(
                    f"delete from {table} where layer = ? and agency_id = ? and month = ?",
                    [(layer, agency, month) for agency, month in keys],
                )

    def forget_tables(self, layer: str, tables: Iterable[str], months: Iterable[str]) -> None:
        """Drops fingerprints of partitions that are about to be written."""
        months = list(months)
        with closing(self._connect()) as con, con:
            con.executemany(
                "delete from partition where layer = ? and table_name = ? and month = ?",
                [(layer, table, month) for table in tables for month in months],
            )

    def set_fingerprints(self, layer: str, made: dict[tuple[str, str, str], str]) -> None:
        """Notes what partitions are made of: {(table, agency_id, month): fingerprint}."""
        with closing(self._connect()) as con, con:
            con.executemany(
                "insert or replace into partition values (?, ?, ?, ?, ?)",
                [(layer, *key, fingerprint) for key, fingerprint in made.items()],
            )

    def fingerprints(self, layer: str) -> dict[tuple[str, str, str], str]:
        """{(table, agency_id, month): fingerprint} of one layer."""
        query = "select table_name, agency_id, month, fingerprint from partition where layer = ?"
        with closing(self._connect()) as con:
            return {row[:3]: row[3] for row in con.execute(query, (layer,))}
