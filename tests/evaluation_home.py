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


def make_release(settings: Settings, rows: list[tuple], release: str) -> None:
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
    keys = {"fct_offense": ["offense_id"], "fct_reconciliation": ["agency_id", "entity"]}
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
