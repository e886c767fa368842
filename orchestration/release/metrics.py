"""The metrics of a release: what each is, where it stands, and its newest value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.metric import metric_order
from orchestration.release.publish import load_manifest
from orchestration.release.reader import NoRelease, open_release, release_folder
from orchestration.release.tiers import TIERS
from orchestration.settings import Settings

# What tells a metric's rows apart beside agency and month: the whole is shown, not one of its parts.
WHOLE_FIRST = (
    ("population_code", "('all', 'community_call', 'contact')"),
    ("identification_method_code", "('not_applicable')"),
    ("slice_code", "('all')"),
    ("item_code", "('officer_and_clinician_hour')"),
    ("outcome_code", "('any', 'arrested', 'not_arrested', 'involuntary_hold', 'destination_ed', 'any_force',"
     " 'force_level_2_or_more', 'any_injury', 'subject_injured', 'subject_injured_in_force', 'technique_used', 'any_technique',"
     " 'handcuffed', 'restrained', 'resolved_in_community', 'met_by_team', 'accepted', 'offered', 'linked', 'engaged',"
     " 'outcome_unknown')"),
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One metric in one table of a release. headline: the column that a reader asks for first; none if unknown."""

    metric_id: str
    label: str
    family: str
    table: str
    tier: str
    headline: str | None
    said: dict


@dataclass(frozen=True)
class Value:
    """The newest row of a metric that has a number: where and when it holds, the number, and the query that gives it."""

    agency_id: str
    month: str
    tier: str
    value: float
    query: str


def headline_of(meta: dict, metric_id: str) -> str | None:
    """The column that answers a metric, as its contract names it: one for all, one for each, or a default and others."""
    headline = meta.get("headline")
    return headline.get(metric_id, headline.get("default")) if isinstance(headline, dict) else headline


def find_metrics(settings: Settings, release: str | None = None) -> list[Metric]:
    """Every metric of a release in the order of its numbers, once for each table that holds it. Raises NoRelease."""
    tables = load_manifest(settings, release_folder(settings, release).name)["tables"]
    with open_release(settings, release) as con:
        rows = con.execute("select metric_id, label, family from dim_metric").fetchall()
    known = {i: (label, family) for i, label, family in rows}
    found = []
    for table, said in tables.items():
        for metric_id in said.get("metric_ids", ()):
            label, family = known.get(metric_id, (table, ""))
            found.append(Metric(metric_id, label, family, table, said["tier"], headline_of(said, metric_id), said))
    return sorted(found, key=lambda m: (metric_order(m.metric_id), m.table))


def named(metrics: list[Metric], name: str) -> list[Metric]:
    """The metrics that a name means: a number (M05), a table, or a label. Raises NoRelease when there is none."""
    wanted = name.lower()
    found = [m for m in metrics if wanted in (m.metric_id.lower(), m.table.lower(), m.label.lower())]
    if not found:
        near = [m for m in metrics if wanted in m.label.lower() or wanted in m.table.lower()]
        hint = f"; near it: {', '.join(sorted({m.metric_id for m in near}))}" if near else ""
        raise NoRelease(f"no metric '{name}'{hint}; `crisis metrics` lists all")
    return found


def newest_value(con: duckdb.DuckDBPyConnection, metric: Metric) -> Value | None:
    """The newest known number of a metric over everything it counts; None where no row has one.

    Taken from the general tier; where suppression leaves nothing there, from a tier that the reader may open.
    """
    columns = metric.said["columns"]
    if metric.headline not in columns:
        return None
    there = {s for (s,) in con.execute("select table_schema from information_schema.tables where table_name = ?", [metric.table]).fetchall()}  # fmt: skip
    whole = [f"{column} in {wanted}" for column, wanted in WHOLE_FIRST if column in columns]
    known = [f"{metric.headline} is not null", *(["month <> 'unknown'"] if "month" in columns else [])]
    order = [f"{c} desc" for c in ("month", "agency_id") if c in columns]
    order += [c for c in metric.said["primary_key"] if c not in ("month", "agency_id")]  # the same row each time
    shown = [c for c in ("agency_id", "month") if c in columns]
    for tier in (t for t in ("general", *TIERS) if t in there):
        own = f"metric_id = '{metric.metric_id}'"  # metrics that have a column each may share the rows of one
        has_own = (
            "metric_id" in columns
            and con.execute(f"select 1 from {tier}.{metric.table} where {own} limit 1").fetchone()
        )
        this = [own] if has_own else []
        # Some metrics have one way of identification, or a population of their own.
        for conditions in (this + whole, this + [w for w in whole if "identification" not in w], this):
            query = f"select {', '.join([*shown, metric.headline])} from {tier}.{metric.table}"
            query += f" where {' and '.join(conditions + known)}"
            query += f" order by {', '.join(order)}" if order else ""
            row = con.execute(query + " limit 1").fetchone()
            if row:
                place = dict(zip(shown, row, strict=False))
                return Value(
                    place.get("agency_id", ""), place.get("month", ""), tier, float(row[-1]), query + " limit 1"
                )
    return None


def model_sql(settings: Settings, table: str) -> str:
    """The compiled SQL of the model that makes a table. Raises DbtFailure."""
    from orchestration.layers.models import Warehouse

    (result,) = Warehouse.open(settings).project.invoke("compile", "--select", table)
    return result.node.compiled_code.strip()


def record_values(settings: Settings, path: Path) -> int:
    """Writes the newest value of every metric of the current release to a JSON file; how many have one."""
    found = {}
    with open_release(settings) as con:
        for metric in find_metrics(settings):
            value = newest_value(con, metric)
            if value:
                found[f"{metric.metric_id} {metric.table}"] = {
                    "column": metric.headline, "value": value.value, "agency_id": value.agency_id, "month": value.month,
                }  # fmt: skip
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return len(found)
