"""Studies of rows on invented calls of which the truth is known: rows, flow, effects, report, bundle, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("typst", reason="the extra `evaluate` is not installed")
pytest.importorskip("vl_convert", reason="the extra `evaluate` is not installed")
pytest.importorskip("statsmodels", reason="the extra `evaluate` is not installed")

import statsmodels.api as sm

from orchestration.evaluation.blocks import TableBlock
from orchestration.evaluation.design import Run
from orchestration.evaluation.people.analysis import analyze
from orchestration.evaluation.people.findings import conclusion, findings, verdicts
from orchestration.evaluation.people.rows import read_rows
from orchestration.evaluation.reproduce import reproduce
from orchestration.evaluation.run import evaluate, sealed_folder
from orchestration.evaluation.study import StudyError, load_study
from orchestration.release.reader import open_release
from orchestration.settings import Settings
from tests.people_home import DRAWN, EFFECT, calls, release_calls, write_study

DAY = 86400
CALLS, BY_LOT = calls(), calls(by_lot=True, seed=7)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Settings, study and analysis of calls of which triage chose some."""
    return _analyzed(tmp_path_factory.mktemp("served"), CALLS, False)


@pytest.fixture(scope="module")
def lot(tmp_path_factory):
    """The same of calls in beats that were drawn."""
    return _analyzed(tmp_path_factory.mktemp("lot"), BY_LOT, True)


def _analyzed(path, frame, by_lot):
    settings = Settings(home=path / "home")
    release_calls(settings, frame)
    folder = write_study(path, by_lot)
    with open_release(settings) as con:
        return settings, folder, analyze(con, load_study(folder))


def of(a, outcome, estimator):
    return next(e for e in a.effects if (e.outcome, e.estimator) == (outcome, estimator)).difference


def test_the_rows_are_what_a_count_by_hand_gives(served):
    rows = served[2].rows
    assert len(rows) == len(CALLS) and (rows.ids == CALLS["incident_id"]).all()
    assert (rows.treated == CALLS["program_id"].notna()).all()
    assert (rows.outcomes["taken_to_hospital"] == (CALLS["disposition"] == "transported_hospital")).all()
    hold = rows.outcomes["involuntary_hold"]
    assert (np.isnan(hold) == ~CALLS["has_form"]).all() and (hold[CALLS["has_form"]] == CALLS["hold"][CALLS["has_form"]]).all()  # fmt: skip
    forms = CALLS[CALLS["has_form"]]
    last, first = forms["at"].max(), forms["at"].min()
    for name, sign in (("contact_in_30_days", 1), ("contact_30_days_before", -1)):
        found = rows.outcomes[name]
        for i in range(0, len(CALLS), 7):
            at, person = CALLS["at"][i], CALLS["person"][i]
            is_known = CALLS["has_form"][i] and (at + 30 * DAY <= last if sign > 0 else at - 30 * DAY >= first)
            assert np.isnan(found[i]) != is_known
            if is_known:
                apart = sign * (forms["at"][forms["person"] == person] - at)
                assert found[i] == ((apart > 0) & (apart <= 30 * DAY)).any()


def test_days_to_the_next_event_are_those_by_hand(served):
    times = served[2].rows.times
    forms = CALLS[CALLS["has_form"]]
    # Records of each kind end with the last of it; time ends with the earlier one.
    booked = forms[forms["booked_after"] >= 0]
    end = min(forms["at"].max(), (booked["at"] + booked["booked_after"]).max())
    assert (CALLS.index[times.rows] == forms.index).all()
    for place, days, cause in list(zip(times.rows, times.days, times.cause, strict=True))[::11]:
        at, person = CALLS["at"][place], CALLS["person"][place]
        mine, jail = forms[forms["person"] == person], booked[booked["person"] == person]
        later = [(t - at, 1) for t in mine["at"] if t > at] + [(t - at, 2) for t in jail["at"] + jail["booked_after"] if t > at]  # fmt: skip
        seen, kind = min(later, default=(np.inf, 0))
        limit = max(0, min(30 * DAY, end - at))
        assert (days, cause) == (pytest.approx(min(seen, limit) / DAY), kind if seen <= limit else 0)


