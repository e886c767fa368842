"""Reads YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the parser in C takes a tenth of the time


def read_yaml(path: Path) -> Any:
    """What a YAML file says. Raises FileNotFoundError, yaml.YAMLError."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
