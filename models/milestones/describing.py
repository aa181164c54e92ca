"""A confirmed milestone in figures: hold-out shares, curves, days, and the experiment."""

import numpy as np

from features.clock import DAY_US
from features.labels import NEVER_US
from models.milestones.candidates import Candidate
from models.milestones.confirm import Effect
from models.milestones.eligible import Eligible
from models.milestones.experiment import experiment_for
from models.milestones.figures import Estimate, rate_of, shares_of
from models.milestones.found import CountRow, Milestone
from models.milestones.journeys import Journeys
from models.milestones.landmarks import HoldOut, Landmarks, landmarks

_WEEKS = 26
_BINS_PER_SIDE = 4


def describe(
    journeys: Journeys,
    eligible: Eligible,
    candidate: Candidate,
    effect: Effect,
    q_value: float,
    holdout: HoldOut,
) -> Milestone:
    """All that is told of one milestone, from the hold-out only."""
    days, follow_up = candidate.within_days, holdout.follow_up_days
    later = landmarks(journeys, eligible, days, holdout.split_at, follow_up)
    reached = later.reached(journeys, candidate)
    shares = shares_of(reached, later.converts, later.cluster, holdout.n_bootstrap, holdout.rng)
    waited = days_to_conversion(journeys, candidate, holdout.split_at)
    return Milestone(
        **vars(shares),
        event=candidate.event,
        at_least=candidate.at_least,
        scope=candidate.scope,
        within_days=candidate.within_days,
        effect=Estimate(effect.ratio, effect.low, effect.high),
        q_value=q_value,
        median_days=float(np.median(waited)) if len(waited) else None,
        experiment=experiment_for(shares.base_rate.value, shares.not_reached_rate, effect.ratio),
        by_count=by_count(journeys, later, candidate, holdout),
        by_week=tuple(
            np.bincount(np.minimum(waited // 7, _WEEKS - 1).astype(int), minlength=_WEEKS).tolist()
        ),
        follow_up_days=follow_up,
    )


def days_to_conversion(journeys: Journeys, candidate: Candidate, begin: int) -> np.ndarray:
    """Days from reaching it to converting, of all who did so afterwards, in [begin, data_end)."""
    converted = (journeys.converted_at >= begin) & (journeys.converted_at < journeys.data_end)
    entity = np.flatnonzero(converted & (journeys.entered_at < NEVER_US))
    reached = candidate.reached_at(journeys, candidate.steps(journeys), entity)
    before = reached < journeys.converted_at[entity]
    return (journeys.converted_at[entity[before]] - reached[before]) / DAY_US


def by_count(
    journeys: Journeys,
    at: Landmarks,
    candidate: Candidate,
    holdout: HoldOut,
) -> tuple[CountRow, ...]:
    """Conversion rate by how often it was done, in bins of which one begins at the threshold."""
    limit = at.at
    if candidate.within_days is not None:
        end = journeys.entered_at[at.entity] + candidate.within_days * DAY_US
        limit = np.minimum(limit, end)
    count = candidate.steps(journeys).before(at.entity, limit)
    begins = bin_begins(count, candidate.at_least)
    rows = []
    for least, following in zip(begins, [*begins[1:], None], strict=True):
        inside = (count >= least) & (True if following is None else count < following)
        rate = rate_of(at.converts[inside], at.cluster[inside], holdout.n_bootstrap, holdout.rng)
        most = None if following is None else following - 1
        rows.append(CountRow(least, most, int(inside.sum()), rate, least >= candidate.at_least))
    return tuple(rows)


def bin_begins(count: np.ndarray, at_least: int) -> list[int]:
    """Where bins of counts begin: at 0, at the threshold, and at quantiles between and beyond.

    >>> bin_begins(np.array([0, 0, 1, 2, 2, 3, 4, 5, 9]), 3)
    [0, 1, 2, 3, 4, 5]
    """
    parts = count[(count > 0) & (count < at_least)], count[count >= at_least]
    shares = np.arange(_BINS_PER_SIDE) / _BINS_PER_SIDE
    found = {0, at_least}
    for part in filter(len, parts):
        found |= set(np.quantile(part, shares, method="nearest").astype(int).tolist())
    return sorted(found)
