"""How far the estimators of program evaluations can be trusted on counts of which the truth is known.

Draws panels of 36 places by 12 months (6 before, 6 after): places differ in level, months share a shock, and each
place wanders in its own way from month to month (a random walk on the log, so that months are not independent).
Prints bias, size under no effect, power, and coverage of 95 % intervals of the two-way fixed effects estimators, and
size and power of the permutation of places; then how often the joint test of leads flags a trend before the start.
The Monte Carlo error of a share stands beside it.

    python benchmarks/estimators.py > benchmarks/estimators.txt
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.estimators import (
    POISSON,
    difference_in_differences,
    event_study,
    leads_by_permutation,
    permute_any,
)
from orchestration.evaluation.panel import Panel
from orchestration.evaluation.study import Window

PLACES = 36
MONTHS = tuple(f"2020-{m:02d}" for m in range(1, 13))
BASE, AFTER = Window(first="2020-01", last="2020-06"), Window(first="2020-07", last="2020-12")
LEVEL = 20  # reports of the median place in a month
PLACE_SPREAD = 0.6  # standard deviation of the log level of places
MONTH_SPREAD = 0.15
WANDER = {"steady": 0.0, "wandering": 0.08}  # standard deviation of a place's step from month to month, on the log
EFFECT = 0.8  # counts with the program over counts without
TREATED = (18, 8)
SLOPES = (0.0, 0.02, 0.05, 0.1)  # trend a month of the treated places alone, on the log
DRAWS = 499


def draw_panel(generator, treated: int, ratio: float, wander: float, slope: float = 0.0) -> tuple[Panel, np.ndarray]:
    """A panel of which the first `treated` places have counts times `ratio` after."""
    is_treated = np.arange(PLACES) < treated
    log_mean = (
        np.log(LEVEL)
        + generator.normal(0, PLACE_SPREAD, PLACES)[:, None]
        + generator.normal(0, MONTH_SPREAD, len(MONTHS))[None, :]
        + np.cumsum(generator.normal(0, wander, (PLACES, len(MONTHS))), axis=1)
        + is_treated[:, None] * slope * np.arange(len(MONTHS))[None, :]
    )
    later = np.array([AFTER.first <= m for m in MONTHS])
    mean = np.exp(log_mean) * np.where(is_treated[:, None] & later[None, :], ratio, 1)
    return Panel(tuple(map(str, range(PLACES))), MONTHS, generator.poisson(mean)), is_treated


@dataclass(frozen=True)
class Share:
    """A share of trials with its Monte Carlo error."""

    value: float
    trials: int

    def __str__(self) -> str:
        return f"{self.value:6.3f} ({np.sqrt(self.value * (1 - self.value) / self.trials):.3f})"


def trial(generator, treated: int, ratio: float, wander: float, estimator: str) -> tuple[float, bool, bool]:
    """Error of the estimated change, whether the interval holds the truth, and whether it leaves out zero."""
    panel, is_treated = draw_panel(generator, treated, ratio, wander)
    e = difference_in_differences(panel, is_treated, BASE, AFTER, estimator)
    return e.change - (ratio - 1), e.change_low <= ratio - 1 <= e.change_high, not e.change_low <= 0 <= e.change_high


def permutation_rejects(generator, treated: int, ratio: float, wander: float) -> bool:
    panel, is_treated = draw_panel(generator, treated, ratio, wander)
    seed = int(generator.integers(2**31))
    return permute_any(panel, is_treated, BASE, AFTER, DRAWS, seed).share_as_far <= 0.05


def estimates(trials: int, seed: int):
    """Rows: places treated, kind, estimator, bias, size, coverage without and with effect, power."""
    for treated in TREATED:
        for kind, wander in WANDER.items():
            for estimator in (POISSON, "linear"):
                generator = np.random.Generator(np.random.PCG64(seed))
                none = [trial(generator, treated, 1.0, wander, estimator) for _ in range(trials)]
                some = [trial(generator, treated, EFFECT, wander, estimator) for _ in range(trials)]
                yield (
                    treated, kind, estimator, float(np.mean([e for e, _, _ in some])),
                    Share(float(np.mean([r for _, _, r in none])), trials),
                    Share(float(np.mean([c for _, c, _ in none])), trials),
                    Share(float(np.mean([c for _, c, _ in some])), trials),
                    Share(float(np.mean([r for _, _, r in some])), trials),
                )  # fmt: skip


def permutations(trials: int, seed: int):
    """Rows: places treated, kind, size and power of the permutation of places."""
    for treated in TREATED:
        for kind, wander in WANDER.items():
            generator = np.random.Generator(np.random.PCG64(seed))
            found = [
                Share(
                    float(np.mean([permutation_rejects(generator, treated, r, wander) for _ in range(trials)])), trials
                )
                for r in (1.0, EFFECT)
            ]
            yield treated, kind, *found


def flags(trials: int, wald_trials: int, seed: int):
    """Rows: slope, kind, how often the joint test of leads flags it: by permutation of places, and by Wald."""
    window = Window(first=MONTHS[0], last=MONTHS[-1])
    for kind, wander in WANDER.items():
        for slope in SLOPES:
            generator = np.random.Generator(np.random.PCG64(seed))
            permuted, wald = [], []
            for i in range(trials):
                panel, is_treated = draw_panel(generator, 8, 1.0, wander, slope)
                p = leads_by_permutation(
                    panel, is_treated, window, BASE.last, AFTER.first, DRAWS, int(generator.integers(2**31))
                )
                permuted.append(p <= 0.05)
                if i < wald_trials:
                    wald.append(event_study(panel, is_treated, window, BASE.last, AFTER.first).leads_p_value <= 0.05)
            yield kind, slope, Share(float(np.mean(permuted)), trials), Share(float(np.mean(wald)), wald_trials)


def main(trials: int = 1000, wald_trials: int = 200, seed: int = 20261123) -> None:
    warnings.simplefilter("ignore")
    print(
        f"{PLACES} places by {len(MONTHS)} months, {trials:,} trials a row, effect {EFFECT - 1:+.0%}; 5 % tests, 95 % intervals;"
    )
    print("the Monte Carlo error stands in brackets\n")
    print(
        f"{'treated':<8}{'places':<11}{'estimator':<10}{'bias':>8}  {'size':<16}{'coverage, none':<16}{'coverage':<16}{'power':<16}"
    )
    for treated, kind, estimator, bias, *shares in estimates(trials, seed):
        print(f"{treated:<8}{kind:<11}{estimator:<10}{bias:>+8.4f}  " + "".join(f"{s!s:<16}" for s in shares))
        sys.stdout.flush()
    print(f"\npermutation of places, {DRAWS} draws\n{'treated':<8}{'places':<11}{'size':<16}{'power':<16}")
    for treated, kind, *shares in permutations(trials, seed):
        print(f"{treated:<8}{kind:<11}" + "".join(f"{s!s:<16}" for s in shares))
    print(
        f"\ntrend of the 8 treated places before the start, flagged by the joint test of 5 leads (Wald: {wald_trials} trials)"
    )
    print(f"{'places':<11}{'a month':<9}{'permutation':<16}{'Wald':<16}")
    for kind, slope, permuted, wald in flags(trials, wald_trials, seed):
        print(f"{kind:<11}{slope:<9.0%}{permuted!s:<16}{wald!s:<16}")


if __name__ == "__main__":
    main()
