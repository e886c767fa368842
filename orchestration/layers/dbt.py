"""Runs dbt in process, with its parsed project kept, and reads the project's manifest.

dbt is imported only when a layer runs: it costs seconds. The parsed project lies in home/dbt and is used again
until a file of the project or a seed changes. A parse takes ten seconds and names nothing of the home it is made for,
so what it leaves is kept in the project's target folder too: `make` parses once, and every new home takes a copy.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from orchestration.settings import Settings

# No artifacts and no logs: nobody reads them, and they cost a third of a small run. Failures are raised.
QUIET = ("--quiet", "--no-write-json", "--log-level", "none", "--log-level-file", "none")


# What a parse leaves in the target folder.
PARSED = ("manifest.json", "partial_parse.msgpack", "semantic_manifest.json")
_parsed: dict[Path, object] = {}  # manifests of this process, by the folder where their parse is kept


class DbtFailure(RuntimeError):
    """dbt could not build something; the message names the models and the errors."""


@dataclass(frozen=True)
class Model:
    """One dbt model: its layer, name, code digest, parents and how far it reads."""

    unique_id: str
    name: str
    layer: str
    schema: str
    materialized: str
    meta: dict
    description: str
    columns: dict
    parents: tuple[str, ...]
    digest: str

    @property
    def is_partitioned(self) -> bool:
        return self.materialized == "window_table"

    @property
    def inputs(self) -> set[str]:
        """Tables of the input layer that it reads."""
        return {p.rsplit(".", 1)[-1] for p in self.parents if p.startswith("source.") and p.split(".")[-2] == "input"}

    @property
    def lookback(self) -> int:
        return self.meta.get("lookback_months", 0)

    @property
    def lookahead(self) -> int:
        return self.meta.get("lookahead_months", 0)

    @property
    def primary_key(self) -> list[str]:
        return self.meta.get("primary_key", [])


LAYER_OF_FOLDER = {"staging": "staging", "intermediate": "marts", "marts": "marts", "metrics": "metrics"}


def _project_files(settings: Settings) -> list[Path]:
    skipped = {"target", "logs", "dbt_packages"}
    files = [
        p
        for p in settings.dbt_project.rglob("*")
        if p.is_file() and not skipped & set(p.relative_to(settings.dbt_project).parts)
    ]
    seeds = [
        p for folder in ("codes", "costs", "grants", "joins", "targets") for p in (settings.seeds / folder).glob("*")
    ]
    return sorted(files + seeds)


class DbtProject:
    """The dbt project of one home. Everything dbt writes goes to home/dbt and home/logs/dbt."""

    def __init__(self, settings: Settings):
        self.settings = settings
        digest = hashlib.sha256()
        for path in _project_files(settings):
            digest.update(
                str(
                    path.relative_to(settings.dbt_project.parent)
                    if path.is_relative_to(settings.dbt_project.parent)
                    else path
                ).encode()
            )
            digest.update(path.read_bytes())
        self.digest = digest.hexdigest()[:16]
        self.target = settings.home / "dbt"
        self._runner_manifest = None

    def set_environment(self) -> None:
        """What dbt and the profile read from the environment."""
        s = self.settings
        os.environ.update(
            DBT_SEND_ANONYMOUS_USAGE_STATS="false",
            DO_NOT_TRACK="1",
            DBT_TARGET_PATH=str(self.target),
            DBT_LOG_PATH=str(s.logs / "dbt"),
            DBT_PROJECT_DIR=str(s.dbt_project),
            DBT_PROFILES_DIR=str(s.dbt_project),
            CRISIS_WAREHOUSE=str(s.warehouse),
            CRISIS_THREADS=str(s.threads),
            CRISIS_MEMORY_LIMIT=s.memory_limit,
        )

    @property
    def kept(self) -> Path:
        """The folder that keeps the parse of the project as it is now, for every home."""
        return self.settings.dbt_project / "target" / "parsed" / f"{self.digest}-{versions()['dbt-core']}"

    @property
    def manifest_path(self) -> Path:
        """manifest.json of the project as it is now; parses the project when it is not there."""
        path, mark = self.target / "manifest.json", self.target / "project_digest"
        if not (path.exists() and mark.exists() and mark.read_text() == self.digest):
            if not self._take_kept():
                self._parse()
            mark.write_text(self.digest)
        return path

    def _take_kept(self) -> bool:
        """Whether the home has a copy of the kept parse now."""
        self.target.mkdir(parents=True, exist_ok=True)
        try:
            for name in PARSED:
                shutil.copyfile(self.kept / name, self.target / name)
        except OSError:
            return False
        return True

    def _keep(self) -> None:
        """Keeps the home's parse for the next home, in place of older ones; not where the project is read-only."""
        with suppress(OSError):
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(dir=self.kept.parent))
            new.chmod(0o755)
            for name in PARSED:
                shutil.copyfile(self.target / name, new / name)
            new.rename(self.kept)
            for other in self.kept.parent.iterdir():
                if other != self.kept:
                    shutil.rmtree(other, ignore_errors=True)

    def _parse(self) -> None:
        from dbt.cli.main import dbtRunner

        if self.kept in _parsed and self._take_kept():
            self._runner_manifest = _parsed[self.kept]
            return
        if not (self.target / "partial_parse.msgpack").exists():
            self._take_kept()
        self.set_environment()
        # A parse asks no database. One name for all keeps what dbt saves valid when a home is moved or copied.
        os.environ.update(CRISIS_WAREHOUSE="warehouse.duckdb", CRISIS_THREADS="2", CRISIS_MEMORY_LIMIT="8GB")
        result = dbtRunner().invoke(["--quiet", "parse"])
        self.set_environment()
        if not result.success:
            raise DbtFailure(f"the dbt project cannot be parsed: {result.exception}")
        self._runner_manifest = _parsed[self.kept] = result.result
        if not self.kept.exists():
            self._keep()

    @cached_property
    def manifest(self) -> dict:
        return json.loads(self.manifest_path.read_text())

    @cached_property
    def models(self) -> dict[str, Model]:
        """Models by unique id, parents before children."""
        nodes, macros = self.manifest["nodes"], self.manifest["macros"]
        digests = _MacroDigests(macros)
        found: dict[str, Model] = {}

        def visit(unique_id: str) -> None:
            node = nodes[unique_id]
            if unique_id in found or node["resource_type"] != "model":
                return
            parents = tuple(sorted(node["depends_on"]["nodes"]))
            for parent in parents:
                if parent in nodes:
                    visit(parent)
            # What is said about a table changes none of its rows.
            config = {k: v for k, v in node["config"].items() if k != "meta"}
            code = [node["raw_code"], config, {c: v.get("data_type") for c, v in node["columns"].items()}]
            code.append([digests.of(m) for m in sorted(node["depends_on"]["macros"])])
            found[unique_id] = Model(
                unique_id=unique_id,
                name=node["name"],
                layer=LAYER_OF_FOLDER[node["fqn"][1]],
                schema=node["schema"],
                materialized=node["config"]["materialized"],
                meta=node["config"].get("meta", {}),
                description=node["description"],
                columns=node["columns"],
                parents=parents,
                digest=hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:16],
            )

        for unique_id in sorted(nodes):
            visit(unique_id)
        return found

    @cached_property
    def seeds(self) -> dict[str, str]:
        """{unique id of a seed: digest of its file and its configuration}."""
        found = {}
        for unique_id, node in self.manifest["nodes"].items():
            if node["resource_type"] == "seed":
                path = self.settings.dbt_project / node["original_file_path"]
                content = path.read_bytes() + json.dumps(node["config"], sort_keys=True).encode()
                found[unique_id] = hashlib.sha256(content).hexdigest()[:16]
        return found

    def seed(self, unique_id: str) -> tuple[str, str, Path, dict[str, str]]:
        """Schema, table, file and column types of a seed; a column without a declared type is text."""
        node = self.manifest["nodes"][unique_id]
        path, declared = self.settings.dbt_project / node["original_file_path"], node["config"]["column_types"]
        with path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file))
        return node["schema"], node["name"], path, {c: declared.get(c, "varchar") for c in header}

    def layer(self, layer: str) -> list[Model]:
        return [m for m in self.models.values() if m.layer == layer]

    def write_docs(self) -> Path:
        """Writes dbt's documentation as one page that needs no network; its path. Raises DbtFailure."""
        from dbt.cli.main import dbtRunner

        self.set_environment()
        result = dbtRunner().invoke(["--quiet", "docs", "generate", "--static"])
        if not result.success:
            raise DbtFailure(f"the documentation cannot be written: {_plain(str(result.exception))}")
        return self.target / "static_index.html"

    def invoke(self, *args: str) -> list:
        """Runs one dbt command in process and closes its connections. Raises DbtFailure."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        self.set_environment()
        if self._runner_manifest is None:
            self._parse()
        try:
            result = dbtRunner(manifest=self._runner_manifest).invoke([*QUIET, *args])
        finally:
            DuckDBConnectionManager.close_all_connections()
        results = getattr(result.result, "results", [])
        failed = [f"{r.node.name}: {_plain(r.message)}" for r in results if str(r.status) in ("error", "fail")]
        if not result.success:
            raise DbtFailure(
                "; ".join(failed)
                or f"dbt {args[0]} failed: {type(result.exception).__name__}: {_plain(str(result.exception))}"
            )
        return results


def _plain(message: str | None) -> str:
    """The first lines of an error, in one line."""
    return " ".join((message or "").split())[:500]


class _MacroDigests:
    """Digests of macros together with every project macro they call."""

    def __init__(self, macros: dict):
        self.macros = macros
        self.known: dict[str, str] = {}

    def of(self, unique_id: str) -> str:
        if unique_id not in self.known:
            self.known[unique_id] = ""  # a macro that calls itself
            macro = self.macros[unique_id]
            called = [self.of(m) for m in sorted(macro["depends_on"]["macros"]) if m in self.macros]
            self.known[unique_id] = hashlib.sha256(json.dumps([macro["macro_sql"], called]).encode()).hexdigest()[:16]
        return self.known[unique_id]


@cache
def versions() -> dict[str, str]:
    """Versions of what the tables are made with."""
    from importlib.metadata import version

    return {package: version(package) for package in ("duckdb", "dbt-core", "dbt-duckdb")}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        _ = DbtProject(Settings(home=Path(home))).manifest_path
