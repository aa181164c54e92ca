"""Landmarks, where it is asked who has reached a milestone, and who converts afterwards."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US, midnight_at_or_before
from features.labels import NEVER_US
from models.milestones.candidates import Candidate
from models.milestones.eligible import Eligible
from models.milestones.journeys import Journeys

EVERY_DAYS = 7


@dataclass(frozen=True)
class HoldOut:
    """Where figures come from, and how their intervals are made.

    Parameters
    ----------
    split_at
        The hold-out begins here, microseconds UTC.
    follow_up_days
        Conversions in [landmark, landmark + follow-up) count.
    """

    split_at: int
    follow_up_days: int
    n_bootstrap: int
    rng: np.random.Generator


@dataclass(frozen=True)
class Landmarks:
    """Entities at moments, not converted before, with a follow-up inside the data.

    Parameters
    ----------
    entity, at
        int64, shape (n,).
    converts
        bool, shape (n,): in [at, at + follow-up).
    cluster
        int64, shape (n,).
    """

    entity: np.ndarray
    at: np.ndarray
    converts: np.ndarray
    cluster: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def reached(self, journeys: Journeys, candidate: Candidate) -> np.ndarray:
        """Whether each has reached it in (-inf, at), and in time: bool, shape (n,)."""
        return candidate.reached_at(journeys, candidate.steps(journeys), self.entity) < self.at


def landmarks(
    journeys: Journeys,
    eligible: Eligible,
    within_days: int | None,
    begin: int,
    follow_up_days: int,
) -> Landmarks:
    """Where a milestone is judged: landmark analysis (Anderson, Cain and Gelber 1983).

    Parameters
    ----------
    within_days
        Each entity once, so many days after it entered: by then it has reached the milestone or
        never will in time. None: each on every seventh midnight.
    begin
        Landmarks lie in [begin, data_end - follow-up].
    """
    end = journeys.data_end - follow_up_days * DAY_US
    if within_days is None:
        entity, at = _weekly(journeys, begin, end)
    else:
        entity = np.flatnonzero(journeys.entered_at < NEVER_US)
        at = journeys.entered_at[entity] + within_days * DAY_US
    kept = (at >= begin) & (at <= end) & (journeys.converted_at[entity] >= at)
    entity, at = entity[kept], at[kept]
    asked = eligible.holds(journeys, entity, at)
    entity, at = entity[asked], at[asked]
    converts = journeys.converted_at[entity] < at + follow_up_days * DAY_US
    return Landmarks(entity, at, converts, journeys.cluster[entity])


def _weekly(journeys: Journeys, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Every (entity, midnight) from its entry up to its conversion, sorted."""
    newest, step = midnight_at_or_before(end), EVERY_DAYS * DAY_US
    midnights = newest - np.arange(max(0, (newest - begin) // step + 1))[::-1] * step
    entity = np.flatnonzero(journeys.entered_at < NEVER_US)
    first = np.searchsorted(midnights, journeys.entered_at[entity], side="right")
    last = np.searchsorted(midnights, journeys.converted_at[entity], side="right")
    sizes = np.maximum(last - first, 0)
    nth = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(entity, sizes), midnights[np.repeat(first, sizes) + nth]
