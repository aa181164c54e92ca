"""What may be a milestone: an event, how often, by whom, and within which first days."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.clock import DAY_US
from features.labels import NEVER_US
from models.milestones.journeys import Journeys
from models.milestones.moments import Moments
from models.milestones.steps import Steps

Scope = Literal["account", "member", "user"]

_LEAST_CONVERSIONS = 10
"""Conversions that must have reached it, and that must not: of fewer nothing can be said."""
_LEAST_SHARE = 0.005
_NICE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 22, 25, 28, 32, 36, 40, 45, 50, 56, 63)
_NICE_ABOVE = (70, 80, 90, 100, 110, 125, 140, 160, 180, 200, 225, 250, 280, 320, 360, 400, 450)
THRESHOLDS = (*_NICE, *_NICE_ABOVE, 500, 560, 630, 700, 800, 900, *(10**k for k in range(3, 7)))
"""Counts that people remember, none more than an eighth above the one before, from ten on."""


@dataclass(frozen=True)
class Candidate:
    """`event` at least `at_least` times, by `scope`, within the first `within_days` days.

    Parameters
    ----------
    code
        Of the event, its place in `Journeys.names`.
    scope
        ``account``: by all members together. ``member``: by one member. ``user``: by the user.
    within_days
        Days since the entity entered, [entry, entry + days); None: at any time so far.
    """

    code: int
    event: str
    at_least: int
    scope: Scope
    within_days: int | None

    def steps(self, journeys: Journeys) -> Steps:
        """How often it was done by those who count."""
        return journeys.steps(self.code, by_one_member=self.scope == "member")

    def reached_at(self, journeys: Journeys, steps: Steps, entity: np.ndarray) -> np.ndarray:
        """When each entity reached it in time, `NEVER_US` where it did not: int64, shape (n,)."""
        reached = steps.reached_at(entity, self.at_least)
        if self.within_days is None:
            return reached
        end = journeys.entered_at[entity] + self.within_days * DAY_US
        return np.where(reached < end, reached, NEVER_US)


@dataclass(frozen=True)
class Family:
    """All candidates of one event that some, but not all, conversions have reached.

    Parameters
    ----------
    reached
        bool, shape (n_moments, n_candidates): reached before the moment.
    """

    event: str
    candidates: tuple[Candidate, ...]
    reached: np.ndarray


def scopes_of(level: str) -> tuple[Scope, ...]:
    """Who can reach a milestone: at account level the team, or one of its members."""
    return ("account", "member") if level == "account" else ("user",)


def candidates_of(
    journeys: Journeys,
    moments: Moments,
    code: int,
    windows_days: tuple[int | None, ...],
) -> Iterator[tuple[Candidate, np.ndarray]]:
    """Candidates with where they are reached, bool, shape (n_moments,), each pattern once."""
    seen: set[bytes] = set()
    for scope in scopes_of(journeys.level):
        steps = journeys.steps(code, by_one_member=scope == "member")
        entered = journeys.entered_at[moments.entity]
        # Any time first: of equal patterns the plainest stays.
        for days in sorted(windows_days, key=lambda one: (one is not None, -(one or 0))):
            limit = moments.at if days is None else np.minimum(moments.at, entered + days * DAY_US)
            count = steps.before(moments.entity, limit)
            for at_least in THRESHOLDS:
                reached = count >= at_least
                if not _enough(reached, moments.converts):
                    if reached[moments.converts].sum() < _LEAST_CONVERSIONS:
                        break
                    continue
                pattern = np.packbits(reached).tobytes()
                if pattern not in seen:
                    seen.add(pattern)
                    yield Candidate(code, journeys.names[code], at_least, scope, days), reached


def _enough(reached: np.ndarray, converts: np.ndarray) -> bool:
    """Whether some conversions lie on either side, and some of the other moments as well."""
    among, others = reached[converts], reached[~converts]
    sides = min(among.sum(), len(among) - among.sum())
    return bool(sides >= _LEAST_CONVERSIONS and _LEAST_SHARE <= others.mean() <= 1 - _LEAST_SHARE)
