"""Whether the newest days of the main events are as full as their own past says they should be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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
_NEW_LEVEL = 5
"""So many days of seven off in one direction are no accident any more: a work week."""
_QUIET = 0.1
"""A weekday on which mostly nothing comes is quiet below this share of a mean day."""


class VolumeSpec(Spec):
    """How far the newest day of a main event may be off its history."""

    main_events: NonNegativeInt = 5
    """How many of the most frequent events are watched; 0 for none."""
    events: tuple[str, ...] | None = None
    """Their names, in place of the most frequent ones."""
    fold_one_day: float = Field(default=4.0, gt=1)
    """Refuse when the newest day has so many times more or fewer than expected. A feed that stops
    is found on its first night; a public holiday passes."""
    fold_two_days: float = Field(default=1.5, gt=1)
    """Refuse when the newest two days have. A feed that halves or doubles is found on its
    second."""
    deviations: float = Field(default=4.0, gt=0)
    """And only when that is beyond so many standard deviations of the event's own past."""
    holidays: tuple[date, ...] = ()
    """UTC days that say nothing about the feed: they are not judged, nothing is expected from
    them, and no event grows old on them."""


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
    counts = found.counts[:, found.counts.shape[1] - found.n_days :]
    named = named_days(as_of, found.n_days, spec.holidays)
    if spec.events is None:
        # Not by the newest days: an event that has just stopped is still a main one.
        volume = counts[:, :-2].sum(axis=1)
        rows = np.lexsort((np.array(names), -volume))[: spec.main_events]
    else:
        rows = np.array([names.index(name) for name in spec.events], np.int64)
    found_odd = (_odd(names[row], counts[row], named, spec) for row in rows)
    return [odd for odd in found_odd if odd is not None]


def named_days(as_of: int, days: int, holidays: Sequence[date]) -> np.ndarray:
    """Which of the days before as_of meet a named UTC day: bool, shape (days,), oldest first.

    >>> named_days(to_us("2024-06-04T06:00"), 3, [date(2024, 6, 2)])
    array([ True,  True, False])
    """
    begin = as_of - np.arange(days, 0, -1) * DAY_US
    starts = np.array([to_us(day) for day in holidays], np.int64)
    return (np.abs(begin[:, None] - starts) < DAY_US).any(axis=1)


