"""How far estimates of programs with several starts can be trusted, on small counties of which the truth is known.

Draws eligible rows of places and months: places differ in level and size, months share a shock, and where places wander
each place and month has a shock of its own. 15 places by 6 months, five of which start in the second month, five in
the fourth (the demo county's study); and 36 places of which 8 start. Prints bias, size, coverage and power of each
estimator; then assumptions that are broken on purpose: how often what a study prints flags it, by size, and how often
where nothing is broken. The Monte Carlo error of a share stands beside it.

    python benchmarks/staggered.py > benchmarks/staggered.txt
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.estimators import Share
from orchestration.evaluation.staggered import (
    StaggeredEffect,
    callaway_santanna,
    imputation,
    permute_starts,
    poisson_fixed_effects,
    poisson_imputation,
    two_way_fixed_effects,
)
from orchestration.evaluation.staggered_rows import Rows

MONTHS = 6
PLACES = {
    "10 of 15": (15, (5, 5)),
    "8 of 36": (36, (4, 4)),
}  # places, and those that start in the second and fourth month
SIZE = 12  # rows of the median place in a month
LEVEL, SPREAD = 60.0, 30.0  # mean of a row, and its standard deviation
PLACE_SPREAD, MONTH_SPREAD = 6.0, 4.0
WANDER = {"steady": 0.0, "wandering": 4.0}  # standard deviation of a place's month beyond that of its rows
EFFECT = 9.0
COUNT_RATIO = 0.8
DRAWS = 199
FORM_SHARE = 0.4  # of rows with a form where nothing shifts


def draw_rows(
    generator,
    shape: str = "10 of 15",
    effect: float = 0.0,
    wander: float = 0.0,
    slope: float = 0.0,
    growth: float = 0.0,
    ratio: float = 1.0,
) -> Rows:
    """Rows of a small county. slope: what treated places gain a month without the program; growth: what the effect gains
    a month; ratio: rows with the program over rows without."""
    places, groups = PLACES[shape]
    starts = np.repeat([1, 3, MONTHS], [*groups, places - sum(groups)])
    months = np.arange(MONTHS)
    on = months[None, :] >= starts[:, None]
    size = SIZE * np.exp(generator.normal(0, 0.5, places))[:, None] * np.exp(generator.normal(0, 0.1, MONTHS))[None, :]
    n = generator.poisson(size * np.where(on, ratio, 1)) + 1
    mean = (
        LEVEL
        + generator.normal(0, PLACE_SPREAD, places)[:, None]
        + generator.normal(0, MONTH_SPREAD, MONTHS)[None, :]
        + generator.normal(0, wander, (places, MONTHS))
        + on * (effect + growth * (months[None, :] - starts[:, None]))
        + slope * months[None, :] * (starts < MONTHS)[:, None]
    )
    place, month = (np.repeat(x.ravel(), n.ravel()) for x in np.indices(n.shape))
    value = mean[place, month] + generator.normal(0, SPREAD, len(place))
    return Rows(tuple(map(str, range(places))), tuple(map(str, range(MONTHS))), starts, place, month, value)


def share(flags: list[bool]) -> Share:
    return Share(float(np.mean(flags)), len(flags))


Estimator = Callable[[Rows], StaggeredEffect]
OF_MEANS: dict[str, Estimator] = {
    "Callaway-Sant'Anna": callaway_santanna, "imputation": imputation, "fixed effects": two_way_fixed_effects,
}  # fmt: skip


def of_means(trials: int, seed: int):
    """Rows: places, kind, estimator, bias, size, coverage, power; the truth is EFFECT in every treated row."""
    for shape in PLACES:
        for kind, wander in WANDER.items():
            generator = np.random.Generator(np.random.PCG64(seed))
            none = [draw_rows(generator, shape, 0.0, wander) for _ in range(trials)]
            some = [draw_rows(generator, shape, EFFECT, wander) for _ in range(trials)]
            for name, estimate in OF_MEANS.items():
                size = [estimate(r).excludes_zero for r in none]
                found = [estimate(r) for r in some]
                yield (
                    shape, kind, name, float(np.mean([e.effect for e in found]) - EFFECT), share(size),
                    share([e.low <= EFFECT <= e.high for e in found]), share([e.excludes_zero for e in found]),
                )  # fmt: skip


def of_growing_effects(trials: int, seed: int):
    """Rows: estimator, bias where the effect grows by a half a month, coverage."""
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = [draw_rows(generator, effect=EFFECT, growth=EFFECT / 2) for _ in range(trials)]
    truth = [EFFECT + EFFECT / 2 * float((r.month - r.starts[r.unit])[r.is_on].mean()) for r in rows]
    for name, estimate in OF_MEANS.items():
        found = [estimate(r) for r in rows]
        bias = float(np.mean([e.effect - t for e, t in zip(found, truth, strict=True)]))
        yield name, bias, share([e.low <= t <= e.high for e, t in zip(found, truth, strict=True)])


def of_counts(trials: int, seed: int):
    """Rows: places, estimator, bias of the ratio, size, coverage, power; the truth is COUNT_RATIO."""
    for shape in PLACES:
        generator = np.random.Generator(np.random.PCG64(seed))
        none = [draw_rows(generator, shape) for _ in range(trials)]
        some = [draw_rows(generator, shape, ratio=COUNT_RATIO) for _ in range(trials)]
        for name, estimate in {
            "Poisson imputation": poisson_imputation,
            "Poisson fixed": poisson_fixed_effects,
        }.items():
            size = [estimate(r).excludes_zero for r in none]
            found = [estimate(r) for r in some]
            change = [e.change for e in found]
            # The true number of rows fewer follows from the ratio and what was seen.
            fewer = [e.seen * (1 - 1 / COUNT_RATIO) for e in found]
            yield (
                shape, name, float(np.mean(change) - (COUNT_RATIO - 1)), share(size),
                share([e.low <= t <= e.high for e, t in zip(found, fewer, strict=True)]),
                share([e.excludes_zero for e in found]),
            )  # fmt: skip


def permutations(trials: int, seed: int):
    """Rows: places, kind, size and power of starts given to other places."""
    for shape in PLACES:
        for kind, wander in WANDER.items():
            generator = np.random.Generator(np.random.PCG64(seed))
            found = [
                share([permute_starts(draw_rows(generator, shape, effect, wander), DRAWS, i).share_as_far <= 0.05 for i in range(trials)])
                for effect in (0.0, EFFECT)
            ]  # fmt: skip
            yield shape, kind, *found


def with_forms(generator, rows: Rows, shift: float, easy: float = 0.0) -> tuple[Rows, Rows]:
    """Whether each row has a form, and the rows with one: FORM_SHARE, and `shift` more where the program works.

    easy: by how much less than the mean the rows are that get the additional forms, or lose theirs.
    """
    low = rows.value < LEVEL
    more = shift * np.where(low, 1 + easy, 1 - easy)
    has = generator.random(len(rows.value)) < FORM_SHARE + rows.is_on * more
    kept = {"unit": rows.unit[has], "month": rows.month[has], "value": rows.value[has]}
    return replace(rows, value=has.astype(float)), replace(rows, **kept)


def spill(rows: Rows, near: int, size: float) -> Rows:
    """The first `near` of the places that are never treated move by `size` from the first start on."""
    never = np.flatnonzero(rows.starts == len(rows.months))[:near]
    return replace(rows, value=rows.value + size * (np.isin(rows.unit, never) & (rows.month >= rows.starts.min())))


def flags(trials: int, seed: int):
    """Rows: what is broken, its size, how often it is flagged by interval and by permutation, bias of what it spoils.

    Slopes, spill-over: in units of a row's mean (60). Forms: change in the share of rows with a form, where the program
    adds forms of milder cases, or loses them; the bias is that of the mean over forms alone, without any true effect.
    """

    def run(size: float, rows_of, tested, spoiled):
        generator = np.random.Generator(np.random.PCG64(seed))
        by_interval, by_permutation, bias = [], [], []
        for i in range(trials):
            drawn = rows_of(generator, size)
            interval, permuted = tested(drawn, i)
            by_interval.append(interval)
            by_permutation.append(permuted)
            bias.append(spoiled(drawn))
        return share(by_interval) if by_interval[0] is not None else None, share(by_permutation), float(np.mean(bias))

    def leads(rows, i):
        return None, permute_starts(rows, DRAWS, i).leads_p_value <= 0.05

    def level(rows, i):
        return callaway_santanna(rows).excludes_zero, permute_starts(rows, DRAWS, i).share_as_far <= 0.05

    wander = WANDER["wandering"]
    for slope in (0.0, 1.0, 2.0, 4.0):
        yield "trend a month", slope, *run(
            slope, lambda g, s: draw_rows(g, "8 of 36", wander=wander, slope=s), leads, lambda r: callaway_santanna(r).effect
        )  # fmt: skip
    for size in (0.0, 3.0, 6.0, 12.0):
        yield "spill-over", size, *run(
            size, lambda g, s: spill(draw_rows(g, "8 of 36", wander=wander), 10, s),
            lambda r, i: level(r.near(tuple(r.units[8:18])), i), lambda r: callaway_santanna(r).effect,
        )  # fmt: skip
    for name, sizes in {"forms added": (0.0, 0.05, 0.1, 0.2), "forms lost": (0.0, -0.05, -0.1, -0.2)}.items():
        for size in sizes:
            yield name, size, *run(
                size, lambda g, s: with_forms(g, draw_rows(g, wander=wander), s, easy=0.5),
                lambda r, i: level(r[0], i), lambda r: callaway_santanna(r[1]).effect,
            )  # fmt: skip


def print_of_means(trials: int, seed: int) -> None:
    print(f"{'treated':<10}{'places':<11}{'estimator':<20}{'bias':>7}  {'size':<16}{'coverage':<16}power")
    for shape, kind, name, bias, *shares in of_means(trials, seed):
        print(f"{shape:<10}{kind:<11}{name:<20}{bias:>+7.2f}  " + "".join(f"{s!s:<16}" for s in shares), flush=True)


def print_others(trials: int, seed: int) -> None:
    print(f"\nthe effect grows by a half a month, 10 of 15 places\n{'estimator':<20}{'bias':>7}  coverage")
    for name, bias, coverage in of_growing_effects(trials, seed):
        print(f"{name:<20}{bias:>+7.2f}  {coverage}", flush=True)
    print(
        f"\ncounts, ratio {COUNT_RATIO}\n{'treated':<10}{'estimator':<20}{'bias':>8}  {'size':<16}{'coverage':<16}power"
    )
    for shape, name, bias, *shares in of_counts(trials, seed):
        print(f"{shape:<10}{name:<20}{bias:>+8.4f}  " + "".join(f"{s!s:<16}" for s in shares), flush=True)
    print(f"\nstarts given to other places, {DRAWS} draws\n{'treated':<10}{'places':<11}{'size':<16}power")
    for shape, kind, *shares in permutations(trials, seed):
        print(f"{shape:<10}{kind:<11}" + "".join(f"{s!s:<16}" for s in shares), flush=True)


def print_flags(trials: int, seed: int) -> None:
    print("\nbroken on purpose, wandering places: how often flagged\n")
    print(f"{'what':<16}{'size':>6}  {'by interval':<16}{'by permutation':<16}bias of the estimate")
    for what, size, by_interval, by_permutation, bias in flags(trials, seed):
        print(f"{what:<16}{size:>6g}  {by_interval or '-'!s:<16}{by_permutation!s:<16}{bias:+.2f}", flush=True)


def main(trials: int = 1000, flag_trials: int = 400, seed: int = 20261123) -> None:
    warnings.simplefilter("ignore")
    print(
        f"rows of places and months, mean {LEVEL:g}, effect {EFFECT:+g}; {trials:,} trials a row ({flag_trials} for flags);"
    )
    print("5 % tests, 95 % intervals; the Monte Carlo error stands in brackets\n")
    print_of_means(trials, seed)
    print_others(trials, seed)
    print_flags(flag_trials, seed)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
