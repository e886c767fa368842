"""Counts by the hour, some weeks ahead: a negative binomial regression with its interval, and how it did on weeks kept back.

The shape of a day is a smooth curve for Monday to Thursday, Friday, Saturday and Sunday; a holiday has a level of its
own. The level is that of the last eight weeks. How much levels moved from one eight weeks to the next goes into the
interval, since nobody knows how they will move. A season is told apart once there are two years.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from orchestration.staffing import WEEK, StaffingError

WAVES = 4
BLOCK_DAYS = 56
LEAST_DAYS = 84
SEASON_DAYS = 730
LEAST_HOLIDAYS = 3
INTERVAL = 0.9


@dataclass(frozen=True)
class Forecast:
    """Hours ahead. expected, low, high: arrays (days, 24); low and high hold 9 of 10 single hours."""

    days: tuple[date, ...]
    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray
    has_season: bool
    holiday_factor: float | None

    def by_hour_of_week(self, holidays: Collection[date]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected, low and high, arrays (168,): a usual week; holidays are left out where another day is left."""
        mean, spread = np.zeros(WEEK), np.zeros(WEEK)
        for weekday in range(7):
            rows = [i for i, d in enumerate(self.days) if d.weekday() == weekday]
            usual = [i for i in rows if self.days[i] not in holidays] or rows
            at = slice(weekday * 24, weekday * 24 + 24)
            mean[at], spread[at] = self.expected[usual].mean(axis=0), self.spread[usual].mean(axis=0)
        return mean, *_interval(mean, spread)


@dataclass(frozen=True)
class HeldOut:
    """Errors on weeks that the model did not see. hour_error: mean absolute, a single hour; plain: of the mean of the
    same hour of the week over the eight weeks before. total_error: forecast over actual total, less 1."""

    folds: int
    hours: int
    hour_error: float
    plain_hour_error: float
    total_error: float
    inside_share: float


def forecast(counts: np.ndarray, first: date, weeks: int, holidays: Collection[date]) -> Forecast:
    """The hours of the weeks after the last day. counts: (days, 24) from the day ``first``. Raises StaffingError."""
    import statsmodels.api as sm

    days = len(counts)
    if days < LEAST_DAYS:
        raise StaffingError(
            f"{days} whole days of calls are too few for a forecast; it needs {LEAST_DAYS}. Load earlier months."
        )
    if counts.sum() < WEEK:
        raise StaffingError(f"{counts.sum()} calls in {days} days are too few for a forecast by the hour")
    ahead = tuple(first + timedelta(days=days + i) for i in range(weeks * 7))
    seen = tuple(first + timedelta(days=i) for i in range(days))
    has_season = days >= SEASON_DAYS
    has_holiday = sum(d in holidays for d in seen) >= LEAST_HOLIDAYS
    blocks = days // BLOCK_DAYS
    # The newest block is the last; what is left over at the begin belongs to the oldest.
    block = np.maximum(blocks - 1 - (days - 1 - np.arange(days)) // BLOCK_DAYS, 0)
    known = _design(seen, block, blocks, holidays if has_holiday else (), has_season)
    y = counts.reshape(-1).astype(float)
    fit = sm.GLM(y, known, family=sm.families.Poisson()).fit()
    extra = max(0.0, float((((y - fit.mu) ** 2 - y).sum()) / (fit.mu**2).sum()))  # moments, Cameron and Trivedi
    if extra > 1e-6:
        fit = sm.GLM(y, known, family=sm.families.NegativeBinomial(alpha=extra)).fit()
    wanted = _design(ahead, np.full(len(ahead), blocks - 1), blocks, holidays if has_holiday else (), has_season)
    mean = np.exp(wanted @ fit.params)
    error = np.einsum("ij,jk,ik->i", wanted, fit.cov_params(), wanted)
    levels = np.concatenate([[0.0], fit.params[:blocks][1:]])
    drift = float((np.diff(levels) ** 2).mean()) if blocks > 1 else 0.0
    spread = (1 + extra) * np.exp(error + drift) - 1
    low, high = _interval(mean, spread)
    shape = (len(ahead), 24)
    factor = float(np.exp(fit.params[blocks])) if has_holiday else None
    return Forecast(
        ahead, mean.reshape(shape), low.reshape(shape), high.reshape(shape), spread.reshape(shape), has_season, factor
    )


def _interval(mean: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of single counts: negative binomial with variance mean + spread mean^2."""
    from scipy.stats import nbinom

    size = 1 / np.maximum(spread, 1e-9)
    chance = size / (size + mean)
    return nbinom.ppf((1 - INTERVAL) / 2, size, chance), nbinom.ppf((1 + INTERVAL) / 2, size, chance)


def _design(days, block, blocks, holidays, has_season) -> np.ndarray:
    """Columns of the regression, a row an hour: levels, holiday, day of the week, curve of the day, season."""
    hours = np.tile(np.arange(24), len(days))
    weekday = np.repeat([d.weekday() for d in days], 24)
    level = np.repeat(block, 24)
    columns = [np.ones(len(hours)), *(level == k for k in range(1, blocks))]
    if holidays:
        columns.append(np.repeat([d in holidays for d in days], 24))
    columns += [weekday == k for k in range(1, 7)]
    turn = 2 * np.pi * hours / 24
    waves = [f(k * turn) for k in range(1, WAVES + 1) for f in (np.sin, np.cos)]
    for kind in (weekday < 4, weekday == 4, weekday == 5, weekday == 6):
        columns += [kind * wave for wave in waves]
    if has_season:
        year = 2 * np.pi * np.repeat([d.timetuple().tm_yday for d in days], 24) / 365.25
        columns += [np.sin(year), np.cos(year)]
    return np.column_stack(columns).astype(float)


def held_out(counts: np.ndarray, first: date, weeks: int, holidays: Collection[date], most: int = 4) -> HeldOut | None:
    """The same forecast made up to four times from the past, each held against the weeks after. None: too few weeks."""
    folds = [len(counts) - (k + 1) * weeks * 7 for k in range(most)]
    folds = [cut for cut in folds if cut >= LEAST_DAYS]
    if not folds:
        return None
    error = plain = 0.0
    expected = actual = inside = hours = 0
    for cut in folds:
        told, seen = forecast(counts[:cut], first, weeks, holidays), counts[cut : cut + weeks * 7]
        usual = counts[cut - BLOCK_DAYS : cut].reshape(-1, 7, 24).mean(axis=0)
        error += np.abs(told.expected - seen).sum()
        plain += np.abs(np.tile(usual, (weeks, 1)) - seen).sum()
        inside += int(((told.low <= seen) & (seen <= told.high)).sum())
        expected, actual, hours = expected + told.expected.sum(), actual + seen.sum(), hours + seen.size
    return HeldOut(
        len(folds), hours, error / hours, plain / hours, float(expected / actual - 1) if actual else 0.0, inside / hours
    )
