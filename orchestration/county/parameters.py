"""The county's parameters: values with their sources from parameters.csv, and how SQL uses them.

Kinds: ``rate`` (shares that shape the county), ``dirt`` (shares that spoil its files; multiplied by ``dirt``),
``factor`` (multiplies a dirt share), ``effect``, ``cost`` (cents), ``scale``, ``weight`` and ``span`` (seconds at
quantiles). A share becomes an integer threshold of a draw, so that no rounding differs between machines.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path

HERE = Path(__file__).parent
WHOLE = 1 << 32  # a draw is a whole number below this
QUANTILES = (0, 10, 50, 90, 100)


@dataclass(frozen=True)
class Parameter:
    """One row of parameters.csv."""

    name: str
    value: float
    unit: str
    kind: str
    source: str
    note: str


@dataclass(frozen=True)
class Parameters:
    """All parameters of one county. ``dirt`` multiplies every dirt share that ``fixed`` does not name."""

    rows: dict[str, Parameter]
    dirt: float = 1.0
    fixed: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> float:
        """The value: a share is at most 1."""
        row = self.rows[name]
        if row.kind == "dirt" and name not in self.fixed:
            return min(row.value * self.dirt, 1.0)
        return row.value

    def whole(self, name: str) -> int:
        """The value of a parameter that is a whole number."""
        return round(self[name])

    def below(self, name: str, *factors: str, scale: float = 1.0) -> int:
        """A draw below this number happens with the share ``name``, times the factors named."""
        share = self[name] * scale
        for factor in factors:
            share *= self[factor]
        return round(min(share, 1.0) * WHOLE)

    def named(self, prefix: str) -> dict[str, float]:
        """Values of all parameters whose name is ``prefix`` and one more part; keys are that part."""
        head = prefix + "."
        return {name[len(head) :]: row.value for name, row in self.rows.items() if name.startswith(head)}

    def mix(self, prefix: str) -> dict[str, int]:
        """Upper thresholds of a weighted choice: text -> first draw that is too high for it."""
        return thresholds(self.named(f"mix.{prefix}"))

    @cached_property
    def spans(self) -> dict[str, tuple[int, ...]]:
        """Seconds at the quantiles 0, .1, .5, .9 and 1, by name."""
        names = {name.split(".")[1] for name, row in self.rows.items() if row.kind == "span"}
        return {n: tuple(round(self.rows[f"span.{n}.p{q}"].value) for q in QUANTILES) for n in sorted(names)}

    @cached_property
    def mixes(self) -> list[str]:
        """Names of all weighted choices."""
        return sorted({name.split(".")[1] for name in self.rows if name.startswith("mix.")})


def load_parameters(dirt: float = 1.0, rates: dict[str, float] | None = None) -> Parameters:
    """Reads parameters.csv; ``rates`` sets single ones by name. ValueError for a name or a share that cannot be."""
    if not dirt >= 0:
        raise ValueError(f"dirt is {dirt}; give 0 for clean files, 1 for the default, 2 for twice")
    rows = {row["name"]: Parameter(**{**row, "value": float(row["value"])}) for row in read_table("parameters.csv")}
    for name, value in (rates or {}).items():
        if name not in rows:
            raise ValueError(f"no parameter '{name}'; orchestration/county/parameters.csv lists them")
        old = rows[name]
        if old.kind in ("rate", "dirt") and not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; a share lies between 0 and 1")
        rows[name] = Parameter(name, value, old.unit, old.kind, old.source, old.note)
    return Parameters(rows, dirt, frozenset(rates or {}))


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of a CSV file of this package."""
    with (HERE / name).open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def thresholds(weights: dict[str, float]) -> dict[str, int]:
    """Text -> first draw that is too high for it; texts without weight are left out."""
    kept = {text: weight for text, weight in weights.items() if weight}
    total = sum(kept.values())
    return {text: int(edge * WHOLE // total) for text, edge in zip(kept, accumulate(kept.values()), strict=True)}


def choose_sql(draw: str, edges: dict[str, int]) -> str:
    """A CASE that picks a text by a draw; ``edges`` are the first draws that are too high, rising."""
    *edge, _ = edges.values()
    return search_sql(draw, edge, list(edges))


def search_sql(value: str, edges: list[int], texts: list[str]) -> str:
    """A CASE that halves a rising list of edges: the first text below the first edge, the last from the last edge on."""
    if not edges:
        return f"'{texts[0]}'"
    half = len(edges) // 2
    low, high = (
        search_sql(value, edges[:half], texts[: half + 1]),
        search_sql(value, edges[half + 1 :], texts[half + 1 :]),
    )
    return f"case when {value} < {edges[half]} then {low} else {high} end"


def lookup_sql(value: str, pairs: dict[str, object]) -> str:
    """A CASE from text to a literal; texts that are not listed give null."""
    whens = " ".join(f"when '{key}' then {result!r}" for key, result in pairs.items())
    return f"case {value} {whens} end"


def quantile_sql(draw: str, knots: tuple[int, ...]) -> str:
    """Inverse distribution, linear between the knots: no logarithm, so the same bits everywhere."""
    parts = []
    for (p, q), (a, b) in zip(pairwise(QUANTILES), pairwise(knots), strict=True):
        low, high = WHOLE * p // 100, WHOLE * q // 100
        parts.append(f"when {draw} < {high} then {a} + (cast({draw} as bigint) - {low}) * {b - a} // {high - low}")
    return f"cast(case {' '.join(parts)} end as integer)"


def macros(p: Parameters) -> list[str]:
    """SQL macros: ``mix_<name>(draw)`` and ``span_<name>(draw)``."""
    texts = [f"create macro mix_{name}(u) as {choose_sql('u', p.mix(name))}" for name in p.mixes]
    return texts + [f"create macro span_{name}(u) as {quantile_sql('u', knots)}" for name, knots in p.spans.items()]
