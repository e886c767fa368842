"""Designs with a lottery: the difference as drawn, the effect on those who comply, and permutation of what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.people.study import INTENT
from orchestration.evaluation.people.weighting import Difference, counted
from orchestration.evaluation.study import StudyError


def _frame(y, assigned, received, strata, cluster):
    import pandas as pd

    return pd.DataFrame(
        {
            "y": y.astype(float), "assigned": assigned.astype(float), "received": received.astype(float),
            "stratum": strata, "cluster": cluster,
        }
    )  # fmt: skip


def intent_to_treat(
    y: np.ndarray, assigned: np.ndarray, strata: np.ndarray, cluster: np.ndarray
) -> Difference:  # fmt: skip
    """Least squares of the yes on what was drawn, within strata; errors clustered by what was drawn (CRV1, pyfixest)."""
    import pyfixest as pf

    frame = _frame(y, assigned, assigned, strata, cluster)
    within = " | stratum" if len(np.unique(strata)) > 1 else ""
    fit = pf.feols(f"y ~ assigned{within}", frame, vcov={"CRV1": "cluster"})
    return counted(INTENT, fit, "assigned", y, assigned, float((~assigned).sum()))


@dataclass(frozen=True)
class Complier:
    """The effect of receiving on those who receive because they were drawn, by two-stage least squares.

    take_up: by how much being drawn raises the share that receives; first_stage_f: its F with clustered errors.
    """

    difference: float
    error: float
    low: float
    high: float
    p_value: float
    take_up: float
    first_stage_f: float
    rows: int

    @property
    def compliers(self) -> float:
        """About how many drawn rows they are."""
        return self.take_up * self.rows


def complier(
    y: np.ndarray, assigned: np.ndarray, received: np.ndarray, strata: np.ndarray, cluster: np.ndarray
) -> Complier:
    """Two-stage least squares with the draw as instrument (pyfixest). Raises StudyError if it moves nothing."""
    import pyfixest as pf

    if not (received[assigned].mean() - received[~assigned].mean()):
        raise StudyError("treatment.lottery.received: as many received it in both arms; correct the rule")
    frame = _frame(y, assigned, received, strata, cluster)
    within = "stratum |" if len(np.unique(strata)) > 1 else ""
    fit = pf.feols(f"y ~ 1 | {within} received ~ assigned", frame, vcov={"CRV1": "cluster"})
    first = pf.feols(
        f"received ~ assigned{' | stratum' if within else ''}", frame, vcov={"CRV1": "cluster"}
    )  # fmt: skip
    low, high = (float(v) for v in fit.confint().loc["received"])
    take_up, spread = float(first.coef()["assigned"]), float(first.se()["assigned"])
    return Complier(
        float(fit.coef()["received"]), float(fit.se()["received"]), low, high, float(fit.pvalue()["received"]), take_up,
        (take_up / spread) ** 2 if spread else float("inf"), int(assigned.sum()),
    )  # fmt: skip


def permutation_p(
    y: np.ndarray, assigned: np.ndarray, strata: np.ndarray, unit: np.ndarray, draws: int, seed: int
) -> float:
    """Share of lotteries drawn anew, whole units within strata, whose difference lies as far from zero; the real one counts.

    The difference is least squares within strata. Raises StudyError if a unit lies in two strata or in both arms.
    """
    codes = np.unique(strata, return_inverse=True)[1]
    units = np.unique(unit, return_inverse=True)[1]
    n = np.bincount(units)
    drawn = np.bincount(units, weights=assigned) / n
    of = np.zeros(len(n), dtype=int)
    of[units] = codes
    if not np.isin(drawn, (0.0, 1.0)).all() or (of[units] != codes).any():
        raise StudyError("treatment.lottery: a unit lies in both arms, or in two strata; correct by or strata")
    size = np.bincount(codes)
    mean = np.bincount(codes, weights=y) / size
    score = np.bincount(units, weights=y - mean[codes])
    generator = np.random.Generator(np.random.PCG64(seed))
    order = np.argsort(of, kind="stable")
    arms = np.empty((draws + 1, len(n)))
    arms[0] = drawn
    for stratum in range(len(size)):
        places = order[of[order] == stratum]
        shuffled = np.argsort(generator.random((draws, len(places))), axis=1)
        arms[1:, places] = drawn[places][shuffled]
    in_arm = np.stack([(arms[:, of == s] * n[of == s]).sum(axis=1) for s in range(len(size))], axis=1)
    spread = (in_arm * (1 - in_arm / size)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs((arms @ score) / spread)
    return float((np.nan_to_num(difference, nan=np.inf) >= difference[0] - 1e-12).mean())
