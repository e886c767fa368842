"""Runs a study over a release and writes its folder: study file, tables, figures, report and manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from orchestration.evaluation.freeze import kind_of_run, record_look, study_hash
from orchestration.evaluation.study import StudyError, load_study
from orchestration.settings import Settings

LIBRARIES = ("duckdb", "numpy", "pandas", "pyfixest", "scipy", "altair", "vl-convert-python", "typst")


@dataclass(frozen=True)
class Evaluated:
    """Where the results lie, whether the run was final, and what follows from it."""

    folder: Path
    kind: str
    conclusion: tuple[str, ...]


def evaluate(
    settings: Settings,
    folder: Path,
    release: str | None = None,
    exploratory: bool = False,
    today: date | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Evaluated:
    """Evaluates the study in a folder; results go to HOME/evaluations/<study>/<release>[-exploratory].

    Raises StudyError, NoRelease.
    """
    try:
        from orchestration.evaluation.analysis import analyze
        from orchestration.evaluation.figures import draw
        from orchestration.evaluation.findings import conclusion, findings
        from orchestration.evaluation.render import write_report

        versions = {name: version(name) for name in LIBRARIES}
    except ImportError as error:
        raise StudyError(
            f"{error}: evaluation needs more packages; run pip install 'crisis-warehouse[evaluate]'"
        ) from error
    from orchestration.release.reader import open_release, release_folder

    study, sha256 = load_study(folder), study_hash(folder)
    kind = kind_of_run(folder, exploratory)
    name = release_folder(settings, release).name
    record_look(settings.home, study.study_id, sha256, name, kind, today or date.today())
    say(f"{study.study_id}: {kind} run on release {name}")
    with open_release(settings, name) as con:
        analysis = analyze(con, study)
    say(f"{len(analysis.curve)} specifications estimated")
    blocks = findings(analysis, kind, name, sha256, _notes(folder, analysis))
    out = settings.home / "evaluations" / study.study_id / (name if kind == "final" else f"{name}-{kind}")
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    shutil.copy(folder / "study.yml", out / "study.yml")
    written = [out / "study.yml", *write_report(out, study.title, blocks, draw(analysis))]
    manifest = {
        "study_id": study.study_id, "study_sha256": sha256, "kind": kind, "release": name,
        "seed": study.permutation.seed, "versions": versions,
        "files": {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(written)},
    }  # fmt: skip
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return Evaluated(out, kind, tuple(conclusion(analysis)))


def _notes(folder: Path, analysis) -> tuple[str, ...]:
    """Paragraphs of notes.md, which stand beside the result and are no part of the frozen question."""
    path = folder / "notes.md"
    if not path.exists():
        return ()
    text = path.read_text(encoding="utf-8").format(fewer_reports=f"{analysis.main.effect.averted:,.0f}")
    return tuple(x.strip() for x in text.split("\n\n") if x.strip())
