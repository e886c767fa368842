"""What a program cost for each event less: ratio with its range, acceptability, value of information, break-even.

Drawn in numpy from a fixed seed, since draws in the database hang on its threads. Prices, the effect's own uncertainty
and both together are shown apart. Freed capacity is no cash, and nothing here is called otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from orchestration.engine import text
from orchestration.evaluation.blocks import Block, Figure, Heading, Paragraph, TableBlock, count
from orchestration.evaluation.study import Cost, StudyError

PRICES, EFFECT, TOGETHER = "prices", "effect", "together"


@dataclass(frozen=True)
class Money:
    """An amount in dollars, drawn from a triangle where low and high differ from central. said: where it is from."""

    central: float
    low: float
    high: float
    price_year: int
    said: str

    def draw(self, generator: np.random.Generator, draws: int) -> np.ndarray:
        if self.low == self.high:
            return np.full(draws, self.central)
        return generator.triangular(self.low, self.central, self.high, draws)


@dataclass(frozen=True)
class Plane:
    """Draws of extra cost and of events less, with the same places for the same draw."""

    cost: np.ndarray
    fewer: np.ndarray

    def ratio(self) -> np.ndarray:
        """Dollars for each event less; without end where there are none less and it costs more."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.fewer > 0, self.cost / self.fewer, np.inf)

    def acceptable(self, willingness: float) -> float:
        """Share of draws in which events less are worth more than they cost, at so many dollars each."""
        return float((willingness * self.fewer > self.cost).mean())

    def information(self, willingness: float) -> float:
        """Expected value of perfect information: what choosing by each draw gives beyond choosing by the mean, in dollars."""
        benefit = willingness * self.fewer - self.cost
        return float(np.maximum(benefit, 0).mean() - max(benefit.mean(), 0.0))


@dataclass(frozen=True)
class Priced:
    """Results. planes: draws by what is drawn, of the program's cost alone and with the price of events set against it.

    fewer: the main estimate.
    """

    program: Money
    price: Money | None
    fewer: float
    alone: dict[str, Plane]
    net: dict[str, Plane]
    acceptability: tuple[tuple[int, float, float, float, float], ...]

    @property
    def break_even_price(self) -> float:
        """What an event would have to cost for the events less to equal the program's cost."""
        return self.program.central / self.fewer if self.fewer > 0 else float("inf")

    @property
    def break_even_events(self) -> float | None:
        """How many events less, at their price, would equal the program's cost."""
        return self.program.central / self.price.central if self.price else None


def tables_read(study) -> tuple[str, ...]:
    """The release's files that the cost of a study reads."""
    c = study.cost
    if c is None:
        return ()
    return (
        *(("internal/met_cost__program.parquet",) if c.program_id else ()),
        *(("internal/dim_cost_parameter.parquet",) if c.item else ()),
    )


def cost_effectiveness(con: duckdb.DuckDBPyConnection, study, analysis) -> Priced:
    """Cost of the study's program by event less, from an open release. Raises StudyError."""
    try:
        program, price = _program(con, study), _price(con, study)
    except duckdb.CatalogException as error:
        raise StudyError(
            f"{study.study_id}/study.yml: cost: this release has no table of programs' costs or of prices ({error}); give"
            " cost.amount and no item, or build the release anew"
        ) from error
    if price and price.price_year != program.price_year:
        raise StudyError(
            f"{study.study_id}/study.yml: cost: the program is in dollars of {program.price_year} and the price of"
            f" '{study.cost.item}' in those of {price.price_year}; bring amount to that year"
        )
    return simulate(study.cost, program, price, analysis.fewer_at, study.seed)


def simulate(c: Cost, program: Money, price: Money | None, fewer_at, seed: int) -> Priced:
    """fewer_at: events less by how many standard errors the effect is off."""
    generator = np.random.Generator(np.random.PCG64(seed))
    z = generator.standard_normal(c.draws)
    zero, certain = np.zeros(c.draws), np.ones(c.draws)
    paid = program.draw(generator, c.draws)
    worth = price.draw(generator, c.draws) if price else zero
    central = price.central if price else 0.0
    alone, net = {}, {}
    for kind, money, each, events in (
        (PRICES, paid, worth, fewer_at(zero)),
        (EFFECT, program.central * certain, central * certain, fewer_at(z)),
        (TOGETHER, paid, worth, fewer_at(z)),
    ):
        alone[kind], net[kind] = Plane(money, events), Plane(money - each * events, events)
    return Priced(
        program, price, float(fewer_at(np.zeros(1))[0]), alone, net,
        tuple(
            (w, *(v for p in (alone[TOGETHER], net[TOGETHER]) for v in (p.acceptable(w), p.information(w))))
            for w in c.willingness_usd
        ),
    )  # fmt: skip


