"""How far Erlang C, by which met_staffing__offered_load counts units, lies from queues that break its assumptions.

Simulates, with the package ciw, an hour's demand that goes on for a long time: calls of one unit each, as Erlang C
takes them; calls that take two units at once; long and short tasks more unequal than Erlang's; urgent calls first.
All have the same load. Prints the chance to wait, the mean wait and the chance of a wait longer than a minute.

    python benchmarks/waits.py > benchmarks/waits.txt
"""

from __future__ import annotations

from math import exp, factorial, log, sqrt
from statistics import mean, stdev

import ciw

LOADS = ((2, 4), (6, 9), (12, 16))  # units busy on average, units on duty
SERVICE = 1.0  # mean task, hours
TWO_UNITS = 0.4  # share of calls that take a second unit at once
URGENT = 0.2  # share of calls that go before the others
SPREAD = 1.5  # standard deviation of a task over its mean; 1 is Erlang's
LIMIT = 1 / 60  # hours
WARM_UP, LENGTH = 200, 2_000  # hours
TRIALS = 10


def erlang_c(load: float, units: int) -> tuple[float, float, float]:
    """Chance to wait, mean wait in hours, chance of a wait longer than LIMIT; by factorials, not by the warehouse's SQL."""
    last = load**units / factorial(units) * units / (units - load)
    waits = last / (sum(load**k / factorial(k) for k in range(units)) + last)
    return waits, waits * SERVICE / (units - load), waits * exp(-(units - load) * LIMIT / SERVICE)


def queues(load: float, units: int) -> dict[str, tuple[ciw.network.Network, tuple[str, ...]]]:
    """The networks by name, and the classes of calls whose waits are told."""
    task = ciw.dists.Exponential(1 / SERVICE)
    sigma = sqrt(log(1 + SPREAD**2))
    uneven = ciw.dists.Lognormal(log(SERVICE) - sigma**2 / 2, sigma)
    per_call = 1 + TWO_UNITS

    def network(service=task, rate=load / SERVICE, **more):
        return ciw.create_network(
            arrival_distributions=[ciw.dists.Exponential(rate)],
            service_distributions=[service],
            number_of_servers=[units],
            **more,
        )

    classes = ciw.create_network(
        arrival_distributions={
            "urgent": [ciw.dists.Exponential(URGENT * load)],
            "other": [ciw.dists.Exponential((1 - URGENT) * load)],
        },
        service_distributions={"urgent": [task], "other": [task]},
        number_of_servers=[units],
        priority_classes={"urgent": 0, "other": 1},
    )
    pairs = ciw.dists.Pmf([1, 2], [1 - TWO_UNITS, TWO_UNITS])
    return {
        "one unit a call": (network(), ("Customer",)),
        "two units at 4 of 10 calls": (network(rate=load / per_call, batching_distributions=[pairs]), ("Customer",)),
        "uneven tasks": (network(uneven), ("Customer",)),
        "urgent first: urgent": (classes, ("urgent",)),
        "urgent first: the others": (classes, ("other",)),
    }


def simulate(network, classes: tuple[str, ...]) -> list[tuple[float, float, float]]:
    """The three figures of each trial."""
    told = []
    for seed in range(TRIALS):
        ciw.seed(seed)
        run = ciw.Simulation(network)
        run.simulate_until_max_time(WARM_UP + LENGTH)
        waits = [
            r.waiting_time for r in run.get_all_records() if r.arrival_date >= WARM_UP and r.customer_class in classes
        ]
        told.append((mean(w > 1e-9 for w in waits), mean(waits), mean(w > LIMIT for w in waits)))
    return told


def main() -> None:
    print(f"tasks of {SERVICE:g} h on average; {TRIALS} trials of {LENGTH:,} h each; +-: standard error over trials")
    print(f"{'load':>4} {'units':>5}  {'queue':<28} {'waits':>15} {'mean wait, min':>16} {'over 1 min':>15}")
    for load, units in LOADS:
        waits, wait, longer = erlang_c(load, units)
        print(f"{load:>4} {units:>5}  {'Erlang C':<28} {waits:>15.4f} {wait * 60:>16.2f} {longer:>15.4f}")
        for name, (network, classes) in queues(load, units).items():
            columns = list(zip(*simulate(network, classes), strict=True))
            (a, ae), (b, be), (c, ce) = ((mean(x), stdev(x) / sqrt(TRIALS)) for x in columns)
            print(
                f"{load:>4} {units:>5}  {name:<28} {a:>7.4f} +-{ae:.4f} {b * 60:>8.2f} +-{be * 60:<5.2f} {c:>7.4f} +-{ce:.4f}"
            )


if __name__ == "__main__":
    main()
