"""Cost of a study by event less: closed forms, ranges without end, words, and where the money is read from."""

from __future__ import annotations

from statistics import NormalDist

import duckdb
import numpy as np
import pytest
from pydantic import ValidationError

pytest.importorskip("pyfixest", reason="the extra `evaluate` is not installed")
pytest.importorskip("vl_convert", reason="the extra `evaluate` is not installed")

from orchestration.evaluation.blocks import Paragraph, TableBlock
from orchestration.evaluation.cost import (
    EFFECT,
    PRICES,
    TOGETHER,
    Money,
    Plane,
    cost_blocks,
    cost_effectiveness,
    draw,
    simulate,
    tables_read,
)
from orchestration.evaluation.run import evaluate
from orchestration.evaluation.study import Cost, StudyError, load_study
from tests.conftest import Home
from tests.evaluation_home import offenses, release_offenses, write_study

DRAWS = 200_000
SAID = {
    "event": "report", "amount": {"central": 10_000, "price_year": 2024, "source": "An invented budget."},
    "payer": "the city itself", "discounting": "none, all within a year.", "willingness_usd": [0, 50, 100, 200],
    "draws": DRAWS, "why": "Invented, to hold the reckoning against.",
}  # fmt: skip
COST, FIXED = Cost.model_validate(SAID), Money(10_000, 10_000, 10_000, 2024, "invented")
NORMAL = NormalDist()


def normal(mean, error):
    return lambda z: mean + error * z


def test_acceptability_and_value_of_information_are_those_of_the_closed_forms():
    # 100 events less with an error of 30, for 10,000 dollars for sure.
    p = simulate(COST, FIXED, None, normal(100, 30), 1)
    for dollars, share, information, *_ in p.acceptability[1:]:
        mean, error = dollars * 100 - 10_000, dollars * 30
        assert share == pytest.approx(NORMAL.cdf(mean / error), abs=0.005)
        # Unit normal loss: error x (density + d x share) less what the mean alone would choose.
        d = mean / error
        expected = error * (NORMAL.pdf(d) + d * NORMAL.cdf(d)) - max(mean, 0)
        assert information == pytest.approx(expected, rel=0.02, abs=5)
    assert p.acceptability[0][1:3] == (0.0, 0.0)  # at no dollar nothing is worth its cost, and knowing changes nothing
    assert (p.break_even_price, p.break_even_events) == (100, None)


def test_the_ratios_range_is_that_of_the_effect_and_has_no_end_where_there_may_be_none():
    sure = simulate(COST, FIXED, None, normal(100, 10), 1).alone
    low, high = np.quantile(sure[EFFECT].ratio(), (0.025, 0.975))
    # 10,000 / (100 +- 19.6).
    assert (low, high) == (pytest.approx(10_000 / 119.6, rel=0.005), pytest.approx(10_000 / 80.4, rel=0.005))
    assert set(sure[PRICES].ratio()) == {100.0}
    unsure = simulate(COST, FIXED, None, normal(20, 30), 1)
    assert np.isinf(unsure.alone[TOGETHER].ratio()).mean() == pytest.approx(NORMAL.cdf(-20 / 30), abs=0.005)


def test_a_price_is_set_against_the_cost_and_drawn_from_its_triangle():
    price = Money(40, 20, 90, 2024, "invented")
    p = simulate(COST, FIXED, price, normal(100, 0), 1)
    # Mean of the triangle 50, so 10,000 - 100 x 50; by the central price 10,000 / 40 = 250 events break even.
    assert p.net[PRICES].cost.mean() == pytest.approx(5_000, rel=0.01)
    assert set(p.net[EFFECT].cost) == {6_000.0} and p.break_even_events == 250
    # Variance of a triangle: (a^2 + b^2 + c^2 - ab - ac - bc) / 18.
    spread = (20**2 + 90**2 + 40**2 - 20 * 90 - 20 * 40 - 90 * 40) / 18
    assert p.net[PRICES].cost.std() == pytest.approx(100 * spread**0.5, rel=0.01)


def test_a_plane_is_counted_by_hand():
    plane = Plane(np.array([100.0, 100.0, 100.0, -50.0]), np.array([2.0, 1.0, -1.0, 1.0]))
    assert plane.ratio().tolist() == [50.0, 100.0, np.inf, -50.0]
    # At 60 dollars: +20, -40, -160, +110: worth it in two of four; 130 / 4 less the larger of -70 / 4 and 0.
    assert (plane.acceptable(60), plane.information(60)) == (0.5, 32.5)


