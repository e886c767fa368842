"""Names by origin and sex from faker's tables, and short forms of names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np

from orchestration.county.parameters import WHOLE, read_table

# origin -> faker's table. Lists without weights have equal ones. Names with accents stay as written.
TABLES = {
    "english": "en_US",
    "hispanic": "es_CO",
    "vietnamese": "vi_VN",
    "chinese": "zh_CN",
    "east_african": "en_KE",
    "south_asian": "en_PK",
}
ORIGINS = tuple(TABLES)


@dataclass(frozen=True)
class Names:
    """A weighted list of names."""

    texts: tuple[str, ...]
    edges: np.ndarray  # uint32: first draw that is too high


@cache
def names(origin: str, which: str) -> Names:
    """Names of an origin: ``which`` is 'woman', 'man' or 'last'."""
    provider = import_module(f"faker.providers.person.{TABLES[origin]}").Provider
    romanized = "romanized_" if origin == "chinese" else ""
    wanted = {"last": f"last_{romanized}names", "woman": "first_names_female", "man": "first_names_male"}[which]
    listed = getattr(provider, wanted, None)
    if (romanized and which != "last") or not listed:
        listed = getattr(provider, f"first_{romanized}names")
    weights = dict(listed) if hasattr(listed, "items") else dict.fromkeys(sorted(set(listed)), 1.0)
    edges = np.cumsum(list(weights.values()))
    return Names(tuple(weights), (edges / edges[-1] * (WHOLE - 1)).astype(np.uint32))


@cache
def short_forms() -> dict[str, str]:
    """First name -> short form."""
    return {row["name"]: row["short"] for row in read_table("nicknames.csv")}
