"""Counts of rows by unit and month, from one release."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from orchestration.engine import name, text
from orchestration.evaluation.study import Hours, Outcome, Question, Rule, Study, StudyError, Window
from orchestration.evaluation.subtraction import Told, told

INSIDE, OUTSIDE, ANY = "inside", "outside", "any"


@dataclass(frozen=True)
class Panel:
    """counts: one row per unit, one column per month; rows that the outcome's rule takes."""

    units: tuple[str, ...]
    months: tuple[str, ...]
    counts: np.ndarray

    def over(self, window: Window) -> np.ndarray:
        """The counts of each unit, summed over the months of a window."""
        return self.counts[:, self.in_window(window)].sum(axis=1)

    def in_window(self, window: Window) -> np.ndarray:
        return np.array([window.first <= m <= window.last for m in self.months])

    def without(self, places: np.ndarray) -> Panel:
        """The panel of the other places."""
        units = tuple(u for u, gone in zip(self.units, places, strict=True) if not gone)
        return Panel(units, self.months, self.counts[~places])

    def of(self, units) -> np.ndarray:
        """True for these units."""
        return np.isin(np.array(self.units), list(units))


@dataclass(frozen=True)
class FlowStep:
    """One step from landed to analyzed: rows that leave, and rows that stay."""

    step: str
    left_out: int
    remain: int


@dataclass(frozen=True)
class Part:
    """The rows that one count is of: of an outcome, in places, from one month to another, on days and in hours."""

    outcome: str
    units: tuple[str, ...]
    first: str
    last: str
    days: str
    hours: str


def column_sql(column: str) -> str:
    """A column, or one of the agency's own that stands in extras."""
    if column.startswith("extras."):
        return f"json_extract_string(extras, {text('$.' + column.removeprefix('extras.'))})"
    return name(column)


def holds_sql(rule: Rule) -> str:
    """Whether a row has one of the rule's values; a row without a value has not."""
    return f"coalesce({column_sql(rule.column)} in ({', '.join(map(text, rule.values))}), false)"


def inside_hours_sql(hours: Hours, at: str) -> str:
    """Whether a local time lies in the program's hours of the week."""
    weekdays = ", ".join(map(str, hours.weekdays))
    return f"isodow({at}) in ({weekdays}) and hour({at}) >= {hours.from_hour} and hour({at}) < {hours.to_hour}"


def released_table(con: duckdb.DuckDBPyConnection, study: Question, columns: set[str]) -> str:
    """The population's table in an open release, as SQL. Raises StudyError if it lacks one of these columns."""
    table = f"internal.{name(study.population.table)}"
    try:
        there = {r[0] for r in con.execute(f"describe {table}").fetchall()}
    except duckdb.CatalogException as error:
        raise StudyError(
            f"{study.study_id}/study.yml: population.table: no '{study.population.table}' in this release;"
            " `crisis describe` lists its tables"
        ) from error
    for column in sorted(columns - there):
        raise StudyError(
            f"{study.study_id}/study.yml: '{column}' is no column of {study.population.table} in this release"
        )
    return table


def months_of_data(con: duckdb.DuckDBPyConnection, study: Question) -> tuple[str, ...]:
    """All months of the study's data, of the rows read into `evaluated`. Raises StudyError if there is none."""
    p = study.population
    if not con.execute(
        "select 1 from evaluated where month between $1 and $2 limit 1", [p.data.first, p.data.last]
    ).fetchone():
        raise StudyError(
            f"{study.study_id}: {p.table} has no row of {', '.join(p.agencies)} from {p.data.first} to {p.data.last} in"
            f" this release; put its files into the drop folder and run `crisis run --agency {p.agencies[0]}`"
        )
    found = con.execute(
        "select strftime(m, '%Y-%m') from range(cast($1 as date), cast($2 as date) + interval 1 month,"
        " interval 1 month) as t (m)",
        [f"{p.data.first}-01", f"{p.data.last}-01"],
    ).fetchall()
    return tuple(r[0] for r in found)


def landed_steps(con: duckdb.DuckDBPyConnection, study: Question, total: int) -> list[FlowStep]:
    """From landed rows to the `total` rows of the population's table. Raises StudyError if they do not add up."""
    p = study.population
    landed, rejected, superseded, folded, other = con.execute(
        f"select sum(rows_landed), sum(rows_rejected), sum(rows_superseded), sum(rows_folded),"
        f" sum(rows_not_applicable) from internal.fct_reconciliation"
        f" where agency_id in ({', '.join(map(text, p.agencies))}) and entity = {text(p.table.removeprefix('fct_'))}"
    ).fetchone()
    steps = [FlowStep("rows landed", 0, int(landed))]
    for step, gone in (
        ("rejected at input", rejected), ("superseded by a newer version", superseded),
        ("folded into another row of its key", folded), ("not applicable", other),
    ):  # fmt: skip
        steps.append(FlowStep(step, int(gone), steps[-1].remain - int(gone)))
    if steps[-1].remain != total:
        raise StudyError(
            f"{study.study_id}: {steps[-1].remain:,} rows should be in {p.table} and {total:,} are; rebuild the release"
        )
    return steps


