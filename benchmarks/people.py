"""How far the estimators of studies of rows can be trusted on calls of which the truth is known.

Calls differ in type, place and hour; type and place move both who is served and the outcome, and people return. Prints
bias, size under no effect, coverage of 95 % intervals, and power: of weighting; of lotteries of clusters, with
permutation, and of the effect on those who comply; and, where the program causes forms and an outcome is known from
forms alone, of what is known, of imputation, and of bounds (fewer trials). The Monte Carlo error of a share stands
beside it.

    python benchmarks/people.py > benchmarks/people.txt
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

from benchmarks.estimators import Share
from orchestration.evaluation.people.lottery import complier, intent_to_treat, permutation_p
from orchestration.evaluation.people.missing import bounds, impute, rubin
from orchestration.evaluation.people.weighting import (
    design,
    entropy_weights,
    propensity_weights,
    weighted_difference,
)

EFFECT = -0.06
CALLS = (1000, 4000)
CLUSTERS = ((24, 12), (8, 4))  # how many there are, and how many are drawn
ROWS_DRAWN = 1200
TAKE_UP, ELSEWHERE = 0.6, 0.1  # of rows of drawn clusters, and of others, that receive
DRAWS = 199
FORM_CALLS, IMPUTATIONS = 1500, 10
WEIGHTS = {
    "unadjusted": lambda x, t: np.ones(len(t)), "propensity": propensity_weights, "entropy": entropy_weights,
}  # fmt: skip
FORMS = {"type": 0.0, "the outcome": 0.2}  # what forms hang on, and by how much more the others' yes has one

Trial = tuple[float, float, float]  # estimate, low, high


def draw_calls(generator, n: int, effect: float):
    """Covariates; type (4), place (6), served, outcome, person. What is served more often has the outcome more often."""
    kind, place, hour, person = (
        generator.integers(0, 4, n), generator.integers(0, 6, n), generator.normal(size=n), generator.integers(0, n // 2, n),
    )  # fmt: skip
    served = generator.random(n) < 1 / (1 + np.exp(1.2 - 0.5 * kind - 0.15 * place))
    prone = generator.normal(0, 0.05, n // 2)[person]
    share = np.clip(0.15 + 0.06 * kind + 0.02 * place + prone + effect * served, 0, 1)
    x = design({"kind": kind.astype(str), "place": place.astype(str)}, {"hour": hour}).x
    return x, kind, place, served, (generator.random(n) < share).astype(float), person


def share(flags) -> Share:
    return Share(float(np.mean(flags)), len(flags))


def told(truth: float, none: list[Trial], some: list[Trial]) -> tuple[float, Share, Share, Share]:
    """Bias in points, size, coverage of the truth, power; none: trials without an effect."""
    rejects = lambda trials: share([low > 0 or high < 0 for _, low, high in trials])  # noqa: E731
    return (
        100 * float(np.mean([e for e, _, _ in some]) - truth), rejects(none),
        share([low <= truth <= high for _, low, high in some]), rejects(some),
    )  # fmt: skip


def weighting(trials: int, seed: int):
    """Rows: calls, estimator, and what is told of it; the truth is EFFECT in every served call."""
    for n in CALLS:
        generator = np.random.Generator(np.random.PCG64(seed))
        found = {(name, effect): [] for name in WEIGHTS for effect in (0.0, EFFECT)}
        for effect in (0.0, EFFECT):
            for _ in range(trials):
                x, _, _, served, y, person = draw_calls(generator, n, effect)
                for name, weights in WEIGHTS.items():
                    d = weighted_difference(name, y, served, weights(x, served), person)
                    found[name, effect].append((d.difference, d.low, d.high))
        for name in WEIGHTS:
            yield n, name, *told(EFFECT, found[name, 0.0], found[name, EFFECT])


def lottery(generator, clusters: int, drawn: int, effect: float, i: int) -> tuple[Trial, Trial, bool]:
    """As drawn, of those who comply, and whether permutation rejects; clusters differ in level."""
    cluster = np.repeat(np.arange(clusters), ROWS_DRAWN // clusters)
    assigned = np.isin(cluster, generator.permutation(clusters)[:drawn])
    received = generator.random(len(cluster)) < np.where(assigned, TAKE_UP, ELSEWHERE)
    level = 0.3 + generator.normal(0, 0.04, clusters)[cluster]
    y = (generator.random(len(cluster)) < level + effect * received).astype(float)
    strata = np.zeros(len(y), dtype=int)
    d = intent_to_treat(y, assigned, strata, cluster)
    c = complier(y, assigned, received, strata, cluster)
    p = permutation_p(y, assigned, strata, cluster, DRAWS, i)
    return (d.difference, d.low, d.high), (c.difference, c.low, c.high), p <= 0.05


def lotteries(trials: int, seed: int):
    """Rows: clusters, estimator, and what is told of it; of permutation size and power alone."""
    for clusters, drawn in CLUSTERS:
        generator = np.random.Generator(np.random.PCG64(seed))
        none, some = (
            list(zip(*(lottery(generator, clusters, drawn, e, i) for i in range(trials)), strict=True))
            for e in (0.0, EFFECT)
        )
        named = f"{drawn} of {clusters}"
        yield named, "as drawn", *told(EFFECT * (TAKE_UP - ELSEWHERE), none[0], some[0])
        yield named, "permutation", None, share(none[2]), None, share(some[2])
        yield named, "those who comply", *told(EFFECT, none[1], some[1])


def with_forms(generator, effect: float, by_outcome: float, i: int) -> tuple[Trial, Trial, Trial]:
    """Known forms alone, imputed, and bounds, where forms are written for more of the served."""
    x, kind, place, served, y, person = draw_calls(generator, FORM_CALLS, effect)
    written = np.where(served, 0.6, 0.3) + 0.05 * kind + by_outcome * y * ~served
    seen = np.where(generator.random(len(y)) < written, y, np.nan)
    known, weights = ~np.isnan(seen), entropy_weights(x, served)

    def estimate(filled):
        return weighted_difference("entropy", filled, served, weights, person)

    alone = weighted_difference(
        "entropy", seen[known], served[known], entropy_weights(x[known], served[known]), person[known]
    )
    each = [
        estimate(filled["y"])
        for filled in impute({"y": seen}, [kind, place], [served.astype(float)], IMPUTATIONS, 1, i)
    ]
    pooled = rubin(np.array([e.difference for e in each]), np.array([e.error for e in each]))
    held = bounds(seen, served, estimate)
    return (
        (alone.difference, alone.low, alone.high), (pooled.difference, pooled.low, pooled.high),
        ((held.lowest + held.highest) / 2, held.low, held.high),
    )  # fmt: skip


def forms(trials: int, seed: int):
    """Rows: what forms hang on, estimator, and what is told of it; the bias of bounds is that of their middle."""
    for how, by_outcome in FORMS.items():
        generator = np.random.Generator(np.random.PCG64(seed))
        none, some = (
            list(zip(*(with_forms(generator, e, by_outcome, i) for i in range(trials)), strict=True))
            for e in (0.0, EFFECT)
        )
        for name, without, with_effect in zip(("known alone", "imputed", "bounds"), none, some, strict=True):
            yield how, name, *told(EFFECT, without, with_effect)


def print_rows(head: str, rows) -> None:
    print(f"{head:<14}{'estimator':<18}{'bias':>7}  {'size':<16}{'coverage':<16}power")
    for first, name, bias, *shares in rows:
        said = f"{bias:+7.2f}" if bias is not None else f"{'-':>7}"
        print(f"{first!s:<14}{name:<18}{said}  " + "".join(f"{s or '-'!s:<16}" for s in shares), flush=True)


def main(trials: int = 1000, slow_trials: int = 60, seed: int = 20261123) -> None:
    warnings.simplefilter("ignore")
    print(
        f"calls of which some are served, effect {100 * EFFECT:+g} points; {trials:,} trials a row ({slow_trials} for forms);"
    )
    print("bias in points; 5 % tests, 95 % intervals; the Monte Carlo error stands in brackets\n")
    print_rows("calls", weighting(trials, seed))
    print(
        f"\nlottery of clusters, {ROWS_DRAWN:,} rows, {TAKE_UP:.0%} of the drawn and {ELSEWHERE:.0%} of the others receive"
    )
    print_rows("drawn", lotteries(trials, seed))
    print(f"\nan outcome known from forms, {FORM_CALLS:,} calls, written for more of the served; entropy weights")
    print_rows("forms hang on", forms(slow_trials, seed))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
