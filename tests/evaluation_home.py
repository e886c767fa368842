"""A small study of an invented city, and its offense records, of which the truth is known."""

from __future__ import annotations

from datetime import UTC, datetime
from json import dumps
from pathlib import Path

import duckdb
import numpy as np
import yaml

from orchestration.evaluation.study import STUDIES
from orchestration.release.publish import checksums
from orchestration.settings import Settings

UNITS = tuple(f"{i:02d}" for i in range(12))
TREATED = UNITS[:4]
MONTHS = tuple(f"2020-{m:02d}" for m in range(1, 9))
STARTS = "2020-05"
FELL_TO = 0.7
OFFENSE = ("offense_id", "agency_id", "precinct", "neighborhood", "nibrs_offense_local", "extras", "occurred_local_at")


def write_study(folder: Path, **over) -> Path:
    """A study of twelve places and eight months; gives its folder, called elm_street."""
    said = yaml.safe_load((STUDIES / "denver_star" / "study.yml").read_text(encoding="utf-8"))
    kinds = {o["name"]: o for o in said["outcomes"]}
    kinds["targeted"]["where"] = [{"column": "nibrs_offense_local", "in": ["trespass"]}]
    kinds["serious"]["where"] = [{"column": "nibrs_offense_local", "in": ["burglary"]}]
    why = "Invented, to hold the reckoning against."
    before = {"first": "2020-01", "last": "2020-04"}
    said["population"] |= {"agencies": ["elm"], "data": {"first": MONTHS[0], "last": MONTHS[-1]}}
    said["unit"]["in"] = list(UNITS)
    said["treatment"] |= {"starts": STARTS, "ends": MONTHS[-1], "other_places": []}
    said["treatment"]["where"] = {"name": "middle", "units": list(TREATED), "why": why}
    said |= {
        "study_id": "elm_street",
        "title": "A team on Elm Street",
        "authors": ["Rivers, Ada", "Elm City Office of Evaluation"],
        "outcomes": [kinds["targeted"], kinds["serious"]],
        "bases": [{"name": "all_before", "months": before, "why": why}],
        "main": {"base": "all_before", "outcome": "targeted", "place": "middle", "estimator": "poisson"},
        "curve": {
            "outcomes": ["targeted"], "places": ["middle"], "bases": ["all_before"], "days": ["all", "protest_weeks"],
            "estimators": ["poisson", "linear"],
        },
        "placebos": [
            {"name": "march", "base": {"first": "2020-01", "last": "2020-02"},
             "after": {"first": "2020-03", "last": "2020-04"}, "why": why}
        ],
        "event_study": {"months": {"first": MONTHS[0], "last": MONTHS[-1]}, "reference": "2020-04", "why": why},
        **over,
    }  # fmt: skip
    said["permutation"] |= {"draws": 200, "contiguous_draws": 200, "neighbors_in": before}
    (folder / "elm_street").mkdir(parents=True)
    (folder / "elm_street" / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return folder / "elm_street"


def offenses(mean: float) -> list[tuple]:
    """Rows of OFFENSE: about `mean` of each kind a place and month, and FELL_TO of it where and when the team worked."""
    generator, rows = np.random.Generator(np.random.PCG64(3)), []
    for i, unit in enumerate(UNITS):
        for month in MONTHS:
            for kind, fell in (("trespass", FELL_TO if unit in TREATED and month >= STARTS else 1), ("burglary", 1)):
                for k in range(int(generator.poisson(mean * fell))):
                    at = f"{month}-{1 + k % 28:02d} {12 if k % 2 else 23}:00:00"
                    rows.append((f"elm:{len(rows)}", "elm", unit, f"n{i // 2 + k % 2}", kind, "{}", at))
    return rows


def release_offenses(settings: Settings, rows: list[tuple], release: str) -> None:
    """A release that holds these rows, and is the current one."""
    folder = settings.releases / release
    (folder / "internal").mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"create table offense ({', '.join(f'{c} varchar' for c in OFFENSE)})")
        con.executemany(f"insert into offense values ({', '.join('?' * len(OFFENSE))})", rows)
        con.execute(
            "copy (select * replace (cast(occurred_local_at as timestamp) as occurred_local_at) from offense order by"
            f" offense_id) to '{folder}/internal/fct_offense.parquet'"
        )
        con.execute(
            "copy (select 'elm' as agency_id, 'offense' as entity, count(*) as rows_landed, 0 as rows_rejected,"
            " 0 as rows_superseded, 0 as rows_folded, 0 as rows_not_applicable from offense)"
            f" to '{folder}/internal/fct_reconciliation.parquet'"
        )
    seal_release(settings, release, {"fct_offense": ["offense_id"], "fct_reconciliation": ["agency_id", "entity"]})


def seal_release(settings: Settings, release: str, keys: dict[str, list[str]]) -> None:
    """Writes the manifest of a release whose tables of the internal tier are there, and makes it the current one."""
    folder = settings.releases / release
    manifest = {
        "release": release,
        "created_at": datetime(2024, 5, 6, tzinfo=UTC).isoformat(),
        "files": checksums(folder),
        "inputs": {},
        "tables": {t: {"primary_key": key, "tier": "internal"} for t, key in keys.items()},
    }
    (folder / "manifest.json").write_text(dumps(manifest))
    settings.current.unlink(missing_ok=True)
    settings.current.symlink_to(Path("releases") / release)


