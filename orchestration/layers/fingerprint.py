"""What each partition is made of: a digest over its code, its seeds and the partitions that it reads.

Pure functions over the dbt project's models and the input layer's fingerprints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from orchestration.layers.dbt import Model
from orchestration.layers.months import widen

WHOLE = "*"  # the month of a table without partitions
Partition = tuple[str, str]  # (table, month)


def digest(*parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def expected(
    models: Mapping[str, Model],
    seeds: Mapping[str, str],
    versions: Mapping[str, str],
    input_months: Mapping[str, Mapping[str, Mapping[str, str]]],
    facts: Mapping[str, Mapping[str, str]],
) -> dict[str, dict[Partition, str]]:
    """Fingerprints that every partition should have, by layer: {layer: {(table, month): fingerprint}}.

    models: by unique id, parents first. seeds: {unique id: digest}. input_months: {month: {agency_id: {entity:
    fingerprint}}} of the rows that the warehouse should hold. facts: {agency-level table: {agency_id: digest of its rows}}.
    """
    made: dict[str, dict[str, str]] = {}  # {model: {month or '*': fingerprint}}
    by_agency: dict[str, dict[str, str]] = {}  # whole tables made of agency-level tables alone
    views = {u for u, model in models.items() if model.materialized == "view"}
    out: dict[str, dict[Partition, str]] = {}
    for unique_id, model in models.items():
        code = [model.digest, versions, [seeds[p] for p in model.parents if p in seeds]]
        if model.is_partitioned or model.materialized == "view":
            made[unique_id] = {
                month: digest(
                    code,
                    month,
                    [_read(p, model, month, views, made, by_agency, input_months, facts) for p in model.parents],
                )
                for month in sorted(input_months)
            }
        else:
            parents = [p for p in model.parents if p not in seeds]
            agencies = {a for p in parents for a in (by_agency.get(p) or facts.get(_table(p), {}))}
            if agencies and all(p in by_agency or _table(p) in facts for p in parents):
                by_agency[unique_id] = {
                    a: digest(code, [(by_agency.get(p) or facts[_table(p)]).get(a) for p in parents]) for a in agencies
                }
            whole = [
                by_agency.get(p) or made.get(p) or facts.get(_table(p)) or _all_input(p, input_months) for p in parents
            ]
            made[unique_id] = {WHOLE: digest(code, whole)}
        if model.materialized != "view":
            out.setdefault(model.layer, {}).update(
                {(model.name, month): value for month, value in made[unique_id].items()}
            )
    return out


def reach(models: Mapping[str, Model]) -> dict[str, tuple[int, int]]:
    """How far a changed month of input reaches into each model: {unique id: (months before, months after)}.

    What one model reads of its neighbors adds to what its parents read of theirs; a view's neighbors are its own.
    models: parents first.
    """
    found: dict[str, tuple[int, int]] = {}
    for unique_id, model in models.items():
        back = ahead = 0
        for parent in model.parents:
            behind, before = found.get(parent, (0, 0))
            is_view = parent in models and models[parent].materialized == "view"
            back = max(back, behind + (0 if is_view else model.lookahead))
            ahead = max(ahead, before + (0 if is_view else model.lookback))
        found[unique_id] = (back, ahead)
    return found


def _table(unique_id: str) -> str:
    """The table of a source in schema input; empty for anything else."""
    return (
        unique_id.rsplit(".", 1)[-1] if unique_id.startswith("source.") and unique_id.split(".")[-2] == "input" else ""
    )


def _all_input(unique_id: str, input_months) -> dict:
    return _input(_table(unique_id), input_months, input_months) if _table(unique_id) else {}


def _input(table: str, months, input_months) -> dict:
    """Fingerprints of one input table: {month: {agency_id: fingerprint}}, where it has rows."""
    found = {m: {a: of[table] for a, of in input_months.get(m, {}).items() if table in of} for m in sorted(months)}
    return {m: of for m, of in found.items() if of}


def _read(parent: str, model: Model, month: str, views, made, by_agency, input_months, facts):
    """What a partition reads of one parent: of agency-level tables the rows of its own agencies only."""
    agencies = sorted(input_months[month])
    if parent in by_agency:
        return [by_agency[parent].get(a) for a in agencies]
    if parent in views:
        return made[parent].get(month)  # a view's neighbors are read by the view, and declared by it
    if parent in made:
        months = widen([month], model.lookback, model.lookahead)
        return made[parent].get(WHOLE) or [made[parent].get(m) for m in sorted(months)]
    if _table(parent) == MONTHS:
        return agencies
    if _table(parent) in facts:
        return [facts[_table(parent)].get(a) for a in agencies]
    if _table(parent):
        return _input(_table(parent), widen([month], model.lookback, model.lookahead), input_months)
    return None  # a seed stands in the code; the layer window says which rows to write, not what they say


MONTHS = "agency_month"