class Counts:
    """Reads a study's rows once from an open release, and counts them in as many ways as are asked for."""

    def __init__(self, con: duckdb.DuckDBPyConnection, study: Study):
        self.con, self.study = con, study
        p = study.population
        rules = [study.unit, *p.where, *(r for o in study.outcomes for r in (*o.where, *o.without))]
        table = released_table(con, study, {p.at, *(r.column.partition(".")[0] for r in rules)})
        flags = ",\n".join(f"{self._taken(o)} as is_{i}" for i, o in enumerate(study.outcomes))
        con.execute(
            f"""
            create or replace temp table evaluated as
            select
                agency_id,
                {column_sql(study.unit.column)} as unit,
                strftime({name(p.at)}, '%Y-%m') as month,
                cast({name(p.at)} as date) as day,
                {inside_hours_sql(study.treatment.hours, name(p.at))} as is_inside,
                {" and ".join(map(holds_sql, p.where)) or "true"} as is_eligible,
                {flags}
            from {table}
            where agency_id in ({", ".join(map(text, p.agencies))})
            """
        )
        self.months = months_of_data(con, study)
        self._kept: dict[tuple, Panel] = {}

    def _taken(self, outcome: Outcome) -> str:
        return " and ".join([*map(holds_sql, outcome.where), *(f"not {holds_sql(r)}" for r in outcome.without)])

    def panel(self, outcome: str, days: str = "all", hours: str = ANY) -> Panel:
        """The counts of an outcome in all months of the study's data; kept, so that asking twice costs nothing."""
        key = (outcome, days, hours)
        if key not in self._kept:
            self._kept[key] = self._count(*key)
        return self._kept[key]

    def _kept_sql(self, days: str, hours: str) -> str:
        kept = {INSIDE: "is_inside", OUTSIDE: "not is_inside", ANY: "true"}[hours]
        if days == "all":
            return kept
        gone = self.study.days[days]
        return f"{kept} and day not between '{gone.first}' and '{gone.last}'"

    def _count(self, outcome: str, days: str, hours: str) -> Panel:
        flag = [o.name for o in self.study.outcomes].index(outcome)
        kept = self._kept_sql(days, hours)
        found = self.con.execute(
            f"select unit, month, count(*) from evaluated where is_eligible and is_{flag} and {kept} group by unit, month"
        ).fetchall()
        units, months = self.study.unit.values, self.months
        rows, columns = {u: i for i, u in enumerate(units)}, {m: i for i, m in enumerate(months)}
        inside = [(rows[u], columns[m], n) for u, m, n in found if u in rows and m in columns]
        counts = np.zeros((len(units), len(months)), dtype=np.int64)
        if inside:
            r, c, n = (np.array(x) for x in zip(*inside, strict=True))
            counts[r, c] = n
        return Panel(units, months, counts)

    def told(self, parts: dict[Part, str]) -> Told:
        """Of which rows the counts of these parts are; their names."""
        return told(self.con, [(name, self._of(part)) for part, name in parts.items()])

    def _of(self, part: Part) -> str:
        flag = [o.name for o in self.study.outcomes].index(part.outcome)
        units = ", ".join(map(text, part.units))
        return (
            f"is_{flag} and {self._kept_sql(part.days, part.hours)} and unit in ({units})"
            f" and month between {text(part.first)} and {text(part.last)}"
        )

    def neighbors(self) -> dict[str, set[str]]:
        """Units that share an area: at least so many rows of one area in each of both."""
        p = self.study.permutation
        found = self.con.execute(
            f"""
            with shared as (
                select {column_sql(self.study.unit.column)} as unit, {column_sql(p.neighbors_share)} as area
                from internal.{name(self.study.population.table)}
                where agency_id in ({", ".join(map(text, self.study.population.agencies))})
                    and strftime({name(self.study.population.at)}, '%Y-%m') between $1 and $2
                    and {holds_sql(self.study.unit)}
                group by all
                having count(*) >= $3
            )
            select distinct a.unit, b.unit from shared as a inner join shared as b
            on a.area = b.area and a.unit <> b.unit
            """,
            [p.neighbors_in.first, p.neighbors_in.last, p.neighbors_share_rows],
        ).fetchall()
        out: dict[str, set[str]] = {u: set() for u in self.study.unit.values}
        for a, b in found:
            out[a].add(b)
        return out

    def flow(self, window: Window, outcome: str) -> list[FlowStep]:
        """From landed rows to the rows that the main specification counts; every step adds up."""
        p, s = self.study.population, self.study
        flag = [o.name for o in s.outcomes].index(outcome)
        units = ", ".join(map(text, s.unit.values))
        total, in_data, in_unit, eligible, in_months, taken = self.con.execute(
            f"""
            select
                count(*),
                count(*) filter (a),
                count(*) filter (a and b),
                count(*) filter (a and b and is_eligible),
                count(*) filter (a and b and is_eligible and c),
                count(*) filter (a and b and is_eligible and c and is_{flag})
            from (select *, month between $1 and $2 as a, coalesce(unit in ({units}), false) as b,
                month between $3 and $4 as c from evaluated)
            """,
            [p.data.first, p.data.last, window.first, window.last],
        ).fetchone()
        steps = landed_steps(self.con, s, total)
        for step, remain in (
            (f"outside {p.data.first} to {p.data.last}", in_data), (f"{s.unit.column} unknown or not in the study", in_unit),
            ("not eligible by the population's rules", eligible), (f"outside {window.first} to {window.last}", in_months),
            ("not of the outcome's types", taken),
        ):  # fmt: skip
            steps.append(FlowStep(step, steps[-1].remain - remain, remain))
        return steps
