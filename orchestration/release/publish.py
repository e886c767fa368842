"""Exports a candidate release, and publishes it when its gate has passed.

The same warehouse content gives the same bytes: rows are ordered by primary key, and no clock, run id or path stands
in a table. A release's id is its day and a digest of its files; a candidate equal to the current release is not
published again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.engine import connect, text
from orchestration.landing import Manifest
from orchestration.layers.dbt import Model, versions
from orchestration.layers.fingerprint import WHOLE
from orchestration.layers.input import input_agencies, load_state, open_months
from orchestration.layers.ledger import EVERY_AGENCY, LAYERS
from orchestration.layers.linkage import links_to_do, today
from orchestration.layers.models import DBT_LAYERS, Warehouse, describe_models
from orchestration.metric import METRIC_NOTES
from orchestration.release.disclosure import general_select
from orchestration.release.tiers import CLOSED, TIERS, column_meta, columns_by_tier, tier_of, without_tier
from orchestration.settings import Settings

CANDIDATE = ".candidate"


class ReleaseRefused(RuntimeError):
    """The warehouse cannot be released as it is; the message says why and what to do."""


def refuse_unless_whole(warehouse: Warehouse) -> None:
    """Raises ReleaseRefused when a gate is closed or a partition stale: a release never mixes."""
    if links_to_do(warehouse.settings, warehouse.ledger):
        raise ReleaseRefused("people are not linked as of today's records and consents. `crisis run` links them.")
    there = warehouse.write_ids()
    closed = [
        f"{layer} {'whole tables' if m == WHOLE else m}"
        for layer in DBT_LAYERS
        for m in sorted({m for kind, m in there if kind == layer} - warehouse.open_gates(layer))
    ]
    if closed:
        raise ReleaseRefused(f"gates are closed: {_some(closed)}. See `crisis gates`; mend, then `crisis run`.")
    stale = [
        f"{table} {'' if m == WHOLE else m}".strip()
        for partitions in warehouse.stale().values()
        for table, m in partitions
    ]
    if stale:
        raise ReleaseRefused(
            f"{len(stale)} partition(s) are stale: {_some(stale)}. `crisis run` rebuilds what is stale."
        )


def _some(items: list[str]) -> str:
    return ", ".join(items[:6]) + (f" and {len(items) - 6} more" if len(items) > 6 else "")


def _tables(warehouse: Warehouse) -> list[Model]:
    models = describe_models(warehouse.project)
    for model in models:
        if bad := without_tier(model):
            raise ReleaseRefused(f"{model.name}: no tier on {', '.join(bad)}; what has none cannot be released")
    return models


def export_candidate(warehouse: Warehouse) -> Path:
    """Writes every release table by tier to releases/.candidate and returns it. Raises ReleaseRefused."""
    refuse_unless_whole(warehouse)
    folder = warehouse.settings.releases / CANDIDATE
    shutil.rmtree(folder, ignore_errors=True)
    for tier in TIERS:
        (folder / tier).mkdir(parents=True)
    for tier in CLOSED:
        (folder / tier).chmod(0o700)
    with warehouse.connect() as con:
        con.execute("set preserve_insertion_order = true")
        for model in _tables(warehouse):
            relation = f"{model.schema}.{model.name}"
            for tier, columns in columns_by_tier(model).items():
                select = f"select {', '.join(columns)} from {relation}"
                if tier == "general" and model.schema == "metrics":
                    select = general_select(model, relation)
                _export(con, folder / tier / f"{model.name}.parquet", select, model)
    return folder


def _export(con: duckdb.DuckDBPyConnection, path: Path, select: str, model: Model) -> None:
    if not model.primary_key:
        raise ReleaseRefused(f"{model.name}: meta.primary_key is missing; exports are ordered by it")
    order = ", ".join(f"{c} nulls first" for c in model.primary_key)
    con.execute(
        f"copy ({select} order by {order}) to {text(str(path))} (format parquet, compression zstd, row_group_size 122880)"
    )


def candidate_database(folder: Path, database: Path) -> None:
    """A DuckDB file with a view per candidate file, in schemas named as the tiers, for the release gate."""
    with connect(database) as con:
        for tier in TIERS:
            con.execute(f"create schema {tier}")
            for path in sorted((folder / tier).glob("*.parquet")):
                con.execute(f"create view {tier}.{path.stem} as select * from read_parquet({text(str(path))})")


def checksums(folder: Path) -> dict[str, dict]:
    """{"tier/table.parquet": {sha256, rows, bytes}} of every file of a release."""
    found = {}
    for path in sorted(folder.glob("*/*.parquet")):
        with path.open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        (rows,) = duckdb.sql(f"select num_rows from parquet_file_metadata({text(str(path))})").fetchone()
        found[f"{path.parent.name}/{path.name}"] = {"sha256": sha, "rows": rows, "bytes": path.stat().st_size}
    return found


def candidate_digest(folder: Path) -> str:
    """One digest over all files of a candidate: what the release gate judged is what is published."""
    return digest_of(checksums(folder))


def digest_of(files: dict[str, dict]) -> str:
    """One digest over the checksums of a release's files."""
    return _digest({n: f["sha256"] for n, f in files.items()})


def _digest(of: dict) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()


METRIC_META = ("metric_ids", *METRIC_NOTES, "headline", "disclosure")


