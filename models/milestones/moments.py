"""Moments that are compared: just before each conversion, and at random while nobody had converted.

Case-base sampling (Hanley and Miettinen 2009): a logistic regression of conversions against a
sample of all person-time estimates the hazard, and everything is known at its moment. Nobody is
asked whether they *ever* reached something, so those who stay longer have no advantage.
"""

from dataclasses import dataclass

import numpy as np

from features.clock import SECOND_US
from models.milestones.eligible import Eligible
from models.milestones.journeys import Journeys

BASE_PER_CASE = 20
_LEAST_BASE = 8_000
_MOST_CASES = 5_000


@dataclass(frozen=True)
class Moments:
    """Rows (entity, at), shape (n,), and whether the entity converts `gap` after it."""

    entity: np.ndarray
    at: np.ndarray
    converts: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    @property
    def n_converting(self) -> int:
        return int(self.converts.sum())

    def take(self, rows: np.ndarray) -> "Moments":
        """The rows of a mask or an index."""
        return Moments(self.entity[rows], self.at[rows], self.converts[rows])


def draw_moments(
    journeys: Journeys, eligible: Eligible, gap_us: int, rng: np.random.Generator
) -> Moments:
    """Every conversion, at `gap_us` before it, and 20 other moments for each of them.

    The others are spread evenly over all time in [entry, conversion - gap) of all entities, up to
    the end of the data. Rows come sorted by (entity, at).
    """
    ends = np.minimum(journeys.converted_at, journeys.data_end)
    case = np.flatnonzero(journeys.converted_at < journeys.data_end)
    at = journeys.converted_at[case] - gap_us
    kept = eligible.holds(journeys, case, at)
    case, at = case[kept], at[kept]
    if len(case) > _MOST_CASES:
        some = np.sort(rng.choice(len(case), _MOST_CASES, replace=False))
        case, at = case[some], at[some]
    entered = np.minimum(journeys.entered_at, ends)
    spans = np.maximum(ends - gap_us - entered, 0)
    base, base_at = _spread(
        journeys, eligible, spans, max(_LEAST_BASE, BASE_PER_CASE * len(case)), rng
    )
    entity, at = np.r_[case, base], np.r_[at, base_at]
    order = np.lexsort((at, entity))
    converts = np.arange(len(entity)) < len(case)
    return Moments(entity[order], at[order], converts[order])


def _spread(
    journeys: Journeys,
    eligible: Eligible,
    spans: np.ndarray,
    wanted: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """About `wanted` eligible moments, evenly spread over the spans after each entry."""
    # In whole seconds: a year of many accounts in microseconds passes 2^63.
    until = np.cumsum(spans // SECOND_US)
    total = int(until[-1]) if len(until) else 0

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        place = ((np.arange(n) + rng.random(n)) * (total / n)).astype(np.int64)
        entity = np.searchsorted(until, place, side="right")
        kept = entity < len(until)
        entity, place = entity[kept], place[kept]
        since = place - np.where(entity > 0, until[entity - 1], 0)
        at = journeys.entered_at[entity] + since * SECOND_US
        asked = eligible.holds(journeys, entity, at)
        return entity[asked], at[asked]

    if total == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    share = len(draw(wanted)[0]) / wanted
    return draw(int(wanted / max(share, 0.02)))
