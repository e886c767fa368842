"""Small files that are there whole or not at all, whenever the machine stops."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def save_json(path: Path, content: Any) -> None:
    """Writes the content as JSON in place of the file; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        json.dump(content, file, sort_keys=True, indent=0)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
