"""Which events stopped coming, and which the model has never seen."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from features.events import EventLog
from models.monitoring.reference import NIGHTS, weekday
from models.monitoring.volume import recent

_ENOUGH = 20
"""Events to expect before their absence means anything: by chance it happens once in e^20."""
_SPANS = (1, 7)
"""Days before as_of that are looked at: rare events need the longer."""


@dataclass(frozen=True)
class Vanished:
    """An event far below its usual volume.

    Parameters
    ----------
    days
        Of [as_of - days, as_of), in which `count` came and `expected` were usual.
    """

    name: str
    days: int
    count: int
    expected: float


@dataclass(frozen=True)
class NewEvent:
    """An event that the reference does not know, with its count in the week before as_of."""

    name: str
    count: int


def daily_counts(log: EventLog, as_of: int, days: int) -> dict[str, np.ndarray]:
    """Events per name and day of [as_of - days, as_of) by known_at: int64, shape (days,) each."""
    names = [event.name for event in log.event_names]
    return dict(zip(names, recent(log, as_of, days).counts, strict=True))


def event_reference(counts: Mapping[str, np.ndarray], as_of: int) -> dict[str, list[float]]:
    """Mean volume per event and day of the week, over the last `NIGHTS` days before as_of.

    Events that did not come in this time are left out. An entry holds seven numbers in the order
    of `weekday`.
    """
    found = {}
    for name, days in counts.items():
        newest = days[-NIGHTS:]
        ends = weekday(as_of - np.arange(len(newest))[::-1] * DAY_US)
        if newest.sum():
            found[name] = [
                round(float(newest[ends == day].mean()), 4) if (ends == day).any() else 0.0
                for day in range(7)
            ]
    return found


def vanished(
    pinned: Mapping[str, list[float]], counts: Mapping[str, np.ndarray], as_of: int, below: float
) -> list[Vanished]:
    """Events with less than `below` of what was usual on these days of the week.

    Examples
    --------
    Twenty a day are usual, and one came:

    >>> vanished({"export": [20.0] * 7}, {"export": np.array([20, 1])}, 0, below=0.1)
    [Vanished(name='export', days=1, count=1, expected=20.0)]
    """
    found = []
    for name, usual in pinned.items():
        days = counts.get(name, np.zeros(max(_SPANS), np.int64))
        for span in _SPANS:
            if span > len(days):
                continue
            ends = weekday(as_of - np.arange(span) * DAY_US)
            expected = float(np.array(usual)[ends].sum())
            count = int(days[-span:].sum())
            if expected >= _ENOUGH and count < below * expected:
                found.append(Vanished(name, span, count, expected))
                break
    return sorted(found, key=lambda one: (-one.expected, one.name))


def new_events(
    pinned: Mapping[str, list[float]], counts: Mapping[str, np.ndarray]
) -> list[NewEvent]:
    """Events of the last week that the reference does not know, most first."""
    week = {name: int(days[-max(_SPANS) :].sum()) for name, days in counts.items()}
    found = [NewEvent(name, n) for name, n in week.items() if n and name not in pinned]
    return sorted(found, key=lambda one: (-one.count, one.name))
