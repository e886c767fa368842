"""How far an effect stands when places would not have run in parallel: Rambachan and Roth (2023).

Of the mean effect after the start everything is a formula, but for the shortest fixed-length interval, which is a search
in one dimension over the weights that `simplex` finds. (diff-diff and moderndid search on a grid and stop near it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.estimators import Z
from orchestration.evaluation.simplex import nearest

MULTIPLES = (0.0, 0.5, 1.0, 2.0)  # of what the months before the start show
RELATIVE, SMOOTH = "relative magnitudes", "smoothness"
SHARE = 0.95


@dataclass(frozen=True)
class Bound:
    """The mean effect after the start, if the difference between the places is bent no more than said.

    restriction: relative magnitudes (from month to month it moves by at most `multiple` times the largest move before the
    start), or smoothness (its slope changes by at most `multiple` times the largest change before). low, high: bounds of
    the estimate; nan where the months before break the restriction themselves. interval_low, interval_high: with 95 %
    for chance. Of smoothness it is the fixed-length interval of the paper; of relative magnitudes the bounds widened by
    the error of the effect alone, which takes the months before as if they had none.
    """

    restriction: str
    multiple: float
    low: float
    high: float
    interval_low: float
    interval_high: float

    @property
    def excludes_zero(self) -> bool:
        return self.interval_low > 0 or self.interval_high < 0


def bounds(effects: np.ndarray, covariance: np.ndarray, leads: int) -> tuple[Bound, ...]:
    """Bounds of the mean effect after the start.

    effects: by month against the last month before the start, without it; the first `leads` lie before. covariance:
    theirs. Empty where there is no lead: nothing then tells how far places run apart.
    """
    if not leads:
        return ()
    ahead, mean = np.arange(1, len(effects) - leads + 1), float(effects[leads:].mean())
    chance = Z * float(np.sqrt(covariance[leads:, leads:].mean()))
    moves = np.diff(np.append(effects[:leads], 0.0))
    move, bends = float(np.abs(moves).max()), np.abs(np.diff(moves))
    bend = float(bends.max()) if leads > 1 else move
    relative = [(m, m * move * float(ahead.mean())) for m in MULTIPLES]
    # A straight trend goes on by its last slope; a bend of 1 each month moves month s by s (s + 1) / 2.
    straight, bent = mean - moves[-1] * float(ahead.mean()), float((ahead * (ahead + 1) / 2).mean())
    smooth = [(m, m * bend * bent if (bends <= m * bend * (1 + 1e-9)).all() else np.nan) for m in MULTIPLES]
    return (
        *(Bound(RELATIVE, m, mean - d, mean + d, mean - d - chance, mean + d + chance) for m, d in relative),
        *(Bound(SMOOTH, m, straight - d, straight + d, *fixed_length(effects, covariance, leads, m * bend)) for m, d in smooth),
    )  # fmt: skip


def fixed_length(effects: np.ndarray, covariance: np.ndarray, leads: int, bend: float) -> tuple[float, float]:
    """The shortest 95 % interval of fixed length, if the slope changes by at most `bend` from month to month.

    The estimate is what a straight trend leaves, and weights of the bends that were seen before: they make it less
    noisy, and each weight above zero adds as much of `bend` to the worst bias. The half length is the 95 % point of
    |N(bias, variance)| (equation 18 of the paper), least over the sum of the weights' sizes. nan where no error is left.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    after = len(effects) - leads
    ahead = np.arange(1, after + 1)
    moves = np.diff(np.vstack([np.eye(leads, len(effects)), np.zeros(len(effects))]), axis=0)
    line = np.append(np.zeros(leads), np.full(after, 1 / after)) - ahead.mean() * moves[-1]
    bends, least_bias = np.diff(moves, axis=0), float((ahead * (ahead + 1) / 2).mean())
    values, vectors = np.linalg.eigh(covariance)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    fixed, moved = root @ line, root @ bends.T
    quietest = np.linalg.lstsq(moved, -fixed, rcond=None)[0]  # weights of least variance
    most = float(np.abs(quietest).sum())
    if np.linalg.norm(fixed + moved @ quietest) <= 1e-9 * np.linalg.norm(fixed):
        return float("nan"), float("nan")

    def weights(size: float) -> np.ndarray:
        """Those of least variance whose sizes sum to at most this."""
        if size >= most:
            return quietest
        up, down, _ = np.split(
            nearest(-fixed, size * np.hstack([moved, -moved, np.zeros((len(fixed), 1))])), [len(bends), 2 * len(bends)]
        )
        return size * (up - down)

    def point(t: float) -> tuple[float, float]:
        """The 95 % point of |N(t, 1)|, and by how much it moves with t."""
        found = brentq(lambda x: norm.cdf(x - t) - norm.cdf(-x - t) - SHARE, t + 1.6, t + 2, xtol=1e-15)
        near, far = norm.pdf(found - t), norm.pdf(found + t)
        return found, (near - far) / (near + far)

    def slope(size: float) -> float:
        """By how much the half length grows with the sum of sizes."""
        left = fixed + moved @ weights(size)
        error = np.linalg.norm(left)
        t = bend * (least_bias + size) / error
        found, moves_by = point(t)
        return bend * moves_by - (found - t * moves_by) * np.abs(moved.T @ left).max() / error

    if not most or not bend:
        size = most
    elif slope(0.0) >= 0:
        size = 0.0
    else:
        size = brentq(slope, 0.0, most, xtol=1e-15 * most)
    w = weights(size)
    error = float(np.linalg.norm(fixed + moved @ w))
    middle = float((line + bends.T @ w) @ effects)
    half = error * point(bend * (least_bias + float(np.abs(w).sum())) / error)[0]
    return middle - half, middle + half


def against_last_before(
    effects: np.ndarray, covariance: np.ndarray, reference: int, last_before: int
) -> tuple[np.ndarray, np.ndarray]:
    """Effects against one month, set against another.

    effects: by month, zero at `reference`; covariance: of all months but that one. Gives effects and covariance of all
    months but `last_before`, against it.
    """
    months = len(effects)
    full = np.zeros((months, months))
    others = [i for i in range(months) if i != reference]
    full[np.ix_(others, others)] = covariance
    change = np.eye(months)
    change[:, last_before] -= 1
    kept = [i for i in range(months) if i != last_before]
    return (change @ effects)[kept], (change @ full @ change.T)[np.ix_(kept, kept)]
