"""The study file of an individual design: rows of a mart (calls, contacts), of which some were served or assigned.

Served against not served is associational, because triage decides who is served. A causal claim needs a lottery: rows,
whole clusters or whole shifts were assigned by it, and the population is known before arrival.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestration.evaluation.study import (
    BEFORE_ARRIVAL,
    BEFORE_ARRIVAL_TABLES,
    Cost,
    Question,
    Rule,
    Text,
    Window,
    _Strict,
    outcome_problems,
)

# Worked out from the time at which a row opened, on the agency's clock.
DERIVED = ("hour", "weekday", "shift")
# Known when units are sent, before anybody arrives.
AT_DISPATCH = frozenset(
    ["program_id", "program_number", "response_model_code", "cit_requested", "cit_dispatched", "clinician_requested"]
)
PERSON = "person"
UNADJUSTED, PROPENSITY, ENTROPY = "unadjusted", "propensity", "entropy"
INTENT, COMPLIER = "intent_to_treat", "complier"
WEIGHTED = (PROPENSITY, ENTROPY)
ESTIMATORS = {False: (UNADJUSTED, *WEIGHTED), True: (INTENT, COMPLIER)}
Event = Literal["contact", "booking", "ed_visit", "inpatient_stay", "hold"]
ZONES = {
    "law_enforcement": ("contact", "booking"),
    "care": ("contact", "booking", "ed_visit", "inpatient_stay", "hold"),
}
SMALLEST_SAMPLE = 50  # rows in each arm


class People(_Strict):
    """Who is in it: rows of a released table by rules that hold together. id: the column that other tables name."""

    agencies: tuple[str, ...] = Field(min_length=1)
    table: str
    id: Literal["incident_id", "contact_id"]
    at: str
    data: Window
    where: tuple[Rule, ...] = ()
    hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] = ()
    identification_model: str | None = None


class Arm(_Strict):
    """One arm: rows whose treatment column has one of these values, or, with or_empty, none."""

    label: str
    values: tuple[str, ...] = Field(alias="in", default=())
    or_empty: bool = False


class Lottery(_Strict):
    """What was drawn. by: the column whose values were drawn (clusters), or 'shift'; none where rows were drawn.

    strata: columns within whose values the lot was drawn. received: rows that got what they were assigned to, for the
    effect on those who comply. draws, seed: permutations of whole units within strata.
    """

    unit: Literal["individual", "cluster", "shift"]
    by: str | None = None
    strata: tuple[str, ...] = ()
    received: Rule
    draws: int = Field(ge=200)


class Exposure(_Strict):
    """What a row was sent or assigned. shift_starts: hours at which shifts begin, where a column is 'shift'."""

    column: str
    treated: Arm
    comparison: Arm
    why: Text
    shift_starts: tuple[Annotated[int, Field(ge=0, le=23)], ...] = ()
    lottery: Lottery | None = None


class PersonOutcome(_Strict):
    """A yes or no for each row.

    on_row: rules on the row itself. on_table: rules on rows of another table with the same id; without any such row it
    is not known. after, before: an event of the same person within days; not known where nobody was recognized, or where
    the records end first.
    """

    name: str
    role: Literal["primary", "secondary", "placebo"]
    label: str
    why: Text
    kind: Literal["on_row", "on_table", "after", "before"]
    where: tuple[Rule, ...] = ()
    table: str | None = None
    event: Event | None = None
    days: int | None = Field(default=None, ge=1)


class Covariate(_Strict):
    """Something that was known before anybody arrived."""

    column: str
    label: str
    kind: Literal["category", "number"] = "category"


class MainEstimate(_Strict):
    outcome: str
    estimator: str


class TimeToEvent(_Strict):
    """Days from a row's contact to the person's next event. competing: events after which it cannot come, or not freely.

    index: every contact of a person, or the first one only. shown_days: the days at which shares are told.
    """

    event: Event
    competing: tuple[Event, ...] = ()
    index: Literal["every", "first"]
    follow_days: int = Field(ge=1)
    shown_days: tuple[int, ...] = Field(min_length=1)
    why: Text


class Missing(_Strict):
    """How outcomes that are not known are treated: imputed so many times, and bounded without any assumption."""

    imputations: int = Field(ge=5)
    cycles: int = Field(ge=1, default=5)
    why: Text


class IndividualStudy(Question):
    """A study file of rows. zone: whose events of a person are read; the care zone needs a legal basis."""

    design: Literal["individual"]
    population: People
    zone: Literal["law_enforcement", "care"] = "law_enforcement"
    legal_basis: str | None = None
    treatment: Exposure
    outcomes: tuple[PersonOutcome, ...] = Field(min_length=1)
    covariates: tuple[Covariate, ...] = Field(min_length=1)
    estimators: tuple[str, ...] = Field(min_length=1)
    main: MainEstimate
    clustering: str
    subgroups: tuple[str, ...] = ()
    time_to_event: TimeToEvent | None = None
    missing: Missing
    seed: int
    cost: Cost | None = None

    @property
    def primary(self) -> PersonOutcome:
        return next(o for o in self.outcomes if o.role == "primary")

    @property
    def after(self) -> Window:
        """The months in which the program worked on these rows."""
        return self.population.data

    @property
    def is_randomized(self) -> bool:
        return self.treatment.lottery is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that describe a row beside its outcomes: of the covariates, the subgroups and the lottery's strata."""
        strata = self.treatment.lottery.strata if self.treatment.lottery else ()
        return tuple(dict.fromkeys([*(c.column for c in self.covariates), *self.subgroups, *strata]))

    @property
    def chosen_late(self) -> tuple[str, ...]:
        """Columns by which the population is chosen and which are known only after a call was opened."""
        return tuple(r.column for r in self.population.where if r.column not in BEFORE_ARRIVAL)

    def problems(self):
        """Pairs of key and rule with remedy that the study breaks."""
        yield from super().problems()
        yield from outcome_problems(self.outcomes)
        yield from _claim(self)
        yield from _treatment(self)
        yield from _outcomes(self)
        yield from _estimation(self)
        if self.power:
            yield "power", "is told of places and months only; take it out"


