"""One typed place for the home directory, the engine and its limits.

Everything comes from the environment; an unknown value raises, nothing falls through to a default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENGINES = ("duckdb",)


class SettingsError(ValueError):
    """The environment says something that the warehouse does not know."""


@dataclass(frozen=True)
class Settings:
    """Where things lie and how much of the machine they may use.

    home: the directory of all runtime data. agency_paths: folders that hold agency folders.
    first_month, last_month: the calendar of the monthly partitions, as 'YYYY-MM'. link_minors: whether records about
    people under 18 are linked. as_of: the day on which consents are judged; today unless told.
    """

    home: Path
    agency_paths: tuple[Path, ...] = (PROJECT / "agencies",)
    engine: str = "duckdb"
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory_limit: str = "8GB"
    first_month: str = "1990-01"
    last_month: str = "2039-12"
    link_minors: bool = False
    as_of: date | None = None
    dbt_project: Path = PROJECT / "dbt_project"
    seeds: Path = PROJECT / "seeds"

    @classmethod
    def from_environment(cls) -> Settings:
        """Settings as CRISIS_HOME, CRISIS_AGENCIES, CRISIS_ENGINE, CRISIS_THREADS, CRISIS_MEMORY_LIMIT and
        CRISIS_LINK_MINORS say.

        Raises SettingsError when a variable holds what the warehouse does not know.
        """
        env = os.environ
        given: dict = {"home": Path(env.get("CRISIS_HOME") or ".crisis").expanduser().resolve()}
        if env.get("CRISIS_AGENCIES"):
            given["agency_paths"] = tuple(
                Path(p).expanduser().resolve() for p in env["CRISIS_AGENCIES"].split(os.pathsep) if p
            )
            missing = [str(p) for p in given["agency_paths"] if not p.is_dir()]
            if missing:
                raise SettingsError(f"CRISIS_AGENCIES names no such folder: {', '.join(missing)}")
        engine = env.get("CRISIS_ENGINE", "duckdb")
        if engine not in ENGINES:
            raise SettingsError(f"CRISIS_ENGINE is '{engine}'; known engines: {', '.join(ENGINES)}")
        if env.get("CRISIS_THREADS"):
            if not env["CRISIS_THREADS"].isdigit() or int(env["CRISIS_THREADS"]) < 1:
                raise SettingsError(f"CRISIS_THREADS is '{env['CRISIS_THREADS']}'; give a whole number from 1")
            given["threads"] = int(env["CRISIS_THREADS"])
        if env.get("CRISIS_MEMORY_LIMIT"):
            given["memory_limit"] = env["CRISIS_MEMORY_LIMIT"]
        if env.get("CRISIS_LINK_MINORS"):
            if env["CRISIS_LINK_MINORS"] not in ("yes", "no"):
                raise SettingsError(f"CRISIS_LINK_MINORS is '{env['CRISIS_LINK_MINORS']}'; say yes or no")
            given["link_minors"] = env["CRISIS_LINK_MINORS"] == "yes"
        return cls(engine=engine, **given)

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def drop(self) -> Path:
        return self.home / "drop"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def identity(self) -> Path:
        return self.home / "identity"

    @property
    def input(self) -> Path:
        return self.home / "input"

    @property
    def results(self) -> Path:
        return self.home / "results"

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def current(self) -> Path:
        return self.home / "current"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def dagster_environment(self) -> dict[str, str]:
        """What Dagster reads from the environment. A batch: what `history.EventHistory` writes in one transaction."""
        return {
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DAGSTER_EVENT_BATCH_SIZE": "1000",
        }

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def ensure_home(self) -> None:
        """Make the home directory; what holds persons or failing rows is for its owner alone."""
        for path in (self.landing, self.identity, self.results, self.home / "ledger"):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)
        for path in (self.drop, self.input, self.releases, self.dagster_home, self.logs, self.home / "requests"):
            path.mkdir(parents=True, exist_ok=True)
        instance = self.dagster_home / "dagster.yaml"
        if not instance.exists():
            instance.write_text(DAGSTER_YAML)


# One writing run at a time in Dagster's own queue too; the lock in layers/lock.py is what really excludes.
DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: orchestration.history
  class: EventHistory
  config: {base_dir: {env: DAGSTER_HOME}}
run_storage:
  module: orchestration.history
  class: RunHistory
  config: {base_dir: {env: DAGSTER_HOME}}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {base_dir: {env: DAGSTER_HOME}}
concurrency:
  runs:
    max_concurrent_runs: 1
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
"""
