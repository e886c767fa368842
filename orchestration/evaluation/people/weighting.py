"""Two arms made alike in what was known before: propensity weights, entropy balancing, balance, weighted differences.

Weights are those of the effect on the served: every served row counts once, and the others are weighted to look like
them. The weighted share of the others is what the served rows would have had, if nothing else told them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.evaluation.study import StudyError

ALIKE = 0.1  # a standardized difference up to which arms are called alike


@dataclass(frozen=True)
class Design:
    """Columns of what was known before: numbers standardized, categories as yes or no but for the commonest one."""

    names: tuple[str, ...]
    x: np.ndarray
    shown: tuple[str, ...]
    shown_x: np.ndarray


def collapse(
    values: np.ndarray, treated: np.ndarray, smallest: int, within: tuple[np.ndarray, ...] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The levels of a category, those with fewer than `smallest` rows in an arm taken together; and which they are.

    What is taken together has at least so many rows in each arm, or none is left apart. within: so many rows are wanted
    in each of these parts, instead of in all rows.
    """
    levels, codes = np.unique(values, return_inverse=True)
    parts = [arm & part for arm in (treated, ~treated) for part in within or (np.ones(len(values), dtype=bool),)]
    n = np.array([np.bincount(codes[part], minlength=len(levels)) for part in parts])
    joined = set(np.flatnonzero((n < smallest).any(axis=0)))
    by_size = [int(i) for i in np.argsort(n.min(axis=0), kind="stable")]
    while joined and (n[:, sorted(joined)].sum(axis=1) < smallest).any() and len(joined) < len(levels):
        joined.add(next(i for i in by_size if i not in joined))
    if len(joined) == len(levels):
        return np.full(len(values), "all", dtype=object), tuple(map(str, levels))
    if not joined:
        return values.astype(object), ()
    together = np.isin(codes, sorted(joined))
    return np.where(together, "others", values).astype(object), tuple(str(levels[i]) for i in sorted(joined))


def design(categories: dict[str, np.ndarray], numbers: dict[str, np.ndarray]) -> Design:
    """Columns by label. shown: every level, for tables of balance; x leaves out what follows from other columns."""
    names, columns, shown, shown_columns = [], [], [], []
    for label, values in categories.items():
        levels, codes = np.unique(values.astype(str), return_inverse=True)
        commonest = int(np.argmax(np.bincount(codes)))
        for i, level in enumerate(levels if len(levels) > 1 else ()):
            column = (codes == i).astype(float)
            shown.append(f"{label}: {level}")
            shown_columns.append(column)
            if i != commonest:
                names.append(f"{label}: {level}")
                columns.append(column)
    for label, values in numbers.items():
        spread = values.std()
        if spread:
            for into, where in ((names, columns), (shown, shown_columns)):
                into.append(label)
                where.append((values - values.mean()) / spread)
    if not columns:
        raise StudyError("covariates: none of them tells rows apart; name others")
    x = np.column_stack(columns)
    kept = _independent(x)
    return Design(tuple(np.array(names)[kept]), x[:, kept], tuple(shown), np.column_stack(shown_columns))


def _independent(x: np.ndarray) -> np.ndarray:
    """True for the columns that do not follow from those before them and the constant."""
    with_constant = np.column_stack([np.ones(len(x)), x])
    left = np.abs(np.diag(np.linalg.qr(with_constant, mode="r")))[1:]
    return left > 1e-9 * np.linalg.norm(x, axis=0).max()


