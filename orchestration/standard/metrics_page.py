"""The page of all metrics: for each number its model, unit tests, gates and a value of the fictional county.

Values are read from docs/metric_values.json, which `crisis metrics record` writes from a release of the demo.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from orchestration.county.compare.metrics import TESTED, how_compared
from orchestration.metric import METRIC_NOTES, metric_order
from orchestration.standard.dictionary import generated_note
from orchestration.standard.markdown import cell, code, page, table
from orchestration.yaml_file import read_yaml

VALUES = Path("docs/metric_values.json")
NUMBERED = [f"M{n:02}" for n in range(1, 57)]


def _documents(folder: Path, key: str) -> Iterable[dict]:
    for path in sorted(folder.rglob("*.yml")):
        yield from (read_yaml(path) or {}).get(key, [])


def _gates_of(root: Path) -> dict[str, int]:
    """Checks of the suites of marts and metrics, by table."""
    found: dict[str, int] = {}
    suites = root / "expectations" / "suites"
    for path in sorted([*(suites / "marts").glob("*.yml"), *(suites / "metrics").glob("*.yml")]):
        suite = read_yaml(path)
        for name in suite.get("tables") or [suite.get("table")]:
            found[name] = found.get(name, 0) + len(suite["checks"])
    return found


def _compared(metric_id: str) -> str:
    said = how_compared(metric_id)
    return code(said) if said in TESTED.values() else said


def metrics_page(root: Path, models: Iterable[tuple[str, dict]]) -> str:
    """The page of all metrics; models as `published_models` gives them."""
    with (root / "seeds" / "codes" / "codes_metric.csv").open(newline="", encoding="utf-8") as file:
        labels = {row["metric_id"]: row for row in csv.DictReader(file)}
    with (root / "seeds" / "codes" / "codes_metric_requirement.csv").open(newline="", encoding="utf-8") as file:
        reasons = {row["metric_id"]: row["reason"] for row in csv.DictReader(file)}
    values = json.loads((root / VALUES).read_text(encoding="utf-8")) if (root / VALUES).exists() else {}
    gates = _gates_of(root)
    tests: dict[str, list[str]] = {}
    for test in _documents(root / "dbt_project" / "models", "unit_tests"):
        tests.setdefault(test["model"], []).append(test["name"])
    holds: dict[str, list[dict]] = {}
    for _, model in models:
        # A part of a metric (M46.booking) has no contract of its own: its label names the table that holds it.
        parts = [i for i, label in labels.items() if label["table_name"] == model["name"]]
        for metric_id in dict.fromkeys([*model["config"]["meta"].get("metric_ids", ()), *parts]):
            holds.setdefault(metric_id, []).append(model)
    rows, notes = [], []
    for metric_id in sorted({*NUMBERED, *labels, *holds}, key=metric_order):
        label = cell(labels.get(metric_id, {}).get("label", ""))
        if metric_id not in holds:
            command = labels.get(metric_id, {}).get("table_name")  # what no table can hold, a command estimates
            rows.append(
                [metric_id, label, code(command) if command else "not built yet", "", "", "", _compared(metric_id)]
            )
        for model in holds.get(metric_id, ()):
            name = model["name"]
            value = values.get(f"{metric_id} {name}")
            when = f" ({value['month']})" if value and value["month"] else ""
            shown = (
                f"{code(value['column'])} {value['value']:,.6g}{when}"
                if value
                else cell(f"none: {reasons.get(metric_id, 'nothing recorded')}")
            )
            tested = ", ".join(code(t) for t in tests.get(name, ())) or "none"
            compared = _compared(metric_id)
            rows.append([metric_id, label, code(name), tested, f"{gates.get(name, 0)} checks", shown, compared])
    for name, meta in {m["name"]: m["config"]["meta"] for held in holds.values() for m in held}.items():
        notes += [
            f"### {name}",
            [
                f"- **{note.replace('_', ' ').capitalize()}:** {cell(str(meta[note]))}"
                for note in METRIC_NOTES
                if meta.get(note)
            ],
        ]
    built = len({m for m in holds if m in NUMBERED})
    return page(
        "# Metrics",
        generated_note("the contracts, unit tests and gates of the metrics, and docs/metric_values.json"),
        f"{built} of the {len(NUMBERED)} numbered metrics are built, and {len(set(holds) - set(NUMBERED))} more."
        " `crisis metrics` lists those of a release, `crisis metrics show NAME` prints one with its SQL.",
        "`crisis metrics query --metrics incident_response_median_seconds,share_not_arrested --group-by"
        " metric_time,agency` computes the main measures by any of their dimensions, with the numbers of the tables;"
        " it needs the extra `semantic` (MetricFlow). `crisis metrics query --help` tells its arguments.",
        "The value is the newest one of the demo county, which does not exist: it shows that the metric computes, and"
        " nothing else. Gates are the checks of its layer that look at the table.",
        "The last column names what holds the metric against a county without dirt: a comparison, row by row, of its table"
        " with a query of its own over the county's files and truth (`orchestration/county/compare/metrics.py`; counts and"
        " sums agree exactly, other figures to the last digit printed), or a test that works it out in another way.",
        table(
            [
                "id",
                "metric",
                "model",
                "unit tests",
                "gates",
                "value in the demo county",
                "equals the clean county's truth",
            ],
            rows,
        ),
        "## What each table says",
        *notes,
        "[All tables and columns](dictionary/warehouse.md)",
    )
