"""Asks MetricFlow for the main measures of a release, by any of their dimensions.

MetricFlow reads a dbt project's semantic manifest and a database: it gets the home's manifest, and a small database
of views over the release's files, so that it never touches the warehouse.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from orchestration.engine import connect, text
from orchestration.layers.dbt import DbtProject
from orchestration.release.publish import load_manifest
from orchestration.release.reader import release_folder
from orchestration.release.tiers import home_tier
from orchestration.settings import Settings

PROJECT = "name: crisis_warehouse\nversion: 0.1.0\nconfig-version: 2\nprofile: crisis_warehouse\n"


class NoMetricFlow(RuntimeError):
    """MetricFlow is not installed; the message says how to get it."""


def ask(settings: Settings, arguments: Iterable[str], release: str | None = None) -> int:
    """Runs `mf` with the arguments over a release; its exit code. Raises NoRelease, NoMetricFlow, DbtFailure."""
    command = Path(sys.executable).with_name("mf")
    if not command.exists():
        raise NoMetricFlow("MetricFlow is not installed; `pip install 'crisis-warehouse[semantic]'` brings it")
    folder = release_folder(settings, release)
    project = DbtProject(settings)
    _ = project.manifest_path  # parses the project where it changed
    with tempfile.TemporaryDirectory(prefix="crisis_metrics_") as scratch:
        here = Path(scratch)
        (here / "target").mkdir()
        (here / "dbt_project.yml").write_text(PROJECT)
        shutil.copy(project.target / "semantic_manifest.json", here / "target")
        database = here / settings.warehouse.name  # the name by which the manifest knows it
        _write_views(settings, folder, database)
        project.set_environment()
        mine = {
            "CRISIS_WAREHOUSE": str(database), "DBT_PROJECT_DIR": scratch, "DBT_TARGET_PATH": str(here / "target"),
            "DBT_LOG_PATH": str(here / "logs"),
        }  # fmt: skip
        return subprocess.run([str(command), *arguments], cwd=Path.cwd(), env=os.environ | mine, check=False).returncode


def _write_views(settings: Settings, folder: Path, database: Path) -> None:
    """A database whose tables are views over a release's files, each table in its fullest tier."""
    tables = load_manifest(settings, folder.name)["tables"]
    with connect(database, settings) as con:
        for name, said in tables.items():
            path = folder / home_tier(said["tier"]) / f"{name}.parquet"
            con.execute(f"create schema if not exists {said['schema']}")
            con.execute(f"create view {said['schema']}.{name} as select * from read_parquet({text(str(path))})")
