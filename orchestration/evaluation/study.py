"""Reads and validates evaluations/<study>/study.yml: one frozen question.

Every error names the file, the key, the rule and what to do. The rules that bind: a causal population is defined before
arrival (call type at open, place, time); the default estimand is intent to treat; served against not served is
associational; Poisson is the count model, and no log of y + c.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestration.release.disclosure import SMALLEST_CELL
from orchestration.settings import PROJECT
from orchestration.yaml_file import read_yaml

STUDIES = PROJECT / "evaluations"

# What a record says of place and time, and of the call at open: known before anybody arrives.
BEFORE_ARRIVAL = frozenset(
    [
        "agency_id",
        "month",
        "occurred_at",
        "occurred_local_at",
        "received_at",
        "received_local_at",
        "beat",
        "sector",
        "precinct",
        "neighborhood",
        "tract_geoid",
        "call_type_initial_code",
        "call_type_initial_local",
        "bh_call_type_initial",
        "priority_initial",
        "priority_initial_code",
        "priority_initial_local",
        "call_source_code",
    ]
)
# Tables whose rows are there before anybody arrives: a form is not, and the program changes who writes one.
BEFORE_ARRIVAL_TABLES = frozenset(["fct_incident"])
COUNT_ESTIMATORS = ("poisson", "linear")


class StudyError(ValueError):
    """A study that cannot be used; the message names file, key, rule and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _month(value: str) -> str:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value):
        raise ValueError(f"'{value}' is not a month; write it as 2020-06, in quotes")
    return value


Month = Annotated[str, AfterValidator(_month)]
Text = Annotated[str, Field(min_length=10)]


class Window(_Strict):
    """Months from first to last, both included."""

    first: Month
    last: Month

    @model_validator(mode="after")
    def _in_order(self):
        if self.last < self.first:
            raise ValueError(f"the last month {self.last} is before the first {self.first}; put them in order")
        return self


class Rule(_Strict):
    """Rows whose column has one of these values. A column of the agency's own stands as extras.NAME."""

    column: str
    values: tuple[str, ...] = Field(alias="in", min_length=1)


class Population(_Strict):
    """Who is in it: rows of a released fact, by rules that hold together.

    known: before_arrival for a causal study. identification_model: how a study that selects by form, final code or
    program record models that selection.
    """

    agencies: tuple[str, ...] = Field(min_length=1)
    table: str
    at: str = "occurred_local_at"
    data: Window
    where: tuple[Rule, ...] = ()
    identification_model: str | None = None


class Place(_Strict):
    """A named set of units, and why it is the set."""

    name: str
    units: tuple[str, ...] = Field(min_length=1)
    why: Text


class Hours(_Strict):
    """Hours of the week in which a program worked, on the agency's clock: ISO weekdays, first hour, hour after the last."""

    weekdays: tuple[int, ...]
    from_hour: int = Field(ge=0, le=23)
    to_hour: int = Field(ge=1, le=24)
    why: Text


class Treatment(_Strict):
    kind: Literal["place", "individual"]
    staggered: bool
    randomized: bool
    starts: Month
    ends: Month
    where: Place
    other_places: tuple[Place, ...] = ()
    hours: Hours


class Outcome(_Strict):
    """A count of rows by rule. role: one is primary; a placebo is what the program should not move."""

    name: str
    role: Literal["primary", "secondary", "placebo"]
    label: str
    why: Text
    where: tuple[Rule, ...] = Field(min_length=1)
    without: tuple[Rule, ...] = ()


class Base(_Strict):
    """The months before that the months after are held against."""

    name: str
    months: Window
    why: Text


class Placebo(_Strict):
    """A start that never happened."""

    name: str
    base: Window
    after: Window
    why: Text


class Days(_Strict):
    """Days that are left out, and why."""

    name: str
    first: date
    last: date
    why: Text


class Specification(_Strict):
    base: str
    outcome: str
    place: str
    estimator: Literal["poisson"]


class Curve(_Strict):
    """The specification curve: every combination. It describes fragility; it is no place to look for a number."""

    outcomes: tuple[str, ...]
    places: tuple[str, ...]
    bases: tuple[str, ...]
    days: tuple[str, ...]
    estimators: tuple[Literal["poisson", "linear"], ...]