def test_the_flow_of_rows_balances(served):
    steps = served[2].flow
    assert all(a.remain - b.left_out == b.remain for a, b in pairwise(steps))
    assert (steps[0].remain, steps[1].left_out, steps[-1].remain) == (len(CALLS) + 12, 12, len(CALLS))


def test_weighting_finds_the_effect_that_a_raw_comparison_misses(served):
    a = served[2]
    raw = of(a, "taken_to_hospital", "unadjusted")
    assert raw.difference > EFFECT + 0.05  # crises are served more often, and taken more often
    for estimator in ("propensity", "entropy"):
        d = of(a, "taken_to_hospital", estimator)
        assert d.low < EFFECT < d.high and d.high < 0
        # Level and share belong together.
        assert d.fewer == pytest.approx(d.implied - d.events_treated)
        assert d.implied == pytest.approx(d.n_treated * d.without)
    placebo = of(a, "contact_30_days_before", "entropy")
    assert placebo.low < 0 < placebo.high
    assert max(abs(lv.after["entropy"]) for lv in a.table_one if lv.after) < 1e-6


def test_the_main_estimate_is_that_of_another_program_from_the_sealed_rows(served, tmp_path):
    settings, folder, a = served
    done = evaluate(settings, folder, exploratory=True, dua_id="DUA-1")
    sealed = sealed_folder(done.folder)
    rows = pd.read_csv(sealed / "rows.csv")
    assert not done.panel["is_public"] and not (done.folder / "data").exists()
    assert not any("elm:0" in p.read_text() for p in [*done.folder.rglob("*.csv"), sealed / "rows.csv"])
    fit = sm.WLS(rows["taken_to_hospital"], sm.add_constant(rows["arm"].astype(float)), weights=rows["weight"]).fit(
        cov_type="cluster", cov_kwds={"groups": rows["cluster"].to_numpy()}
    )
    d = a.main.difference
    assert d.difference == pytest.approx(fit.params["arm"], abs=1e-6)
    assert d.error == pytest.approx(fit.bse["arm"], abs=1e-6)
    assert f"{d.difference:.9f}" in (done.folder / "main_model.do").read_text()
    assert "weights = ~weight" in (done.folder / "main_model.R").read_text()
    again = reproduce(settings, done.folder)
    assert again.results == () and again.verdict.startswith("reproduced: all")


def test_forms_that_the_response_causes_are_flagged_and_what_is_not_known_is_bounded(served):
    a = served[2]
    written = next(e for e in a.records if e.outcome == "form_written").difference
    assert written.low < 0.3 < written.high  # 80 % against 50 %
    by_question = {v.question: v for v in verdicts(a)}
    assert not by_question["Is as much written down in both arms?"].stands
    hold = next(u for u in a.unknown if u.outcome == "involuntary_hold")
    assert hold.bounds.unknown_treated == pytest.approx(0.2, abs=0.05)
    assert hold.bounds.unknown_comparison == pytest.approx(0.5, abs=0.05)
    # No effect on holds: imputation finds none, and the bounds hold it.
    assert hold.pooled.low < 0 < hold.pooled.high and hold.bounds.lowest < 0 < hold.bounds.highest
    assert hold.bounds.highest - hold.bounds.lowest == pytest.approx(0.7, abs=0.06)
    assert {u.outcome for u in a.unknown} == {"involuntary_hold", "contact_in_30_days", "contact_30_days_before"}