def test_the_same_seed_gives_the_same_figure_and_tables():
    one, two = (simulate(COST, FIXED, Money(40, 20, 90, 2024, "x"), normal(100, 30), 7) for _ in range(2))
    assert draw(one) == draw(two) and one.acceptability == two.acceptability


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"program_id": "elm:TEAM"}, "give program_id, or amount, and not both"),
        ({"willingness_usd": [100, 50]}, "from low to high"),
        ({"amount": SAID["amount"] | {"low": 20_000, "high": 30_000}}, "central is outside low to high"),
        ({"draws": 10}, "greater than or equal to 1000"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        Cost.model_validate(SAID | change)


@pytest.fixture
def con():
    found = duckdb.connect()
    found.execute("create schema internal")
    found.execute(
        "create table internal.met_cost__program as select * from (values"
        " ('elm:TEAM', '2020-04', 9.0, 2024), ('elm:TEAM', '2020-05', 100.5, 2024), ('elm:TEAM', '2020-08', 200.25, 2024),"
        " ('elm:OTHER', '2020-05', null, 2024)) as t (program_id, month, fully_loaded_price_year_usd, price_year)"
    )
    found.execute(
        "create table internal.dim_cost_parameter as select * from (values"
        " ('a', 'visit', true, 'capacity', 600, 600, 600, 2024), ('b', 'visit', false, 'capacity', 500, 450, 500, 2024),"
        " ('c', 'visit', true, 'cash', 9, 9, 9, 2024), ('d', 'cell', false, 'capacity', 10, 10, 10, 2024)) as t"
        " (param_key, item_code, is_default, price_kind_code, price_central_usd, price_low_usd, price_high_usd, price_year)"
    )
    yield found
    found.close()


class _Analysis:
    fewer_at = staticmethod(normal(100, 30))


def priced(con, tmp_path, **over):
    said = {k: v for k, v in SAID.items() if k != "amount"} | {"draws": 1000} | over
    return cost_effectiveness(con, load_study(write_study(tmp_path, cost=said)), _Analysis)


def test_money_is_read_from_the_release(con, tmp_path):
    p = priced(con, tmp_path, program_id="elm:TEAM", item="visit")
    # The treated months are May to August 2020; the default price is 600, sources run from 450 to 600.
    assert p.program.central == 300.75
    assert (p.price.central, p.price.low, p.price.high) == (600, 450, 600) and "a; b" in p.price.said


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"program_id": "elm:OTHER"}, "does not tell the cost of 'elm:OTHER' in each month"),
        ({"program_id": "elm:NOBODY"}, "does not tell the cost of 'elm:NOBODY'"),
        ({"program_id": "elm:TEAM", "item": "cell"}, "no default price with a year for 'cell'"),
        ({"amount": SAID["amount"] | {"price_year": 2020}, "item": "visit"}, "dollars of 2020 and the price of 'visit'"),
    ],
)  # fmt: skip
def test_money_that_the_release_does_not_tell_is_named(con, tmp_path, over, said):
    with pytest.raises(StudyError) as error:
        priced(con, tmp_path, **over)
    assert said in str(error.value)


def test_a_release_without_prices_is_named(con, tmp_path):
    con.execute("drop table internal.dim_cost_parameter")
    with pytest.raises(StudyError, match="this release has no table of programs' costs or of prices"):
        priced(con, tmp_path, program_id="elm:TEAM", item="visit")


def test_a_study_of_places_shows_its_cost_and_never_calls_it_otherwise(home: Home, tmp_path):
    release_offenses(home.settings, offenses(40), "2024-05-06-aaaaaaaa")
    folder = write_study(tmp_path, cost=SAID | {"draws": 1000})
    assert tables_read(load_study(folder)) == ()
    done = evaluate(home.settings, folder, exploratory=True)
    page = (done.folder / "report.html").read_text().lower()
    assert "cost for each report less" in page and "break-even" in page and "no budget falls by it" in page
    for word in ("savings", "saved", "saves"):
        assert word not in page
    assert {"cost.csv", "acceptability.csv", "cost.tex"} <= {p.name for p in (done.folder / "tables").iterdir()}
    assert (done.folder / "figures" / "acceptability.svg").exists()


def test_an_associational_study_says_that_its_cost_is_too():
    class Associational:
        claim, cost = "associational", COST

    blocks = cost_blocks(Associational, simulate(COST, FIXED, None, normal(-5, 30), 1))
    text = " ".join(b.text for b in blocks if isinstance(b, Paragraph))
    assert "The difference is associational, and so is every number here." in text
    assert "no price equals the program's cost" in text
    ratio = next(r for b in blocks if isinstance(b, TableBlock) and b.name == "cost" for r in b.rows if "each" in r[1])
    assert ratio[2] == "no end" and ratio[5].endswith("no end")
