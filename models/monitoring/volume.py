"""Whether the newest days of the main events are as full as their own past says they should be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from pydantic import Field, NonNegativeInt

from features.clock import DAY_US, to_us
from features.events import EventLog
from features.spec import Spec

WEEK = 7
_WEEKS = 8
_FEWEST_WEEKS = 3
_RESIDUALS = 28
HISTORY_DAYS = WEEK * _WEEKS + _RESIDUALS + WEEK + 2
"""Days that `judge_volumes` looks at: the newest two, and what their judgement rests on."""
_NORMAL_MAD = 1.4826
"""Standard deviations in a median absolute deviation of normal values."""


class VolumeSpec(Spec):
    """How far the newest day of a main event may be off its history.

    Parameters
    ----------
    main_events
        How many of the most frequent events are looked at; 0 for none.
    events
        Their names, in place of the most frequent ones.
    fold_one_day
        Refuse when the newest day has so many times more or fewer than expected. A feed that
        stops is found on its first night; a public holiday passes.
    fold_two_days
        Refuse when the newest two days have. A feed that halves or doubles is found on its second.
    deviations
        And only when that is beyond so many standard deviations of the event's own past.
    holidays
        UTC days that say nothing about the feed: the volume of a run that looks at one is not
        judged.
    """

    main_events: NonNegativeInt = 5
    events: tuple[str, ...] | None = None
    fold_one_day: float = Field(default=4.0, gt=1)
    fold_two_days: float = Field(default=1.5, gt=1)
    deviations: float = Field(default=4.0, gt=0)
    holidays: tuple[date, ...] = ()


@dataclass(frozen=True)
class Recent:
    """The newest days before an as_of.

    Parameters
    ----------
    counts
        Events by name and day, int64, shape (n_names, n_days); the last column is
        ``[as_of - 1 day, as_of)``.
    newest_at
        When the newest event before as_of was known, microseconds UTC; None without any.
    n_days
        How many of the days, counted from the newest, lie wholly inside the data.
    """

    counts: np.ndarray
    newest_at: int | None
    n_days: int


@dataclass(frozen=True)
class OddVolume:
    """An event whose newest day, or newest two, are far off.

    Parameters
    ----------
    seen, expected
        Events in the newest `days` days.
    refused
        False for a day that is odd but could be a holiday.
    """

    event: str
    days: int
    seen: int
    expected: float
    refused: bool


def recent(log: EventLog, as_of: int, days: int = HISTORY_DAYS) -> Recent:
    """Events known in [as_of - days, as_of), by name and day; later ones are never looked at."""
    first = as_of - days * DAY_US
    counts = np.zeros((len(log.event_names), days), np.int64)
    newest: int | None = None
    for index in range(log.n_shards):
        table = log.shard(index, columns=["event", "at"])
        at = table["at"].to_numpy()
        begin, end = np.searchsorted(at, (first, as_of), side="left")
        if end:
            newest = max(int(at[end - 1]), newest if newest is not None else int(at[end - 1]))
        code = table["event"].to_numpy()[begin:end].astype(np.int64)
        cell = code * days + (at[begin:end] - first) // DAY_US
        counts += np.bincount(cell, minlength=counts.size).reshape(counts.shape)
    return Recent(counts, newest, max(0, min(days, (as_of - log.first_at) // DAY_US)))


def judge_volumes(
    names: Sequence[str], found: Recent, as_of: int, spec: VolumeSpec
) -> list[OddVolume]:
    """Main events whose newest day or newest two days are far off, in the order of their volume.

    Parameters
    ----------
    names
        Of the rows of ``found.counts``.
    """
    holidays = [to_us(day.isoformat()) for day in spec.holidays]
    counts = found.counts[:, found.counts.shape[1] - found.n_days :]
    if spec.events is None:
        # Not by the newest days: an event that has just stopped is still a main one.
        volume = counts[:, :-2].sum(axis=1)
        rows = np.lexsort((np.array(names), -volume))[: spec.main_events]
    else:
        rows = np.array([names.index(name) for name in spec.events], np.int64)
    found_odd = (_odd(names[row], counts[row], as_of, holidays, spec) for row in rows)
    return [odd for odd in found_odd if odd is not None]


def _odd(
    name: str, counts: np.ndarray, as_of: int, holidays: list[int], spec: VolumeSpec
) -> OddVolume | None:
    def judgeable(days: int) -> bool:
        begin = as_of - days * DAY_US
        return not any(day < as_of and begin < day + DAY_US for day in holidays)

    fold = math.log(spec.fold_two_days)
    if not judgeable(1):
        return None
    today, sure = _away(counts, 1, spec.deviations)
    if sure and abs(today) >= math.log(spec.fold_one_day):
        return _said(name, counts, 1, refused=True)
    yesterday, _ = _away(counts[:-1], 1, spec.deviations)
    both, sure_of_both = _away(counts, 2, spec.deviations)
    # One holiday makes two days small as well: each of them has to be off by itself.
    alike = min(today * yesterday, today * both) > 0 and min(abs(today), abs(yesterday)) > fold / 2
    if judgeable(2) and sure_of_both and alike and abs(both) >= fold:
        return _said(name, counts, 2, refused=True)
    return _said(name, counts, 1, refused=False) if sure and abs(today) >= fold else None


def _away(counts: np.ndarray, days: int, deviations: float) -> tuple[float, bool]:
    """Logarithm of seen over expected, and whether it is beyond so many deviations."""
    expected, dispersion = forecast(counts, days)
    seen = int(counts[-days:].sum())
    sure = abs(float(_steady(seen) - _steady(expected))) >= deviations * dispersion
    return math.log((seen + 0.5) / (expected + 0.5)), sure


def _said(name: str, counts: np.ndarray, days: int, *, refused: bool) -> OddVolume:
    return OddVolume(name, days, int(counts[-days:].sum()), forecast(counts, days)[0], refused)


def forecast(counts: np.ndarray, days: int) -> tuple[float, float]:
    """Expected sum of the newest `days` days, and how much wider than Poisson's its spread is.

    The expected sum is that of the seven days before, times the median over the eight weeks before
    of what the same weekdays had in relation to the seven days before them: it follows weekdays
    and growth, and one holiday in eight weeks moves it little. The dispersion is the median
    absolute deviation of seen from expected over 28 days, on the scale where a Poisson count has
    the standard deviation 1 (Anscombe 1948, Biometrika 35), and at least 1.

    Parameters
    ----------
    counts
        Of consecutive days, int64, shape (n,); the last is the newest.

    Returns
    -------
    float, float
        NaN and infinity where fewer than three weeks can be compared.

    Examples
    --------
    >>> forecast(np.tile([90, 100, 110, 100, 90, 10, 10], 9), days=1)
    (10.0, 1.0)
    """
    sums = np.concatenate([[0], np.cumsum(counts)])
    # Position t: the block [t - days, t) and the week [t - days - 7, t - days) before it.
    at = np.arange(len(counts), days + WEEK - 1, -1)
    block = (sums[at] - sums[at - days]).astype(np.float64)
    week = (sums[at - days] - sums[at - days - WEEK]).astype(np.float64)
    share = np.divide(block, week, out=np.full(len(at), np.nan), where=week > 0)
    forecasts = [
        _middle(share[back + WEEK : back + WEEK * _WEEKS + 1 : WEEK]) * float(week[back])
        for back in range(min(len(at), _RESIDUALS + days))
    ]
    if not forecasts or not math.isfinite(forecasts[0]):
        return math.nan, math.inf
    # Blocks that share a day with the newest are no evidence on how it usually goes.
    past = np.array(forecasts[days:])
    away = np.abs(_steady(block[days : days + len(past)]) - _steady(past))
    away = away[np.isfinite(away)]
    usual = float(np.median(away)) * _NORMAL_MAD if len(away) else 1.0
    return forecasts[0], max(usual, 1.0)


def _steady(count: np.ndarray | float) -> np.ndarray:
    return 2 * np.sqrt(np.asarray(count) + 0.375)


def _middle(values: np.ndarray) -> float:
    """Median of what is known; NaN for too little."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) >= _FEWEST_WEEKS else float("nan")