BEATS = tuple(f"B{i}" for i in range(9))
FIRST, SECOND = BEATS[:3], BEATS[3:6]  # start in March and in May; the last three never
CALL_MONTHS = tuple(f"2024-{m:02d}" for m in range(1, 8))
LONGER, FORMS_MORE = 12.0, 0.3  # minutes on scene, and share of calls with a form, that the team adds


def write_staggered_study(folder: Path, **over) -> Path:
    """A study of nine beats, of which six start in two months; gives its folder, called oak_street."""
    why = "Invented, to hold the reckoning against."
    valid = [{"column": "elapsed_scene_status_code", "in": ["valid"]}]
    minutes = {"measure": "mean", "unit": "minutes", "of": "elapsed_scene_seconds", "per": 60, "where": valid}
    said = {
        "study_id": "oak_street",
        "title": "Teams on Oak Street",
        "question": why,
        "registered_on": "2024-01-01",
        "known_before": why,
        "design": "staggered_adoption",
        "estimand": "intent_to_treat",
        "claim": "causal",
        "population": {
            "agencies": ["oak"], "table": "fct_incident", "at": "received_local_at",
            "data": {"first": CALL_MONTHS[0], "last": CALL_MONTHS[-1]},
            "where": [{"column": "call_type_initial_code", "in": ["WELFARE"]}],
        },
        "unit": {"column": "beat", "in": list(BEATS)},
        "period": "month",
        "treatment": {
            "kind": "place", "staggered": True, "randomized": False,
            "starts": [
                {"month": "2024-03", "units": list(FIRST), "why": why}, {"month": "2024-05", "units": list(SECOND), "why": why},
            ],
            "hours": {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from_hour": 10, "to_hour": 22, "why": why},
        },
        "comparison": why,
        "outcomes": [
            {"name": "minutes", "role": "primary", "label": "minutes on scene", "why": why, **minutes},
            {"name": "arrested", "role": "secondary", "label": "calls closed by arrest", "why": why, "measure": "share",
             "where": [{"column": "cad_disposition_code", "in": ["booked"]}]},
            {"name": "calls", "role": "secondary", "label": "calls", "why": why, "measure": "count"},
            {"name": "night", "role": "placebo", "label": "minutes at night", "why": why, "hours": "outside", **minutes},
        ],
        "estimators": ["callaway_santanna", "imputation", "two_way_fixed_effects"],
        "clustering": "beat",
        "permutation": {"draws": 500, "seed": 1},
        "form_and_recode_shift": {
            "tested": True, "why": why,
            "rates": [
                {"name": "has_form", "label": "calls with a form", "where": [{"column": "bh_field_form", "in": ["yes"]}]},
                {"name": "recoded", "label": "calls re-coded", "where": [{"column": "bh_call_type_final", "in": ["yes"]}],
                 "among": [{"column": "bh_call_type_initial", "in": ["no"]}]},
            ],
        },
        "suppression": 11,
        "limits": [why],
        "references": ["none"],
        **over,
    }  # fmt: skip
    (folder / "oak_street").mkdir(parents=True)
    (folder / "oak_street" / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return folder / "oak_street"


def add_calls(con: duckdb.DuckDBPyConnection, mean: float = 60) -> None:
    """Puts internal.fct_incident into a connection: about `mean` calls a beat and month, half of them at night.

    By day the team adds LONGER minutes and FORMS_MORE forms where and when it works; nothing else changes.
    """
    import pandas as pd

    generator, parts = np.random.Generator(np.random.PCG64(5)), []
    for i, beat in enumerate(BEATS):
        for j, month in enumerate(CALL_MONTHS):
            n = int(generator.poisson(mean))
            on = (beat in FIRST and month >= "2024-03") or (beat in SECOND and month >= "2024-05")
            is_day = np.arange(n) % 2 == 0
            longer = LONGER * (on & is_day)
            seconds = 60 * (40 + 2 * i + j + longer + generator.normal(0, 15, n))
            parts.append(
                pd.DataFrame(
                    {
                        "agency_id": "oak", "beat": beat, "call_type_initial_code": "WELFARE",
                        "received_local_at": [f"{month}-{1 + k % 28:02d} {12 if d else 23}:00:00" for k, d in enumerate(is_day)],
                        "elapsed_scene_seconds": seconds.astype(int),
                        "elapsed_scene_status_code": np.where(generator.random(n) < 0.05, "missing_start", "valid"),
                        "cad_disposition_code": np.where(generator.random(n) < 0.3, "booked", "assisted"),
                        "bh_field_form": np.where(generator.random(n) < 0.3 + FORMS_MORE * (on & is_day), "yes", "no"),
                        "bh_call_type_final": np.where(generator.random(n) < 0.2, "yes", "no"),
                        "bh_call_type_initial": "no",
                    }
                )
            )  # fmt: skip
    calls = pd.concat(parts)  # noqa: F841
    con.execute("create schema if not exists internal")
    con.execute(
        "create table internal.fct_incident as select * replace (cast(received_local_at as timestamp) as received_local_at)"
        " from calls"
    )
    # Two rows stand for the dirt of a file: another type of call, and one without a beat.
    con.execute(
        "insert into internal.fct_incident select * replace ('THEFT' as call_type_initial_code) from internal.fct_incident"
        " limit 1"
    )
    con.execute("insert into internal.fct_incident select * replace (null as beat) from internal.fct_incident limit 1")
    con.execute(
        "create table internal.fct_reconciliation as select 'oak' as agency_id, 'incident' as entity, count(*) + 30 as"
        " rows_landed, 20 as rows_rejected, 10 as rows_superseded, 0 as rows_folded, 0 as rows_not_applicable"
        " from internal.fct_incident"
    )