class EventStudy(_Strict):
    months: Window
    reference: Month
    why: Text


class Permutation(_Strict):
    """Sets of units drawn instead of the treated ones: any, and contiguous ones of a like volume (descriptive)."""

    draws: int = Field(ge=200)
    contiguous_draws: int = Field(ge=200)
    neighbors_share: str
    neighbors_share_rows: int = Field(ge=1)
    neighbors_in: Window
    volume_from: float = Field(gt=0)
    volume_to: float = Field(gt=0)
    seed: int


class ShiftRate(_Strict):
    """A share of eligible rows that recording may shift: rows by rule, among rows by rule."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str
    where: tuple[Rule, ...] = Field(min_length=1)
    among: tuple[Rule, ...] = ()


class Shift(_Strict):
    """Whether the study tests that form and re-code rates shift when the program starts; if not, why it cannot."""

    tested: bool
    why: Text
    rates: tuple[ShiftRate, ...] = ()


class Published(_Strict):
    """What was printed about the same question."""

    source: str
    change_percent: float
    averted: float
    program_cost_usd: float


class Power(_Strict):
    """The probability with which an effect is to be found, and the effect that is expected, as a share of what would be
    without (-0.2: a fifth fewer)."""

    share: float = Field(default=0.8, ge=0.5, le=0.99)
    expected: float = Field(gt=-1)
    why: Text


class Amount(_Strict):
    """Dollars with the range in which they may lie; without a range they are taken as they are."""

    central: float = Field(gt=0)
    low: float | None = None
    high: float | None = None
    price_year: int
    source: Text

    @model_validator(mode="after")
    def _in_order(self):
        if (self.low is None) != (self.high is None):
            raise ValueError("give low and high, or neither")
        if self.low is not None and not self.low <= self.central <= self.high:
            raise ValueError("central is outside low to high; correct one of them")
        return self


class Cost(_Strict):
    """What the program cost for each event of the main outcome less.

    The program's cost: of `program_id` in the study's treated months, as the release has it, or `amount`. item: what the
    release's prices call an event; its price is set against the program's cost, as capacity that is freed.
    """

    event: str
    program_id: str | None = None
    amount: Amount | None = None
    item: str | None = None
    payer: Text
    discounting: Text
    willingness_usd: tuple[int, ...] = Field(min_length=2)
    draws: int = Field(ge=1000)
    why: Text

    @model_validator(mode="after")
    def _one_program(self):
        if (self.program_id is None) == (self.amount is None):
            raise ValueError("give program_id, or amount, and not both")
        if list(self.willingness_usd) != sorted(set(self.willingness_usd)) or self.willingness_usd[0] < 0:
            raise ValueError("willingness_usd: give dollars from low to high, each once")
        return self


class Question(_Strict):
    """What every study file says, whatever its design.

    authors: persons as 'Family, Given', or bodies; who is cited.
    """

    study_id: str
    title: str
    authors: tuple[str, ...] = ()
    question: Text
    registered_on: date
    known_before: Text
    estimand: Literal["intent_to_treat", "served_against_not_served"]
    claim: Literal["causal", "associational", "descriptive"]
    population: Population
    comparison: Text
    form_and_recode_shift: Shift
    power: Power | None = None
    suppression: int
    limits: tuple[Text, ...] = Field(min_length=1)
    references: tuple[str, ...] = Field(min_length=1)

    def problems(self):
        """Pairs of key and rule with remedy that the study breaks."""
        if self.claim == "causal" and not self.population.identification_model:
            for i, rule in enumerate(self.population.where):
                if rule.column not in BEFORE_ARRIVAL:
                    yield (
                        f"population.where.{i}.column",
                        f"'{rule.column}' is known only after arrival, and the program changes it: trained officers fill"
                        " in more forms and re-code more calls. Define the population by call type at open, place and"
                        " time; or say in population.identification_model how that selection is modelled; or claim"
                        " 'descriptive'",
                    )
        if self.estimand == "served_against_not_served" and self.claim == "causal":
            yield (
                "claim",
                "served against not served is associational: triage decides who is served; say 'associational'",
            )
        if self.suppression < SMALLEST_CELL:
            yield (
                "suppression",
                f"no cell of 1 to {SMALLEST_CELL - 1} leaves the internal tier; say {SMALLEST_CELL} or more",
            )


def place_problems(unit: Rule, clustering: str):
    """What is wrong with the places of a study."""
    if unit.column not in BEFORE_ARRIVAL:
        yield "unit.column", f"'{unit.column}' is known only after arrival; take a place"
    if clustering != unit.column:
        yield "clustering", f"errors cluster by the unit that is treated; say '{unit.column}'"


def spillover_problems(near: Place | None, treated, unit: Rule):
    """What is wrong with the untreated places that lie near treated ones."""
    if near is None:
        return
    for wrong, said in (
        (set(near.units) - set(unit.values), "not among unit.in; correct the number"),
        (set(near.units) & set(treated), "treated themselves; name untreated places near them"),
    ):
        if wrong:
            yield "spillover.units", f"{', '.join(sorted(wrong))} {said}"
    if not set(unit.values) - set(near.units) - set(treated):
        yield "spillover.units", "leaves no untreated place that lies far; take fewer"


def outcome_problems(outcomes):
    """What is wrong with the roles of outcomes."""
    if sum(o.role == "primary" for o in outcomes) != 1:
        yield "outcomes", "exactly one outcome is primary; the others are secondary or placebo"
    if not any(o.role == "placebo" for o in outcomes):
        yield "outcomes", "none is a placebo; name one that the program should not move"


class Study(Question):
    """A study of places and months with one start. Months are the agency's own; counts are of the population's rows.

    spillover: untreated places near the treated ones, to be held against untreated places that lie far.
    """

    design: Literal["difference_in_differences"]
    unit: Rule
    period: Literal["month"]
    treatment: Treatment
    outcomes: tuple[Outcome, ...] = Field(min_length=1)
    estimators: tuple[str, ...] = Field(min_length=1)
    adjustments: tuple[str, ...]
    clustering: str
    subgroups: tuple[str, ...]
    bases: tuple[Base, ...] = Field(min_length=1)
    main: Specification
    curve: Curve
    placebos: tuple[Placebo, ...]
    left_out_days: tuple[Days, ...]
    event_study: EventStudy
    permutation: Permutation
    robustness: tuple[
        Literal[
            "wild_bootstrap",
            "rambachan_roth",
            "synthetic_control",
            "synthetic_did",
            "interrupted_time_series",
            "holm",
        ],
        ...,
    ] = ()
    spillover: Place | None = None
    published: Published | None = None
    cost: Cost | None = None

    def problems(self):
        yield from super().problems()
        yield from place_problems(self.unit, self.clustering)
        yield from outcome_problems(self.outcomes)
        for name in self.estimators:
            if name not in COUNT_ESTIMATORS:
                yield "estimators", f"'{name}' is not known; choose {', '.join(COUNT_ESTIMATORS)} (no log of y + c)"
        if self.treatment.ends < self.treatment.starts:
            yield "treatment.ends", "is before treatment.starts; put them in order"
        if self.form_and_recode_shift.tested:
            yield (
                "form_and_recode_shift.tested",
                "rates are tested by the design staggered_adoption, also with a single start; choose it, or say false and why",
            )
        yield from spillover_problems(self.spillover, self.places[self.treatment.where.name].units, self.unit)
        yield from _windows_outside(self)
        yield from _unknown_names(self)

    def outcome(self, name: str) -> Outcome:
        return next(o for o in self.outcomes if o.name == name)

    def base(self, name: str) -> Base:
        return next(b for b in self.bases if b.name == name)

    @property
    def seed(self) -> int:
        return self.permutation.seed

    @property
    def places(self) -> dict[str, Place]:
        return {p.name: p for p in (self.treatment.where, *self.treatment.other_places)}

    @property
    def days(self) -> dict[str, Days]:
        return {d.name: d for d in self.left_out_days}

    @property
    def after(self) -> Window:
        return Window(first=self.treatment.starts, last=self.treatment.ends)


def study_folder(name: str, root: Path = STUDIES) -> Path:
    """The folder of a study by its name or path. Raises StudyError."""
    for folder in (Path(name), root / name):
        if (folder / "study.yml").is_file():
            return folder.resolve()
    known = ", ".join(sorted(p.parent.name for p in root.glob("*/study.yml"))) or "none"
    raise StudyError(
        f"no study '{name}' in {root.name}/; there are: {known}. Name one of them, or the path of a folder"
    )


def load_study(folder: Path) -> Question:
    """The study of a folder, of the form that its design asks for, validated. Raises StudyError."""
    path = folder / "study.yml"
    where = f"{folder.name}/study.yml"
    try:
        said = read_yaml(path)
    except FileNotFoundError as error:
        raise StudyError(f"{where}: no such file; copy evaluations/denver_star/study.yml and change it") from error
    except yaml.YAMLError as error:
        raise StudyError(f"{where}: not YAML: {error}; mend the line that it names") from error
    try:
        study = _form(said).model_validate(said)
    except ValidationError as error:
        lines = [f"{where}: {_key(e['loc'])}: {_rule(e)}" for e in error.errors()]
        raise StudyError("\n".join(lines)) from error
    problems = [f"{where}: {key}: {rule}" for key, rule in (*_own_name(study, folder.name), *study.problems())]
    if problems:
        raise StudyError("\n".join(problems))
    return study


def _key(place: tuple[Any, ...]) -> str:
    return ".".join(map(str, place)) or "the whole file"


def _rule(error: dict) -> str:
    if error["type"] == "missing":
        return "is missing; add it"
    if error["type"] == "extra_forbidden":
        return "is not a key of a study; remove it, or correct its spelling"
    if error["type"] == "literal_error":
        return f"'{error['input']}' is not known; choose {error['ctx']['expected']}"
    if error["type"] == "string_too_short":
        return "says too little; write a sentence"
    return error["msg"].removeprefix("Value error, ")


def _form(said: Any) -> type[Question]:
    """The form of a study file by its design; a design that nobody knows is told by the first form."""
    if isinstance(said, dict) and said.get("design") == "staggered_adoption":
        from orchestration.evaluation.staggered_study import StaggeredStudy

        return StaggeredStudy
    if isinstance(said, dict) and said.get("design") == "individual":
        from orchestration.evaluation.people.study import IndividualStudy

        return IndividualStudy
    return Study


def _own_name(study: Question, folder: str):
    if study.study_id != folder:
        yield "study_id", f"'{study.study_id}' is not the folder's name; call both the same"


def _windows_outside(study: Study):
    data, starts = study.population.data, study.treatment.starts
    windows = {f"bases.{b.name}": b.months for b in study.bases}
    windows |= {f"placebos.{p.name}.base": p.base for p in study.placebos}
    windows |= {f"placebos.{p.name}.after": p.after for p in study.placebos}
    windows |= {"event_study": study.event_study.months, "treatment": study.after}
    for key, w in windows.items():
        if w.first < data.first or w.last > data.last:
            yield key, f"{w.first} to {w.last} is outside population.data ({data.first} to {data.last}); move it inside"
    for b in study.bases:
        if b.months.last >= starts:
            yield f"bases.{b.name}", f"reaches into the treated months; end it before {starts}"


def _unknown_names(study: Study):
    """Names and units that a key refers to and nothing defines; units in two roles."""
    outcomes, bases = {o.name for o in study.outcomes}, {b.name for b in study.bases}
    days = {"all", *study.days}
    for key, named, known in (
        ("main.outcome", [study.main.outcome], outcomes),
        ("main.base", [study.main.base], bases),
        ("main.place", [study.main.place], set(study.places)),
        ("curve.outcomes", study.curve.outcomes, outcomes),
        ("curve.bases", study.curve.bases, bases),
        ("curve.places", study.curve.places, set(study.places)),
        ("curve.days", study.curve.days, days),
    ):
        for name in named:
            if name not in known:
                yield key, f"'{name}' is not defined; choose one of {', '.join(sorted(known))}"
    for place in study.places.values():
        unknown = sorted(set(place.units) - set(study.unit.values))
        if unknown:
            yield f"treatment ({place.name})", f"{', '.join(unknown)} not among unit.in; correct the number"
        if len(set(place.units)) >= len(study.unit.values):
            yield f"treatment ({place.name})", "leaves no unit for comparison; take fewer"
    primary = next((o.name for o in study.outcomes if o.role == "primary"), None)
    if study.main.outcome in outcomes and study.main.outcome != primary:
        yield "main.outcome", f"is not the primary outcome; say '{primary}'"
