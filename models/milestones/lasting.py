"""Whether a milestone also speaks for those who reached it long ago, or is a step of buying."""

from collections.abc import Sequence

import numpy as np

from features.clock import DAY_US
from models.milestones.journeys import Journeys
from models.milestones.score_test import fit_logistic, log_likelihood
from models.milestones.search import Case, Chosen

_GAPS_DAYS = (7, 14)
_LEFT = 0.5
"""A milestone keeps at least this share of its log effect."""
_BEYOND_CHANCE = 1.35
"""Log likelihood that telling long ago from lately adds (half of chi-square's one-sided 95 %)."""
_LEAST_ROWS = 10
"""Moments by which it was reached long ago; with fewer nobody waits after it."""


def is_step_of_buying(
    journeys: Journeys, case: Case, one: Chosen, all_found: Sequence[Chosen], gap_us: int
) -> bool:
    """Whether most of the effect is gone a week, or two, after it was reached.

    A milestone multiplies the hazard from then on. What people do because they have decided to buy
    is followed by buying at once, or by nothing: who did it long ago converts like all others.

    Parameters
    ----------
    gap_us
        Between the moments of `case` and the conversions, microseconds.
    """
    candidate, moments = one.candidate, case.moments
    since = candidate.reached_at(journeys, candidate.steps(journeys), moments.entity)
    others = [each.reached for each in all_found if each is not one]
    held = np.column_stack([case.controls.all(), *others])
    weights, alike = _fit(held, moments.converts, one.reached)
    for days in _GAPS_DAYS:
        long_ago = since < moments.at - max(days * DAY_US - gap_us, 0)
        if long_ago.sum() < _LEAST_ROWS:
            # Of two weeks it may be the data that is short; of one week it is the event.
            if days == min(_GAPS_DAYS):
                return True
            continue
        apart, told = _fit(held, moments.converts, one.reached & ~long_ago, long_ago)
        if apart[-1] < _LEFT * weights[-1] and told - alike > _BEYOND_CHANCE:
            return True
    return False


def _fit(held: np.ndarray, converts: np.ndarray, *reached: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights, those of `reached` last, and the log likelihood."""
    columns = np.column_stack([held, *reached])
    weights = fit_logistic(columns, converts)
    return weights, log_likelihood(columns, converts, weights)
