"""Published arithmetic: what the rows give by hand, which verdicts they have, and that a wrong formula is seen."""

from __future__ import annotations

import csv

import pytest
from click.testing import CliRunner

from orchestration.cli import main
from orchestration.evaluation.published import (
    FOLDER,
    PublishedError,
    compute,
    load_formulas,
    load_studies,
    published_checks,
    whole_table,
)
from orchestration.settings import PROJECT

# Computed by hand from the printed inputs, as printed in the field's own papers.
BY_HAND = {
    "EM1": 2_430_128,  # 146,079 + 1,768,536 + 508,690 + 6,823
    "EM3": 1_024_897,  # 3,455,025 - 2,430,128
    "HE1": 193.32,  # 358 x 0.54
    "HE7": 118.498,  # 358 x (0.0195 + 0.3115)
    "HE8": 39.175,  # 76 / 194
    "HE11": 18.513,  # 76 x 76 / 312
    "KE1": 55.853,  # 33.4 / 59.8
    "DP1": 151.265,  # 208,141 / 1,376
    "BX-ER2k": 680_400,  # 567 x 1,200
    "BX-MG3": 318_018,  # 126,893 + 191,125
    "BX8b": 39_110_848,  # 7,018,376 + 32,092,472
    "NY1": 15.9,  # 0.30 x 0.53
    "IA1": 4.585,  # 5,938 / 1,295
    "WS3": 1.122,  # 1,578 / 1,407
    "HC2": 515.193,  # 74,600 / 144.8
    "KC1": 17_500,  # 35,000,000 / 2,000
    "SF1": 80.449,  # 157,680 / 1,960
}


@pytest.fixture(scope="module")
def checks():
    return {c.check_id: c for c in published_checks()}


def rows(*ids: str) -> list[dict]:
    with (PROJECT / FOLDER / "rows.csv").open(newline="", encoding="utf-8") as file:
        return [r for r in csv.DictReader(file) if r["id"] in ids]


@pytest.mark.parametrize("check_id", BY_HAND)
def test_a_row_gives_what_its_inputs_give_by_hand(checks, check_id):
    # Money is rounded to the cent, shares to six places.
    assert checks[check_id].computed == pytest.approx(BY_HAND[check_id], abs=0.006)


def test_the_verdicts_are_those_of_the_field(checks):
    def of(kind, verdict):
        return {c.check_id for c in checks.values() if (c.kind, c.verdict) == (kind, verdict)}

    assert len(checks) == 77
    assert (len(of("P", "agrees")), len(of("C", "agrees")), len(of("D", "no verdict"))) == (38, 8, 23)
    assert of("P", "DIFF") == {"HE11", "BX-MG3", "BX8b", "IA1", "HC2", "KC1"}
    assert of("C", "DIFF") == {"KE2", "BX-ER2k"}


def test_every_row_says_design_comparison_and_who_claims_it(checks):
    for check in checks.values():
        assert check.study.design and check.study.claimed_by
        assert check.study.comparison in ("yes", "no", "not_known")
        assert check.verdict != "DIFF" or check.note, check.check_id


def test_a_wrong_formula_of_the_warehouse_is_seen():
    formulas = {**load_formulas(), "share": lambda numerator, denominator: f"1 - {numerator} / {denominator}"}
    assert [c.verdict for c in compute(rows("PS2", "NM2"), load_studies(), formulas)] == ["DIFF", "DIFF"]


def test_the_models_use_the_same_money_formulas():
    model = (PROJECT / "dbt_project/models/metrics/cost/met_cost__avoided.sql").read_text()
    for formula in ("valued", "cost_per_outcome", "net_benefit", "benefit_cost_ratio"):
        assert f"{{{{ {formula}(" in model


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"formula": "guess"}, "no formula 'guess'; choose one of"),
        ({"inputs": "numerator=29; denominator=drop table"}, "'drop table' is neither a number nor a row above"),
        ({"inputs": "part=29; denominator=903"}, "the inputs do not fit the formula"),
        ({"study": "nobody"}, "no study 'nobody' in studies.yml"),
    ],
)
def test_a_row_that_cannot_be_computed_says_which_and_why(change, said):
    with pytest.raises(PublishedError) as error:
        compute([{**rows("PS2")[0], **change}], load_studies(), load_formulas())
    assert "row PS2" in str(error.value) and said in str(error.value)


def test_the_study_shown_whole_hangs_on_hospital_stays():
    whole = whole_table()
    # 1,148,400 + 2,296,800 = 3,445,200 of 3,455,025; 1,024,897 / 3,445,200; 3,455,025 / 2,430,128.
    assert whole.hospital_share == pytest.approx(0.997156, abs=1e-6)
    assert whole.hospital_break_even == pytest.approx(0.297485, abs=1e-6)
    assert whole.ratio == pytest.approx(1.421746, abs=1e-6)
    lines = {x.line: x for x in whole.lines}
    # A quarter of 2,296,800 is 574,200.
    assert lines["fewer inpatient referrals from jail"].net_if_lower == 1_024_897 - 574_200
    # A quarter of 1,768,536 is 442,134.
    assert lines["hospitalizations of people brought by the teams"].net_if_higher == 1_024_897 - 442_134


def test_the_command_prints_all_rows_and_calls_them_what_they_are():
    out = CliRunner().invoke(main, ["published"], env={"COLUMNS": "200"})
    assert out.exit_code == 0, out.output
    assert "Checks of published arithmetic, not reproduced evaluations" in out.output
    assert "38 of 44 agree" in out.output
    assert sum("DIFF" in line for line in out.output.splitlines()) == 8
    assert "BX-ER2k: 567 times 1200 is 680400; 676000 is printed" in out.output
    assert "difference in differences, 8 of 36 precincts" in out.output