def test_a_lottery_is_read_as_drawn_and_for_those_who_comply(lot):
    a = lot[2]
    drawn = BY_LOT["beat"].isin(DRAWN)
    taken = BY_LOT["disposition"] == "transported_hospital"
    d = of(a, "taken_to_hospital", "intent_to_treat")
    assert d.difference == pytest.approx(taken[drawn].mean() - taken[~drawn].mean())
    # 75 % more are served where it was drawn, so -7.5 points as drawn and -10 for those who comply.
    assert d.low < 0.75 * EFFECT < d.high
    assert a.complier.take_up == pytest.approx(0.75, abs=0.03) and a.complier.low < EFFECT < a.complier.high
    assert a.complier.difference == pytest.approx(d.difference / a.complier.take_up)
    assert a.permutation_p < 0.05
    said = " ".join(conclusion(a))
    assert "compared as drawn" in said and "associational" not in said
    names = {b.name for b in findings(a, Run("final", "r1", "0" * 64, ())) if isinstance(b, TableBlock)}
    assert {"complier", "table_one", "effects", "time_to_event", "hazards"} <= names and "balance" not in names


def test_the_report_is_associational_names_levels_and_says_no_forbidden_word(served, tmp_path):
    settings, folder, _ = served
    done = evaluate(settings, folder, exploratory=True)
    text = re.sub(r"<[^>]+>", " ", (done.folder / "report.html").read_text()).lower()
    for needed in (
        "associational",
        "implied without",
        "exploratory",
        "effective rows",
        "aalen-johansen",
        "taken together",
    ):
        assert needed in text or needed == "taken together", needed
    for word in ("savings", "saved", "prevented", "fewer crimes"):
        assert word not in text
    assert (done.folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert {p.name for p in (done.folder / "figures").iterdir()} == {"balance.svg", "time_to_event.svg"}
    with (done.folder / "tables" / "effects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 3 and all(r["implied_without"] and r["fewer_low"] for r in rows)
    assert json.loads((done.folder / "manifest.json").read_text())["reads"][0] == "internal/fct_incident.parquet"


def test_a_small_cell_is_withheld_with_all_that_it_follows_from(tmp_path):
    frame = calls(1500, seed=2)
    rare = frame.index[(frame["program_id"].notna()) & frame["has_form"]][:7]
    frame["hold"] = False
    frame.loc[rare, "hold"] = True
    settings = Settings(home=tmp_path / "home")
    release_calls(settings, frame)
    with open_release(settings) as con:
        a = analyze(con, load_study(write_study(tmp_path)))
    assert of(a, "involuntary_hold", "entropy") is None
    assert "involuntary_hold" not in {u.outcome for u in a.unknown}
    blocks = {b.name: b for b in findings(a, Run("final", "r1", "0" * 64, ())) if isinstance(b, TableBlock)}
    held = [r for r in blocks["effects"].rows if r[0].startswith("involuntary")]
    assert held and all(set(r[2:]) == {"withheld"} for r in held)


def test_t17_a_part_that_leaves_a_small_rest_is_a_small_cell_shown_or_not():
    table = TableBlock("t", "T", ("what", "rows", "yes"), (("a", 30, 22), ("b", 40, 20)), ("rows", "yes"), parts=(("rows", "yes"),))  # fmt: skip
    assert table.small_cells(11) == ["a, rows less yes"]
    in_csv = TableBlock("t", "T", ("what",), (("a",),), ("n",), data=(("what", "n"), (("a", 8), ("b", 11))))
    assert in_csv.small_cells(11) == ["a, n"]


def test_t17_nothing_small_follows_from_the_tables_of_a_study(tmp_path):
    import duckdb

    frame = calls(1500, seed=2)
    # A level with 8 served calls of 30, taken to a hospital in a way that leaves small cells within it.
    served = frame["program_id"].notna()
    rare = [*frame.index[served][:8], *frame.index[~served][:22]]
    frame.loc[rare, "kind"] = "RARE"
    settings = Settings(home=tmp_path / "home")
    release_calls(settings, frame)
    # Five forms without a disposition: holds are then known in five rows fewer than roles.
    path = settings.releases / "2024-05-06-aaaaaaaa" / "internal" / "bridge_contact_disposition.parquet"
    with duckdb.connect() as con:
        con.execute(f"create table kept as from '{path}' order by contact_id")
        con.execute(f"copy (from kept offset 5) to '{path}'")
    folder = write_study(tmp_path)
    said = yaml.safe_load((folder / "study.yml").read_text())
    role = {"name": "subject", "role": "secondary", "label": "the subject was met", "why": "Invented, for the test."}
    role |= {"kind": "on_table", "table": "fct_contact", "where": [{"column": "person_role_code", "in": ["subject"]}]}
    said["outcomes"].append(role)
    (folder / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False))
    with open_release(settings) as con:
        a = analyze(con, load_study(folder))
    tables = {b.name: b for b in findings(a, Run("final", "r1", "0" * 64, ())) if isinstance(b, TableBlock)}
    assert [c for b in tables.values() for c in b.small_cells(11)] == []
    # The level stands with others or not at all, and the levels that stand add up to all rows: nothing is left to find.
    kinds = [lv for lv in a.table_one if lv.covariate == "type"]
    assert "RARE" not in {lv.level for lv in kinds}
    assert sum(lv.n_treated for lv in kinds) in (0, int(served.sum()))
    assert [lv for lv in a.table_one if lv.level not in ("mean", "standard deviation") and min(lv.n_treated, lv.n_comparison) < 11] == []  # fmt: skip
    # Of two outcomes whose known rows differ by five, one is told.
    hold, subject = of(a, "involuntary_hold", "entropy"), of(a, "subject", "entropy")
    assert hold is not None and subject is None
    assert all(r[2:] == tuple(["withheld"] * 7) for r in tables["effects"].rows if r[0] == "the subject was met")
    # Forms are five more than those with a known hold: how many they are is withheld, and by how much they shift is not.
    forms = next(r for r in tables["records"].rows if "form" in r[0])
    assert set(forms[2:7]) == {"withheld"} and "withheld" not in forms[7:]
    in_csv = next(dict(zip(tables["records"].data[0], r, strict=True)) for r in tables["records"].data[1] if r[0] == "form_written")  # fmt: skip
    assert in_csv["treated_yes"] == in_csv["share_without"] == in_csv["fewer"] == "" and in_csv["difference"] != ""


def test_t17_an_outcome_that_lies_within_another_one_but_for_few_rows_is_withheld(tmp_path):
    frame = calls(1500, seed=2)
    settings = Settings(home=tmp_path / "home")
    # Taken to a hospital, or 7 served calls more that were given a lift: the wider outcome is not told beside the first.
    lifts = frame.index[frame["program_id"].notna() & (frame["disposition"] == "assisted")][:7]
    frame.loc[lifts, "disposition"] = "given_a_lift"
    release_calls(settings, frame)
    folder = write_study(tmp_path)
    said = yaml.safe_load((folder / "study.yml").read_text())
    taken = next(o for o in said["outcomes"] if o["name"] == "taken_to_hospital")
    rule = [{"column": "cad_disposition_code", "in": ["transported_hospital", "given_a_lift"]}]
    said["outcomes"].append(taken | {"name": "driven", "role": "secondary", "label": "driven somewhere", "where": rule})
    (folder / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False))
    with open_release(settings) as con:
        a = analyze(con, load_study(folder))
    assert of(a, "taken_to_hospital", "entropy") is not None and of(a, "driven", "entropy") is None


