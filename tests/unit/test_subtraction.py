"""T17: no cell of 1 to 10 leaves in a table of a study, nor one that follows from two of its counts."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import duckdb
import numpy as np
import pytest
import yaml

from orchestration.evaluation.study import StudyError, load_study
from orchestration.evaluation.subtraction import Told
from tests import people_home
from tests.evaluation_home import add_calls, offenses, write_staggered_study, write_study
from tests.unit.test_robustness import fill

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("diff_diff", reason="the extra `evaluate` is not installed")
pytest.importorskip("vl_convert", reason="the extra `evaluate` is not installed")
pytest.importorskip("typst", reason="the extra `evaluate` is not installed")

from orchestration.evaluation.bundle import MadeOf
from orchestration.evaluation.design import Run, results
from orchestration.evaluation.run import Asked, build

RUN = Run("final", "r1", "0" * 64, ())


def test_a_count_less_one_that_lies_within_it_is_a_cell_by_hand():
    # Kinds of rows: 22, 8 and 40. The whole holds the first two, a part the first; the last counts other rows.
    rows = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=bool)
    told = Told(("whole", "part", "other"), rows, np.array([22.0, 8.0, 40.0]))
    assert told.derivable(11) == ["whole less part"] and told.derivable(8) == []
    # Neither lies within the other: nothing follows.
    apart = Told(("a", "b"), np.array([[1, 1, 0], [0, 1, 1]], dtype=bool), np.array([40.0, 22.0, 45.0]))
    assert apart.derivable(11) == []


def places_study(folder: Path, curve: tuple[str, ...] = ("targeted",), **over) -> Path:
    """The study of places with an outcome more: trespass and vandalism, within which trespass lies."""
    folder = write_study(folder, **over)
    said = yaml.safe_load((folder / "study.yml").read_text())
    wide = {"name": "wide", "role": "secondary", "label": "trespass and vandalism", "why": "Invented, for the test."}
    said["outcomes"].append(wide | {"where": [{"column": "nibrs_offense_local", "in": ["trespass", "vandalism"]}]})
    elsewhere = {"name": "elsewhere", "units": ["04", "05", "06", "07"], "why": "Invented, for the test."}
    said["treatment"]["other_places"] = [elsewhere]
    said["curve"] |= {"outcomes": list(curve), "places": ["middle", "elsewhere"]}
    (folder / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False))
    return folder


def vandalism(con: duckdb.DuckDBPyConnection, counts: dict[tuple[str, str], int]) -> None:
    """So many reports of vandalism more in a place and month."""
    for (place, month), n in counts.items():
        con.execute(
            "insert into internal.fct_offense select 'v' || $1 || $2 || i, 'elm', $1, 'n0', 'vandalism', '{}',"
            " cast($2 || '-10 12:00:00' as timestamp) from range($3) as t (i)",
            [place, month, n],
        )
    con.execute("update internal.fct_reconciliation set rows_landed = (select count(*) from internal.fct_offense)")


def test_an_outcome_that_leaves_few_rows_of_another_one_is_not_told_beside_it(tmp_path):
    folder = places_study(tmp_path)
    with duckdb.connect() as con:
        fill(con)
        # Treated places before: eight reports of vandalism, and as many as one likes elsewhere and after.
        vandalism(con, {("02", "2020-02"): 8, ("02", "2020-06"): 40, ("09", "2020-02"): 40})
        with pytest.raises(StudyError, match=r"may not leave the internal tier \(table_one: wide \(treated\) less"):
            results(con, load_study(folder), RUN)
        vandalism(con, {("03", "2020-03"): 30})
        results(con, load_study(folder), RUN)


def test_reports_without_the_days_left_out_are_withheld_where_these_have_few(tmp_path):
    study = load_study(write_study(tmp_path))
    first = study.left_out_days[0]
    with duckdb.connect() as con:
        fill(con)
        # The days left out lie at the end of May and the begin of June: after the start.
        inside = f"cast(occurred_local_at as date) between '{first.first}' and '{first.last}'"
        con.execute(
            f"delete from internal.fct_offense where {inside} and nibrs_offense_local = 'trespass' and precinct < '04'"
            " and not offense_id in (select offense_id from internal.fct_offense where"
            f" {inside} and nibrs_offense_local = 'trespass' and precinct < '04' order by offense_id limit 8)"
        )
        con.execute("update internal.fct_reconciliation set rows_landed = (select count(*) from internal.fct_offense)")
        found = results(con, study, RUN)
    days = next(b for b in found.blocks if getattr(b, "name", "") == "days" and hasattr(b, "columns"))
    # Eight reports in all on these days: with them and without them stand side by side, and only one may.
    assert [set(r[3:7]) == {"withheld"} for r in days.rows] == [r[1] == "targeted" for r in days.rows]
    assert [r[-1] != "withheld" and "%" in r[-2] for r in days.rows] == [True] * len(days.rows)
    assert "Reports are withheld where they differ by 1 to 10" in days.note


def test_where_only_the_curve_would_tell_it_the_counts_of_a_specification_are_withheld(tmp_path):
    folder = places_study(tmp_path, curve=("targeted", "wide"))
    with duckdb.connect() as con:
        fill(con)
        # Seven in the places that only the curve takes as treated; enough in the others of Table 1.
        vandalism(con, {("02", "2020-02"): 40, ("02", "2020-06"): 40, ("05", "2020-02"): 7, ("09", "2020-02"): 40})
        found = results(con, load_study(folder), RUN)
    curve = next(b for b in found.blocks if getattr(b, "name", "") == "curve" and hasattr(b, "columns"))
    rows = [dict(zip(curve.columns, r, strict=True)) for r in curve.rows]
    held = [r for r in rows if r["reports_before"] == ""]
    assert {(r["outcome"], r["place"]) for r in held} == {("wide", "elsewhere")}
    # Nor what the counts follow from: a level and its share, or an error in rows and its share.
    assert all({c for c, v in r.items() if c in NUMBERS and v != ""} == {"change", "change_low", "change_high", "p_value"} for r in held)  # fmt: skip
    assert any("are withheld: they differ by 1 to 10" in getattr(b, "text", "") for b in found.blocks)


NUMBERS = (
    "reports_before", "reports_seen", "implied_without", "fewer_reports", "fewer_low", "fewer_high", "change", "change_low",
    "change_high", "coefficient", "clustered_error", "p_value",
)  # fmt: skip


def test_calls_of_which_nothing_is_known_are_not_told_by_two_rows_of_table_one(tmp_path):
    folder = write_staggered_study(tmp_path)
    with duckdb.connect() as con:
        add_calls(con)
        # In places that never start, before the first start: all but six calls have a valid time on scene.
        where = "beat in ('B6', 'B7', 'B8') and received_local_at < '2024-03-01' and call_type_initial_code = 'WELFARE'"
        con.execute(f"update internal.fct_incident set elapsed_scene_status_code = 'valid' where {where}")
        whole = table_one(results(con, load_study(folder), RUN).blocks)
        con.execute(
            "update internal.fct_incident set elapsed_scene_status_code = 'missing_start' where rowid in"
            f" (select rowid from internal.fct_incident where {where} and hour(received_local_at) between 10 and 21 limit 6)"
        )
        held = table_one(results(con, load_study(folder), RUN).blocks)
    # The mean's rows are told first; where all others are six more, these are not.
    assert "not shown" not in {row[2] for row in whole.values()}
    assert held["minutes on scene"][3] == whole["minutes on scene"][3] - 6
    assert [held[x][2] for x in ("calls closed by arrest", "calls")] == ["not shown"] * 2
    assert "not shown" not in held["minutes at night"]


def table_one(blocks) -> dict[str, tuple]:
    return {r[0]: r for b in blocks if getattr(b, "name", "") == "table_one" for r in b.rows}


def test_calls_that_treated_places_tell_apart_by_few_stop_the_study(tmp_path):
    folder = write_staggered_study(tmp_path)
    with duckdb.connect() as con:
        add_calls(con)
        # All but six of the calls in treated places and months have a valid time on scene.
        con.execute("update internal.fct_incident set elapsed_scene_status_code = 'valid' where call_type_initial_code = 'WELFARE'")  # fmt: skip
        results(con, load_study(folder), RUN)
        con.execute(
            "update internal.fct_incident set elapsed_scene_status_code = 'missing_start' where rowid in (select rowid"
            " from internal.fct_incident where beat = 'B0' and received_local_at >= '2024-04-01'"
            " and call_type_initial_code = 'WELFARE' and hour(received_local_at) between 10 and 21 limit 6)"
        )
        with pytest.raises(StudyError, match=r"tells of 1 to 10 rows|\(treated\) less .* \(treated\)"):
            results(con, load_study(folder), RUN)


# Every table of the public part of a bundle.

NOT_COUNTS = {"unit", "month", "months since the start", "drawn", "multiple", "period", "start", "is_treated", "is_after", "is_on", "day", "days", "row"}  # fmt: skip


def small_in(bundle: Path) -> list[str]:
    """Cells of 1 to 10 in columns of whole numbers of the public CSV files, in tables and data."""
    found = []
    for path in sorted(bundle.rglob("*.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for column in rows[0] if rows else ():
            values = [r[column] for r in rows if r[column]]
            if column not in NOT_COUNTS and all(re.fullmatch(r"[\d,]+", v) for v in values):
                found += [f"{path.name}: {column} {v}" for v in values if 0 < int(v.replace(",", "")) < 11]
    return found


def written(con: duckdb.DuckDBPyConnection, study: Path, out: Path) -> Path:
    return build(con, Asked.read(study), out, "final", MadeOf("r1", "2024-05-06", {}, {})).folder


def test_no_table_of_a_public_bundle_holds_a_small_cell(tmp_path):
    with duckdb.connect() as con:
        fill(con)
        places = written(con, write_study(tmp_path / "a"), tmp_path / "places")
    with duckdb.connect() as con:
        add_calls(con)
        starts = written(con, write_staggered_study(tmp_path / "b"), tmp_path / "starts")
    from orchestration.release.reader import open_release
    from orchestration.settings import Settings

    settings = Settings(home=tmp_path / "home")
    people_home.release_calls(settings, people_home.calls(1500, seed=2))
    with open_release(settings) as con:
        people = written(con, people_home.write_study(tmp_path / "c"), tmp_path / "people")
    for bundle, tables in ((places, 8), (starts, 6), (people, 5)):
        assert len(list((bundle / "tables").glob("*.csv"))) >= tables
        assert small_in(bundle) == []
    # The check sees a cell that is too small.
    with (places / "tables" / "flow.csv").open("a") as file:
        file.write("a step,8,8\n")
    assert small_in(places) == ["flow.csv: left out 8", "flow.csv: remain 8"]


def test_a_public_panel_of_shares_leaves_no_small_rest(tmp_path):
    """A place and month with twelve calls of which eleven are taken tells of one that is not."""
    from orchestration.evaluation.bundle import panel_table
    from orchestration.evaluation.design import Results

    found = Results(
        [], {}, (), "", "unit,n,total\na,12,11\nb,40,20\nc,11,0\n", ("n", "total"), dict, 1, (("n", "total"),)
    )
    assert panel_table(found).small_cells(11) == ["a, n less total"]


def test_offenses_of_the_fixture_are_many():
    # Otherwise the studies above would be refused for another reason.
    assert len(offenses(40)) > 5000
