"""Runs a study over a release and writes its bundle: study file, tables, figures, report, scripts and manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.evaluation.freeze import kind_of_run, record_look, study_hash
from orchestration.evaluation.study import Question, StudyError, load_study
from orchestration.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from orchestration.evaluation.bundle import MadeOf

SEALED = ".sealed"
BESIDE = ("study.yml", "notes.md")  # what a study's folder gives to its bundle


@dataclass(frozen=True)
class Asked:
    """A study's folder as it was read once: the study, and the hash of its file."""

    folder: Path
    study: Question
    sha256: str

    @classmethod
    def read(cls, folder: Path) -> Asked:
        """Raises StudyError."""
        return cls(folder, load_study(folder), study_hash(folder))


@dataclass(frozen=True)
class Evaluated:
    """Where the results lie, whether the run was final, and what follows from it. panel: what is said of its data."""

    folder: Path
    kind: str
    conclusion: tuple[str, ...]
    panel: dict


def evaluate(
    settings: Settings,
    folder: Path,
    release: str | None = None,
    exploratory: bool = False,
    today: date | None = None,
    say: Callable[[str], None] = lambda _: None,
    dua_id: str | None = None,
) -> Evaluated:
    """Evaluates the study in a folder; results go to HOME/evaluations/<study>/<release>[-exploratory].

    dua_id: the data use agreement under which a panel with small cells is written to a sealed folder beside them.
    Raises StudyError, NoRelease.
    """
    needs_packages()
    from orchestration.evaluation.bundle import MadeOf
    from orchestration.release.publish import load_manifest
    from orchestration.release.reader import open_release, release_folder

    asked = Asked.read(folder)
    kind, study_id = kind_of_run(folder, asked.sha256, exploratory), asked.study.study_id
    name = release_folder(settings, release).name
    record_look(settings.home, study_id, asked.sha256, name, kind, today or date.today())
    say(f"{study_id}: {kind} run on release {name}")
    out = settings.home / "evaluations" / study_id / (name if kind == "final" else f"{name}-{kind}")
    for old in (out, sealed_folder(out)):
        if old.exists():
            shutil.rmtree(old)
    made_of = MadeOf.of(load_manifest(settings, name), asked.study.population.agencies)
    with open_release(settings, name) as con:
        return build(con, asked, out, kind, made_of, dua_id, say)


def power_before(settings: Settings, study: Question, release: str | None = None) -> list[str]:
    """What a study that names `power` can find, from a release's untreated places and months; nothing for one without.

    Raises StudyError, NoRelease.
    """
    if not study.power:
        return []
    needs_packages()
    from orchestration.evaluation.design import detectable
    from orchestration.evaluation.robustness_report import power_lines
    from orchestration.release.reader import open_release

    with open_release(settings, release) as con:
        return power_lines(detectable(con, study))


def needs_packages() -> None:
    """Raises StudyError where a package that evaluation needs is not installed."""
    try:
        from orchestration.evaluation import render  # noqa: F401
        from orchestration.evaluation.bundle import library_versions

        library_versions()
    except ImportError as error:
        raise StudyError(
            f"{error}: evaluation needs more packages; run pip install 'crisis-warehouse[evaluate]'"
        ) from error


def sealed_folder(bundle: Path) -> Path:
    """Beside the bundle, so that whoever passes the bundle on does not pass it on."""
    return bundle.with_name(bundle.name + SEALED)


def build(
    con: duckdb.DuckDBPyConnection,
    asked: Asked,
    out: Path,
    kind: str,
    made_of: MadeOf,
    dua_id: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Evaluated:
    """Writes the bundle of a study, from an open release that is called what `made_of` says.

    Raises StudyError.
    """
    from orchestration.evaluation import bundle
    from orchestration.evaluation.design import Run, results
    from orchestration.evaluation.render import write_report

    folder, study, sha256 = asked.folder, asked.study, asked.sha256
    found = results(con, study, Run(kind, made_of.release, sha256, _notes(folder)))
    say(found.said)
    out.mkdir(parents=True)
    for name in BESIDE:
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)
    write_report(out, study.title, found.blocks, found.figures)
    panel = bundle.write_panel(out, sealed_folder(out), study, found, dua_id)
    for name, content in found.scripts(panel).items():
        (out / name).write_text(content, encoding="utf-8")
    (out / "CITATION.cff").write_text(bundle.citation(study, sha256, made_of), encoding="utf-8")
    manifest = {
        "study_id": study.study_id, "study_sha256": sha256, "kind": kind, "made_of": asdict(made_of),
        "reads": (*bundle.tables_read(study), *found.reads), "seed": found.seed, "versions": bundle.library_versions(),
        "code": bundle.code_version(), "panel": panel, "files": file_checksums(out),
    }  # fmt: skip
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return Evaluated(out, kind, found.conclusion, panel)


def file_checksums(bundle: Path) -> dict[str, str]:
    """{path: SHA-256} of every file of a bundle but its manifest."""
    return {
        str(p.relative_to(bundle)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(bundle.rglob("*"))
        if p.is_file() and p != bundle / "manifest.json"
    }


def _notes(folder: Path) -> tuple[str, ...]:
    """Paragraphs of notes.md, which stand beside the result and are no part of the frozen question."""
    path = folder / "notes.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return tuple(x.strip() for x in text.split("\n\n") if x.strip())
