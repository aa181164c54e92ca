"""What else goes with converting: tenure, the calendar, and how active the entity is."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from models.milestones.journeys import Journeys
from models.milestones.moments import Moments
from models.milestones.steps import Steps

_RECENT_DAYS = (7, 28)
_BY_DAY_DAYS = 35
"""Up to this age each day has a level of its own: trials end and reminders go out on a day."""
_ENOUGH_CONVERSIONS = 20
"""Days with fewer share a level with their neighbours."""


@dataclass(frozen=True)
class Controls:
    """What an event must say something beyond: one row per moment, float64, shapes (n, m).

    Parameters
    ----------
    tenure
        Date and age, with bends; age also by day at first.
    activity
        Events of any name, active days and members, so far and lately.
    """

    tenure: np.ndarray
    activity: np.ndarray

    def take(self, rows: np.ndarray) -> "Controls":
        return Controls(self.tenure[rows], self.activity[rows])

    def without_activity(self) -> np.ndarray:
        """A design of date and age only."""
        return standardised(self.tenure)

    def all(self) -> np.ndarray:
        """A design of everything.

        Activity includes the event that is looked at: the others alone would leave to a frequent
        event what all of them together say.
        """
        return standardised(self.tenure, self.activity)


def controls_of(journeys: Journeys, moments: Moments) -> Controls:
    """Look back from each moment: events in [at - days, at) and in (-inf, at)."""
    age = (moments.at - journeys.entered_at[moments.entity]) / DAY_US
    log_age = np.log1p(age)
    days_so_far, *recent_days = look_back(journeys.active_days, moments)
    counts = [np.log1p(count) for count in look_back(journeys.any_event, moments)]
    columns = [
        *counts,
        bends(counts[0]),
        np.log1p(days_so_far),
        bends(np.log1p(days_so_far)),
        *map(np.log1p, recent_days),
    ]
    # Who never came back differs from all others by more than a line through the counts says.
    columns += [days_so_far <= 1, days_so_far <= 2, *(days == 0 for days in recent_days)]
    if journeys.level == "account":
        columns += _of_members(journeys, moments)
    date = moments.at / DAY_US
    days = days_of_age(age, moments.converts)
    tenure = [date, bends(date), log_age, bends(log_age), days]
    return Controls(np.column_stack(tenure), np.column_stack(columns))


def look_back(steps: Steps, moments: Moments) -> tuple[np.ndarray, ...]:
    """Steps of each row so far, in 7 days and in 28 days before: int64, shapes (n,)."""
    so_far = steps.before(moments.entity, moments.at)
    recent = (
        so_far - steps.before(moments.entity, moments.at - days * DAY_US) for days in _RECENT_DAYS
    )
    return so_far, *recent


def _of_members(journeys: Journeys, moments: Moments) -> list[np.ndarray]:
    so_far, _, joined_28 = look_back(journeys.members, moments)
    member_days, member = journeys.member_days
    _, in_7, in_28 = look_back(member_days, moments)
    week_before = _week_before(member_days, moments)
    active = _distinct(member_days, member, moments, 7)
    return [
        *(np.log1p(so_far), joined_28 > 0),
        *(np.log(np.maximum(active, 1)), np.log1p(in_7), np.log1p(in_28), np.log1p(week_before)),
    ]


def _week_before(steps: Steps, moments: Moments) -> np.ndarray:
    """Steps in [at - 14 days, at - 7 days)."""
    entity, at = moments.entity, moments.at
    return steps.before(entity, at - 7 * DAY_US) - steps.before(entity, at - 14 * DAY_US)


def _distinct(steps: Steps, member: np.ndarray, moments: Moments, days: int) -> np.ndarray:
    """Different members with a step in [at - days, at), int64, shape (n,)."""
    first = steps.start[moments.entity]
    begin = first + steps.before(moments.entity, moments.at - days * DAY_US)
    end = first + steps.before(moments.entity, moments.at)
    sizes = end - begin
    row = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    who = member[begin[row] + place].astype(np.int64)
    pairs = np.unique(row * (int(member.max(initial=0)) + 1) + who)
    return np.bincount(pairs // (int(member.max(initial=0)) + 1), minlength=len(sizes))


def days_of_age(age: np.ndarray, converts: np.ndarray) -> np.ndarray:
    """Whether each moment lies in each span of whole days of age, bool, shape (n, n_spans).

    A day with enough conversions stands alone, so that a peak is not spread over the days before
    it; runs of other days are joined until they have enough. Later ages are in no span.

    >>> age = np.r_[np.full(30, 0.5), np.full(3, 1.5), np.full(3, 2.5), 40.0]
    >>> days_of_age(age, np.ones(37, bool)).sum(axis=0)
    array([30,  6])
    """
    day = np.minimum(age, _BY_DAY_DAYS).astype(int)
    begins, inside = [0], 0
    for each, n in enumerate(np.bincount(day[converts], minlength=_BY_DAY_DAYS)[:_BY_DAY_DAYS]):
        alone = n >= _ENOUGH_CONVERSIONS
        if (alone or inside >= _ENOUGH_CONVERSIONS) and each:
            begins.append(each)
            inside = 0
        inside += int(n)
    span = np.searchsorted(begins, day, side="right") - 1
    found = (span[:, None] == np.arange(len(begins))) & (day < _BY_DAY_DAYS)[:, None]
    return found[:, found.any(axis=0)]


def bends(values: np.ndarray) -> np.ndarray:
    """What a straight line lacks: ``max(0, value - knot)`` at both terciles, shape (n, 2).

    >>> bends(np.array([0.0, 1.0, 2.0, 3.0]))
    array([[0., 0.],
           [0., 0.],
           [1., 0.],
           [2., 1.]])
    """
    knots = np.quantile(values, (1 / 3, 2 / 3), method="nearest")
    return np.maximum(0.0, values[:, None] - knots)


def standardised(*columns: np.ndarray) -> np.ndarray:
    """A constant and the columns with mean 0 and spread 1; those that never change are dropped."""
    table = np.column_stack(columns).astype(np.float64)
    centred = table - table.mean(axis=0)
    spread = centred.std(axis=0)
    changing = spread > 1e-9 * (1 + np.abs(table).max(axis=0))
    return np.column_stack([np.ones(len(table)), centred[:, changing] / spread[changing]])