def propensity_weights(x: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """1 for the served, odds of being served for the others, scaled to as many: logit by statsmodels. Raises StudyError."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("error", PerfectSeparationWarning)
            fit = sm.Logit(treated.astype(float), sm.add_constant(x, has_constant="add")).fit(disp=0, maxiter=100)
    except (PerfectSeparationError, PerfectSeparationWarning, np.linalg.LinAlgError) as error:
        raise StudyError(f"covariates tell the arms apart without fail ({error}); take fewer, or wider ones") from error
    if not fit.mle_retvals["converged"]:
        raise StudyError("the propensity model did not converge; take fewer covariates, or wider ones")
    odds = np.exp(fit.fittedvalues)
    return np.where(treated, 1.0, odds * treated.sum() / odds[~treated].sum())


def entropy_weights(x: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """1 for the served; for the others, of all weights that give them the means of the served, those nearest to equal.

    Hainmueller (2012): the convex dual, log(mean(exp(x b))) - means b, by scipy. Raises StudyError if there are none.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp, softmax

    others, target = x[~treated], x[treated].mean(axis=0)
    n = len(others)

    def dual(b):
        s = others @ b
        w = softmax(s)
        return logsumexp(s) - np.log(n) - target @ b, w @ others - target

    def curve(b):
        w = softmax(others @ b)
        m = w @ others
        return (others * w[:, None]).T @ others - np.outer(m, m)

    fit = minimize(
        dual, np.zeros(x.shape[1]), jac=True, hess=curve, method="trust-exact", options={"gtol": 1e-10, "maxiter": 500}
    )
    off = np.abs(dual(fit.x)[1]).max()
    if off > 1e-6:
        raise StudyError(
            f"no weights give the others the means of the served (largest difference {off:.2g}); take fewer covariates, or"
            " wider ones"
        )
    return np.where(treated, 1.0, _spread(softmax(others @ fit.x), treated))


def _spread(share: np.ndarray, treated: np.ndarray) -> np.ndarray:
    out = np.zeros(len(treated))
    out[~treated] = share * treated.sum()
    return out


def standardized(x: np.ndarray, treated: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Difference of means over the root of the mean of both arms' unweighted variances, by column; 0 where none varies."""
    w = np.ones(len(treated)) if weights is None else weights
    apart = np.average(x[treated], axis=0, weights=w[treated]) - np.average(x[~treated], axis=0, weights=w[~treated])
    spread = np.sqrt((x[treated].var(axis=0, ddof=1) + x[~treated].var(axis=0, ddof=1)) / 2)
    return np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)


def effective_size(weights: np.ndarray) -> float:
    """Kish: as many equal rows as would tell as much."""
    return float(weights.sum() ** 2 / (weights**2).sum())


@dataclass(frozen=True)
class Difference:
    """Shares of a yes in two arms. without: the share that the served would have had. Errors clustered (CRV1), t(G - 1).

    events_*: rows with a yes, n_*: rows in which it is known. effective: of the weighted comparison.
    """

    estimator: str
    n_treated: int
    n_comparison: int
    events_treated: int
    events_comparison: int
    without: float
    difference: float
    error: float
    low: float
    high: float
    p_value: float
    effective: float

    @property
    def share(self) -> float:
        return self.events_treated / self.n_treated

    @property
    def implied(self) -> float:
        """Served rows with a yes, as implied without."""
        return self.n_treated * self.without

    @property
    def fewer(self) -> float:
        return -self.n_treated * self.difference

    @property
    def fewer_low(self) -> float:
        return -self.n_treated * self.high

    @property
    def fewer_high(self) -> float:
        return -self.n_treated * self.low


def weighted_difference(
    estimator: str, y: np.ndarray, treated: np.ndarray, weights: np.ndarray, cluster: np.ndarray
) -> Difference:
    """Weighted least squares of the yes on the arm (pyfixest). y: without unknown values.

    Errors take the weights as given, which as a rule makes them too large rather than too small.
    """
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame({"y": y.astype(float), "arm": treated.astype(float), "w": weights, "cluster": cluster})
    fit = pf.feols("y ~ arm", frame, vcov={"CRV1": "cluster"}, weights="w")
    return counted(estimator, fit, "arm", y, treated, effective_size(weights[~treated]))


def counted(estimator: str, fit, term: str, y: np.ndarray, treated: np.ndarray, effective: float) -> Difference:
    """A fitted term beside the counts that it is of."""
    difference, (low, high) = float(fit.coef()[term]), (float(v) for v in fit.confint().loc[term])
    events = round(float(y[treated].sum()))
    return Difference(
        estimator, int(treated.sum()), int((~treated).sum()), events, round(float(y[~treated].sum())),
        events / int(treated.sum()) - difference, difference, float(fit.se()[term]), low, high,
        float(fit.pvalue()[term]), effective,
    )  # fmt: skip
