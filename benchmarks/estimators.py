"""How far the estimators of program evaluations can be trusted on counts of which the truth is known.

Draws panels of 36 places by 12 months (6 before, 6 after): places differ in level, months share a shock, and each
place wanders in its own way from month to month (a random walk on the log, so that months are not independent).
Prints bias, size under no effect, power, and coverage of 95 % intervals of the two-way fixed effects estimators, and
size and power of the permutation of places; then how often the joint test of leads flags a trend before the start; then
the same question by other means (fewer trials for the slow ones), how often bounds hold the truth where the places draw
apart, and how often places near the treated ones are flagged where the program reaches them. The Monte Carlo error of a
share stands beside it.

    python benchmarks/estimators.py > benchmarks/estimators.txt
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, replace

import numpy as np

from orchestration.evaluation.bounds import RELATIVE, SMOOTH, against_last_before, bounds
from orchestration.evaluation.estimators import (
    POISSON,
    difference_in_differences,
    event_study,
    leads_by_permutation,
    permute_any,
    ratio_of_ratios,
)
from orchestration.evaluation.panel import Panel
from orchestration.evaluation.robustness import (
    interrupted_time_series,
    synthetic_control,
    synthetic_did,
    wild_bootstrap_p,
)
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
NEAR = slice(8, 16)  # untreated places near the 8 treated ones
SPILLS = (1.0, 0.95, 0.9, 0.8, 0.7)  # counts of the places near, once the program works, over counts without
LONG = tuple(f"{y}-{m:02d}" for y in range(2017, 2021) for m in range(1, 13))  # for one series alone
SEASON = 0.2


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


def wild(trials: int, seed: int):
    """Rows: places treated, kind, size, coverage of the truth, power of the wild bootstrap of the Poisson estimate."""
    for treated in TREATED:
        for kind, wander in WANDER.items():
            generator = np.random.Generator(np.random.PCG64(seed))
            signs = 1.0 - 2 * generator.integers(0, 2, (DRAWS, PLACES))

            def p(
                ratio: float, imposed: float, generator=generator, signs=signs, treated=treated, wander=wander
            ) -> float:
                panel, is_treated = draw_panel(generator, treated, ratio, wander)
                on = (is_treated[:, None] & panel.in_window(AFTER)[None, :]).astype(float)
                return wild_bootstrap_p(panel.counts.astype(float), on, np.log(imposed), signs, POISSON)

            yield treated, kind, *(
                Share(float(np.mean([test(p(ratio, imposed)) for _ in range(trials)])), trials)
                for ratio, imposed, test in (
                    (1.0, 1.0, lambda p: p <= 0.05), (EFFECT, EFFECT, lambda p: p > 0.05), (EFFECT, 1.0, lambda p: p <= 0.05),
                )
            )  # fmt: skip


def synthetic(trials: int, slow_trials: int, seed: int):
    """Rows: kind, estimator, trials, bias, size, coverage, power, with 8 of 36 places treated; synthetic control has no
    interval, so size and power are those of its p."""
    for kind, wander in WANDER.items():
        for name, n, estimate in (
            ("synthetic control", slow_trials, synthetic_control),
            ("synthetic DiD", trials, lambda panel, treated, after: synthetic_did(panel, treated, after, 50, 1)),
        ):
            generator = np.random.Generator(np.random.PCG64(seed))
            none, some = (
                [estimate(*draw_panel(generator, 8, ratio, wander), AFTER) for _ in range(n)] for ratio in (1.0, EFFECT)
            )
            has_interval = name == "synthetic DiD"

            def rejects(o, has_interval=has_interval) -> bool:
                return not o.change_low <= 0 <= o.change_high if has_interval else o.p_value <= 0.05

            covered = [o.change_low <= EFFECT - 1 <= o.change_high for o in some]
            yield (
                kind, name, n, float(np.mean([o.change for o in some]) - (EFFECT - 1)),
                Share(float(np.mean([rejects(o) for o in none])), n),
                Share(float(np.mean(covered)), n) if has_interval else None,
                Share(float(np.mean([rejects(o) for o in some])), n),
            )  # fmt: skip


def draw_series(generator, ratio: float, wander: float) -> tuple[Panel, np.ndarray]:
    """Four years of one place with a trend and a season; each month's shock is half of the last one's and a new one."""
    months = len(LONG)
    shock = generator.normal(0, wander, months)
    for i in range(1, months):
        shock[i] += 0.5 * shock[i - 1]
    t = np.arange(months)
    log_mean = np.log(8 * LEVEL) + 0.005 * t + SEASON * np.sin(2 * np.pi * t / 12) + shock
    later = np.array([m >= AFTER.first for m in LONG])
    counts = generator.poisson(np.exp(log_mean) * np.where(later, ratio, 1))
    return Panel(("0",), LONG, counts[None, :]), np.array([True])


def series(trials: int, seed: int):
    """Rows: kind, bias, size, coverage, power of the interrupted time series, 42 months before and 6 after."""
    for kind, wander in WANDER.items():
        generator = np.random.Generator(np.random.PCG64(seed))
        none, some = (
            [interrupted_time_series(*draw_series(generator, ratio, wander), AFTER) for _ in range(trials)]
            for ratio in (1.0, EFFECT)
        )
        yield (
            kind, float(np.mean([o.change for o in some]) - (EFFECT - 1)),
            *(
                Share(float(np.mean(x)), trials)
                for x in (
                    [not o.change_low <= 0 <= o.change_high for o in none],
                    [o.change_low <= EFFECT - 1 <= o.change_high for o in some],
                    [not o.change_low <= 0 <= o.change_high for o in some],
                )
            ),
        )  # fmt: skip


def bounded(trials: int, seed: int):
    """Rows: slope, how often no effect at all lies in the main interval, in that of smoothness 0 (a straight trend goes
    on), and in that of relative magnitudes 1; 18 of 36 places treated."""
    window = Window(first=MONTHS[0], last=MONTHS[-1])
    for slope in SLOPES:
        generator = np.random.Generator(np.random.PCG64(seed))
        held = []
        for _ in range(trials):
            panel, is_treated = draw_panel(generator, 18, 1.0, 0.0, slope)
            main = difference_in_differences(panel, is_treated, BASE, AFTER)
            events = event_study(panel, is_treated, window, BASE.last, AFTER.first)
            last = MONTHS.index(BASE.last)
            found = bounds(*against_last_before(events.estimates, events.covariance, last, last), last)
            of = {(b.restriction, b.multiple): b for b in found}
            held.append((
                main.change_low <= 0 <= main.change_high, not of[SMOOTH, 0.0].excludes_zero, not of[RELATIVE, 1.0].excludes_zero,
            ))  # fmt: skip
        yield slope, *(Share(float(x), trials) for x in np.mean(held, axis=0))


def spilled(trials: int, seed: int):
    """Rows: what the places near fall to, how often permutation flags them, bias of the main estimate without an effect."""
    for ratio in SPILLS:
        generator = np.random.Generator(np.random.PCG64(seed))
        flagged, found = [], []
        for i in range(trials):
            panel, is_treated = draw_panel(generator, 8, 1.0, WANDER["wandering"])
            counts = panel.counts.copy()
            later = panel.in_window(AFTER)
            counts[NEAR, later.argmax() :] = generator.binomial(counts[NEAR, later.argmax() :], ratio)
            panel = replace(panel, counts=counts)
            untreated = panel.without(is_treated)
            near = np.arange(len(untreated.units)) < 8
            flagged.append(permute_any(untreated, near, BASE, AFTER, DRAWS, i).share_as_far <= 0.05)
            sets = is_treated[None, :]
            found.append(np.expm1(ratio_of_ratios(panel.over(BASE), panel.over(AFTER), sets)[0]))
        yield ratio, Share(float(np.mean(flagged)), trials), float(np.mean(found))


def print_other_means(trials: int, slow_trials: int, seed: int) -> None:
    print(
        f"\nwild cluster bootstrap of the Poisson estimate, {DRAWS} draws\n{'treated':<8}{'places':<11}{'size':<16}{'coverage':<16}power"
    )
    for treated, kind, *shares in wild(trials, seed):
        print(f"{treated:<8}{kind:<11}" + "".join(f"{s!s:<16}" for s in shares), flush=True)
    print(
        f"\n8 of 36 places\n{'places':<11}{'estimator':<19}{'trials':>6}{'bias':>9}  {'size':<16}{'coverage':<16}power"
    )
    for kind, name, n, bias, *shares in synthetic(trials, slow_trials, seed):
        print(f"{kind:<11}{name:<19}{n:>6,}{bias:>+9.4f}  " + "".join(f"{s or '-'!s:<16}" for s in shares), flush=True)
    print(
        f"\none series alone, 42 months before, interrupted time series\n{'months':<11}{'bias':>8}  {'size':<16}{'coverage':<16}power"
    )
    for kind, bias, *shares in series(trials, seed):
        print(f"{kind:<11}{bias:>+8.4f}  " + "".join(f"{s!s:<16}" for s in shares), flush=True)
    print(f"\nno effect, and a trend of the 18 treated places: how often zero lies inside, {slow_trials} trials")
    print(f"{'a month':<9}{'main interval':<16}{'smoothness 0':<16}relative magnitudes 1")
    for slope, *shares in bounded(slow_trials, seed):
        print(f"{slope:<9.0%}" + "".join(f"{s!s:<16}" for s in shares), flush=True)
    print(
        f"\n8 untreated places near fall, without an effect on the 8 treated ones, wandering\n{'to':<7}{'flagged':<16}bias of the estimate"
    )
    for ratio, flagged, bias in spilled(trials, seed):
        print(f"{ratio:<7.0%}{flagged!s:<16}{bias:+.3f}", flush=True)


def main(trials: int = 1000, wald_trials: int = 200, slow_trials: int = 200, seed: int = 20261123) -> None:
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
    print_other_means(trials, slow_trials, seed)


if __name__ == "__main__":
    main()
