"""What a study can find, told before it is looked at: from untreated places and months alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.panel import Panel
from orchestration.evaluation.staggered import group_times, overall
from orchestration.evaluation.staggered_rows import Rows
from orchestration.evaluation.study import Window


@dataclass(frozen=True)
class Detectable:
    """The smallest effect that a test at 5 % finds with a given probability.

    share: that probability. error: expected standard error of the estimate, of the log ratio for counts, else in the
    outcome's unit. fall, rise: the effect as a share of what is implied without the program. expected, found: the effect
    that the study expects, and the probability of finding it. what: what it was reckoned from.
    """

    share: float
    error: float
    fall: float
    rise: float
    expected: float
    found: float
    what: str


def _quantiles(share: float, places: int) -> tuple[float, float]:
    from scipy.stats import t

    return float(t.ppf(0.975, places - 1)), float(t.ppf(share, places - 1))


def _found(effect: float, error: float, places: int) -> float:
    """The probability that an effect of this size is found, on either side."""
    from scipy.stats import t

    edge = float(t.ppf(0.975, places - 1))
    return float(t.sf(edge - abs(effect) / error, places - 1) + t.cdf(-edge - abs(effect) / error, places - 1))


def dispersion(counts: np.ndarray) -> float:
    """Variance of counts over their mean, about fixed effects of places and months (Pearson); at least 1."""
    fitted = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    there = fitted > 0
    df = (counts.sum(axis=1) > 0).sum() - 1, (counts.sum(axis=0) > 0).sum() - 1
    if min(df) < 1:
        return 1.0
    return max(1.0, float(((counts - fitted)[there] ** 2 / fitted[there]).sum() / (df[0] * df[1])))


def of_counts(
    panel: Panel, treated: np.ndarray, base: Window, after: Window, share: float, expected: float
) -> Detectable:
    """Counts of places with one start: the months after are taken to be like the base, which alone is read.

    The error of the log ratio is sqrt(dispersion * (1/a + 1/b + 1/c + 1/d)) over the four sums of treated and other places,
    before and after. Places that wander from month to month in their own way make it larger.
    """
    counts = panel.counts[:, panel.in_window(base)].astype(float)
    months = sum(after.first <= m <= after.last for m in panel.months)
    before = np.array([counts[treated].sum(), counts[~treated].sum()])
    later = before * months / counts.shape[1]
    spread = dispersion(counts)
    error = float(np.sqrt(spread * (1 / before + 1 / later).sum()))
    edge, reach = _quantiles(share, len(panel.units))
    return Detectable(
        share, error, float(np.expm1(-(edge + reach) * error)), float(np.expm1((edge + reach) * error)), expected,
        _found(np.log1p(expected), error, len(panel.units)),
        f"{base.first} to {base.last}, {int(before[0]):,} rows in places to be treated and {int(before[1]):,} in others;"
        f" dispersion {spread:.2f}",
    )  # fmt: skip


def of_means(rows: Rows, share: float, expected: float) -> Detectable:
    """A share or mean of places with several starts, for Callaway and Sant'Anna: rows before each place's own start.

    The estimate is a weighted sum of the means of places and months; each mean varies by its rows (within-cell variance)
    and by its place's months (what untreated means vary beyond that, about effects of places and months). Cells after
    the start are taken to be as large as those before.
    """
    n, total, squares = rows.cells()
    untreated = (np.arange(n.shape[1])[None, :] < rows.starts[:, None]) & (n > 1)
    within = float((squares - total**2 / np.where(n > 0, n, 1))[untreated].sum() / (n - 1)[untreated].sum())
    usual = np.where(untreated, n, 0).sum(axis=1) / untreated.sum(axis=1)
    size = np.repeat(usual[:, None], n.shape[1], axis=1)
    cells = np.arange(n.size)
    weights = np.array([overall(group_times(size, size * (cells == c).reshape(n.shape), rows.starts[None, :]))[0] for c in cells])  # fmt: skip
    between = _between(n, total, untreated, within)
    error = float(np.sqrt((weights**2 * (between + within / size.ravel())).sum()))
    early = ~rows.is_on & rows.is_ever
    mean = float(rows.value[early].mean())
    edge, reach = _quantiles(share, len(rows.units))
    return Detectable(
        share, error, -(edge + reach) * error / mean, (edge + reach) * error / mean, expected,
        _found(expected * mean, error, len(rows.units)),
        f"{int((~rows.is_on).sum()):,} rows of places and months before their own start, mean {mean:.4g}",
    )  # fmt: skip


def _between(n: np.ndarray, total: np.ndarray, untreated: np.ndarray, within: float) -> float:
    """Variance of a place's months beyond that of their rows, by moments; at least 0."""
    place, month = (i[untreated] for i in np.indices(n.shape))
    x = np.zeros((len(place), sum(n.shape)))
    x[np.arange(len(x)), place] = x[np.arange(len(x)), n.shape[0] + month] = 1
    w, mean = n[untreated], total[untreated] / n[untreated]
    root = np.sqrt(w)[:, None] * x
    hat = root @ np.linalg.pinv(root)
    free = len(w) - float(np.trace(hat))
    left = np.sqrt(w) * mean - hat @ (np.sqrt(w) * mean)
    # E of the weighted squares left: free * within + between * trace((I - hat) W).
    spread = float((w * (1 - np.diag(hat))).sum())
    return max(0.0, (float((left**2).sum()) - free * within) / spread) if free > 0.5 else 0.0
