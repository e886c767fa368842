"""How far an effect stands when places would not have run in parallel: Rambachan and Roth (2023), by diff-diff."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

MULTIPLES = (0.0, 0.5, 1.0, 2.0)  # of what the months before the start show
RELATIVE, SMOOTH = "relative magnitudes", "smoothness"


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
    from diff_diff import HonestDiD

    if not leads:
        return ()
    # In units of ten errors: the search for the shortest interval fails now and then in large ones.
    unit = 10 * float(np.sqrt(np.diag(covariance).mean()))
    effects, covariance = effects / unit, covariance / unit**2
    before = np.append(effects[:leads], 0.0)
    moves = np.diff(before)
    bend = float(np.abs(np.diff(moves)).max()) if leads > 1 else float(np.abs(moves).max())
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        as_results = _results(effects, covariance, leads)
        for name, method, scale in ((RELATIVE, "relative_magnitude", 1.0), (SMOOTH, "smoothness", bend)):
            for multiple in MULTIPLES:
                r = HonestDiD(method=method, M=multiple * scale).fit(as_results)
                found.append(Bound(name, multiple, *(unit * float(v) for v in (r.lb, r.ub, r.ci_lb, r.ci_ub))))
    return tuple(found)


def _results(effects: np.ndarray, covariance: np.ndarray, leads: int):
    """Effects as diff-diff takes them. Only estimates and covariance are read."""
    from diff_diff.results import MultiPeriodDiDResults, PeriodEffect

    errors, nan = np.sqrt(np.diag(covariance)), float("nan")
    periods = [*range(-leads, 0), *range(1, len(effects) - leads + 1)]
    by_period = {
        p: PeriodEffect(p, float(e), float(s), nan, nan, (nan, nan))
        for p, e, s in zip(periods, effects, errors, strict=True)
    }
    return MultiPeriodDiDResults(
        period_effects=by_period, avg_att=nan, avg_se=nan, avg_t_stat=nan, avg_p_value=nan, avg_conf_int=(nan, nan), n_obs=0,
        n_treated=0, n_control=0, pre_periods=periods[:leads], post_periods=periods[leads:], vcov=covariance,
        reference_period=0, interaction_indices={p: i for i, p in enumerate(periods)},
    )  # fmt: skip


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
