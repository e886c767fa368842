"""One writer: an exclusive lock on writer.lock, held from input to the last gate; the kernel frees it on death."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_held: dict[Path, int] = {}


def holder(home: Path) -> dict:
    """Who holds the lock, as the holder wrote it: pid, what, since. Empty when nobody has said."""
    try:
        return json.loads((home / "writer.lock").read_text() or "{}")
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


@contextmanager
def writer_lock(
    home: Path, what: str, say: Callable[[str], None] = lambda _: None, wait: bool = True
) -> Iterator[None]:
    """Holds the lock for the block. Within one process it may be taken again by the work inside the block.

    what: a few words for whoever waits. Raises BlockingIOError when `wait` is false and somebody else holds it.
    """
    path = home / "writer.lock"
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    home.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(file, home, say, wait)
        os.ftruncate(file, 0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        os.pwrite(file, json.dumps({"pid": os.getpid(), "what": what, "since": since}).encode(), 0)
        _held[path] = 1
        try:
            yield
        finally:
            del _held[path]
            os.ftruncate(file, 0)
    finally:
        os.close(file)


def _acquire(file: int, home: Path, say: Callable[[str], None], wait: bool) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        if not wait:
            raise
    who = holder(home)
    by = f"{who['what']} (process {who['pid']}, since {who['since']})" if who else "another run"
    say(f"waiting: {by} is writing; this run starts when it has ended")
    started = time.monotonic()
    fcntl.flock(file, fcntl.LOCK_EX)
    say(f"waited {time.monotonic() - started:.0f} s; going on")
