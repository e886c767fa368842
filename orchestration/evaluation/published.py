"""Checks of published arithmetic: the field's printed numbers, computed again by the warehouse's own formulas.

These are not reproduced evaluations. evaluations/published/rows.csv names for each number a formula, its inputs, and
what was printed. A formula is a macro of dbt_project/macros/measures or of evaluations/published/formulas.sql; its
SQL runs in DuckDB, as in the models, so that a formula that goes wrong in the warehouse goes wrong here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import PROJECT
from orchestration.yaml_file import read_yaml

FOLDER = Path("evaluations/published")
WAREHOUSE_MACROS = ("measures/metric_row.sql", "measures/money.sql")
KINDS = {"P": "reproduction", "C": "consistency", "D": "derived"}
AGREES, DIFFERS, NO_VERDICT = "agrees", "DIFF", "no verdict"
TITLE = "Checks of published arithmetic, not reproduced evaluations"
ARITHMETIC = re.compile(r"[0-9.+\-*/ ()]+")


class PublishedError(ValueError):
    """A row that cannot be computed; the message names file, row, rule and remedy."""


@dataclass(frozen=True)
class Study:
    """Where printed numbers come from. comparison: whether they rest on a comparison group (yes, no, not_known)."""

    study_id: str
    title: str
    source: str
    design: str
    comparison: str
    claimed_by: str
    read: str
    lines: tuple[dict, ...] = ()


@dataclass(frozen=True)
class Check:
    """One printed number, and what its formula gives, in the printed unit.

    kind: P, all inputs and the output are printed; C, an input was solved back from another printed number;
    D, the output or an input is not printed, so that there is no verdict.
    """

    check_id: str
    kind: str
    study: Study
    what: str
    formula: str
    inputs: str
    inputs_from: str
    unit: str
    reference: float
    tolerance: float
    note: str
    computed: float

    @property
    def difference(self) -> float:
        return self.computed - self.reference

    @property
    def verdict(self) -> str:
        if self.kind == "D":
            return NO_VERDICT
        # A hair wider than printed: 0.05 is not a binary number.
        return AGREES if abs(self.difference) <= self.tolerance + 1e-9 else DIFFERS


def load_studies(root: Path = PROJECT) -> dict[str, Study]:
    """The studies by their id."""
    said = read_yaml(root / FOLDER / "studies.yml")
    return {k: Study(k, **{**v, "lines": tuple(v.get("lines", ()))}) for k, v in said.items()}


def load_formulas(root: Path = PROJECT) -> dict[str, object]:
    """The formulas by name: macros that take SQL expressions and give one."""
    from jinja2 import Environment

    paths = [*(root / "dbt_project" / "macros" / name for name in WAREHOUSE_MACROS), root / FOLDER / "formulas.sql"]
    found: dict[str, object] = {}
    for path in paths:
        module = Environment().from_string(path.read_text(encoding="utf-8")).module
        found |= {k: v for k, v in vars(module).items() if callable(v) and not k.startswith("_")}
    return found


def _expression(row: dict, earlier: dict[str, str], formulas: dict[str, object]) -> str:
    """A row's SQL. Inputs are numbers, arithmetic over numbers, or ids of rows above."""
    where = f"{FOLDER / 'rows.csv'}, row {row['id']}"
    if row["formula"] not in formulas:
        raise PublishedError(f"{where}: no formula '{row['formula']}'; choose one of {', '.join(sorted(formulas))}")

    def one(text: str) -> str:
        text = text.strip()
        if text in earlier:
            return f"({earlier[text]})"
        if not ARITHMETIC.fullmatch(text):
            raise PublishedError(f"{where}: '{text}' is neither a number nor a row above; write numbers, + - * / ( )")
        return f"({text})"

    given = {}
    for part in row["inputs"].split(";"):
        name, _, value = part.partition("=")
        given[name.strip()] = [one(v) for v in value.split(",")] if name.strip() == "amounts" else one(value)
    try:
        return str(formulas[row["formula"]](**given)).strip()
    except TypeError as error:
        raise PublishedError(f"{where}: the inputs do not fit the formula: {error}; name its arguments") from error


