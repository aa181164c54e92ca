"""Which events stopped coming, and which the model has never seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from features.clock import DAY_US
from features.events import EventLog
from models.monitoring.reference import NIGHTS, weekday
from models.monitoring.volume import named_days, recent

_ENOUGH = 20
"""Events to expect before their absence means anything: by chance it happens once in e^20."""
_SPANS = (1, 7)
"""Days before as_of that are looked at: rare events need the longer."""
_SEEN_ON = 0.75
"""Share of a weekday's days that an event came on before its absence from another is odd."""


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


def event_reference(
    counts: Mapping[str, np.ndarray], as_of: int, holidays: Sequence[date] = ()
) -> dict[str, list[float]]:
    """Usual volume per event and day of the week, over the last `NIGHTS` days before as_of.

    Usual is the median of that weekday's days, of four in 28 days, so that neither a bulk import
    nor a holiday counts; and 0 where the event came on fewer than three of four, since what comes
    monthly is not missed in other weeks. Events that did not come in this time are left out.

    Parameters
    ----------
    holidays
        UTC days that say nothing and are not looked at.

    Returns
    -------
    dict of str to list of float
        Seven numbers per event, in the order of `weekday`.
    """
    found = {}
    for name, days in counts.items():
        newest = days[-NIGHTS:]
        ends = weekday(as_of - np.arange(len(newest))[::-1] * DAY_US)
        looked_at = ~named_days(as_of, len(newest), holidays)
        if newest.sum():
            found[name] = [_usual(newest[looked_at & (ends == day)]) for day in range(7)]
    return found


def _usual(days: np.ndarray) -> float:
    if not len(days) or (days > 0).mean() < _SEEN_ON:
        return 0.0
    return round(float(np.median(days)), 4)


def vanished(
    pinned: Mapping[str, list[float]],
    counts: Mapping[str, np.ndarray],
    as_of: int,
    below: float,
    holidays: Sequence[date] = (),
) -> list[Vanished]:
    """Events with less than `below` of what was usual on these days of the week.

    Parameters
    ----------
    holidays
        UTC days that say nothing: neither their events nor what was usual is counted.

    Examples
    --------
    Twenty a day are usual, and one came:

    >>> vanished({"export": [20.0] * 7}, {"export": np.array([20, 1])}, 0, below=0.1)
    [Vanished(name='export', days=1, count=1, expected=20.0)]
    """
    found = []
    looked_at = ~named_days(as_of, max(_SPANS), holidays)
    for name, usual in pinned.items():
        days = counts.get(name, np.zeros(max(_SPANS), np.int64))
        for span in _SPANS:
            if span > len(days):
                continue
            ends = weekday(as_of - np.arange(span)[::-1] * DAY_US)
            expected = float(np.array(usual)[ends][looked_at[-span:]].sum())
            count = int(days[-span:][looked_at[-span:]].sum())
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