def idle(found: Recent, as_of: int, holidays: Sequence[date]) -> int:
    """How long no event was due since the newest one: microseconds, of whole days.

    Those are the named days, and days on which usually nothing comes: the same weekday had mostly
    no event in the eight weeks up to the newest, and on average under a tenth of a mean day.
    """
    if found.newest_at is None:
        return 0
    after = min((as_of - found.newest_at - 1) // DAY_US, found.n_days)
    total = found.counts.sum(axis=0)[::-1][: found.n_days]
    # Up to the newest event: else a feed that stopped weeks ago would be one that never comes.
    usual = total[after : after + WEEK * _WEEKS]
    empty = named_days(as_of, after, holidays)[::-1]
    for day in np.flatnonzero(~empty):
        same = usual[(day - after) % WEEK :: WEEK]
        empty[day] = (
            len(same) >= _FEWEST_WEEKS
            and np.median(same) == 0
            and same.mean() < _QUIET * usual.mean()
        )
    return int(empty.sum()) * DAY_US


def _odd(name: str, counts: np.ndarray, named: np.ndarray, spec: VolumeSpec) -> OddVolume | None:
    if len(counts) <= WEEK + 1 or named[-1]:
        return None
    fold = math.log(spec.fold_two_days)
    seen, base = believed(counts, named, spec)
    expected, spread = forecasts(seen, 1, base)
    (yesterday, today), (_, sure) = _away(counts[-2:], expected[-2:], spread[-2:], spec)
    of_both, spread_of_both = (found[-1] for found in forecasts(seen, 2, base))
    both, sure_of_both = _away(counts[-2:].sum(), of_both, spread_of_both, spec)
    # What was missing yesterday has come today.
    late = yesterday < 0 < today and abs(both) < fold
    if sure and abs(today) >= math.log(spec.fold_one_day) and not late:
        return OddVolume(name, 1, int(counts[-1]), float(expected[-1]), refused=True)
    # One holiday makes two days small as well: each of them has to be off by itself.
    alike = min(today * yesterday, today * both) > 0 and min(abs(today), abs(yesterday)) > fold / 2
    if not named[-2] and sure_of_both and alike and abs(both) >= fold:
        return OddVolume(name, 2, int(counts[-2:].sum()), float(of_both), refused=True)
    if sure and abs(today) >= fold:
        return OddVolume(name, 1, int(counts[-1]), float(expected[-1]), refused=False)
    return None


def _away(
    seen: np.ndarray, expected: np.ndarray, dispersion: np.ndarray, spec: VolumeSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of seen over expected, and whether it is beyond the deviations."""
    sure = np.abs(_steady(seen) - _steady(expected)) >= spec.deviations * dispersion
    return np.log((seen + 0.5) / (expected + 0.5)), sure


def believed(
    counts: np.ndarray, named: np.ndarray, spec: VolumeSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Counts without the days that say nothing about the feed, and with what was expected there.

    Those are the named ones, and days that were off by `fold_two_days` beyond the deviations:
    an outage, a bulk import. Each is judged by the days before it. When five of seven days were
    off in one direction and the next is too, that is how it is now, and they count again.

    Returns
    -------
    ndarray, ndarray
        float64, shape (n,) each. NaN on such days; in the second only where nothing was expected.
    """
    seen, base = counts.astype(np.float64), counts.astype(np.float64)
    off = np.zeros(len(counts), np.int64)
    day = 0
    while True:
        expected, spread = forecasts(seen, 1, base)
        away, sure = _away(counts, expected, spread, spec)
        doubtful = named | (sure & (np.abs(away) >= math.log(spec.fold_two_days)))
        if not doubtful[day:].any():
            return seen, base
        day += int(np.argmax(doubtful[day:]))
        off[day] = 0 if named[day] else np.sign(away[day])
        alike = np.flatnonzero(off[day] * off[max(0, day - WEEK) : day] > 0) + max(0, day - WEEK)
        if len(alike) >= _NEW_LEVEL:
            seen[alike] = base[alike] = counts[alike]
            off[alike] = off[day] = 0
        else:
            seen[day], base[day] = math.nan, expected[day]
        day += 1


def forecasts(
    counts: np.ndarray, days: int, base: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Expected sum of the `days` days up to each, and how much wider than Poisson's it spreads.

    The expected sum is that of the seven days before, times the median over the eight weeks before
    of what the same weekdays had in relation to the seven days before them: it follows weekdays
    and growth, and one holiday in eight weeks moves it little. The dispersion is the median
    absolute deviation of seen from expected over 28 days, on the scale where a Poisson count has
    the standard deviation 1 (Anscombe 1948, Biometrika 35), and at least 1.

    Parameters
    ----------
    counts
        Of consecutive days, shape (n,), n >= days. NaN on days to leave out.
    base
        The same with something in the place of NaN, for the sums over seven days.

    Returns
    -------
    ndarray, ndarray
        float64, shape (n - days + 1,) each; the last is of the newest days. NaN where fewer than
        three weeks can be compared, and infinity where fewer than seven residuals are known.

    Examples
    --------
    >>> expected, dispersion = forecasts(np.tile([90, 100, 110, 100, 90, 10, 10], 9), days=1)
    >>> float(expected[-1]), float(dispersion[-1])
    (10.0, 1.0)
    """
    block = _sums(counts, days)
    week = np.append(np.full(WEEK, np.nan), _sums(counts if base is None else base, WEEK))
    week = week[: len(block)]
    share = np.divide(block, week, out=np.full(len(week), np.nan), where=week > 0)
    # Row i, column k: the share k + 1 weeks before.
    shares = _windows(share, WEEK * _WEEKS)[:, ::WEEK]
    expected = _medians(shares, _FEWEST_WEEKS) * week
    away = np.abs(_steady(block) - _steady(expected))
    # Blocks that share a day with the newest are no evidence on how it usually goes.
    past = _windows(away, _RESIDUALS + days - 1)[:, :_RESIDUALS]
    usual = np.maximum(_medians(past, WEEK) * _NORMAL_MAD, 1.0)
    return expected, np.where(np.isfinite(usual), usual, np.inf)


def _sums(values: np.ndarray, days: int) -> np.ndarray:
    """Of so many days in a row, float64, shape (n - days + 1,)."""
    return sliding_window_view(values.astype(np.float64), days).sum(axis=1)


def _windows(values: np.ndarray, size: int) -> np.ndarray:
    """The `size` values before each, oldest first, shape (n, size); NaN before the first."""
    return sliding_window_view(np.append(np.full(size, np.nan), values), size)[:-1]


def _steady(count: np.ndarray | float) -> np.ndarray:
    return 2 * np.sqrt(np.asarray(count) + 0.375)


def _medians(values: np.ndarray, fewest: int) -> np.ndarray:
    """Of what is known in each row; NaN where that is fewer than so many."""
    known = np.isfinite(values).sum(axis=1)
    row, ordered = np.arange(len(values)), np.sort(values, axis=1)
    middle = (ordered[row, (known - 1) // 2] + ordered[row, known // 2]) / 2
    return np.where(known >= fewest, middle, np.nan)
