"""What linkage wrote: which records are of one person, as the layers read it.

The links are told by a digest over their files, which is also the write id of their gate: a file that is changed, lost
or restored from a backup closes it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb

from orchestration.engine import text
from orchestration.layers.fingerprint import WHOLE, digest
from orchestration.layers.ledger import EVERY_AGENCY, Ledger
from orchestration.settings import Settings

LINK_GATE = (EVERY_AGENCY, WHOLE)
LINK_COLUMNS = {
    "agency_id": "varchar", "month": "varchar", "entity": "varchar", "entity_id": "varchar", "role_code": "varchar",
    "zone": "varchar", "person_key": "varchar", "is_anonymous": "boolean", "match_method_code": "varchar",
    "match_weight": "decimal(6,2)",
}  # fmt: skip
FILE_COLUMNS = [c for c in LINK_COLUMNS if c not in ("agency_id", "month")]  # these two stand in the file's path


def link_files(settings: Settings) -> list[Path]:
    """input/person_link/agency_id=…/month=…/<zone>.parquet, sorted."""
    return sorted((settings.input / "person_link").glob("*/*/*.parquet"))


def create_link_view(con: duckdb.DuckDBPyConnection, settings: Settings, view: str = "input.person_link") -> None:
    """Makes a view over what linkage wrote last; empty before it ran."""
    files = link_files(settings)
    columns = ", ".join(f"cast({c if files else 'null'} as {t}) as {c}" for c, t in LINK_COLUMNS.items())
    listed = ", ".join(text(str(f)) for f in files)
    rows = (
        f"from read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false)"
        if files
        else "where false"
    )
    con.execute(f"create or replace view {view} as select {columns} {rows}")


def link_state_file(settings: Settings) -> Path:
    return settings.input / "person_link" / "state.json"


def link_state(settings: Settings) -> dict:
    """What linkage noted when it last ran; empty before. made_of: digest of all it read; from, until: first day on
    which it holds, and on which it no longer does; files: {file: digest of its rows}."""
    path = link_state_file(settings)
    return json.loads(path.read_text()) if path.exists() else {}


def link_digests(settings: Settings) -> dict[str, str]:
    """{agency_id: digest of its links}, as linkage noted them when it wrote them."""
    found: dict[str, list] = {}
    for file, made in sorted(link_state(settings).get("files", {}).items()):
        found.setdefault(file.split("/")[0].removeprefix("agency_id="), []).append([file, made])
    return {agency: digest(files) for agency, files in found.items()}


def links_digest(settings: Settings) -> str:
    """One digest over all files that lie there now."""
    found = hashlib.sha256()
    for path in link_files(settings):
        found.update(str(path.relative_to(settings.input)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def links_are_open(settings: Settings, ledger: Ledger) -> bool:
    """Whether the gate is open for the links that lie there now."""
    gate = ledger.gates("linkage").get(("linkage", *LINK_GATE))
    return gate is not None and gate.state == "open" and gate.write_id == links_digest(settings)
