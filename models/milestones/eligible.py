"""Who is asked about at a moment: the cohort's rule, at any instant."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from models.milestones.journeys import Journeys


@dataclass(frozen=True)
class Eligible:
    """Who is asked about.

    Parameters
    ----------
    active_within_days
        Somebody without an event in [t - days, t) is not compared at t.
    min_age_days, max_age_days
        Days since the entry, both ends included; None: no end.
    """

    active_within_days: int
    min_age_days: int = 0
    max_age_days: int | None = None

    def holds(self, journeys: Journeys, entity: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Whether each entity is asked about at its moment, bool, shape (n,)."""
        seen, age = journeys.any_event, at - journeys.entered_at[entity]
        long_ago = at - self.active_within_days * DAY_US
        found = seen.before(entity, at) > seen.before(entity, long_ago)
        found &= (age > 0) & (age >= self.min_age_days * DAY_US)
        return found if self.max_age_days is None else found & (age <= self.max_age_days * DAY_US)
