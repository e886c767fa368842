"""The landing zone: `landing/<agency>/<feed>/<sha256>.<ext>` and an append-only manifest per agency.

Bytes are kept as they came, once. A file that cannot be used is landed too, and marked refused with the reason.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.agencies import Agency, AgencyError, source_columns
from orchestration.landing.readers import Refusal, check_columns, check_container, header_of
from orchestration.settings import Settings

UNMATCHED = "_unmatched"


@dataclass(frozen=True)
class LandedFile:
    """One manifest row. `status` is accepted or refused; `seq` is the order of landing within the agency."""

    seq: int
    agency_id: str
    feed: str
    sha256: str
    path: str
    file_name: str
    received_at: str
    bytes: int
    connector: str
    status: str
    rule: str = ""
    reason: str = ""
    remedy: str = ""


class Manifest:
    """The manifest of one agency: JSON lines, appended and synced, never rewritten."""

    def __init__(self, settings: Settings, agency_id: str):
        self.folder = settings.landing / agency_id
        self.path = self.folder / "manifest.jsonl"

    def _rows(self) -> Iterator[LandedFile]:
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield LandedFile(**json.loads(line))
            except json.JSONDecodeError:
                continue  # a line torn by a crash: its file lands again

    def files(self) -> dict[tuple[str, str], LandedFile]:
        """The last word on every landed file, by (feed, sha256), in order of landing."""
        found: dict[tuple[str, str], LandedFile] = {}
        for row in self._rows():
            first = found.get((row.feed, row.sha256))
            found[row.feed, row.sha256] = row if first is None else LandedFile(**{**asdict(row), "seq": first.seq})
        return found

    def accepted(self, feed: str | None = None) -> list[LandedFile]:
        return [f for f in self.files().values() if f.status == "accepted" and feed in (None, f.feed)]

    def append(self, row: LandedFile) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + json.dumps(asdict(row), sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def next_seq(self) -> int:
        return max((f.seq for f in self.files().values()), default=0) + 1


def landed_agencies(settings: Settings) -> list[str]:
    """Agencies with a manifest, sorted."""
    return sorted(p.parent.name for p in settings.landing.glob("*/manifest.jsonl"))


def _extension(path: Path) -> str:
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


def _copy(source: Path, folder: Path) -> tuple[str, int, Path]:
    """Copies bytes into the folder under their sha256; returns it, the size and the place."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{source.name}.partial"
    digest, size = hashlib.sha256(), 0
    chunk = memoryview(bytearray(1 << 18))  # filled again and again: new memory for each takes twice as long
    with source.open("rb", buffering=0) as read, partial.open("wb") as write:
        while filled := read.readinto(chunk):
            digest.update(chunk[:filled])
            write.write(chunk[:filled])
            size += filled
        write.flush()
        os.fsync(write.fileno())
    target = folder / f"{digest.hexdigest()}{_extension(source)}"
    os.replace(partial, target)
    target.chmod(0o400)
    return digest.hexdigest(), size, target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _judge(agency: Agency, feed_name: str, path: Path) -> Refusal | None:
    feed = agency.feeds[feed_name]
    try:
        check_container(path, feed)
        layout = feed.as_sent(header_of(path, feed))
        check_columns(path, feed, source_columns(agency, feed_name, layout))
    except Refusal as refusal:
        return refusal
    return None


def land_drop(
    settings: Settings, agency: Agency, drop: Path, feed: str | None = None, say: Callable[[str], None] = lambda _: None
) -> list[LandedFile]:
    """Lands every file of `drop` (one agency's folder) that is not landed yet, in order of file names.

    Known bytes are not landed twice; a refused file is judged again, since its mapping may have changed.
    Returns the manifest rows written.
    """
    manifest, written = Manifest(settings, agency.id), []
    paths = [p for p in sorted(drop.iterdir()) if p.is_file() and not p.name.startswith(".")] if drop.is_dir() else []
    for path in paths:
        try:
            feed_name = agency.feed_for(path.name)
            refusal = None
        except AgencyError as error:
            feed_name, refusal = None, Refusal("two_feeds", str(error), "")
        if feed is not None and (feed_name or UNMATCHED) != feed:
            continue
        row = _land_one(settings, agency, manifest, path, feed_name, refusal)
        if row is None:
            continue
        written.append(row)
        if row.status == "refused":
            say(f"refused {agency.id}/{row.file_name}: {row.rule}: {row.reason}. {row.remedy}")
    return written


def _land_one(settings, agency, manifest, path, feed_name, refusal) -> LandedFile | None:
    folder = manifest.folder / (feed_name or UNMATCHED)
    # Only a landed file of the same size can be the same: no other is read twice.
    alike = {key: file for key, file in manifest.files().items() if file.bytes == path.stat().st_size}
    known = alike.get((feed_name or UNMATCHED, _sha256(path))) if alike else None
    if known and (known.status == "accepted" or known.rule == "unreadable"):
        return None
    if known:
        sha, size, target = known.sha256, known.bytes, settings.landing / known.path
    else:
        sha, size, target = _copy(path, folder)
    if refusal is None and feed_name is None:
        patterns = ", ".join(p for f in agency.feeds.values() for p in f.files)
        refusal = Refusal("no_feed", "no feed of the agency takes a file of this name", f"The feeds take: {patterns}.")
    refusal = refusal or _judge(agency, feed_name, target)
    if known and refusal and (known.rule, known.reason) == (refusal.rule, refusal.reason):
        return None
    row = LandedFile(
        seq=known.seq if known else manifest.next_seq(),
        agency_id=agency.id,
        feed=feed_name or UNMATCHED,
        sha256=sha,
        path=str(target.relative_to(settings.landing)),
        file_name=path.name,
        received_at=datetime.now(UTC).isoformat(timespec="seconds"),
        bytes=size,
        connector="drop",
        status="refused" if refusal else "accepted",
        rule=refusal.rule if refusal else "",
        reason=refusal.reason if refusal else "",
        remedy=refusal.remedy if refusal else "",
    )
    manifest.append(row)
    return row


def refuse(settings: Settings, landed: LandedFile, refusal: Refusal) -> None:
    """Marks an accepted file refused after all, when reading it whole showed that it cannot be used."""
    said = {"status": "refused", "rule": refusal.rule, "reason": refusal.reason, "remedy": refusal.remedy}
    received = datetime.now(UTC).isoformat(timespec="seconds")
    Manifest(settings, landed.agency_id).append(LandedFile(**{**asdict(landed), **said, "received_at": received}))