def _said(warehouse: Warehouse) -> dict[str, dict]:
    """What a reader needs to know of every table, as JSON keeps it."""
    return json.loads(json.dumps({m.name: _described(m) for m in describe_models(warehouse.project)}))


def _described(model: Model) -> dict:
    """What a reader needs to know of a table, as it stands in the manifest."""
    return {
        "description": model.description,
        "schema": model.schema,
        "tier": model.meta["tier"],
        "primary_key": model.primary_key,
        **{k: model.meta[k] for k in METRIC_META if k in model.meta},
        "columns": {
            c: {
                "description": said["description"],
                "type": said.get("data_type"),
                "unit": column_meta(said).get("unit"),
                "tier": tier_of(said),
            }
            for c, said in model.columns.items()
        },
    }


def held_back(warehouse: Warehouse) -> list[dict]:
    """Input that is not in the warehouse as it lies in input, with the reason."""
    gates, found = warehouse.ledger.gates("input"), []
    for agency in input_agencies(warehouse.settings):
        open_now = open_months(warehouse.settings, warehouse.ledger, agency)
        for month in sorted(load_state(warehouse.settings, agency).months):
            if month not in open_now:
                gate = gates.get(("input", agency, month))
                serves = "its last passing rows" if month in warehouse.loaded().get(agency, {}) else "nothing"
                found.append(
                    {
                        "agency_id": agency,
                        "month": month,
                        "reason": gate.reason if gate else "not yet checked",
                        "serves": serves,
                    }
                )
    return found


def _gate_results(warehouse: Warehouse) -> dict:
    """Counts of findings by layer and status, and the failing ones."""
    out: dict = {}
    for (layer, _, month), findings in warehouse.ledger.findings().items():
        counts = out.setdefault(layer, {"passed": 0, "failed": 0, "not_applicable": 0, "error": 0, "failing": []})
        for f in findings:
            counts[f.status] += 1
            if f.status in ("failed", "error"):
                counts["failing"].append(
                    {"check": f.check_id, "month": month, "about": f.about, "severity": f.severity, "reason": f.reason}
                )
    return {layer: out[layer] for layer in LAYERS if layer in out}


def _diff(new: dict[str, dict], old: dict[str, dict]) -> dict:
    """What changed against the last release: tables added, removed, and rows before and after."""
    return {
        "added": sorted(set(new) - set(old)),
        "removed": sorted(set(old) - set(new)),
        "changed": {
            n: {"rows_before": old[n]["rows"], "rows_after": new[n]["rows"]}
            for n in sorted(set(new) & set(old))
            if new[n]["sha256"] != old[n]["sha256"]
        },
    }


def current_release(settings: Settings) -> str | None:
    """The id of the release that `current` points to."""
    return os.path.basename(os.readlink(settings.current)) if settings.current.is_symlink() else None


def load_manifest(settings: Settings, release: str) -> dict:
    return json.loads((settings.releases / release / "manifest.json").read_text())


def _fingerprints(warehouse: Warehouse) -> dict[str, dict[str, str]]:
    """What every partition is made of, by layer: {"table agency month": fingerprint}."""
    return {
        layer: {f"{t} {a} {m}": v for (t, a, m), v in sorted(warehouse.ledger.fingerprints(layer).items())}
        for layer in DBT_LAYERS
    }


def is_current(warehouse: Warehouse) -> bool:
    """Whether the current release was made of what the warehouse is made of now, and says the same of its tables."""
    name = current_release(warehouse.settings)
    if name is None:
        return False
    manifest = load_manifest(warehouse.settings, name)
    return manifest["fingerprints"] == _fingerprints(warehouse) and manifest["tables"] == _said(warehouse)


def publish(warehouse: Warehouse, folder: Path) -> tuple[str, bool]:
    """Makes the candidate the current release; (its id, whether it is new). The caller holds the writer lock."""
    settings = warehouse.settings
    files, last = checksums(folder), current_release(settings)
    tables = _said(warehouse)
    # What a reader is told of a table is a part of the release as its rows are.
    digest = _digest({"files": digest_of(files), "tables": tables})
    before = load_manifest(settings, last) if last else None
    if before and before["digest"] == digest:
        shutil.rmtree(folder)
        return last, False
    now = datetime.now(UTC)
    release = f"{now:%Y-%m-%d}-{digest[:8]}"
    manifest = {
        "release": release,
        "created_at": now.isoformat(timespec="seconds"),
        "digest": digest,
        "files": files,
        "inputs": {
            a: [
                {"feed": f.feed, "file_name": f.file_name, "sha256": f.sha256} for f in Manifest(settings, a).accepted()
            ]
            for a in input_agencies(settings)
        },
        "fingerprints": _fingerprints(warehouse),
        "versions": versions(),
        "tables": tables,
        "gates": _gate_results(warehouse),
        "held_back": held_back(warehouse),
        "consents_judged_on": str(today(settings)),
        "diff": {"to": last, **_diff(files, before["files"] if before else {})},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    _sync_tree(folder)
    target = settings.releases / release
    if target.exists():
        shutil.rmtree(folder)
    else:
        os.replace(folder, target)
    _sync(settings.releases)
    _point_current(settings, release)
    return release, True


def _point_current(settings: Settings, release: str) -> None:
    fresh = settings.home / ".current.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(Path("releases") / release)
    os.replace(fresh, settings.current)
    _sync(settings.home)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


RELEASE_GATE = (EVERY_AGENCY, WHOLE)
