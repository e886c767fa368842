"""Disclosure control of the general tier: no cell of 1 to 10, nor one that can be derived, leaves the internal tier.

A metric model says in meta.disclosure which counts are cells, which complements follow from them, which columns are
values, and which rows form a group whose total is known. If one cell of a group is small, the whole group's numbers
are withheld, so that none can be found by subtraction. Percentiles need 30 known responses.
"""

from __future__ import annotations

from orchestration.layers.dbt import Model

SMALLEST_CELL = 11
SMALLEST_FOR_PERCENTILES = 30


class DisclosureError(ValueError):
    """A model that may not be released to the general tier as it is described."""


def _is_small(expression: str) -> str:
    return f"coalesce({expression} between 1 and {SMALLEST_CELL - 1}, false)"


def general_select(model: Model, relation: str) -> str:
    """SQL of the model's general-tier rows: its columns, small groups without numbers, and `is_suppressed`."""
    rule = model.meta.get("disclosure")
    if rule is None:
        raise DisclosureError(f"{model.name}: a metric without meta.disclosure cannot be released to the general tier")
    cells, columns = rule["cells"], list(model.columns)
    unknown = {
        *cells,
        *rule["values"],
        *rule["group"],
        *(c for pair in rule.get("complements", []) for c in pair),
    } - set(columns)
    if unknown:
        raise DisclosureError(f"{model.name}: meta.disclosure names unknown columns: {', '.join(sorted(unknown))}")
    numbers = {*cells, *rule["values"]}
    small = [_is_small(c) for c in cells] + [
        _is_small(f"{whole} - {part}") for whole, part in rule.get("complements", [])
    ]
    group = ", ".join(rule["group"])
    percentiles = rule.get("percentiles_need", {})
    items = []
    for column in columns:
        if column not in numbers:
            items.append(column)
            continue
        kept = "not is_suppressed"
        if column in percentiles:
            kept += f" and {percentiles[column]} >= {SMALLEST_FOR_PERCENTILES}"
        items.append(f"case when {kept} then {column} end as {column}")
    flagged = f"select *, bool_or({' or '.join(small)}) over (partition by {group}) as is_suppressed from {relation}"
    return f"select {', '.join(items)}, is_suppressed from ({flagged}) as flagged"
