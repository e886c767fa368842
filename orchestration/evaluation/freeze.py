"""Freezes a study by hash before estimation, and remembers who looked at what.

frozen.yml beside the study holds the hash and travels with the repository; looks.jsonl in the home holds every
estimation. A study that changed after it was frozen is refused, or runs as exploratory and says so everywhere.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

from orchestration.evaluation.study import StudyError
from orchestration.yaml_file import read_yaml

FINAL, EXPLORATORY = "final", "exploratory"


def study_hash(folder: Path) -> str:
    """SHA-256 of the study file's bytes."""
    return hashlib.sha256((folder / "study.yml").read_bytes()).hexdigest()


def frozen_hash(folder: Path) -> str | None:
    """The hash that the study was frozen with; None if it never was."""
    path = folder / "frozen.yml"
    return read_yaml(path)["sha256"] if path.exists() else None


def looks(home: Path, study_id: str) -> list[dict]:
    """Estimations of a study in this home, oldest first."""
    path = home / "evaluations" / "looks.jsonl"
    if not path.exists():
        return []
    found = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [x for x in found if x["study_id"] == study_id]


def record_look(home: Path, study_id: str, sha256: str, release: str, kind: str, on: date) -> None:
    """Writes down, before anything is estimated, that it will be."""
    path = home / "evaluations" / "looks.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"study_id": study_id, "sha256": sha256, "release": release, "kind": kind, "on": on.isoformat()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(said) + "\n")


def freeze(folder: Path, home: Path, study_id: str, on: date) -> str:
    """Writes frozen.yml and gives the hash. Raises StudyError if results of another version were already seen."""
    now = study_hash(folder)
    seen = [x for x in looks(home, study_id) if x["sha256"] != now]
    if seen:
        raise StudyError(
            f"{folder.name}/study.yml: results of another version were seen on {seen[0]['on']}, so freezing this one would"
            " hide that; run it with --exploratory, or give the new question a study of its own"
        )
    old = frozen_hash(folder)
    if old and old != now:
        raise StudyError(
            f"{folder.name}/frozen.yml: the study is frozen as {old[:12]} and the file is now {now[:12]}; take the change"
            " back, run with --exploratory, or give the new question a study of its own"
        )
    if old is None:
        (folder / "frozen.yml").write_text(
            f"# The study file as it was frozen, before anything was estimated.\nsha256: {now}\nfrozen_on: {on.isoformat()}\n",
            encoding="utf-8",
        )
    return now


def kind_of_run(folder: Path, now: str, exploratory: bool) -> str:
    """Whether a run of a study with the hash `now` is final or exploratory. Raises StudyError for a final run of a study
    not frozen as it is."""
    if exploratory:
        return EXPLORATORY
    frozen = frozen_hash(folder)
    if frozen is None:
        raise StudyError(f"{folder.name}: the study is not frozen; run `crisis evaluate {folder.name} --freeze` first")
    if frozen != now:
        raise StudyError(
            f"{folder.name}/study.yml: changed after it was frozen ({frozen[:12]} then, {now[:12]} now): a final run is"
            " refused. Take the change back, or run with --exploratory; every page will then say so"
        )
    return FINAL
