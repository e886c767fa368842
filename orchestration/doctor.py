"""Examines the installation: what is wrong, and what to do about it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from orchestration.agencies import AgencyError, check_agency, find_agencies, load_agency
from orchestration.layers.input import is_stale
from orchestration.layers.lock import holder
from orchestration.release.publish import current_release, load_manifest
from orchestration.settings import PROJECT, Settings

Verdict = tuple[bool, str, str]  # (ok, what, what to do)
FREE_GB = 5


def examine(settings: Settings) -> Iterator[Verdict]:
    """Verdicts one by one: Python, packages, home, agencies, lock, release."""
    right = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield right, f"Python {sys.version.split()[0]}", "use Python 3.11 to 3.13: make PYTHON=python3.12 setup"
    yield from _packages()
    yield from _home(settings)
    yield from _agencies(settings)
    yield from _release(settings)


def _packages() -> Iterator[Verdict]:
    lock = PROJECT / "requirements.lock"
    pinned = (
        dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)[^;]*?$", lock.read_text(), re.M))
        if lock.exists()
        else {}
    )
    wrong = []
    for package, wanted in pinned.items():
        try:
            have = version(package)
        except PackageNotFoundError:
            continue  # a package of another platform
        if have != wanted:
            wrong.append(f"{package} {have}, locked {wanted}")
    yield (
        not wrong,
        f"{len(pinned)} packages as locked" if not wrong else f"not as locked: {', '.join(wrong[:5])}",
        "rm -r .venv; make setup",
    )


def _home(settings: Settings) -> Iterator[Verdict]:
    home = settings.home
    try:
        settings.ensure_home()
        writable = os.access(home, os.W_OK)
    except OSError:
        writable = False
    yield writable, f"home {home}", "set CRISIS_HOME to a folder that you may write"
    if not writable:
        return
    free = shutil.disk_usage(home).free / 1e9
    yield free > FREE_GB, f"{free:.0f} GB free", f"free space: runs need {FREE_GB} GB and more for large files"
    private = [p for p in (settings.identity, settings.landing, settings.results) if p.stat().st_mode & 0o077]
    yield (
        not private,
        "identity, landing and results are readable by their owner only",
        f"chmod 700 {' '.join(map(str, private))}",
    )
    who = holder(home)
    yield True, f"lock held by {who['what']}, process {who['pid']}, since {who['since']}" if who else "lock is free", ""


def _agencies(settings: Settings) -> Iterator[Verdict]:
    try:
        folders = find_agencies(settings.agency_paths)
    except AgencyError as error:
        yield False, str(error), "remove or rename one of the two folders"
        return
    yield bool(folders), f"{len(folders)} agency folder(s)", "set CRISIS_AGENCIES to folders that hold agency folders"
    for name, folder in folders.items():
        try:
            agency = load_agency(folder)
            check_agency(agency)
        except AgencyError as error:
            yield False, f"agency {name}: {error}", "correct that place in the agency's folder"
            continue
        stale = is_stale(settings, agency)
        yield (
            not stale,
            f"agency {name}" + (": landed files are not read under its present mapping" if stale else ""),
            f"crisis run --agency {name}",
        )


def _release(settings: Settings) -> Iterator[Verdict]:
    name = current_release(settings)
    if name is None:
        yield True, "no release yet", ""
        return
    folder = settings.releases / name
    if not (folder / "manifest.json").exists():
        yield (
            False,
            f"`current` points to {name}, which is not there",
            "crisis run makes a release; or restore releases/ from a backup",
        )
        return
    bad = []
    for file, said in load_manifest(settings, name)["files"].items():
        path = folder / file
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != said["sha256"]:
            bad.append(file)
    yield (
        not bad,
        f"release {name}: every file as in its manifest"
        if not bad
        else f"release {name}: changed or missing: {', '.join(bad[:5])}",
        "restore the release from a backup; never edit one",
    )