def compute(rows: list[dict], studies: dict[str, Study], formulas: dict[str, object]) -> list[Check]:
    """The checks of rows as rows.csv has them, in one query. Raises PublishedError."""
    import duckdb

    expressions: dict[str, str] = {}
    for row in rows:
        if row["study"] not in studies:
            raise PublishedError(f"{FOLDER / 'rows.csv'}, row {row['id']}: no study '{row['study']}' in studies.yml")
        expressions[row["id"]] = _expression(row, expressions, formulas)
    columns = ",\n".join(f"cast({sql} as double)" for sql in expressions.values())
    with duckdb.connect() as con:
        values = con.execute(f"select {columns}").fetchone()
    return [
        Check(
            row["id"], row["kind"], studies[row["study"]], row["what"], row["formula"], row["inputs"],
            row["inputs_from"], row["unit"], float(row["reference"]), float(row["tolerance"]), row["note"],
            value * float(row["scale"]),
        )
        for row, value in zip(rows, values, strict=True)
    ]  # fmt: skip


def published_checks(root: Path = PROJECT) -> list[Check]:
    """All checks, in the order of rows.csv. Raises PublishedError."""
    with (root / FOLDER / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return compute(rows, load_studies(root), load_formulas(root))


def summary(checks: Iterable[Check]) -> list[str]:
    """The counts of verdicts by kind, and the names of the rows that differ."""
    checks = list(checks)

    def count(kind: str) -> tuple[int, int]:
        of_kind = [c for c in checks if c.kind == kind]
        return sum(c.verdict == AGREES for c in of_kind), len(of_kind)

    (p, ps), (c, cs), (_, ds) = count("P"), count("C"), count("D")
    return [
        f"{len(checks)} rows.",
        f"P, all inputs and the output are printed: {p} of {ps} agree.",
        f"C, an input was solved back from another printed number: {c} of {cs} agree.",
        f"D, derived here, the output or an input is not printed: {ds}, no verdict.",
        f"Not reproduced: {', '.join(x.check_id for x in checks if x.verdict == DIFFERS)}.",
    ]


@dataclass(frozen=True)
class LineSensitivity:
    """A line of a cost table, and what becomes of the net if that line alone is a quarter lower or higher.

    break_even_change: by which share of itself the line has to change for the net to be zero.
    """

    line: str
    kind: str
    usd: int
    net_if_lower: float
    net_if_higher: float
    break_even_change: float


@dataclass(frozen=True)
class WholeTable:
    """A study's cost table line by line, with its sums and its sensitivity. Amounts in USD a year."""

    study: Study
    costs: float
    savings: float
    net: float
    ratio: float
    hospital_share: float
    hospital_break_even: float
    lines: tuple[LineSensitivity, ...]


def whole_table(root: Path = PROJECT, study_id: str = "el_mallakh_2014") -> WholeTable:
    """The table of a study that prints each line; every number is computed by the formulas of the checks."""
    import duckdb

    study, formulas = load_studies(root)[study_id], load_formulas(root)

    def sums(lines) -> tuple[str, str]:
        parts = {k: [f"({x['usd']})" for x in lines if x["kind"] == k] for k in ("cost", "saving")}
        return formulas["total"](amounts=parts["cost"]), formulas["total"](amounts=parts["saving"])

    def net(changed: str | None = None, by: float = 0) -> str:
        lines = [{**x, "usd": f"{x['usd']} * {1 + by}" if x["line"] == changed else x["usd"]} for x in study.lines]
        costs, savings = sums(lines)
        return str(formulas["net_benefit"](benefit=savings, cost=costs))

    costs, savings = sums(study.lines)
    hospital = formulas["total"](amounts=[f"({x['usd']})" for x in study.lines if x.get("hospital")])
    wanted = [
        costs, savings, net(), formulas["benefit_cost_ratio"](benefit=savings, cost=costs),
        formulas["share"](numerator=hospital, denominator=savings),
        formulas["share"](numerator=f"({net()})", denominator=hospital),
    ]  # fmt: skip
    for x in study.lines:
        sign = "-" if x["kind"] == "saving" else ""
        wanted += [net(x["line"], -0.25), net(x["line"], 0.25), f"{sign}({net()}) / cast({x['usd']} as double)"]
    with duckdb.connect() as con:
        found = con.execute("select " + ", ".join(f"cast({w} as double)" for w in wanted)).fetchone()
    of_lines = zip(found[6::3], found[7::3], found[8::3], strict=True)
    lines = (LineSensitivity(x["line"], x["kind"], x["usd"], *v) for x, v in zip(study.lines, of_lines, strict=True))
    return WholeTable(study, *found[:6], tuple(lines))
