"""Bundles of a study, and what `reproduce` says when data, study, code, a library or a file changed."""

from __future__ import annotations

import csv
import json
import shutil
import stat

import pytest
import yaml

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("typst", reason="the extra `evaluate` is not installed")
pytest.importorskip("vl_convert", reason="the extra `evaluate` is not installed")

from orchestration.evaluation.freeze import looks
from orchestration.evaluation.reproduce import differing_cells, reproduce
from orchestration.evaluation.run import evaluate, file_checksums, sealed_folder
from orchestration.evaluation.study import StudyError
from tests.conftest import Home
from tests.evaluation_home import MONTHS, STARTS, TREATED, UNITS, offenses, release_offenses, write_study

ROWS = offenses(40)


@pytest.fixture
def evaluated(home: Home, tmp_path):
    """A home with one release, and the bundle of the study on it."""
    release_offenses(home.settings, ROWS, "2024-05-06-aaaaaaaa")
    return home.settings, evaluate(home.settings, write_study(tmp_path), exploratory=True)


def manifest_of(bundle):
    return json.loads((bundle / "manifest.json").read_text())


def change(bundle, *path, to):
    """Writes another value into the bundle's manifest, as if it had been made elsewhere."""
    said = manifest_of(bundle)
    at = said
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    (bundle / "manifest.json").write_text(json.dumps(said))


def test_a_bundle_says_what_it_was_made_of_and_how_to_cite_it(evaluated):
    _, done = evaluated
    said = manifest_of(done.folder)
    assert said["files"] == file_checksums(done.folder)
    assert set(said["code"]) == {"package", "orchestration", "dbt_project", "seeds"}
    assert said["reads"] == ["internal/fct_offense.parquet", "internal/fct_reconciliation.parquet"]
    assert said["made_of"]["release"] == "2024-05-06-aaaaaaaa"
    cited = yaml.safe_load((done.folder / "CITATION.cff").read_text())
    assert (cited["cff-version"], cited["title"]) == ("1.2.0", "A team on Elm Street")
    assert (cited["version"], str(cited["date-released"])) == ("2024-05-06-aaaaaaaa", "2024-05-06")
    assert cited["authors"] == [
        {"family-names": "Rivers", "given-names": "Ada"}, {"name": "Elm City Office of Evaluation"}
    ]  # fmt: skip


