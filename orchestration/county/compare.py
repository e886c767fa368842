"""Holds a release of the county against its truth: programs' effects, rates and costs, each with its standard error.

Told are the effects on arrest, hold and ED, which the form of each contact tells. Those on scene time, referral, repeat
contact and re-coding are not: the truth states them for units and people that no one column of the marts shows.

Among eligible calls chance decides who is served, and nothing else decides how a contact ends. So in a clean county
served and unserved contacts may be compared as they are; what differs in a dirty one is the bias that dirt causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.engine import text

MODELS = {
    "core": "co_response_ride_along",
    "mct": "mobile_crisis",
    "alt": "alternative_no_police",
    "cit": "cit_police",
}
UNSERVED = "police_only"
# The truth's ends as the primary disposition of the form tells them; its arrest takes in citations.
ENDS = {
    "arrest": "primary_disposition_code in ('arrest_booked', 'arrest_cited', 'warrant_arrest', 'arrest_unspecified')",
    "hold": "primary_disposition_code = 'hold_involuntary'",
    "ed": "primary_disposition_code in ('transport_ed', 'ems_transport_ed', 'hospital_voluntary')",
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

        if not self.standard_error or not self.estimate:
            return None
        gap = log(self.estimate / self.truth) if self.kind == "effect" else self.estimate - self.truth
        return gap / self.standard_error


def compare(con: duckdb.DuckDBPyConnection, truth: Path) -> list[Compared]:
    """All figures of the truth that the release `con` (schemas internal and care) can tell.

    truth: the folder that `crisis county` wrote; its tables are read by a connection of their own. Raises
    FileNotFoundError when it is no such folder.
    """
    if not (truth / "call.parquet").exists():
        raise FileNotFoundError(f"{truth} holds no truth; `crisis county` writes one beside the files")
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
        (met,) = known.execute(
            "select avg(cast(is_contact as integer)) filter (not is_duplicate)"
            f" from read_parquet({text(str(truth / 'call.parquet'))})"
        ).fetchone()
    found = _ends(con, effects)
    shared, n = con.execute(
        "select avg(cast(bh_field_form = 'yes' as integer)), count(*) from internal.fct_incident where not is_duplicate"
    ).fetchone()
    found.append(Compared("rate", "calls with a contact form", met, shared, (met * (1 - met) / n) ** 0.5, n))
    found += _contact_links(con, truth)
    found += [
        Compared(
            "cost", f"paid for {item}, dollars", float(paid[item]), float(con.execute(sql).fetchone()[0] or 0), None, 0
        )
        for item, sql in PAID.items()
    ]
    return found


def _ratio(name: str, truth: float, served: tuple[int, int], unserved: tuple[int, int]) -> Compared:
    """Ratio of two shares, each (events, rows), with the standard error of its logarithm."""
    (a, n), (b, m) = served, unserved
    error = (1 / a - 1 / n + 1 / b - 1 / m) ** 0.5 if a and b else None
    return Compared("effect", name, truth, (a / n) / (b / m) if b and n else 0.0, error, n)


def _ends(con: duckdb.DuckDBPyConnection, effects: dict[tuple[str, str], tuple]) -> list[Compared]:
    """How contacts at calls ended: the share among those whom no program served, and each program's ratio to it."""
    found = []
    for outcome, condition in ENDS.items():
        counts = {
            model: (events, rows)
            for model, events, rows in con.execute(
                f"select response_model_code, count(*) filter ({condition}), count(*) from internal.fct_contact"
                " where is_linked_to_incident group by all"
            ).fetchall()
        }
        unserved, baseline = counts[UNSERVED], effects["core", outcome][1]
        error = (baseline * (1 - baseline) / unserved[1]) ** 0.5
        found.append(
            Compared("rate", f"{outcome}, no program", baseline, unserved[0] / unserved[1], error, unserved[1])
        )
        for program, model in MODELS.items():
            if model in counts:
                found.append(_ratio(f"{program}: {outcome}", effects[program, outcome][0], counts[model], unserved))
    return found


def _contact_links(con: duckdb.DuckDBPyConnection, truth: Path) -> list[Compared]:
    """Precision and recall of contacts' links to calls; both are 1 in truth."""
    made = con.execute("select contact_id, incident_id from internal.bridge_contact_incident").to_arrow_table()
    with duckdb.connect() as known:
        known.register("made", made)
        right, linked, true = known.execute(
            f"""
            select count(*) filter (made.incident_id = agency_id || ':' || incident_number), count(made.incident_id),
                count(incident_number)
            from read_parquet({text(str(truth / "contact_incident.parquet"))}) as truth
            join made on made.contact_id = agency_id || ':' || contact_number
            """
        ).fetchone()
    return [
        Compared("rate", "contact to call, precision", 1.0, right / max(linked, 1), None, linked),
        Compared("rate", "contact to call, recall", 1.0, right / max(true, 1), None, true),
    ]


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
    console.print(
        "effect: served over unserved contacts, deviation of its logarithm. * more than three standard errors."
    )
