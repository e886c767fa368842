"""A whole study on made-up records of which the truth is known: panel, flow, report, and what may not leave."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import pairwise

import duckdb
import numpy as np
import pytest

from orchestration.evaluation.study import STUDIES, StudyError, load_study

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("typst", reason="the extra `evaluate` is not installed")
pytest.importorskip("vl_convert", reason="the extra `evaluate` is not installed")

from orchestration.evaluation.analysis import analyze
from orchestration.evaluation.blocks import TableBlock
from orchestration.evaluation.figures import draw
from orchestration.evaluation.findings import conclusion, findings, verdicts
from orchestration.evaluation.panel import INSIDE, OUTSIDE, Counts
from orchestration.evaluation.render import write_report

STUDY = load_study(STUDIES / "denver_star")
FELL_TO = 0.7  # reports of the targeted types in the treated places and months, against what they would have been
NOON, NIGHT = 12, 23  # the first lies in program hours


@pytest.fixture(scope="module")
def con():
    """Records of 36 places and 59 months without any trend: 30 targeted and 30 serious reports a place and month on
    average, half at noon and half at night."""
    generator = np.random.Generator(np.random.PCG64(7))
    months = [f"{y}-{m:02d}" for y in range(2019, 2024) for m in range(1, 13)][:-1]
    rows = []
    for i, place in enumerate(STUDY.unit.values):
        for month in months:
            fell = place in STUDY.treatment.where.units and "2020-06" <= month <= "2020-11"
            for kind, category, mean in (
                ("criminal-trespassing", "all-other-crimes", 30 * (FELL_TO if fell else 1)),
                ("burglary-safe", "burglary", 30),
            ):
                n = int(generator.poisson(mean))
                rows += [(place, month, kind, category, i // 2 + k % 2, k) for k in range(n)]
    found = duckdb.connect()
    found.execute("create schema internal")
    found.execute(
        "create table drawn (place varchar, month varchar, kind varchar, category varchar, hood integer, k integer)"
    )
    import pandas as pd

    frame = pd.DataFrame(rows, columns=["place", "month", "kind", "category", "hood", "k"])  # noqa: F841
    found.execute("insert into drawn select * from frame")
    # Two rows stand for the dirt of a file: one without a place, one of another year.
    found.execute(
        "insert into drawn values (null, '2020-01', 'criminal-trespassing', 'x', 0, 0), ('111', '2009-01', 'x', 'x', 0, 0)"
    )
    found.execute(
        f"""
        create table internal.fct_offense as
        select
            'denver' as agency_id,
            place as precinct,
            'n' || hood as neighborhood,
            kind as nibrs_offense_local,
            '{{"OFFENSE_CATEGORY_ID":"' || category || '"}}' as extras,
            -- The 8th of a month may be any weekday: the first Monday on or after it.
            cast(month || '-08' as timestamp)
            + to_days(cast((8 - isodow(cast(month || '-08' as date))) % 7 as integer))
            + to_hours(case when k % 2 = 0 then {NOON} else {NIGHT} end) as occurred_local_at
        from drawn
        """
    )
    found.execute(
        "create table internal.fct_reconciliation as select 'denver' as agency_id, 'offense' as entity,"
        " count(*) + 15 as rows_landed, 0 as rows_rejected, 0 as rows_superseded, 15 as rows_folded,"
        " 0 as rows_not_applicable from drawn"
    )
    yield found
    found.close()


@pytest.fixture(scope="module")
def analysis(con):
    return analyze(con, STUDY)


@pytest.fixture(scope="module")
def blocks(analysis):
    return findings(analysis, "final", "r1", "0" * 64, ("A note beside the result.",))


def test_the_panel_counts_what_a_query_by_hand_counts(con):
    counts = Counts(con, STUDY)
    panel = counts.panel("targeted")
    by_hand = con.execute(
        "select count(*) from drawn where kind = 'criminal-trespassing' and place = '611' and month = '2020-07'"
    ).fetchone()[0]
    assert panel.counts[panel.units.index("611"), panel.months.index("2020-07")] == by_hand
    assert panel.counts.shape == (36, 59)
    inside, outside = counts.panel("targeted", hours=INSIDE), counts.panel("targeted", hours=OUTSIDE)
    assert (inside.counts + outside.counts == panel.counts).all()
    # Every second report of a place and month is at noon, beginning with the first.
    assert (inside.counts == (panel.counts + 1) // 2).all()


def test_days_that_are_left_out_are_gone_and_no_others(con):
    counts = Counts(con, STUDY)
    whole, without = counts.panel("targeted"), counts.panel("targeted", days="protest_weeks")
    june = whole.months.index("2020-06")  # 8 June 2020 is a Monday within the days left out
    assert whole.counts[:, june].sum() > 0 and without.counts[:, june].sum() == 0
    others = np.arange(59) != june
    assert (whole.counts[:, others] == without.counts[:, others]).all()


def test_the_flow_of_rows_balances_and_names_what_left(analysis, con):
    steps = analysis.flow
    assert all(a.remain - b.left_out == b.remain for a, b in pairwise(steps))
    landed = con.execute("select count(*) + 15 from drawn").fetchone()[0]
    assert steps[0].remain == landed
    left = {s.step: s.left_out for s in steps}
    assert left["folded into another row of its key"] == 15
    assert left["outside 2019-01 to 2023-11"] == 1
    assert left["precinct unknown or not in the study"] == 1
    assert steps[-1].remain == con.execute(
        "select count(*) from drawn where kind = 'criminal-trespassing' and place is not null and month between '2019-12' and '2020-11'"
    ).fetchone()[0]  # fmt: skip


def test_the_study_finds_the_effect_that_is_there_and_none_where_there_is_none(analysis):
    e = analysis.main.effect
    assert e.change_low < FELL_TO - 1 < e.change_high and e.change_high < 0
    # 48 treated places and months of 30 reports: 1,440 without, 1,008 with.
    assert e.counterfactual == pytest.approx(1440, rel=0.08) and e.averted == pytest.approx(432, rel=0.2)
    quiet = [n for n in (*analysis.placebos, *analysis.bases) if n.outcome == "serious" or n in analysis.placebos]
    assert np.mean([n.effect.change_low < 0 < n.effect.change_high for n in quiet]) >= 0.75
    assert abs(np.mean([n.effect.change for n in quiet])) < 0.03
    assert len(analysis.curve) == 256
    assert analysis.any_set.share_as_low < 0.01


def test_the_curve_holds_the_main_specification(analysis):
    main = [
        n
        for n in analysis.curve
        if (n.outcome, n.place, n.base, n.days, n.effect.estimator)
        == ("targeted", "downtown_broadway", "december_to_may", "all", "poisson")
    ]
    assert [n.effect for n in main] == [analysis.main.effect]


def test_verdicts_follow_from_the_numbers(analysis):
    # Half of the made-up effect lies at night, when no team worked: that question has to be answered with no.
    by_question = {v.question: v for v in verdicts(analysis)}
    assert not by_question["Is there nothing outside program hours, when no team worked?"].stands
    # 4,047 is implied by what was published; 1,440 is true here.
    assert not by_question[
        "Is the count that the published figures imply without the program inside the interval?"
    ].stands
    said = " ".join(conclusion(analysis))
    assert "not reproducible from public data" in said and "cannot be assigned to the program" in said
    assert "partly because responders who are not police write none" in said


def test_the_report_says_every_percentage_with_its_level_and_no_forbidden_word(tmp_path, analysis, blocks):
    paths = write_report(tmp_path, STUDY.title, blocks, draw(analysis))
    assert {p.suffix for p in paths} == {".csv", ".tex", ".svg", ".html", ".typ", ".pdf", ".docx"}
    page = (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    text = re.sub(r"<[^>]+>", " ", page).lower()
    text = text.replace("abuse crises reduced crime", "")  # the published paper's own title
    for word in ("fewer crimes", "savings", "saved", "crime reduction", "reduced crime"):
        assert word not in text
    for needed in (
        "implied without",
        "A note beside the result.",
        "29 October 2024",
        "in-time placebos",
        "program hours",
    ):
        assert needed.lower() in text
    assert "<script" not in page and "http://" not in re.sub(r"http://www.w3.org[^\"]*", "", page)
    with (tmp_path / "tables" / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 256
    assert all({"reports_before", "reports_seen", "implied_without", "fewer_reports", "change"} <= set(r) for r in rows)


def test_the_same_records_give_the_same_bytes(tmp_path, analysis, blocks, con):
    again = analyze(con, STUDY)
    for name, a in (("first", analysis), ("second", again)):
        write_report(tmp_path / name, STUDY.title, findings(a, "final", "r1", "0" * 64), draw(a))
    for path in sorted((tmp_path / "first").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes(), path.name


def test_an_exploratory_run_says_so_first(analysis):
    assert findings(analysis, "exploratory", "r1", "0" * 64)[0].text.startswith("EXPLORATORY")


def test_a_small_cell_does_not_leave(analysis, blocks):
    for table in (b for b in blocks if isinstance(b, TableBlock)):
        assert table.small_cells(11) == []
    flow = next(b for b in blocks if isinstance(b, TableBlock) and b.name == "flow")
    # One row of another year and one without a place: too few to show, so both steps stand with the next big one.
    merged = next(r for r in flow.rows if "precinct unknown" in r[0])
    assert "outside 2019-01 to 2023-11" in merged[0] and merged[1] > 10
    assert all(a[2] - b[1] == b[2] for a, b in pairwise(flow.rows))
    group = replace(analysis.table_one[0], treated_count=7)
    with pytest.raises(StudyError, match="a cell of 1 to 10 may not leave the internal tier"):
        findings(replace(analysis, table_one=(group,)), "final", "r1", "0" * 64)


def test_a_column_that_the_release_lacks_is_named(con):
    unit = STUDY.unit.model_copy(update={"column": "beat"})
    with pytest.raises(StudyError, match="'beat' is no column of fct_offense in this release"):
        Counts(con, STUDY.model_copy(update={"unit": unit}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"table": "fct_nothing"}, "no 'fct_nothing' in this release; `crisis describe` lists its tables"),
        ({"agencies": ("nowhere",)}, "fct_offense has no row of nowhere from 2019-01 to 2023-11 in this release"),
    ],
)
def test_a_release_without_the_records_says_what_to_do(con, change, said):
    with pytest.raises(StudyError) as error:
        Counts(con, STUDY.model_copy(update={"population": STUDY.population.model_copy(update=change)}))
    assert said in str(error.value)


def test_the_command_refuses_a_final_run_of_a_changed_study(tmp_path, home, monkeypatch):
    import shutil

    from click.testing import CliRunner

    from orchestration.cli import main

    monkeypatch.setenv("CRISIS_HOME", str(home.settings.home))
    shutil.copytree(STUDIES / "denver_star", tmp_path / "denver_star")
    with (tmp_path / "denver_star" / "study.yml").open("a") as file:
        file.write("\n# changed\n")
    out = CliRunner().invoke(main, ["evaluate", str(tmp_path / "denver_star")])
    assert out.exit_code == 1 and "changed after it was frozen" in out.output
    assert not (home.settings.home / "evaluations" / "looks.jsonl").exists()
    assert json.dumps(out.output).count("Traceback") == 0
