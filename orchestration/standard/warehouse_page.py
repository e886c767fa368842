"""The dictionary's page of the published tables, from the contracts of the dbt models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestration.metric import METRIC_NOTES
from orchestration.standard.dictionary import generated_note
from orchestration.standard.markdown import cell, code, page, table
from orchestration.standard.staging import sentence
from orchestration.yaml_file import read_yaml

PREFIXES = ("dim", "fct", "bridge", "met")


def published_models(folder: Path) -> list[tuple[str, dict]]:
    """(area, contract) of every mart and metric below the folder of models, by layer, area and name.

    Raises FileNotFoundError for a contract without its SQL file.
    """
    contracts = {
        model["name"]: model
        for path in sorted(folder.rglob("*.yml"))
        for model in (read_yaml(path) or {}).get("models", [])
        if model["name"].split("_")[0] in PREFIXES
    }
    places = {p.stem: p.relative_to(folder).parts for p in folder.rglob("*.sql")}
    lost = sorted(set(contracts) - set(places))
    if lost:
        raise FileNotFoundError(f"contracts without a SQL file: {', '.join(lost)}")
    # The folders are models/<layer>/<area>/<model>.sql.
    return [(places[name][1], contracts[name]) for name in sorted(contracts, key=lambda n: (places[n][:2], n))]


def _column_row(column: dict) -> list[str]:
    meta = column["config"]["meta"]
    kind = f"{column['data_type']}, {meta['unit']}" if meta.get("unit") else column["data_type"]
    return [code(column["name"]), cell(column.get("description", "")), cell(kind), meta["tier"]]


def _model_blocks(model: dict) -> list[str | list[str]]:
    meta = model["config"]["meta"]
    facts = [f"- **Key:** {', '.join(code(c) for c in meta['primary_key'])}", f"- **Tier:** {meta['tier']}"]
    facts += [
        f"- **{note.replace('_', ' ').capitalize()}:** {cell(meta[note])}" for note in METRIC_NOTES if meta.get(note)
    ]
    return [
        f"### {model['name']}",
        cell(sentence(model["description"])),
        facts,
        table(["column", "what it means", "type and unit", "tier"], (_column_row(c) for c in model["columns"])),
    ]  # fmt: skip


def warehouse_page(models: Iterable[tuple[str, dict]]) -> str:
    """The page of all published tables; models as `published_models` gives them."""
    blocks: list[str | list[str]] = [
        "# Tables of the warehouse",
        generated_note("the contracts in dbt_project/models"),
        "Every table that a release may hold, with every column. Tables of the tier *general* stand in"
        " `current/general`, those of the tier *internal* in `current/internal`."
        " There each metric has one more column, `is_suppressed`, true where small cells took its numbers."
        " `crisis describe TABLE` prints the same of a release.",
    ]
    layer = area_before = None
    for area, model in models:
        name = "Metrics" if model["name"].startswith("met_") else "Marts"
        if name != layer:
            blocks.append(f"## {name}")
        if (name, area) != (layer, area_before):
            blocks.append(f"Area: {area.replace('_', ' ')}.")
        layer, area_before = name, area
        blocks += _model_blocks(model)
    return page(*blocks, "[All entities and code lists](README.md)")