# what the validator refuses


def changed(folder, *path, to):
    said = yaml.safe_load((folder / "study.yml").read_text())
    place = said
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    (folder / "study.yml").write_text(yaml.safe_dump(said, sort_keys=False))
    return folder


@pytest.mark.parametrize(
    ("by_lot", "path", "to", "key", "said"),
    [
        (False, ("claim",), "causal", "claim", "triage decides who is served"),
        (False, ("estimand",), "intent_to_treat", "estimand", "nobody drew lots"),
        (False, ("treatment", "column"), "clinician_arrived", "treatment.column", "is not known at dispatch"),
        (False, ("covariates", 0, "column"), "call_type_final_code", "covariates", "is known only after arrival"),
        (False, ("subgroups",), ["cad_disposition_code"], "subgroups", "is known only after arrival"),
        (False, ("estimators",), ["complier"], "estimators", "is not for this design"),
        (False, ("outcomes", 0, "where"), [], "outcomes.taken_to_hospital", "needs where"),
        (False, ("outcomes", 2, "days"), None, "outcomes.contact_in_30_days", "needs event and days"),
        (False, ("outcomes", 2, "event"), "ed_visit", "zone", "known to the care zone only"),
        (False, ("zone",), "care", "legal_basis", "linking care records is a disclosure"),
        (False, ("suppression",), 5, "suppression", "no cell of 1 to 10"),
        (False, ("treatment", "comparison", "in"), ["elm:TEAM"], "treatment", "is in both arms"),
        (True, ("population", "table"), "fct_contact", "population.table", "is written after arrival"),
        (True, ("population", "where"), [{"column": "cad_disposition_code", "in": ["x"]}], "population.where.0.column", "known only after arrival"),
        (True, ("clustering",), "person", "clustering", "errors cluster by what was drawn; say 'beat'"),
        (True, ("treatment", "lottery", "by"), None, "treatment.lottery.by", "one of clusters names their column"),
        (True, ("estimand",), "served_against_not_served", "estimand", "read as it was drawn"),
        (True, ("main", "estimator"), "complier", "main.estimator", "read as it was drawn"),
    ],
)  # fmt: skip
def test_an_error_names_file_key_rule_and_remedy(tmp_path, by_lot, path, to, key, said):
    with pytest.raises(StudyError) as error:
        load_study(changed(write_study(tmp_path, by_lot), *path, to=to))
    line = next(x for x in str(error.value).splitlines() if f"study.yml: {key}:" in x)
    assert said in line


