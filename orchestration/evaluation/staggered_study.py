"""The study file of a program that starts in different places in different months: design staggered_adoption."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field

from orchestration.evaluation.study import (
    Hours,
    Month,
    Place,
    Question,
    Rule,
    Text,
    _Strict,
    outcome_problems,
    place_problems,
    spillover_problems,
)

ANY, INSIDE, OUTSIDE = "any", "inside", "outside"


class Start(_Strict):
    """The month in which the program starts in these places, and how one knows. It goes on to the end of the data."""

    month: Month
    units: tuple[str, ...] = Field(min_length=1)
    why: Text


class Staggered(_Strict):
    kind: Literal["place"]
    staggered: Literal[True]
    randomized: bool
    starts: tuple[Start, ...] = Field(min_length=1)
    hours: Hours


class RowOutcome(_Strict):
    """What is measured on eligible rows of a place and month.

    count: how many rows the rule takes. share: how many of all rows it takes. mean: the mean of a column, in units of
    `per`, over the rows that the rule takes. hours: inside the program's hours, outside, or any.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    role: Literal["primary", "secondary", "placebo"]
    label: str
    why: Text
    measure: Literal["count", "share", "mean"]
    unit: str = ""
    of: str | None = None
    per: float = Field(default=1, gt=0)
    where: tuple[Rule, ...] = ()
    hours: Literal["inside", "outside", "any"] = INSIDE


class Draws(_Strict):
    """How often the starts are given to other places, and from which seed."""

    draws: int = Field(ge=200)
    seed: int


class StaggeredStudy(Question):
    """A study of places with starts of their own. Places without a start are never treated within the data.

    spillover: places without a start that lie near ones with one, to be held against those that lie far.
    """

    design: Literal["staggered_adoption"]
    unit: Rule
    period: Literal["month"]
    treatment: Staggered
    outcomes: tuple[RowOutcome, ...] = Field(min_length=1)
    estimators: tuple[Literal["callaway_santanna", "imputation", "two_way_fixed_effects"], ...] = Field(min_length=1)
    clustering: str
    permutation: Draws
    robustness: tuple[Literal["rambachan_roth", "holm"], ...] = ()
    spillover: Place | None = None

    @property
    def primary(self) -> RowOutcome:
        return next(o for o in self.outcomes if o.role == "primary")

    @property
    def start_of(self) -> dict[str, str]:
        """{place: month in which the program starts there}; other places have none."""
        return {u: s.month for s in self.treatment.starts for u in s.units}

    def problems(self):
        yield from super().problems()
        yield from place_problems(self.unit, self.clustering)
        yield from outcome_problems(self.outcomes)
        if self.estimators[0] == "two_way_fixed_effects":
            yield (
                "estimators",
                "the first is the main one, and with several starts two-way fixed effects hold treated places against"
                " treated ones; put callaway_santanna or imputation first",
            )
        yield from self._places()
        yield from spillover_problems(self.spillover, self.start_of, self.unit)
        for o in self.outcomes:
            if (o.measure == "mean") != (o.of is not None):
                yield f"outcomes.{o.name}.of", "names the column of a mean, and of nothing else; add or remove it"
            if o.measure == "share" and not o.where:
                yield f"outcomes.{o.name}.where", "is missing: a share needs the rule of the rows that it counts"
        if self.estimators[0] == "callaway_santanna" and any(
            o.role == "primary" and o.measure == "count" for o in self.outcomes
        ):
            yield (
                "estimators",
                "callaway_santanna takes differences, and counts of places of unlike size do not run level; put imputation"
                " first, which is Poisson for counts",
            )
        if self.spillover and any(o.role == "primary" and o.measure == "count" for o in self.outcomes):
            yield "spillover", "is estimated for a share or mean; remove it, or make a share or mean primary"
        if self.power and any(o.role == "primary" and o.measure == "count" for o in self.outcomes):
            yield "power", "is reckoned for a share or mean; remove it, or make a share or mean primary"
        shift = self.form_and_recode_shift
        if shift.tested and not shift.rates:
            yield "form_and_recode_shift.rates", "is missing: name the shares that are tested, or say tested: false"

    def _places(self):
        data, starts = self.population.data, self.start_of
        twice = [u for u, n in Counter(u for s in self.treatment.starts for u in s.units).items() if n > 1]
        if twice:
            yield "treatment.starts", f"{', '.join(twice)} start twice; give each place one month"
        unknown = sorted(set(starts) - set(self.unit.values))
        if unknown:
            yield "treatment.starts", f"{', '.join(unknown)} not among unit.in; correct the number"
        for s in self.treatment.starts:
            if not data.first < s.month <= data.last:
                yield (
                    "treatment.starts",
                    f"{s.month} leaves no month before it in population.data ({data.first} to {data.last}); begin the"
                    " data earlier",
                )
        if not set(self.unit.values) - set(starts):
            yield "treatment.starts", "leaves no place without a start; name one that is never treated in unit.in"
