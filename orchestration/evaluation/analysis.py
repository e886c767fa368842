"""Everything that a study of places asks for, computed from one release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import duckdb
import numpy as np

from orchestration.evaluation.estimators import (
    POISSON,
    Effect,
    EventStudy,
    Permuted,
    contiguous_sets,
    difference_in_differences,
    event_study,
    leads_by_permutation,
    permute_any,
    permute_sets,
)
from orchestration.evaluation.panel import ANY, INSIDE, OUTSIDE, Counts, FlowStep, Panel, Part
from orchestration.evaluation.study import Outcome, Study, Window

ALL_DAYS = "all"


@dataclass(frozen=True)
class Named:
    """An estimate with what it is of. base: the name of its months before; is_told: whether its counts may stand in a
    report beside the others, or would give a small cell by subtraction."""

    name: str
    outcome: str
    place: str
    base: str
    days: str
    hours: str
    before: Window
    after: Window
    effect: Effect
    why: str = ""
    is_told: bool = True


@dataclass(frozen=True)
class GroupCount:
    """Table 1: rows per place and month in a period, treated and other places; mean and standard deviation."""

    outcome: str
    period: str
    treated_count: int
    other_count: int
    treated_mean: float
    other_mean: float
    standardized_difference: float


@dataclass(frozen=True)
class Analysis:
    """Results of a study, in the order in which its report shows them. panel: the primary outcome's.

    derivable: small cells that follow from two of the counts that every report has.
    """

    study: Study
    panel: Panel
    main: Named
    table_one: tuple[GroupCount, ...]
    flow: tuple[FlowStep, ...]
    outcomes: tuple[Named, ...]
    bases: tuple[Named, ...]
    placebos: tuple[Named, ...]
    days: tuple[Named, ...]
    hours: tuple[Named, ...]
    curve: tuple[Named, ...]
    spillover: tuple[Named, Permuted] | None
    events: EventStudy
    placebo_events: EventStudy
    leads_permuted: float
    any_set: Permuted
    contiguous: Permuted
    monthly: tuple[tuple[str, int, int], ...]
    days_count: tuple[tuple[str, int, int], ...]
    derivable: tuple[str, ...] = ()

    def fewer_at(self, z: np.ndarray) -> np.ndarray:
        """Fewer reports, were the main coefficient so many errors from its estimate."""
        e = self.main.effect
        coefficient = e.coefficient + e.error * z
        if e.estimator == POISSON:
            return e.observed * np.expm1(-coefficient)
        return e.averted * coefficient / e.coefficient


def analyze(con: duckdb.DuckDBPyConnection, study: Study) -> Analysis:
    """Runs a study over an open release."""
    counts = Counts(con, study)
    run = _Runner(counts, study)
    main, primary = study.main, study.main.outcome
    placebo = [o for o in study.outcomes if o.role == "placebo"]
    base = study.base(main.base).months
    panel, treated = counts.panel(primary), run.treated(main.place)
    p = study.permutation
    sets = contiguous_sets(panel.units, counts.neighbors(), int(treated.sum()), p.contiguous_draws, p.seed)
    window = Window(first=base.first, last=study.after.last)
    found = Analysis(
        study=study,
        panel=panel,
        main=run.one("main specification", primary),
        table_one=tuple(_table_one(counts, treated, study, o) for o in study.outcomes),
        flow=tuple(counts.flow(window, primary)),
        outcomes=tuple(run.one(o.label, o.name, why=o.why) for o in study.outcomes),
        bases=tuple(
            run.one(b.name.replace("_", " "), o.name, base=b.name, why=b.why)
            for o in (study.outcome(primary), *placebo)
            for b in study.bases
        ),
        placebos=tuple(
            run.one(x.name.replace("_", " "), o.name, window=(x.name, x.base, x.after), why=x.why)
            for o in (study.outcome(primary), *placebo)
            for x in study.placebos
        ),
        days=tuple(
            run.one(f"without {d.name}".replace("_", " "), o, days=d.name, why=d.why)
            for d in study.left_out_days
            for o in (x.name for x in study.outcomes)
        ),
        hours=tuple(
            run.one(f"{hours} program hours", o.name, hours=hours)
            for o in (study.outcome(primary), *placebo)
            for hours in (INSIDE, OUTSIDE)
        ),
        curve=tuple(
            run.one("curve", o, place=pl, base=b, days=d, estimator=e)
            for o, pl, b, d, e in product(
                study.curve.outcomes, study.curve.places, study.curve.bases, study.curve.days, study.curve.estimators
            )
        ),
        spillover=run.spillover() if study.spillover else None,
        events=event_study(panel, treated, study.event_study.months, study.event_study.reference, study.after.first),
        placebo_events=event_study(
            counts.panel(placebo[0].name), treated, study.event_study.months, study.event_study.reference,
            study.after.first,
        ),
        leads_permuted=leads_by_permutation(
            panel, treated, study.event_study.months, study.event_study.reference, study.after.first, p.draws, p.seed
        ),
        any_set=permute_any(panel, treated, base, study.after, p.draws, p.seed),
        contiguous=permute_sets(panel, treated, base, study.after, sets, p.volume_from, p.volume_to),
        monthly=tuple(
            (m, int(panel.counts[treated, i].sum()), int(panel.counts[~treated, i].sum()))
            for i, m in enumerate(panel.months)
        ),
        days_count=tuple(
            (d.name, int(panel.over(base)[treated].sum()), int(counts.panel(primary, d.name).over(base)[treated].sum()))
            for d in study.left_out_days
        ),
    )  # fmt: skip
    return _guarded(counts, found)


def _guarded(counts: Counts, a: Analysis) -> Analysis:
    """With the estimates marked whose counts, beside those told before, would give a small cell by subtraction."""
    s, parts = a.study, {}
    places = {n: p.units for n, p in s.places.items()} | ({s.spillover.name: s.spillover.units} if s.spillover else {})

    def tell(name: str, outcome: str, units, window: Window, days: str = ALL_DAYS, hours: str = ANY) -> Part:
        part = Part(outcome, tuple(sorted(units)), window.first, window.last, days, hours)
        parts.setdefault(part, name)
        return part

    def both(n: Named) -> list[Part]:
        return [tell(n.name, n.outcome, places[n.place], window, n.days, n.hours) for window in (n.before, n.after)]

    treated, base = places[s.main.place], s.base(s.main.base).months
    both(a.main)
    for d in s.left_out_days:
        tell(f"{s.main.outcome}, without {d.name}", s.main.outcome, treated, base, d.name)
    for units, who in ((treated, "treated"), (set(s.unit.values) - set(treated), "others")):
        for o in s.outcomes:
            tell(f"table_one: {o.name} ({who})", o.name, units, base)
        for month in a.panel.months:
            tell(f"monthly: {s.main.outcome}, {month} ({who})", s.main.outcome, units, Window(first=month, last=month))
    always = len(parts)
    tables = {t: getattr(a, t) for t in ("outcomes", "bases", "placebos", "days", "hours")}
    tables |= {"spillover": a.spillover[:1] if a.spillover else (), "curve": a.curve}
    estimates = [n for table in tables.values() for n in table]
    of = [both(n) for n in estimates]
    told, at = counts.told(parts), {p: i for i, p in enumerate(parts)}
    withheld = told.withheld(always, [[at[p] for p in own] for own in of], s.suppression)
    marked = iter([replace(n, is_told=k not in withheld) for k, n in enumerate(estimates)])
    tables = {t: tuple(next(marked) for _ in table) for t, table in tables.items()}
    tables["spillover"] = (*tables["spillover"], a.spillover[1]) if a.spillover else None
    return replace(a, **tables, derivable=tuple(told.of(np.arange(always)).derivable(s.suppression)))


class _Runner:
    """Estimates what a specification names; what it does not name is as in the main one."""

    def __init__(self, counts: Counts, study: Study):
        self.counts, self.study = counts, study

    def treated(self, place: str) -> np.ndarray:
        return np.isin(np.array(self.study.unit.values), list(self.study.places[place].units))

    def one(
        self, name: str, outcome: str, place: str = "", base: str = "", days: str = ALL_DAYS, hours: str = ANY,
        estimator: str = "", window: tuple[str, Window, Window] | None = None, why: str = "",
    ) -> Named:  # fmt: skip
        main = self.study.main
        place, base = place or main.place, base or main.base
        label, before, after = window or (base, self.study.base(base).months, self.study.after)
        effect = difference_in_differences(
            self.counts.panel(outcome, days, hours), self.treated(place), before, after, estimator or main.estimator
        )
        return Named(name, outcome, place, label, days, hours, before, after, effect, why)

    def spillover(self) -> tuple[Named, Permuted]:
        """The main specification of untreated places near the treated ones against those that lie far; and permuted."""
        s = self.study
        panel = self.counts.panel(s.main.outcome).without(self.treated(s.main.place))
        base = s.base(s.main.base).months
        near, p = panel.of(s.spillover.units), s.permutation
        effect = difference_in_differences(panel, near, base, s.after, s.main.estimator)
        named = Named(
            "untreated places near", s.main.outcome, s.spillover.name, s.main.base, ALL_DAYS, ANY, base, s.after, effect,
            s.spillover.why,
        )  # fmt: skip
        return named, permute_any(panel, near, base, s.after, p.draws, p.seed)


def _table_one(counts: Counts, treated: np.ndarray, study: Study, outcome: Outcome) -> GroupCount:
    base = study.base(study.main.base).months
    panel = counts.panel(outcome.name)
    by_unit = panel.over(base) / panel.in_window(base).sum()
    t, o = by_unit[treated], by_unit[~treated]
    spread = float(np.sqrt((t.var(ddof=1) + o.var(ddof=1)) / 2))
    return GroupCount(
        outcome.label, f"{base.first} to {base.last}", int(panel.over(base)[treated].sum()),
        int(panel.over(base)[~treated].sum()), float(t.mean()), float(o.mean()),
        float((t.mean() - o.mean()) / spread) if spread else float("nan"),
    )  # fmt: skip
