"""The rows of an individual study, from one release: arm, what was known before, and what came of each."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np

from orchestration.engine import name, text
from orchestration.evaluation.panel import FlowStep, column_sql, holds_sql, landed_steps
from orchestration.evaluation.people.study import DERIVED, PERSON, SMALLEST_SAMPLE, IndividualStudy, PersonOutcome
from orchestration.evaluation.study import StudyError

UNKNOWN = "(not known)"
EVENTS = {"law_enforcement": ("internal.fct_person_event", "person_key"), "care": ("care.fct_care_event", "care_person_key")}  # fmt: skip
# Who was victim, caller, witness or family at a contact did not have it.
OTHER_ROLES = "('caller', 'victim', 'witness', 'family')"
SECONDS_A_DAY = 86400


@dataclass(frozen=True)
class Times:
    """Days from the contact until the first event or the end of what is known. cause: 0 none, 1 the event, 2 a competing one.

    rows: places in `Rows` of those whose person is known.
    """

    rows: np.ndarray
    days: np.ndarray
    cause: np.ndarray


@dataclass(frozen=True)
class Rows:
    """One place per row of the population, in the order of its id.

    columns: text by column. numbers: by covariate. outcomes: 1, 0, or not a number where it is not known.
    records: whether a form was written and whether the type was changed. cluster, unit: codes from 0.
    """

    ids: np.ndarray
    treated: np.ndarray
    received: np.ndarray | None
    columns: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    outcomes: dict[str, np.ndarray]
    records: dict[str, np.ndarray]
    cluster: np.ndarray
    unit: np.ndarray
    times: Times | None
    flow: tuple[FlowStep, ...]

    def __len__(self) -> int:
        return len(self.ids)


def read_rows(con: duckdb.DuckDBPyConnection, study: IndividualStudy) -> Rows:
    """The rows of a study from an open release. Raises StudyError."""
    return _Reader(con, study).rows()


def tables_of(study: IndividualStudy) -> tuple[str, ...]:
    """The tables that a study reads beside its population's, with their schema."""
    named = [EVENTS[study.zone][0], "internal.fct_contact", "internal.bridge_contact_incident"]
    named += [f"internal.{o.table}" for o in study.outcomes if o.table]
    return tuple(t for t in dict.fromkeys(named) if t != f"internal.{study.population.table}")


