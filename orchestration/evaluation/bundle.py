"""What makes a study's folder a bundle: panel, scripts for other programs, citation, and what it was made of."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import yaml

from orchestration.evaluation.analysis import Analysis
from orchestration.evaluation.blocks import TableBlock
from orchestration.evaluation.design import Results
from orchestration.evaluation.panel import Panel
from orchestration.evaluation.study import Question, Study
from orchestration.settings import PROJECT

LIBRARIES = (
    "duckdb",
    "numpy",
    "pandas",
    "pyfixest",
    "diff-diff",
    "statsmodels",
    "scipy",
    "altair",
    "vl-convert-python",
    "typst",
    "python-docx",
)
CODE = {"orchestration": ("*.py",), "dbt_project": ("*.sql", "*.yml"), "seeds": ("*.csv", "*.yml")}
PANEL = "data/panel.csv"
COLUMNS = ("unit", "month", "is_treated", "is_after", "is_on", "n")


@dataclass(frozen=True)
class MadeOf:
    """A release as a bundle names it. files: {"tier/table.parquet": SHA-256}; landed: {agency: SHA-256 of its files}."""

    release: str
    released_on: str
    files: dict[str, str]
    landed: dict[str, list[str]]

    @classmethod
    def of(cls, manifest: dict, agencies: tuple[str, ...]) -> MadeOf:
        """From a release's manifest, with the landed files of these agencies."""
        return cls(
            manifest["release"],
            manifest["created_at"][:10],
            {n: f["sha256"] for n, f in sorted(manifest["files"].items())},
            {a: sorted(f["sha256"] for f in manifest["inputs"].get(a, [])) for a in agencies},
        )


def library_versions() -> dict[str, str]:
    """Versions of what computes and draws. Raises importlib.metadata.PackageNotFoundError."""
    return {name: version(name) for name in LIBRARIES}


def code_version() -> dict[str, str]:
    """The package's version, and a digest of the project's own files by folder."""
    found = {"package": version("crisis-warehouse")}
    for folder, patterns in CODE.items():
        digest, root = hashlib.sha256(), PROJECT / folder
        paths = (p for pattern in patterns for p in root.rglob(pattern))
        for path in sorted(p for p in paths if not {"target", "logs"} & set(p.relative_to(root).parts)):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
        found[folder] = digest.hexdigest()
    return found


def tables_read(study: Question) -> tuple[str, ...]:
    """The release's files that a study reads."""
    return tuple(f"internal/{t}.parquet" for t in (study.population.table, "fct_reconciliation"))


def panel_csv(study: Study, panel: Panel) -> str:
    """The main model's data: a row per place and month before or after, the places in the study file's order."""
    before, after = panel.in_window(study.base(study.main.base).months), panel.in_window(study.after)
    treated = panel.of(study.places[study.main.place].units)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    cells = np.argwhere(np.broadcast_to(before | after, panel.counts.shape))
    writer.writerows(
        (
            panel.units[u],
            panel.months[m],
            int(treated[u]),
            int(after[m]),
            int(treated[u] & after[m]),
            panel.counts[u, m],
        )
        for u, m in cells
    )
    return out.getvalue()


def panel_table(found: Results) -> TableBlock:
    """The main model's data as a table, by whose rule they may leave or not."""
    rows = list(csv.DictReader(io.StringIO(found.panel)))
    counts = {*found.counts, *(c for pair in found.parts for c in pair)}
    cells = tuple(tuple(int(v) if c in counts else v for c, v in r.items()) for r in rows)
    return TableBlock("panel", "", tuple(rows[0]), cells, found.counts, parts=found.parts)


