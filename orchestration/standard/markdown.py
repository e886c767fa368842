"""Markdown that renders on GitHub and reads well as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """A text made safe for a cell of a table: one line, and nothing in it is taken for a mark."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\|*`])", r"\\\1", one_line).replace("<", "&lt;")


def code(text: str) -> str:
    """A name or code in a cell."""
    return cell(text) if "`" in text else f"`{' '.join(text.split())}`".replace("|", r"\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; the cells are Markdown already (see `cell` and `code`). Raises on a ragged row."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row has {len(row)} cells, the table {len(header)}: {row[:1]}")
        lines.append(f"| {' | '.join(row)} |")
    return lines


def page(*blocks: str | Sequence[str]) -> str:
    """Blocks (a paragraph, or the lines of a table or list) with an empty line between; empty blocks are left out."""
    parts = [b if isinstance(b, str) else "\n".join(b) for b in blocks]
    return "\n\n".join(p for p in parts if p) + "\n"
