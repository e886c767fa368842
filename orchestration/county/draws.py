"""Draws that repeat: columns of random 32-bit numbers by seed, purpose and row.

They come from numpy's Philox counter generator (Salmon et al. 2011), read raw: its stream is part of numpy's promise
of stability, while the distributions on top of it are not. A row's draw does not depend on where a block begins.
"""

from __future__ import annotations

import hashlib

import numpy as np

PER_COUNTER = 8  # one step of the counter gives four 64-bit numbers


def draw(seed: int, purpose: str, first: int, n: int) -> np.ndarray:
    """Draws of the rows ``first`` to ``first + n`` for one purpose: uint32, shape (n,)."""
    key = np.frombuffer(hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=16).digest(), "<u8")
    counter, skipped = divmod(first, PER_COUNTER)
    raw = np.random.Philox(key=key, counter=counter).random_raw((skipped + n + 1) // 2)
    return raw.astype("<u8", copy=False).view("<u4")[skipped : skipped + n]


def share(draws: np.ndarray, size: int | np.ndarray) -> np.ndarray:
    """Draws spread evenly over 0 to ``size`` - 1: int64. ``size`` must be below 2**31."""
    return (draws.astype(np.int64) * size) >> 32


def columns(seed: int, prefix: str, names: tuple[str, ...], first: int, n: int) -> dict[str, np.ndarray]:
    """One column of draws for each name."""
    return {name: draw(seed, f"{prefix} {name}", first, n) for name in names}
