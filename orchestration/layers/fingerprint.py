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
    input_months: Mapping[str, Mapping[str, str]],
    facts: str,
) -> dict[str, dict[Partition, str]]:
    """Fingerprints that every partition should have, by layer: {layer: {(table, month): fingerprint}}.

    models: by unique id, parents first. seeds: {unique id: digest}. input_months: {month: {agency_id: fingerprint}} of
    the rows that the warehouse should hold. facts: digest of the agency-level tables.
    """
    months = sorted(input_months)
    by_model: dict[str, dict[str, str]] = {}
    out: dict[str, dict[Partition, str]] = {}
    for unique_id, model in models.items():
        fixed = [model.digest, versions, [seeds[p] for p in model.parents if p in seeds]]
        made = {}
        for month in months if model.is_partitioned or model.materialized == "view" else [WHOLE]:
            read = sorted(widen([month], model.lookback, model.lookahead)) if month != WHOLE else months
            parts = []
            for parent in model.parents:
                if parent in by_model:
                    of_parent = by_model[parent]
                    parts.append([of_parent.get(WHOLE) or [of_parent.get(m) for m in read]])
                elif parent.startswith("source."):
                    parts.append(_source(parent, read, month, input_months, facts))
            made[month] = digest(fixed, month, parts)
        by_model[unique_id] = made
        if model.materialized != "view":
            out.setdefault(model.layer, {}).update({(model.name, month): value for month, value in made.items()})
    return out


AGENCY_TABLES = ("agency", "agency_field", "agency_code", "agency_month", "reconciliation")


def _source(unique_id: str, read: list[str], month: str, input_months, facts: str):
    if unique_id.rsplit(".", 1)[-1] in AGENCY_TABLES:
        return facts
    if unique_id.split(".")[-2] != "input":
        return ""  # the layer window: which rows to write, not what they say
    wanted = input_months if month == WHOLE else {m: input_months.get(m) for m in read}
    return {m: dict(v) for m, v in wanted.items() if v}