def _program(con: duckdb.DuckDBPyConnection, study) -> Money:
    c = study.cost
    if c.amount:
        a = c.amount
        low, high = (a.central, a.central) if a.low is None else (a.low, a.high)
        return Money(a.central, low, high, a.price_year, a.source)
    months = study.after
    found = con.execute(
        "select count(*), sum(fully_loaded_price_year_usd), max(price_year), count(fully_loaded_price_year_usd)"
        f" from internal.met_cost__program where program_id = {text(c.program_id)} and month between $1 and $2",
        [months.first, months.last],
    ).fetchone()
    if not found[0] or found[0] != found[3]:
        raise StudyError(
            f"{study.study_id}/study.yml: cost.program_id: met_cost__program does not tell the cost of '{c.program_id}' in each"
            f" month from {months.first} to {months.last}; send its budget, or give cost.amount"
        )
    usd = float(found[1])
    said = f"met_cost__program, {c.program_id}, {months.first} to {months.last}: budget and the part of its start-up"
    return Money(usd, usd, usd, found[2], said)


def _price(con: duckdb.DuckDBPyConnection, study) -> Money | None:
    item = study.cost.item
    if item is None:
        return None
    found = con.execute(
        f"""
        select
            max(price_central_usd) filter (is_default), min(price_low_usd), max(price_high_usd), max(price_year),
            string_agg(param_key, '; ' order by param_key)
        from internal.dim_cost_parameter
        where item_code = {text(item)} and price_kind_code = 'capacity' and price_central_usd is not null
        """
    ).fetchone()
    if found[0] is None:
        raise StudyError(
            f"{study.study_id}/study.yml: cost.item: no default price with a year for '{item}' in dim_cost_parameter; put one"
            " into seeds/costs/cost_parameter.csv, or leave item out"
        )
    return Money(float(found[0]), float(found[1]), float(found[2]), found[3], f"dim_cost_parameter: {found[4]}")


# the report


def _usd(value: float) -> str:
    return "no end" if np.isinf(value) else f"{value:,.0f}"


