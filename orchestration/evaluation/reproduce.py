"""Rebuilds a bundle's results from a release, and says what differs: bytes, then numbers, and why."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice, zip_longest
from pathlib import Path

from orchestration.engine import connect, name, text
from orchestration.evaluation.freeze import record_look
from orchestration.evaluation.run import BESIDE, Asked, build, file_checksums, needs_packages
from orchestration.evaluation.study import StudyError
from orchestration.landing import Manifest
from orchestration.release.publish import current_release, load_manifest
from orchestration.release.reader import NoRelease, open_release, release_folder
from orchestration.release.trace import trace
from orchestration.settings import Settings

TOLERANCE = 1e-6  # relative, and absolute near zero: what another library version may move
ROWS_SHOWN = 3
CELLS_SHOWN = 3


@dataclass(frozen=True)
class Reproduced:
    """results: a line for each file that differs; why: a line for each thing that differs in what made them."""

    results: tuple[str, ...]
    why: tuple[str, ...]
    verdict: str


def reproduce(
    settings: Settings, bundle: Path, release: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Reproduced:
    """Holds a bundle against what its study gives over a release now.

    The rebuilt results bear the name of the bundle's release, so that a difference is one of content. Raises
    StudyError, NoRelease.
    """
    needs_packages()
    from orchestration.evaluation.bundle import MadeOf

    made = _manifest(bundle)
    then = MadeOf(**made["made_of"])
    here = release or (then.release if (settings.releases / then.release).is_dir() else current_release(settings))
    manifest = load_manifest(settings, release_folder(settings, here).name)
    now = MadeOf.of(manifest, tuple(then.landed))
    say(f"{made['study_id']}: made on release {then.release}, rebuilt from {now.release}")
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        study, rebuilt = Path(folder) / made["study_id"], Path(folder) / "bundle"
        study.mkdir()
        for beside in BESIDE:
            if (bundle / beside).exists():
                shutil.copyfile(bundle / beside, study / beside)
        asked = Asked.read(study)
        if asked.sha256 != made["study_sha256"]:
            raise StudyError(
                f"{bundle}/study.yml: study changed: it is {asked.sha256[:12]}, and the results were made with"
                f" {made['study_sha256'][:12]}; put the file back as it was, or evaluate it as a study of its own"
            )
        record_look(settings.home, made["study_id"], made["study_sha256"], now.release, "reproduction", date.today())
        with open_release(settings, now.release) as con:
            build(con, asked, rebuilt, made["kind"], then, made["panel"]["dua_id"], say)
        fresh = _manifest(rebuilt)
        compared = [*_compare(bundle, rebuilt)]
        if not made["panel"]["is_public"] and made["panel"]["sha256"] != fresh["panel"]["sha256"]:
            compared.append((False, "the sealed panel: another checksum"))
    why = (*_changed(bundle, made, fresh), *_data_changed(settings, made, then, now))
    return Reproduced(tuple(line for _, line in compared), why, _verdict(compared, len(fresh["files"])))


def _manifest(bundle: Path) -> dict:
    path = bundle / "manifest.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise StudyError(
            f"{path}: {error}; name a folder that `crisis evaluate` wrote, such as evaluations/STUDY/RELEASE"
        ) from error
    if "made_of" not in said:
        raise StudyError(f"{path}: it does not say what it was made of; run `crisis evaluate` again")
    if Path(said["study_id"]).name != said["study_id"]:
        raise StudyError(f"{path}: study_id is no name of a study; take the bundle from where it was made")
    return said


def _verdict(compared: list[tuple[bool, str]], files: int) -> str:
    if not compared:
        return f"reproduced: all {files} files have the same bytes"
    if all(agrees for agrees, _ in compared):
        return f"reproduced in numbers (to {TOLERANCE:g}), not in bytes"
    return f"not reproduced: {len(compared)} file(s) differ"


def _compare(bundle: Path, rebuilt: Path) -> Iterator[tuple[bool, str]]:
    """(whether its numbers agree, what to say) of every file whose bytes differ.

    A drawing or page is made of the tables: its numbers agree where theirs do.
    """
    old, new = file_checksums(bundle), file_checksums(rebuilt)
    files = sorted(f for f in {*old, *new} if old.get(f) != new.get(f))
    cells = {
        f: differing_cells((bundle / f).read_text(encoding="utf-8"), (rebuilt / f).read_text(encoding="utf-8"))
        for f in files
        if f.endswith(".csv") and f in old and f in new
    }
    agree = all(f in old and f in new for f in files) and not any(cells.values())
    for file in files:
        if file not in old or file not in new:
            yield False, f"{file}: only {'rebuilt' if file in new else 'in the bundle'}"
        elif found := cells.get(file):
            more = f", and {len(found) - CELLS_SHOWN} more" if len(found) > CELLS_SHOWN else ""
            yield False, f"{file}: {'; '.join(found[:CELLS_SHOWN])}{more}"
        else:
            yield agree, f"{file}: other bytes" + (f", numbers within {TOLERANCE:g}" if file in cells else "")


def differing_cells(old: str, new: str) -> list[str]:
    """Cells of two CSV texts that differ by more than the tolerance, as 'row 2, change: -0.3 then, -0.2 now'."""
    then, now = (list(csv.reader(io.StringIO(x))) for x in (old, new))
    if then[0] != now[0]:
        return [f"columns: {', '.join(then[0])} then, {', '.join(now[0])} now"]
    if len(then) != len(now):
        return [f"{len(then) - 1} rows then, {len(now) - 1} now"]
    return [
        f"row {i}, {column}: {a} then, {b} now"
        for i, (r, s) in enumerate(zip(then[1:], now[1:], strict=True), 1)
        for column, a, b in zip_longest(then[0], r, s, fillvalue="")
        if not _same(a, b)
    ]


def _same(a: str, b: str) -> bool:
    try:
        return a == b or math.isclose(float(a), float(b), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    except ValueError:
        return False


def _changed(bundle: Path, made: dict, fresh: dict) -> Iterator[str]:
    """The bundle's own files, the code and the libraries."""
    is_as_made = file_checksums(bundle)
    for file in sorted({*is_as_made, *made["files"]}):
        if is_as_made.get(file) != made["files"].get(file):
            yield f"bundle changed: {file} is not what was written"
    for part, was in made["code"].items():
        if fresh["code"][part] != was:
            yield f"code changed: {part} {was[:12]} then, {fresh['code'][part][:12]} now"
    for library, was in made["versions"].items():
        if fresh["versions"][library] != was:
            yield f"library changed: {library} {was} then, {fresh['versions'][library]} now"


