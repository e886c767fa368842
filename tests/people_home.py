"""Invented calls of which the truth is known, some served by a team or drawn by lot; and studies of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import yaml

from orchestration.evaluation.study import STUDIES
from orchestration.settings import Settings
from tests.evaluation_home import seal_release

BEATS = tuple(f"B{i:02d}" for i in range(24))
DRAWN = BEATS[::2]
EFFECT = -0.10  # what being served does to the share taken to a hospital
MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04")
START = datetime(2024, 1, 1, tzinfo=UTC)
WHY = "Invented, to hold the reckoning against."


def calls(n: int = 4000, by_lot: bool = False, seed: int = 5) -> pd.DataFrame:
    """One row per call. Crises are served more often and taken to a hospital more often; by_lot: even beats are sent one.

    Forms are written for 80 % of served and 50 % of other calls, and one of 500 persons is met where one is.
    """
    g = np.random.Generator(np.random.PCG64(seed))
    frame = pd.DataFrame({"at": np.sort(g.integers(0, 121 * 86400, n)), "beat": g.choice(BEATS, n)})
    frame["incident_id"] = [f"elm:{i:05d}" for i in range(n)]
    frame["kind"] = np.where(g.random(n) < 0.4, "CRISIS", "WELFARE")
    is_crisis = (frame["kind"] == "CRISIS").to_numpy()
    chance = np.where(frame["beat"].isin(DRAWN), 0.8, 0.05) if by_lot else np.where(is_crisis, 0.6, 0.25)
    served = g.random(n) < chance
    frame["program_id"] = np.where(served, "elm:TEAM", None)
    taken = g.random(n) < np.where(is_crisis, 0.5, 0.2) + EFFECT * served
    frame["disposition"] = np.where(taken, "transported_hospital", "assisted")
    frame["final"] = np.where(g.random(n) < np.where(served, 0.3, 0.1), "CRISIS", frame["kind"])
    frame["has_form"] = g.random(n) < np.where(served, 0.8, 0.5)
    frame["person"] = g.integers(0, 500, n)
    frame["hold"] = g.random(n) < 0.2
    frame["booked_after"] = np.where(g.random(n) < 0.1, g.integers(3600, 40 * 86400, n), -1)
    return frame


def release_calls(settings: Settings, frame: pd.DataFrame, release: str = "2024-05-06-aaaaaaaa") -> None:
    """A release that holds these calls with their forms, persons and bookings, and is the current one."""
    folder = settings.releases / release
    (folder / "internal").mkdir(parents=True)
    stamps = [START + timedelta(seconds=int(s)) for s in frame["at"]]
    frame = frame.assign(started_at=stamps, local_at=[s.replace(tzinfo=None) for s in stamps])
    forms = frame[frame["has_form"]].reset_index(drop=True)
    booked = forms[forms["booked_after"] >= 0].reset_index(drop=True)
    booked = booked.assign(booked_at=[s + timedelta(seconds=int(d)) for s, d in zip(booked["started_at"], booked["booked_after"], strict=True)])  # fmt: skip
    del stamps
    tables = {
        "fct_incident": (
            "incident_id",
            """select 'elm' as agency_id, incident_id, strftime(local_at, '%Y-%m') as month, local_at as received_local_at,
                beat, kind as call_type_initial_code, final as call_type_final_code, program_id,
                disposition as cad_disposition_code, 'no' as cancelled from frame""",
        ),
        "fct_contact": (
            "contact_id",
            "select 'elm' as agency_id, 'c' || incident_id as contact_id, incident_id, 'subject' as person_role_code from forms",
        ),
        "bridge_contact_incident": ("contact_id", "select 'c' || incident_id as contact_id, incident_id from forms"),
        "bridge_contact_disposition": (
            "contact_id",
            "select 'c' || incident_id as contact_id, case when hold then 'involuntary' else 'none' end as legal_hold_code from forms",
        ),
        "fct_person_event": (
            "record_id",
            """select 'p' || person as person_key, 'contact' as event_kind_code, 'c' || incident_id as record_id, started_at,
                incident_id, 'c' || incident_id as contact_id from forms
            union all
            select 'p' || person, 'booking', 'b' || incident_id, booked_at, incident_id, null from booked""",
        ),
        "fct_reconciliation": (
            "entity",
            """select 'elm' as agency_id, 'incident' as entity, count(*) + 12 as rows_landed, 12 as rows_rejected,
                0 as rows_superseded, 0 as rows_folded, 0 as rows_not_applicable from frame""",
        ),
    }
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for table, (key, query) in tables.items():
            con.execute(f"copy (select * from ({query}) order by {key}) to '{folder}/internal/{table}.parquet'")
    seal_release(settings, release, {t: [key] for t, (key, _) in tables.items()})


def write_study(folder: Path, by_lot: bool = False, **over) -> Path:
    """A study of these calls; gives its folder, called elm_team."""
    said = yaml.safe_load((STUDIES / "demo_county_people" / "study.yml").read_text(encoding="utf-8"))
    kept = {o["name"]: o for o in said["outcomes"]}
    said |= {
        "study_id": "elm_team",
        "title": "A team in Elm City",
        "population": {
            "agencies": ["elm"], "table": "fct_incident", "id": "incident_id", "at": "received_local_at",
            "data": {"first": MONTHS[0], "last": MONTHS[-1]}, "where": [],
        },
        "treatment": {
            "column": "program_id", "treated": {"label": "team", "in": ["elm:TEAM"]},
            "comparison": {"label": "police", "or_empty": True}, "why": WHY,
        },
        "outcomes": [kept[n] for n in ("taken_to_hospital", "involuntary_hold", "contact_in_30_days", "contact_30_days_before")],
        "covariates": [
            {"column": "call_type_initial_code", "label": "type"}, {"column": "month", "label": "month"},
            {"column": "hour", "label": "hour", "kind": "number"},
        ],
        "subgroups": ["call_type_initial_code"],
        "missing": {"imputations": 5, "cycles": 1, "why": WHY},
        "limits": [WHY],
    }  # fmt: skip
    said["time_to_event"] |= {"follow_days": 30, "shown_days": [7, 14, 30]}
    if by_lot:
        lottery = {
            "unit": "cluster", "by": "beat", "received": {"column": "program_id", "in": ["elm:TEAM"]}, "draws": 500,
        }  # fmt: skip
        said |= {
            "estimand": "intent_to_treat", "claim": "causal", "clustering": "beat",
            "estimators": ["intent_to_treat", "complier"],
            "main": {"outcome": "taken_to_hospital", "estimator": "intent_to_treat"},
        }  # fmt: skip
        said["treatment"] |= {
            "column": "beat", "treated": {"label": "drawn beats", "in": list(DRAWN)},
            "comparison": {"label": "other beats", "in": [b for b in BEATS if b not in DRAWN]}, "lottery": lottery,
        }  # fmt: skip
    del said["cost"]
    said |= over
    (folder / "elm_team").mkdir(parents=True)
    (folder / "elm_team" / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return folder / "elm_team"