def _estimation(study: IndividualStudy):
    known_before = BEFORE_ARRIVAL | set(DERIVED)
    for key, columns in (
        ("covariates", [c.column for c in study.covariates]), ("subgroups", study.subgroups),
    ):  # fmt: skip
        for column in columns:
            if column not in known_before:
                yield key, f"'{column}' is known only after arrival, so the program may change it; take it out"
    for name in study.estimators:
        if name not in ESTIMATORS[study.is_randomized]:
            yield "estimators", f"'{name}' is not for this design; choose {', '.join(ESTIMATORS[study.is_randomized])}"
    if study.main.estimator not in study.estimators:
        yield "main.estimator", f"'{study.main.estimator}' is not among estimators; add it there"
    if study.is_randomized and study.main.estimator != INTENT:
        yield "main.estimator", f"a lottery is read as it was drawn; say '{INTENT}'"
    if study.main.outcome != study.primary.name:
        yield "main.outcome", f"is not the primary outcome; say '{study.primary.name}'"
    if "shift" in (study.treatment.column, study.clustering, *study.columns) and not study.treatment.shift_starts:
        yield "treatment.shift_starts", "is missing; say the hours at which shifts begin"


def _claim(study: IndividualStudy):
    population = study.population
    if not study.is_randomized:
        if study.estimand != "served_against_not_served":
            yield (
                "estimand",
                "nobody drew lots, so this compares served with not served; say 'served_against_not_served'",
            )
        return
    if study.estimand != "intent_to_treat":
        yield "estimand", "a lottery is read as it was drawn; say 'intent_to_treat' (complier is an estimator)"
    if study.claim != "causal" or population.identification_model:
        return
    if population.table not in BEFORE_ARRIVAL_TABLES:
        yield (
            "population.table",
            f"a row of '{population.table}' is written after arrival, and the program changes who writes one; take"
            f" {' or '.join(sorted(BEFORE_ARRIVAL_TABLES))}, say how the selection is modelled"
            " (identification_model), or claim 'descriptive'",
        )


def _treatment(study: IndividualStudy):
    t = study.treatment
    for key, arm in (("treated", t.treated), ("comparison", t.comparison)):
        if not arm.values and not arm.or_empty:
            yield f"treatment.{key}", "names no rows; give values (in), or or_empty"
    both = sorted(set(t.treated.values) & set(t.comparison.values))
    if both or (t.treated.or_empty and t.comparison.or_empty):
        yield "treatment", f"{', '.join(both) or 'empty'} is in both arms; leave it in one"
    if t.lottery is None:
        if t.column not in AT_DISPATCH:
            yield (
                "treatment.column",
                f"'{t.column}' is not known at dispatch; take one of {', '.join(sorted(AT_DISPATCH))}, or say which"
                " lottery assigned it (treatment.lottery)",
            )
        return
    unit, by = t.lottery.unit, t.lottery.by
    if (unit == "individual") != (by is None) or (unit == "shift") != (by == "shift"):
        yield (
            "treatment.lottery.by",
            "a lottery of rows has none, one of shifts says 'shift', one of clusters names their column",
        )
    if by is not None and study.clustering != by:
        yield "clustering", f"errors cluster by what was drawn; say '{by}'"
    if by is None and study.clustering not in (study.population.id, PERSON):
        yield "clustering", f"rows were drawn; say '{study.population.id}', or '{PERSON}' where people return"
    for column in t.lottery.strata:
        if column not in BEFORE_ARRIVAL | set(DERIVED):
            yield "treatment.lottery.strata", f"'{column}' is known only after arrival; take it out"


def _outcomes(study: IndividualStudy):
    care_only = set(ZONES["care"]) - set(ZONES["law_enforcement"])
    for o in study.outcomes:
        key = f"outcomes.{o.name}"
        if o.kind in ("after", "before"):
            if o.event is None or o.days is None:
                yield key, f"'{o.kind}' needs event and days"
        elif not o.where:
            yield key, f"'{o.kind}' needs where"
        if (o.kind == "on_table") != (o.table is not None):
            yield key, "a table is named for kind on_table, and for no other"
        if o.role == "placebo" and o.kind != "before":
            yield key, "a placebo is what was there before: kind 'before'"
    read = {o.event for o in study.outcomes if o.event}
    if study.time_to_event:
        t = study.time_to_event
        read |= {t.event, *t.competing}
        if t.event in t.competing:
            yield "time_to_event.competing", f"'{t.event}' is the event itself; take it out"
        if max(t.shown_days) > t.follow_days:
            yield "time_to_event.shown_days", f"reaches beyond follow_days; stop at {t.follow_days}"
    if study.zone == "law_enforcement" and read & care_only:
        yield "zone", f"{', '.join(sorted(read & care_only))} is known to the care zone only; say zone: care"
    if study.zone == "care" and not study.legal_basis:
        yield "legal_basis", "is missing: linking care records is a disclosure; name the consent, order or agreement"