def _data_changed(settings: Settings, made: dict, then, now) -> Iterator[str]:
    """Tables that the study reads and that are not what they were, their rows, and the landed files behind them."""
    for file in made["reads"]:
        if then.files.get(file) != now.files.get(file):
            yield f"data changed: {file} (the study reads it)"
            yield from _rows_changed(settings, then.release, now.release, file)
    others = [f for f in now.files if f not in made["reads"] and then.files.get(f) != now.files[f]]
    if others:
        shown = ", ".join(others[:ROWS_SHOWN]) + (" and more" if len(others) > ROWS_SHOWN else "")
        yield f"data changed: {len(others)} file(s) that the study does not read: {shown}"
    for agency, were in then.landed.items():
        names = {f.sha256: f"landing/{f.path} ({f.file_name})" for f in Manifest(settings, agency).files().values()}
        for sha in sorted(set(now.landed[agency]) - set(were)):
            yield f"landed since, or in its place: {names.get(sha, sha)}"
        for sha in sorted(set(were) - set(now.landed[agency])):
            yield f"landed then, and not behind this release: {names.get(sha, f'{agency}, SHA-256 {sha}')}"


def _rows_changed(settings: Settings, then: str, now: str, file: str) -> Iterator[str]:
    """Rows of a table that differ between two releases of this home, with where some of them landed."""
    old, new = settings.releases / then / file, settings.releases / now / file
    if then == now or not (old.exists() and new.exists()):
        yield f"  release {then} is not here to compare rows with"
        return
    table = Path(file).stem
    key = load_manifest(settings, now)["tables"][table]["primary_key"]
    ids = ", ".join(map(name, key))
    with connect(settings=settings) as con:
        for side, path in (("old", old), ("new", new)):
            con.execute(f"create view {side} as from read_parquet({text(str(path))})")
        known = {r[0] for r in con.execute("describe old").fetchall()}
        columns = ", ".join(name(r[0]) for r in con.execute("describe new").fetchall() if r[0] in known)
        rows = con.execute(
            f"""
            with gone as (select {columns} from old except all select {columns} from new),
            come as (select {columns} from new except all select {columns} from old)
            select
                {ids},
                case when count(*) = 2 then 'changed' when bool_or(is_new) then 'new' else 'gone' end as how
            from (select {ids}, false as is_new from gone union all select {ids}, true from come)
            group by {ids}
            order by {ids}
            """
        ).fetchall()
    yield f"  {len(rows):,} row(s) of {table} differ"
    place = next((i for i, c in enumerate(key) if c.endswith("_id") and c != "agency_id"), None)
    for *values, how in islice(rows, ROWS_SHOWN if place is not None else 0):
        yield f"  {how}: crisis trace {table} {values[place]} --release {then if how == 'gone' else now}"
        try:
            origins = trace(settings, table, values[place], then if how == "gone" else now)
        except NoRelease:
            continue
        yield from (f"    {o.path} ({o.file_name}), row {o.row}, {o.status}" for o in origins)
