"""Days to the next event: shares over time with and without competing events, and hazards, by statsmodels.

With competing events the share is that of Aalen and Johansen. Kaplan-Meier takes competing events as the end of
observation: it is the share if they never came, which nobody can see, so it only stands beside the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """Shares with an event by each of some days, with 95 % intervals. events: so far; at_risk: rows still followed then."""

    days: tuple[int, ...]
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    events: np.ndarray
    at_risk: np.ndarray


def _at(times: np.ndarray, values: np.ndarray, days: tuple[int, ...], start: float) -> np.ndarray:
    """A step function at some days."""
    place = np.searchsorted(times, np.asarray(days, dtype=float), side="right") - 1
    return np.where(place < 0, start, values[np.maximum(place, 0)])


def _share(days, share, error, time, is_event) -> Share:
    # The interval is that of log(-log(1 - share)), which stays between 0 and 1.
    inside = (share > 0) & (share < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.log(1 - share)
        width = np.where(inside, Z * error / np.abs((1 - share) * left), 0.0)
    low = np.where(inside, 1 - (1 - share) ** np.exp(-width), share)
    high = np.where(inside, 1 - (1 - share) ** np.exp(width), share)
    at = np.asarray(days, dtype=float)
    return Share(
        tuple(days), share, low, high, np.array([(is_event & (time <= d)).sum() for d in at]),
        np.array([(time >= d).sum() for d in at]),
    )  # fmt: skip


def cumulative_share(time: np.ndarray, cause: np.ndarray, days: tuple[int, ...]) -> Share:
    """Share with the event of cause 1 by each day, where cause 2 competes (Aalen-Johansen). 0: not seen any longer."""
    from statsmodels.duration.survfunc import CumIncidenceRight

    is_event = cause == 1
    if not is_event.any():
        zero = np.zeros(len(days))
        return _share(days, zero, zero, time, is_event)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = CumIncidenceRight(time, cause)
    return _share(
        days, _at(fit.times, fit.cinc[0], days, 0.0), _at(fit.times, fit.cinc_se[0], days, 0.0), time, is_event
    )  # fmt: skip


def kaplan_meier(time: np.ndarray, cause: np.ndarray, days: tuple[int, ...]) -> Share:
    """1 less the Kaplan-Meier share without an event; competing events end the observation."""
    from statsmodels.duration.survfunc import SurvfuncRight

    is_event = cause == 1
    with np.errstate(divide="ignore", invalid="ignore"):  # where the last row at risk has the event
        fit = SurvfuncRight(time, is_event.astype(int))
    return _share(
        days, 1 - _at(fit.surv_times, fit.surv_prob, days, 1.0), _at(fit.surv_times, fit.surv_prob_se, days, 0.0), time,
        is_event,
    )  # fmt: skip


@dataclass(frozen=True)
class Hazard:
    """Ratio of hazards of the event, served to others, while competing events end the observation."""

    name: str
    ratio: float
    low: float
    high: float
    p_value: float
    log_ratio: float
    error: float


def cox(name: str, time: np.ndarray, cause: np.ndarray, x: np.ndarray, cluster: np.ndarray) -> Hazard:
    """Cox regression (ties by Breslow), errors by the sandwich of cluster sums without a small-sample factor.

    x: the arm in the first column, then what is adjusted for. Of a hazard with competing events: it says how fast the
    event comes to those who still can have it, not how many will have it.
    """
    import math

    from statsmodels.duration.hazard_regression import PHReg

    # Rows that leave before the first event tell nothing, and statsmodels gives them no score.
    kept = time >= time[cause == 1].min()
    model = PHReg(time[kept], x[kept], status=(cause[kept] == 1).astype(int), ties="breslow")
    fit = model.fit(groups=cluster[kept])
    b, error = float(fit.params[0]), float(fit.bse[0])
    p = math.erfc(abs(b / error) / math.sqrt(2))
    return Hazard(name, math.exp(b), math.exp(b - Z * error), math.exp(b + Z * error), p, b, error)