def test_the_public_panel_is_what_a_count_by_hand_gives_and_holds_the_main_model(evaluated):
    sm = pytest.importorskip("statsmodels.api", reason="statsmodels is a development dependency")
    import pandas as pd

    _, done = evaluated
    with (done.folder / "data" / "panel.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(UNITS) * len(MONTHS)
    one = next(r for r in rows if (r["unit"], r["month"]) == ("02", "2020-06"))
    by_hand = sum(r[2] == "02" and r[4] == "trespass" and r[6].startswith("2020-06") for r in ROWS)
    assert one == {"unit": "02", "month": "2020-06", "is_treated": "1", "is_after": "1", "is_on": "1", "n": str(by_hand)}  # fmt: skip
    assert sum(r["is_on"] == "1" for r in rows) == len(TREATED) * sum(m >= STARTS for m in MONTHS)
    # What main_model.do does: Poisson with dummies, errors clustered by place, then the factor (N-1)/(N-K), where K
    # counts 8 months and the effect. statsmodels also counts the dummies of 12 places: 12 + 8 - 1 + 1 = 20.
    frame = pd.DataFrame(rows)
    x = sm.add_constant(pd.get_dummies(frame[["unit", "month"]], drop_first=True).astype(float).assign(on=frame["is_on"].astype(int)))  # fmt: skip
    fit = sm.GLM(frame["n"].astype(int), x, family=sm.families.Poisson()).fit(
        cov_type="cluster", cov_kwds={"groups": frame["unit"].astype(int)}, tol=1e-12
    )
    error = fit.bse["on"] * ((96 - 20) / (96 - 9)) ** 0.5
    for script in ("main_model.do", "main_model.R"):
        text = (done.folder / script).read_text()
        expected = [float(x) for x in _expected(text)]
        assert expected == pytest.approx([fit.params["on"], error], abs=1e-5)
        assert "data/panel.csv" in text and done.panel["sha256"] in text


def _expected(script: str) -> tuple[str, str]:
    """The coefficient and the error that a script stops without."""
    import re

    lines = [x for x in script.splitlines() if x.startswith(("assert", "stopifnot"))]
    (b,) = re.findall(r"- \((-?[\d.]+)\)", lines[0])
    (se,) = re.findall(r" - ([\d.]+)\)", lines[1])
    return b, se


def test_a_panel_with_small_cells_is_sealed_and_the_public_part_names_its_checksum(home, tmp_path):
    release_offenses(home.settings, offenses(12), "2024-05-06-bbbbbbbb")
    study = write_study(tmp_path)
    without = evaluate(home.settings, study, exploratory=True)
    assert without.panel["is_public"] is False and without.panel["dua_id"] is None
    assert not (without.folder / "data").exists() and not sealed_folder(without.folder).exists()
    done = evaluate(home.settings, study, exploratory=True, dua_id="DUA-7")
    sealed = sealed_folder(done.folder)
    assert not (done.folder / "data").exists() and sealed.parent == done.folder.parent
    assert file_checksums(sealed)["panel.csv"] == done.panel["sha256"] == without.panel["sha256"]
    assert json.loads((sealed / "sealed.json").read_text())["dua_id"] == "DUA-7"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o700
    assert "It is sealed" in (done.folder / "main_model.R").read_text()
    assert reproduce(home.settings, done.folder).results == ()


def test_a_bundle_reproduces_byte_for_byte_also_under_another_name_of_its_release(evaluated):
    settings, done = evaluated
    again = reproduce(settings, done.folder)
    assert (again.results, again.why) == ((), ())
    assert again.verdict == f"reproduced: all {len(manifest_of(done.folder)['files'])} files have the same bytes"
    # A home that was built anew on a later day holds the same tables under another name.
    shutil.rmtree(settings.releases / "2024-05-06-aaaaaaaa")
    release_offenses(settings, ROWS, "2025-01-01-aaaaaaaa")
    assert reproduce(settings, done.folder).results == ()
    assert [x["kind"] for x in looks(settings.home, "elm_street")] == ["exploratory", "reproduction", "reproduction"]


def test_a_changed_row_is_named_with_its_table(evaluated):
    settings, done = evaluated
    row = next(r for r in ROWS if r[2] == "02" and r[4] == "trespass" and r[6].startswith("2020-06"))
    changed = [(*r[:4], "burglary", *r[5:]) if r is row else r for r in ROWS]
    release_offenses(settings, changed, "2024-06-01-cccccccc")
    assert reproduce(settings, done.folder).results == ()  # the release that the bundle names is still here
    again = reproduce(settings, done.folder, "2024-06-01-cccccccc")
    assert again.verdict.startswith("not reproduced")
    (main,) = (x for x in again.results if x.startswith("tables/outcomes.csv"))
    assert "row 1, reports_seen:" in main
    assert any(x.startswith("data/panel.csv: row ") for x in again.results)
    assert again.why == (
        "data changed: internal/fct_offense.parquet (the study reads it)",
        "  1 row(s) of fct_offense differ",
        f"  changed: crisis trace fct_offense {row[0]} --release 2024-06-01-cccccccc",
    )
    # Without the release that it was made on, the table is still named.
    shutil.rmtree(settings.releases / "2024-05-06-aaaaaaaa")
    assert "data changed: internal/fct_offense.parquet (the study reads it)" in reproduce(settings, done.folder).why


def test_what_else_changed_is_named(evaluated):
    settings, done = evaluated
    change(done.folder, "code", "orchestration", to="0" * 64)
    change(done.folder, "versions", "pyfixest", to="0.50.0")
    with (done.folder / "CITATION.cff").open("a") as file:
        file.write("# by hand\n")
    again = reproduce(settings, done.folder)
    assert again.results == ("CITATION.cff: other bytes",)
    assert again.verdict == "reproduced in numbers (to 1e-06), not in bytes"
    assert [x.split(":")[0] for x in again.why] == ["bundle changed", "code changed", "library changed"]
    with (done.folder / "study.yml").open("a") as file:
        file.write("# another question\n")
    with pytest.raises(StudyError, match="study changed"):
        reproduce(settings, done.folder)


def test_numbers_are_the_same_within_the_tolerance_only():
    old = "what,change\na,-0.3000000\nb,12\n"
    assert differing_cells(old, "what,change\na,-0.3000001\nb,12.0\n") == []
    assert differing_cells(old, "what,change\na,-0.3001\nb,12\n") == ["row 1, change: -0.3000000 then, -0.3001 now"]
    assert differing_cells(old, "what,change\nc,-0.3\nb,12\n") == ["row 1, what: a then, c now"]
    assert differing_cells(old, "what,change\na,-0.3\n") == ["2 rows then, 1 now"]
    assert differing_cells(old, "what,odds\na,-0.3\nb,12\n") == ["columns: what, change then, what, odds now"]
