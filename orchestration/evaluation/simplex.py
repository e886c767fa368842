"""Weights above zero that sum to one, and bring some columns nearest to a target: exactly, by scipy's active sets.

Such weights are what synthetic control and synthetic difference in differences weigh places and months by. The packages
search for them step by step and stop near them (Frank and Wolfe), which moves an estimate in its third digit.
"""

from __future__ import annotations

import numpy as np


def nearest(target: np.ndarray, columns: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    """The weights w (above zero, of sum one) of least |columns w - target|^2 + ridge |w|^2.

    Of weights that sum to one, columns w - target is (columns - target) w. The shortest such vector lies on the ray of
    the least |(columns - target) w|^2 + (sum of w - 1)^2 over all w above zero, which Lawson and Hanson's nnls finds in
    finitely many steps.
    """
    from scipy.optimize import nnls

    n = columns.shape[1]
    apart = np.vstack([columns - target[:, None], np.sqrt(ridge) * np.eye(n)])
    unit = np.sqrt((apart**2).sum(axis=0).mean()) or 1.0
    found, _ = nnls(np.vstack([apart / unit, np.ones(n)]), np.append(np.zeros(len(apart)), 1.0), maxiter=100 * n)
    return found / found.sum()
