"""Builds a home anew from the primary stores alone, landing and identity, and holds its release against the old one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from orchestration.landing.zone import landed_agencies
from orchestration.layers.lock import writer_lock
from orchestration.release.publish import current_release, load_manifest
from orchestration.run import RunError, run_road
from orchestration.settings import Settings


@dataclass(frozen=True)
class Rebuilt:
    """Both releases, and the files ("tier/table.parquet") whose bytes differ. why: what else their manifests say
    differently."""

    old: str
    new: str
    files: int
    differing: tuple[str, ...]
    why: tuple[str, ...]


def rebuild(settings: Settings, into: Path, report: Callable[[str, str], None] = lambda layer, said: None) -> Rebuilt:
    """Copies landing and identity to a fresh home at `into`, runs the road there, and compares the releases' files.

    Consents are judged as of the day of the old release. Raises RunError.
    """
    old = current_release(settings)
    if old is None:
        raise RunError("there is no release to hold a rebuilt one against; `crisis run` makes one")
    if into.exists() and any(into.iterdir()):
        raise RunError(f"{into} is not empty; name a folder that is not there yet")
    before = load_manifest(settings, old)
    fresh = replace(settings, home=into.resolve(), as_of=date.fromisoformat(before["consents_judged_on"]))
    fresh.ensure_home()
    with writer_lock(settings.home, "crisis rebuild", lambda text: report("lock", text)):
        for source, target in ((settings.landing, fresh.landing), (settings.identity, fresh.identity)):
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    report("rebuild", f"landing and identity of {len(landed_agencies(fresh))} agencies copied")
    outcome = run_road(fresh, report=report)
    new = current_release(fresh)
    if not outcome.success or new is None:
        said = "; ".join([*(f"{a}: {why}" for a, why in outcome.stopped.items()), *outcome.failed])
        raise RunError(f"the fresh home did not reach a release: {said or 'see its `crisis gates`'}")
    after = load_manifest(fresh, new)
    files = {**before["files"], **after["files"]}
    return Rebuilt(old, new, len(files), differing_files(before["files"], after["files"]), _why(before, after))


def differing_files(before: dict[str, dict], after: dict[str, dict]) -> tuple[str, ...]:
    """Names of the files whose checksums differ, or that only one of two releases has."""
    return tuple(
        sorted(n for n in {*before, *after} if before.get(n, {}).get("sha256") != after.get(n, {}).get("sha256"))
    )


def _why(before: dict, after: dict) -> tuple[str, ...]:
    """What two releases were made of differently, as far as their manifests say."""
    said = []
    for agency in sorted({*before["inputs"], *after["inputs"]}):
        then, now = ({f["sha256"] for f in m["inputs"].get(agency, [])} for m in (before, after))
        if then != now:
            said.append(f"landed files of {agency}: {len(now - then)} more and {len(then - now)} fewer than then")
    said += [
        f"{package} {before['versions'].get(package)} then, {version} now"
        for package, version in after["versions"].items()
        if before["versions"].get(package) != version
    ]
    if before["tables"] != after["tables"]:
        said.append("descriptions or columns of tables changed since")
    said += [
        f"{h['agency_id']} {h['month']}: its input gate is closed, and the old release serves {h['serves']}"
        for h in before["held_back"]
    ]
    return tuple(said)
