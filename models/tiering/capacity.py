"""As many accounts a week as sales can call: cut-offs counted on the cohort's newest weeks."""

from typing import Literal

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.spec import Spec

UNREACHABLE = 2.0
"""Above every probability: nobody reaches the tier."""
_WARM_PER_HOT = 3
_CRITICAL_PER_HOT = 0.2
_WEEKS_AHEAD = 4
_LEAST_WEEKS = 4
_MOST_GROWTH = 0.05
"""A week: a trend of few weeks is no reason to expect more."""


class CapacityTiers(Spec):
    """As many hot-or-better entities a week as sales can call; a fifth of them critical, and
    three times as many warm-or-better.

    Counted on the newest `weeks` of the calibrate fold, for the cohort's size four weeks later
    if it goes on growing as it did.
    """

    by: Literal["capacity"]
    """Cut-offs from what sales can work."""
    reps: int = Field(ge=1)
    """How many people call."""
    per_rep_per_week: int = Field(ge=1)
    """How many accounts each can work in a week."""
    weeks: int = Field(default=4, ge=1)
    """Newest weeks of the calibrate rows that are counted."""


def capacity_cuts(
    probability: np.ndarray, entity: np.ndarray, as_of: np.ndarray, spec: CapacityTiers
) -> list[float]:
    """Probabilities from which rows are warm, hot and critical.

    An entity that stays on the list all week is one call: its best row of the week counts.

    Parameters
    ----------
    probability, entity, as_of
        Shape (n,), as_of in microseconds UTC: of the calibrate fold, or of recent rows.
    """
    back = (as_of.max() - as_of) // (7 * DAY_US)
    order = np.lexsort((-probability, entity, back))
    first = np.r_[True, (np.diff(back[order]) != 0) | (np.diff(entity[order]) != 0)]
    best, week = probability[order][first], back[order][first]
    taken = min(spec.weeks, int(week.max()) + 1)
    falling = np.sort(best[week < taken])[::-1]
    # The weeks lie (taken - 1) / 2 before the newest on average.
    ahead = _WEEKS_AHEAD + (taken - 1) / 2
    growth = np.exp(ahead * _weekly_growth(np.bincount(week), as_of, back))
    hot = spec.reps * spec.per_rep_per_week * taken / growth
    return [
        nearest_cut(falling, size) for size in (_WARM_PER_HOT * hot, hot, _CRITICAL_PER_HOT * hot)
    ]


def _weekly_growth(sizes: np.ndarray, as_of: np.ndarray, back: np.ndarray) -> float:
    """Slope of the log of the weekly cohort, newest week first; 0 where four weeks are lacking."""
    dates = np.bincount(np.unique(np.column_stack([back, as_of]), axis=0)[:, 0].astype(int))
    whole = np.flatnonzero((sizes > 0) & (dates == dates[0]))
    if len(whole) < _LEAST_WEEKS:
        return 0.0
    slope = -float(np.polyfit(whole, np.log(sizes[whole]), 1)[0])
    return float(np.clip(slope, -_MOST_GROWTH, _MOST_GROWTH))


def nearest_cut(falling: np.ndarray, wanted: float) -> float:
    """The value whose "this or more" holds nearest to `wanted`, or nobody, if that is nearer.

    Equal values can't be parted: without skill all are equal, and a list of everyone is no list.

    >>> nearest_cut(np.array([0.9, 0.5, 0.5, 0.1]), wanted=2), nearest_cut(np.ones(9), wanted=2)
    (0.9, 2.0)
    """
    last_of_block = np.flatnonzero(np.r_[falling[1:] != falling[:-1], True])
    best = int(np.argmin(np.abs(last_of_block + 1 - wanted)))
    if wanted < abs(last_of_block[best] + 1 - wanted):
        return UNREACHABLE
    return float(falling[last_of_block[best]])
