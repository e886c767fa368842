"""What things cost, in dollars: sums of a release against those of the truth; in a clean county equal to the cent."""

from __future__ import annotations

import duckdb

from orchestration.county.compare.figure import Compared, Truth
from orchestration.county.compare.seen import AGENCY
from orchestration.county.programs import PROGRAMS

PAID = {  # item of the truth: what it is called, and the release's amounts
    "ed_visit": ("paid for ED visits", "select sum(paid_usd), count(*) from care.fct_ed_visit"),
    "inpatient_stay": ("paid for hospital stays", "select sum(paid_usd), count(*) from care.fct_inpatient_stay"),
    "service_visit": ("paid for services", "select sum(paid_usd), count(*) from care.fct_service_linkage"),
    "ambulance_trip": ("charged for ambulance trips", "select sum(charge_usd), count(charge_usd) from internal.fct_transport"),
}  # fmt: skip


def costs(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Every cost of the truth: what was paid, hours on task by program at their price, and programs' budgets."""
    found = []
    for item, (name, query) in PAID.items():
        paid, n = seen.execute(query).fetchone()
        found.append(_dollars(name, _true(truth, item), paid, n, f"cost.{item}"))
    return [*found, *_labor(seen, truth), *_budgets(seen, truth)]


def _dollars(name: str, true: float, ours, n: int, *of: str) -> Compared:
    return Compared("cost", name, "dollars", true, None if ours is None else float(ours), None, n, (*of, "cost.cents"))


def _true(truth: Truth, item: str, program: str | None = None) -> float:
    of = f" and coalesce(program, 'none') = '{program}'" if program else ""
    return truth.one(f"select sum(cents) / 100 from cost where item = '{item}'{of}")


def _labor(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """The price of an hour, and the hours that officers and clinicians spent on calls of each program at that price."""
    found = []
    for role in ("officer", "clinician"):
        item = f"{role}_hour"
        (price,) = seen.execute(
            f"select max(rate_central_usd) from internal.met_cost__cost_per_response where item_code = '{item}'"
        ).fetchone()
        found.append(_dollars(f"{role}, an hour", truth.rates[f"cost.{item}"] / 100, price, 0, f"cost.{item}"))
        spent = {
            program: (dollars, n)
            for program, dollars, n in seen.execute(
                f"""
                select coalesce(program, 'none'), sum({role}_seconds) * cast($1 as decimal(18, 2)) / 3600, count({role}_seconds)
                from internal.fct_unit_response left join call using (incident_id) where agency_id = '{AGENCY}' group by all
            """,
                [price],
            ).fetchall()
        }
        for program in ("none", *(g.key for g in PROGRAMS)):
            true = _true(truth, item, program)
            if true:
                name = f"{role}s' time, no program" if program == "none" else f"{program}: {role}s' time"
                found.append(_dollars(name, true, *spent.get(program, (None, 0)), f"cost.{item}"))
    return found


def _budgets(seen: duckdb.DuckDBPyConnection, truth: Truth) -> list[Compared]:
    """Each program's cost of starting, budget of a year, and the part of it for the days up to the last call's month."""
    rows = seen.execute(f"""
        select program_number, start_up_cost_usd, annual_budget_usd,
            floor(annual_budget_usd * 100 * date_diff('day', start_date, (
                select cast(strptime(max(month), '%Y-%m') as date) + interval 1 month
                from internal.fct_incident where agency_id = '{AGENCY}' and month <> 'unknown')) / 365) / 100
        from internal.fct_program where agency_id = '{AGENCY}'
    """).fetchall()
    told = {number: amounts for number, *amounts in rows}
    found = []
    for program in PROGRAMS:
        start, year, part = told.get(program.number, (None, None, None))
        key = program.key
        n = int(program.number in told)
        found += [
            _dollars(f"{key}: start-up", _true(truth, "start_up", key), start, n, "cost.start_up", f"cost.{key}.start_up"),
            _dollars(f"{key}: budget of a year", truth.rates[f"cost.{key}.year"] / 100, year, n, f"cost.{key}.year"),
            _dollars(f"{key}: budget of its days", _true(truth, "budget", key), part, n, "cost.budget"),
        ]  # fmt: skip
    return found