def write_panel(out: Path, sealed: Path, study: Question, found: Results, dua_id: str | None) -> dict:
    """Writes the main model's data where they may lie, and gives what the public part says of them.

    Public when they hold no small cell and no rows of persons; else into the sealed folder when a data use agreement is
    named, else nowhere.
    """
    content, file = found.panel, found.file
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    if not found.is_sealed and not panel_table(found).small_cells(study.suppression):
        (out / file).parent.mkdir()
        (out / file).write_text(content, encoding="utf-8")
        return {"file": file, "sha256": sha256, "is_public": True, "dua_id": None}
    said = {"file": Path(file).name, "sha256": sha256, "is_public": False, "dua_id": dua_id}
    if dua_id:
        sealed.mkdir(mode=0o700)
        (sealed / said["file"]).write_text(content, encoding="utf-8")
        terms = {"dua_id": dua_id, "study_id": study.study_id, "file": said["file"], "sha256": sha256}
        (sealed / "sealed.json").write_text(json.dumps(terms, indent=1) + "\n", encoding="utf-8")
        for path in sealed.iterdir():
            path.chmod(0o600)
    return said


def citation(study: Question, sha256: str, made_of: MadeOf) -> str:
    """CITATION.cff 1.2.0 with what a DOI asks for; the repository that takes the bundle gives publisher and DOI."""
    keywords = ["behavioral-health crisis response", "program evaluation", study.design.replace("_", " ")]
    return yaml.safe_dump(
        {
            "cff-version": "1.2.0",
            "message": "If you use these results, cite them with their release.",
            "type": "dataset",
            "title": study.title,
            "authors": [_author(a) for a in study.authors or (f"Authors of the study {study.study_id}",)],
            "abstract": study.question,
            "version": made_of.release,
            "date-released": made_of.released_on,
            "keywords": keywords,
            "identifiers": [{"type": "other", "value": f"sha256:{sha256}", "description": "the study file"}],
        },
        sort_keys=False, allow_unicode=True, width=120,
    )  # fmt: skip


def _author(said: str) -> dict[str, str]:
    """A person written as 'Family, Given'; anything else is a body."""
    family, comma, given = said.partition(", ")
    return {"family-names": family, "given-names": given} if comma else {"name": said}


def scripts(analysis: Analysis, panel: dict) -> dict[str, str]:
    """{file name: text} of a Stata and an R script that rerun the main model and stop where they disagree."""
    e, study = analysis.main.effect, analysis.study
    where = (
        f"It lies in {PANEL}."
        if panel["is_public"]
        else f"It is sealed, since it holds cells of 1 to {study.suppression - 1}: put it at {PANEL}."
    )
    head = (
        f"{study.title}: the main model, again.",
        f"Run it from the bundle's folder. The panel has a row per place and month. {where}",
        f"SHA-256 of the panel: {panel['sha256']}",
    )
    return {
        "main_model.do": STATA.format(head="\n".join(f"* {x}" for x in head), b=e.coefficient, se=e.error, file=PANEL),
        "main_model.R": R.format(head="\n".join(f"# {x}" for x in head), b=e.coefficient, se=e.error, file=PANEL),
    }


STATA = """\
{head}
version 14
import delimited "{file}", clear stringcols(1 2)
* A place without any report tells nothing, and its fixed effect has no finite value.
bysort unit: egen total = total(n)
drop if total == 0
encode unit, generate(place)
encode month, generate(period)
poisson n is_on i.place i.period, vce(cluster place)
* Stata corrects by G/(G-1). pyfixest and fixest also by (N-1)/(N-K), where K counts the months and the effect, and not
* the places, which lie within the clusters.
quietly levelsof period, local(periods)
local k : word count `periods'
scalar error = _se[is_on] * sqrt((e(N) - 1) / (e(N) - `k' - 1))
display "coefficient " _b[is_on] "  error " error
assert abs(_b[is_on] - ({b:.9f})) < 1e-5
assert abs(error - {se:.9f}) < 1e-4
"""

R = """\
{head}
# Needs the package fixest; its default small-sample correction is the one that was used.
library(fixest)
panel <- read.csv("{file}", colClasses = c(unit = "character", month = "character"))
fit <- fepois(n ~ is_on | unit + month, panel, cluster = ~unit)
print(summary(fit))
stopifnot(abs(coef(fit)[["is_on"]] - ({b:.9f})) < 1e-5)
stopifnot(abs(se(fit)[["is_on"]] - {se:.9f}) < 1e-4)
"""