class _Reader:
    def __init__(self, con: duckdb.DuckDBPyConnection, study: IndividualStudy):
        self.con, self.study = con, study

    def rows(self) -> Rows:
        s, p = self.study, self.study.population
        self._check_columns()
        self._choose()
        flow = self._flow()
        self._meet()
        found = self._fetch(self._query())
        treated = found["is_treated"].astype(bool)
        for arm, n in ((s.treatment.treated.label, treated.sum()), (s.treatment.comparison.label, (~treated).sum())):
            if n < SMALLEST_SAMPLE:
                raise StudyError(
                    f"{s.study_id}: {int(n)} row(s) of {p.table} in the arm '{arm}', and {SMALLEST_SAMPLE} are needed; take"
                    " more months or a wider population"
                )
        lottery = s.treatment.lottery
        person = np.where(found["person"] == UNKNOWN, np.char.add("row ", found["id"].astype(str)), found["person"])
        cluster = {PERSON: person, p.id: found["id"]}.get(s.clustering, found.get(f"c_{s.clustering}"))
        return Rows(
            ids=found["id"],
            treated=treated,
            received=found["is_received"].astype(bool) if lottery else None,
            columns={c: found[f"c_{c}"] for c in s.columns},
            numbers={c.column: self._number(found, c.column) for c in s.covariates if c.kind == "number"},
            outcomes={o.name: found[f"y_{i}"] for i, o in enumerate(s.outcomes)},
            records={k: found[k] for k in ("form_written", "type_changed") if k in found},
            cluster=_codes(cluster),
            unit=_codes(found[f"c_{lottery.by}"] if lottery and lottery.by else found["id"]),
            times=self._times(found) if s.time_to_event else None,
            flow=flow,
        )

    # what the release holds

    def _there(self, table: str) -> set[str]:
        try:
            return {r[0] for r in self.con.execute(f"describe {table}").fetchall()}
        except duckdb.CatalogException as error:
            raise StudyError(
                f"{self.study.study_id}/study.yml: no '{table.partition('.')[2]}' in this release; `crisis describe` lists"
                " its tables"
            ) from error

    def _check_columns(self) -> None:
        s, p = self.study, self.study.population
        rules = [*p.where, *(r for o in s.outcomes if o.kind == "on_row" for r in o.where)]
        if s.treatment.lottery:
            rules.append(s.treatment.lottery.received)
        asked = {p.table: {p.id, p.at, "month", s.treatment.column, *self._described(), *(r.column for r in rules)}}
        for o in s.outcomes:
            if o.table:
                asked.setdefault(o.table, set()).update(r.column for r in o.where)
        for table, columns in asked.items():
            there = self._there(f"internal.{table}")
            for column in sorted({c.partition(".")[0] for c in columns - set(DERIVED)} - there):
                raise StudyError(f"{s.study_id}/study.yml: '{column}' is no column of {table} in this release")

    def _described(self) -> set[str]:
        s = self.study
        others = {s.clustering} - {PERSON, s.population.id}
        return {
            *s.columns,
            *others,
            *((s.treatment.lottery.by,) if s.treatment.lottery and s.treatment.lottery.by else ()),
        }

    def _sql(self, column: str) -> str:
        at = name(self.study.population.at)
        if column == "hour":
            return f"cast(hour({at}) as varchar)"
        if column == "weekday":
            return f"cast(isodow({at}) as varchar)"
        if column == "shift":
            # The hours before a day's first shift belong to the last one of the day before.
            starts = sorted(self.study.treatment.shift_starts)
            begun = " + ".join(f"cast(hour(moved) >= {h - starts[0]} as integer)" for h in starts)
            return (
                f"(select strftime(moved, '%Y-%m-%d') || '/' || cast({begun} as varchar)"
                f" from (select {at} - interval {starts[0]} hour as moved))"
            )
        return f"cast({column_sql(column)} as varchar)"

    # from the table to the rows

    def _choose(self) -> None:
        s, p, t = self.study, self.study.population, self.study.treatment

        def arm(a) -> str:
            column = self._sql(t.column)
            said = [f"{column} in ({', '.join(map(text, a.values))})"] if a.values else []
            return f"coalesce({' or '.join([*said, *([f'{column} is null'] if a.or_empty else [])])}, false)"

        described = "".join(
            f", coalesce({self._sql(c)}, {text(UNKNOWN)}) as {name('c_' + c)}" for c in sorted(self._described())
        )
        own = "".join(
            f", cast({' and '.join(map(holds_sql, o.where))} as double) as y_{i}"
            for i, o in enumerate(s.outcomes)
            if o.kind == "on_row"
        )
        there = self._there(f"internal.{p.table}")
        changed = {"call_type_initial_code", "call_type_final_code"} <= there
        hours = f"hour({name(p.at)}) in ({', '.join(map(str, p.hours))})" if p.hours else "true"
        self.con.execute(
            f"""
            create or replace temp table chosen as
            select
                cast({name(p.id)} as varchar) as id,
                month between {text(p.data.first)} and {text(p.data.last)} as in_months,
                {hours} as in_hours,
                {" and ".join(map(holds_sql, p.where)) or "true"} as in_rules,
                {arm(t.treated)} as is_treated,
                {arm(t.comparison)} as is_compared,
                {holds_sql(t.lottery.received) if t.lottery else "false"} as is_received
                {described}{own}
                {", cast(call_type_final_code is distinct from call_type_initial_code as double) as type_changed" if changed else ""}
            from internal.{name(p.table)}
            where agency_id in ({", ".join(map(text, p.agencies))})
            """
        )

    def _flow(self) -> tuple[FlowStep, ...]:
        s, p = self.study, self.study.population
        holds = ["true", "in_months", "in_hours", "in_rules", "(is_treated or is_compared)"]
        counts = self.con.execute(
            "select "
            + ", ".join(
                f"count(*) filter ({' and '.join(f'coalesce({h}, false)' for h in holds[: i + 1])})"
                for i in range(len(holds))
            )
            + " from chosen"
        ).fetchone()
        if not counts[1]:
            raise StudyError(
                f"{s.study_id}: {p.table} has no row of {', '.join(p.agencies)} from {p.data.first} to {p.data.last} in this"
                f" release; put its files into the drop folder and run `crisis run --agency {p.agencies[0]}`"
            )
        steps = landed_steps(self.con, s, counts[0])
        for step, remain in zip(
            (
                f"outside {p.data.first} to {p.data.last}", "outside the study's hours",
                "not eligible by the population's rules", "in neither arm",
            ),
            counts[1:], strict=True,
        ):  # fmt: skip
            steps.append(FlowStep(step, steps[-1].remain - remain, remain))
        return tuple(steps)

    def _meet(self) -> None:
        """Events of persons, contacts of one call taken as one; and the person met at each row."""
        table, key = EVENTS[self.study.zone]
        self._there(table)
        column = self.study.population.id
        self.con.execute(
            f"""
            create or replace temp table happened as
            select
                e.{key} as person,
                e.event_kind_code as kind,
                e.started_at,
                coalesce(e.incident_id, e.record_id) as encounter,
                e.{column} as id,
                e.record_id
            from {table} as e
            left join internal.fct_contact as c on e.event_kind_code = 'contact' and e.record_id = c.contact_id
            where e.{key} is not null and not coalesce(c.person_role_code in {OTHER_ROLES}, false)
            """
        )
        self.con.execute(
            """
            create or replace temp table met as
            select
                *,
                row_number() over (partition by person order by started_at, record_id) as contact_number
            from (
                select id, person, started_at, encounter, record_id
                from happened
                where kind = 'contact' and id is not null
                qualify row_number() over (partition by id order by started_at, record_id) = 1
            )
            """
        )
        self.span = {
            kind: (first, last)
            for kind, first, last in self.con.execute(
                "select kind, min(epoch(started_at)), max(epoch(started_at)) from happened group by kind"
            ).fetchall()
        }

    # outcomes

    def _query(self) -> str:
        s, p = self.study, self.study.population
        outcomes = ", ".join(f"{self._outcome(o, i)} as y_{i}" for i, o in enumerate(s.outcomes))
        own = [f"y_{i}" for i, o in enumerate(s.outcomes) if o.kind == "on_row"]
        form = (
            ", cast(exists(select 1 from internal.bridge_contact_incident as b where b.incident_id = chosen.id) as double)"
            " as form_written"
            if p.id == "incident_id"
            else ""
        )
        without = f"exclude ({', '.join(['id', *own])})"
        return f"""
            select
                chosen.id,
                chosen.* {without},
                {outcomes},
                coalesce(met.person, {text(UNKNOWN)}) as person,
                epoch(met.started_at) as met_at,
                met.contact_number
                {form}
            from chosen
            left join met on chosen.id = met.id
            where in_months and in_hours and in_rules and (is_treated or is_compared)
            order by chosen.id
            """

    def _outcome(self, o: PersonOutcome, i: int) -> str:
        if o.kind == "on_row":
            return f"chosen.y_{i}"
        if o.kind == "on_table":
            rules = " and ".join(map(holds_sql, o.where))
            return (
                f"(select cast(bool_or({rules}) as double) from internal.{name(o.table)} as other"
                f" where {self._ids(o.table)})"
            )
        first, last = self._span(o.event)
        seconds = o.days * SECONDS_A_DAY
        apart = "epoch(h.started_at) - epoch(met.started_at)"
        if o.kind == "after":
            is_known, between = f"epoch(met.started_at) + {seconds} <= {last}", f"{apart} > 0 and {apart} <= {seconds}"
        else:
            is_known, between = (
                f"epoch(met.started_at) - {seconds} >= {first}",
                f"{apart} < 0 and {apart} >= -{seconds}",
            )
        # A form of the same call is no other contact; what a contact led to counts.
        another = " and h.encounter <> met.encounter" if o.event == "contact" else ""
        return f"""
            case when {is_known} then cast(exists(
                select 1 from happened as h
                where h.person = met.person and h.kind = {text(o.event)} and {between}{another}
            ) as double) end"""

    def _ids(self, table: str) -> str:
        """How rows of another table name those of the population: by its id, or a form by way of its call."""
        wanted, there = self.study.population.id, self._there(f"internal.{table}")
        if wanted in there:
            return f"other.{wanted} = chosen.id"
        if wanted == "incident_id" and "contact_id" in there:
            way = "select way.contact_id from internal.bridge_contact_incident as way where way.incident_id = chosen.id"
            return f"other.contact_id in ({way})"
        raise StudyError(
            f"{self.study.study_id}/study.yml: {table} names no {wanted}; take another table, or another population.id"
        )

    def _span(self, event: str) -> tuple[float, float]:
        if event not in self.span:
            raise StudyError(
                f"{self.study.study_id}/study.yml: no event of kind '{event}' in this release; take it out"
            )
        return self.span[event]

    def _times(self, found: dict[str, np.ndarray]) -> Times:
        t = self.study.time_to_event
        kinds = {t.event: 1, **dict.fromkeys(t.competing, 2)}
        end = min(self._span(k)[1] for k in kinds)
        next_one = self.con.execute(
            f"""
            select id, min(apart), arg_min(kind, apart)
            from (
                select met.id, h.kind, epoch(h.started_at) - epoch(met.started_at) as apart
                from met inner join happened as h on met.person = h.person
                where h.started_at > met.started_at and h.kind in ({", ".join(map(text, kinds))})
                    and (h.kind <> 'contact' or h.encounter <> met.encounter)
            )
            group by id
            """
        ).fetchall()
        after = {i: (seconds, kinds[kind]) for i, seconds, kind in next_one}
        is_known = found["person"] != UNKNOWN
        if t.index == "first":
            is_known &= found["contact_number"] == 1
        places = np.flatnonzero(is_known)
        seen = np.array([after.get(i, (np.inf, 0)) for i in found["id"][places]], dtype=float).reshape(-1, 2)
        # Who was met after the records of an event end is not followed at all.
        followed = np.clip(end - found["met_at"][places], 0, t.follow_days * SECONDS_A_DAY)
        within = seen[:, 0] <= followed
        return Times(
            places, np.where(within, seen[:, 0], followed) / SECONDS_A_DAY, np.where(within, seen[:, 1], 0).astype(int)
        )

    def _fetch(self, query: str) -> dict[str, np.ndarray]:
        """Columns as arrays; text as text, what is empty in numbers as not a number."""
        found = self.con.execute(query).fetchnumpy()
        out = {}
        for column, values in found.items():
            if isinstance(values, np.ma.MaskedArray):
                values = values.filled(np.nan) if values.dtype.kind == "f" else values.astype(float).filled(np.nan)
            out[column] = values.astype(str) if values.dtype.kind == "O" else values
        return out

    def _number(self, found: dict[str, np.ndarray], column: str) -> np.ndarray:
        values = found[f"c_{column}"]
        try:
            return values.astype(float)
        except ValueError as error:
            raise StudyError(
                f"{self.study.study_id}/study.yml: covariates: '{column}' is not a number in every row ({error}); say kind:"
                " category, or take it out"
            ) from error


def _codes(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]
