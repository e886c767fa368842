"""Holds a release of the county against its truth: programs' effects, rates and costs, each with its standard error.

Among eligible calls chance decides who is served, and nothing else decides how a contact ends. So in a clean county
served and unserved contacts may be compared as they are; what differs in a dirty one is the bias that dirt causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.engine import text

MODELS = {"core": "co_response_ride_along", "mct": "mobile_crisis", "alt": "alternative_no_police"}
UNSERVED = ("police_only", "cit_police")
# How a contact ended, as the fact of contacts tells it; the ends exclude each other.
ENDS = {
    "arrest": "enforcement_code in ('booked', 'arrested_unspecified')",
    "hold": "legal_hold_code = 'involuntary'",
    "ed": "destination_code = 'ed' and legal_hold_code <> 'involuntary'",
}
PAID = {  # item of the truth: the care tier's amounts
    "ed_visit": "select sum(paid_usd) from care.fct_ed_visit",
    "inpatient_stay": "select sum(paid_usd) from care.fct_inpatient_stay",
    "service_visit": "select sum(paid_usd) from care.fct_service_linkage",
}


@dataclass(frozen=True)
class Compared:
    """One figure of the truth and the warehouse's own. kind: effect, rate or cost.

    truth, estimate: a ratio, a share or dollars. standard_error: of the estimate, in the same unit (of a ratio, of its
    logarithm); None where the figure is a sum and no sample. n: rows behind it.
    """

    kind: str
    name: str
    truth: float
    estimate: float
    standard_error: float | None
    n: int

    @property
    def deviation(self) -> float | None:
        """How many standard errors lie between the two; None without a standard error."""
        from math import log

        if not self.standard_error:
            return None
        gap = log(self.estimate / self.truth) if self.kind == "effect" else self.estimate - self.truth
        return gap / self.standard_error


def compare(con: duckdb.DuckDBPyConnection, truth: Path) -> list[Compared]:
    """All figures of the truth that the release `con` (schemas internal and care) can tell.

    truth: the folder that `crisis county` wrote; its tables are read by a connection of their own.
    """
    with duckdb.connect() as known:
        effects = {
            (program, outcome): (effect, baseline)
            for program, outcome, effect, baseline in known.execute(
                f"select program, outcome, cast(effect as double), try_cast(baseline as double) from read_csv({text(str(truth / 'effect.csv'))}, all_varchar = true)"
            ).fetchall()
        }
        paid = dict(
            known.execute(
                f"select item, sum(cents) / 100 from read_parquet({text(str(truth / 'cost.parquet'))}) group by item"
            ).fetchall()
        )
        met, explicit = known.execute(
            f"select count(*) filter (is_contact), avg(cast(is_bh as integer)) from read_parquet({text(str(truth / 'call.parquet'))})"
        ).fetchone()
    found = [*_ends(con, effects), *_scene(con, effects), *_referrals(con, effects)]
    (contacts,) = con.execute(
        "select count(distinct linked_incident_id) from internal.fct_contact where is_linked_to_incident"
    ).fetchone()
    found.append(Compared("rate", "contacts with a form", 1.0, contacts / met, (1 / met) ** 0.5, met))
    found.append(_bh_share(con, explicit))
    found += [
        Compared("cost", f"paid for {item}, dollars", float(paid[item]), float(con.execute(sql).fetchone()[0] or 0), None, 0)
        for item, sql in PAID.items()
    ]
    return found


def _served(con: duckdb.DuckDBPyConnection) -> str:
    return f"""
        select contact_id, response_model_code, linked_incident_id, legal_hold_code, enforcement_code, destination_code
        from internal.fct_contact
        where is_linked_to_incident and response_model_code in ({", ".join(map(text, (*MODELS.values(), *UNSERVED)))})
    """


def _ratio(name: str, truth: float, served: tuple[int, int], unserved: tuple[int, int]) -> Compared:
    """Ratio of two shares, each (events, rows), with the standard error of its logarithm."""
    (a, n), (b, m) = served, unserved
    error = (1 / a - 1 / n + 1 / b - 1 / m) ** 0.5 if a and b else None
    return Compared("effect", name, truth, (a / n) / (b / m) if b and n else 0.0, error, n)


def _ends(con, effects) -> list[Compared]:
    found = []
    for outcome, condition in ENDS.items():
        counts = {
            model: (events, rows)
            for model, events, rows in con.execute(
                f"select response_model_code, count(*) filter ({condition}), count(*) from ({_served(con)}) group by all"
            ).fetchall()
        }
        unserved = tuple(sum(counts.get(m, (0, 0))[i] for m in UNSERVED) for i in (0, 1))
        baseline = effects["core", outcome][1]
        share = unserved[0] / unserved[1]
        error = (baseline * (1 - baseline) / unserved[1]) ** 0.5
        found.append(Compared("rate", f"{outcome}, unserved contacts", baseline, share, error, unserved[1]))
        for program, model in MODELS.items():
            if model in counts:
                found.append(_ratio(f"{program}: {outcome}", effects[program, outcome][0], counts[model], unserved))
    return found


def _scene(con, effects) -> list[Compared]:
    """Mean time on scene of the first unit to arrive, or of the team where no police came."""
    rows = con.execute(
        f"""
        select c.response_model_code, avg(u.scene_seconds), var_samp(u.scene_seconds), count(u.scene_seconds)
        from ({_served(con)}) as c
        join internal.fct_unit_response as u on u.incident_id = c.linked_incident_id and u.is_first_arriving
        group by all
        """
    ).fetchall()
    by_model = {model: said for model, *said in rows}
    total = sum(by_model[m][2] for m in UNSERVED if m in by_model)
    mean = sum(by_model[m][0] * by_model[m][2] for m in UNSERVED if m in by_model) / total
    spread = sum(by_model[m][1] * by_model[m][2] for m in UNSERVED if m in by_model) / total
    found = []
    for program, model in MODELS.items():
        if model in by_model and by_model[model][2] > 1:
            served, variance, n = by_model[model]
            error = (variance / n / served**2 + spread / total / mean**2) ** 0.5
            found.append(Compared("effect", f"{program}: scene", effects[program, "scene"][0], served / mean, error, n))
    return found


def _referrals(con, effects) -> list[Compared]:
    """Share of contacts without arrest that a referral names by their call."""
    counts = {
        model: (events, rows)
        for model, events, rows in con.execute(
            f"""
            select response_model_code, count(*) filter (linked_incident_id in (select incident_id from care.fct_referral)), count(*)
            from ({_served(con)}) where not ({ENDS["arrest"]}) group by all
            """
        ).fetchall()
    }
    unserved = tuple(sum(counts.get(m, (0, 0))[i] for m in UNSERVED) for i in (0, 1))
    return [
        _ratio(f"{program}: referral", effects[program, "referral"][0], counts[model], unserved)
        for program, model in MODELS.items()
        if model in counts and unserved[0]
    ]


def _bh_share(con, truth: float) -> Compared:
    """Share of calls that any method identifies as behavioral health: a lower bound, since not every such call is met."""
    share, n = con.execute(
        "select avg(cast(bh_any = 'yes' as integer)), count(*) from internal.fct_incident where not is_duplicate"
    ).fetchone()
    return Compared("rate", "BH share of calls, any method (lower bound)", truth, share, (truth * (1 - truth) / n) ** 0.5, n)


def print_compared(found: list[Compared], console) -> None:
    """A table of all figures, those farther than three standard errors marked."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in ("kind", "figure", "truth", "warehouse", "deviation (s.e.)", "n"):
        table.add_column(column, justify="left" if column in ("kind", "figure") else "right")
    for c in found:
        far = "" if c.deviation is None else f"{c.deviation:+.1f}"
        mark = " *" if c.deviation is not None and abs(c.deviation) > 3 else ""
        table.add_row(c.kind, c.name, f"{c.truth:,.4g}" if c.kind != "cost" else f"{c.truth:,.2f}",
                      f"{c.estimate:,.4g}" if c.kind != "cost" else f"{c.estimate:,.2f}", far + mark, f"{c.n:,}" if c.n else "")  # fmt: skip
    console.print(table)
    console.print("effect: served over unserved contacts, deviation of its logarithm. * more than three standard errors.")