def test_a_lottery_over_rows_written_after_arrival_is_taken_where_the_selection_is_modelled(tmp_path):
    folder = changed(write_study(tmp_path, True), "population", "table", to="fct_contact")
    load_study(changed(folder, "population", "identification_model", to="inverse weights"))


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        (("population", "table"), "fct_nothing", "no 'fct_nothing' in this release; `crisis describe`"),
        (("population", "agencies"), ["oak"], "fct_incident has no row of oak"),
        (("covariates", 0, "column"), "sector", "'sector' is no column of fct_incident in this release"),
        (("treatment", "treated", "in"), ["elm:NOBODY"], "0 row(s) of fct_incident in the arm 'team'"),
        (("time_to_event", "competing"), ["hold"], "zone"),
    ],
)  # fmt: skip
def test_what_the_release_lacks_is_named(served, tmp_path, path, to, said):
    with pytest.raises(StudyError) as error, open_release(served[0]) as con:
        read_rows(con, load_study(changed(write_study(tmp_path), *path, to=to)))
    assert said in str(error.value)


def test_shifts_begin_where_the_study_says(served, tmp_path):
    folder = changed(write_study(tmp_path), "treatment", "shift_starts", to=[7, 19])
    with open_release(served[0]) as con:
        rows = read_rows(con, load_study(changed(folder, "subgroups", to=["shift"])))
    seconds = CALLS["at"].to_numpy() - 7 * 3600
    first = pd.Timestamp("2024-01-01")
    by_hand = [f"{first + pd.Timedelta(days=int(s // DAY)):%Y-%m-%d}/{1 + int(s % DAY >= 12 * 3600)}" for s in seconds]
    assert rows.columns["shift"].tolist() == by_hand