def _range(values: np.ndarray) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile, as values that were drawn: they may be without end."""
    low, high = np.quantile(values, (0.025, 0.975), method="inverted_cdf")
    return float(low), float(high)


def with_cost(
    con: duckdb.DuckDBPyConnection, study, analysis, blocks: list[Block], figures: dict[str, str]
) -> tuple[list[Block], dict[str, str]]:
    """Blocks and figures of a report with those of its cost, before its limits, if the study asks for it."""
    if study.cost is None:
        return blocks, figures
    priced = cost_effectiveness(con, study, analysis)
    limits = next(i for i, b in enumerate(blocks) if isinstance(b, Heading) and b.text == "Limits")
    return [*blocks[:limits], *cost_blocks(study, priced), *blocks[limits:]], figures | draw(priced)


def cost_blocks(study, p: Priced) -> list[Block]:
    """Heading, text, tables and the figure."""
    c, together = study.cost, p.net[TOGETHER] if p.price else p.alone[TOGETHER]
    none_less = float((together.fewer <= 0).mean())
    year = p.program.price_year
    data = []
    for name, planes in (("program cost alone", p.alone), *((("less the price of events", p.net),) if p.price else ())):
        for what, of in (("extra cost", lambda x: x.cost), ("events less", lambda x: x.fewer), ("cost for each event less", lambda x: x.ratio())):  # fmt: skip
            central = of(_central(p, planes is p.net))[0]
            data.append((name, what, central, *(v for kind in (PRICES, EFFECT, TOGETHER) for v in _range(of(planes[kind])))))  # fmt: skip
    text_rows = tuple(
        (name, what, _usd(mid), *(f"{_usd(v[2 * i])} to {_usd(v[2 * i + 1])}" for i in range(3)))
        for name, what, mid, *v in data
    )
    names = ("cost", "what", "central", *(f"{k}_{end}" for k in (PRICES, EFFECT, TOGETHER) for end in ("low", "high")))
    blocks: list[Block] = [
        Heading(f"Cost for each {c.event} less", True),
        Paragraph(c.why),
        Paragraph(
            f"The program cost {_usd(p.program.central)} dollars of {year} ({p.program.said}); paid by: {c.payer}. "
            + (f"Price of a {c.event}: {_usd(p.price.central)} ({_usd(p.price.low)} to {_usd(p.price.high)}; {p.price.said})." if p.price else f"No price of a {c.event} is set against it.")
            + f" Discounting: {c.discounting}"
        ),
        Paragraph(
            "A price that is set against the program's cost is the price of capacity that others may use; no budget falls by"
            " it, and it is no payment to the program."
            + ("" if study.claim == "causal" else f" The difference is {study.claim}, and so is every number here.")
        ),
        TableBlock(
            "cost", f"Cost and events less, dollars of {year}",
            ("cost", "what", "central", "range, prices", "range, effect", "range, both"), text_rows,
            note=f"Ranges hold 95 % of {c.draws:,} draws. In {none_less:.1%} of draws there are no events less, so a ratio has no"
            " upper end there. Where the range of prices has no width, one source told them.",
            data=(names, tuple((a, b, *("" if np.isinf(x) else round(x, 2) for x in rest)) for a, b, *rest in data)),
        ),
        Paragraph(_break_even(c, p)),
        TableBlock(
            "acceptability", "At so many dollars for each event less",
            ("dollars", "share of draws worth it", "value of information, USD",
             *(("with price: share worth it", "with price: value of information, USD") if p.price else ())),
            tuple(
                (f"{w:,}", f"{a:.3f}", _usd(e), *((f"{b:.3f}", _usd(f)) if p.price else ())) for w, a, e, b, f in p.acceptability
            ),
            note="Value of information: the most that knowing effect and prices for sure would be worth for a decision about these"
            f" months and this place. Monte Carlo error of a share is at most {0.5 / c.draws**0.5:.3f}.",
        ),
        Figure("acceptability", "Acceptability and value of information", "Lines over willingness to pay: share of draws in which the events less are worth their cost, and the expected value of perfect information."),
    ]  # fmt: skip
    return blocks


def _central(p: Priced, with_price: bool) -> Plane:
    each = p.price.central if with_price and p.price else 0.0
    return Plane(np.array([p.program.central - each * p.fewer]), np.array([p.fewer]))


def _break_even(c: Cost, p: Priced) -> str:
    said = (
        f"Break-even: a {c.event} would have to cost {_usd(p.break_even_price)} dollars for the {count(p.fewer)} less to equal"
        " the program's cost."
        if p.fewer > 0
        else f"Break-even: there are no {c.event}s less, so no price equals the program's cost."
    )
    if p.price:
        said += f" At its price it would take {count(p.break_even_events)} less."
    return said


def draw(p: Priced) -> dict[str, str]:
    """The figure of acceptability, as SVG by its name."""
    from orchestration.evaluation.figures import BLUE, ORANGE, WIDTH, altair, frame_of, svgs

    alt = altair()
    kinds = ["program cost alone", *(["less the price of events"] if p.price else [])]
    frame = frame_of(
        dollars=[r[0] for r in p.acceptability] * len(kinds),
        share=[r[1 + 2 * k] for k in range(len(kinds)) for r in p.acceptability],
        information=[r[2 + 2 * k] for k in range(len(kinds)) for r in p.acceptability],
        cost=[name for name in kinds for _ in p.acceptability],
    )
    color = alt.Color("cost:N", title=None, scale=alt.Scale(domain=kinds, range=[BLUE, ORANGE][: len(kinds)]))
    dash = alt.StrokeDash("cost:N", title=None, scale=alt.Scale(domain=kinds))
    x = alt.X("dollars:Q", title="dollars for each event less")
    line = alt.Chart(frame).mark_line(point={"size": 25}).encode(x=x, color=color, strokeDash=dash)
    top = line.encode(y=alt.Y("share:Q", title="share of draws worth it", scale=alt.Scale(domain=[0, 1])))
    bottom = line.encode(y=alt.Y("information:Q", title="value of information, USD"))
    chart = alt.vconcat(top.properties(width=WIDTH, height=180), bottom.properties(width=WIDTH, height=140))
    return svgs({"acceptability": chart})
