"""When, and how regularly: streaks, weekdays, business hours, gaps, bursts, peaks."""

import numpy as np

from features.clock import DAY_US
from features.definitions import Feature
from features.kernels_counts import longest_run, peak
from features.kernels_sums import window_sum
from features.selection import Selection
from features.statistics.base import Statistic, ratio
from features.zones import in_hours


def _streak(s: Selection, f: Feature) -> np.ndarray:
    """Days in a row up to the day of as_of or the one before; a midnight belongs to its past."""
    last = np.where(s.hi > s.first, s.hi - 1, 0)
    today = (s.rows.as_of - 1) // DAY_US
    _, run = s.day_runs
    alive = (s.hi > s.first) & (s.day[last] >= today - 1)
    return np.where(alive, run[last], 0)


def _longest_streak(s: Selection, f: Feature) -> np.ndarray:
    _, run = s.day_runs
    return longest_run(s.day, run, s.rows.start, s.hi, s.lo(f.days), s.longest)


def _weekdays(s: Selection, f: Feature) -> np.ndarray:
    return s.distinct("weekday", f.days)


def _business_share(s: Selection, f: Feature) -> np.ndarray:
    hours = f.hours
    if hours is None:
        raise AssertionError(f"{f.name} passed the check without its hours")
    return ratio(s.difference(hours, lambda: in_hours(s.at, hours), f.days), s.count(f.days))


def _ends(s: Selection, days: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last event of each window, and whether there is one; else event 0."""
    some = s.hi > s.lo(days)
    return np.where(some, s.lo(days), 0), np.where(some, s.hi - 1, 0), some


def _gap_days(s: Selection, f: Feature) -> np.ndarray:
    """Mean days from one active day to the next; needs two active days."""
    first, last, _ = _ends(s, f.days)
    gaps = np.maximum(s.active_days(f.days) - 1, 0)
    return ratio(s.day[last] - s.day[first], gaps)


def _gap_variation(s: Selection, f: Feature) -> np.ndarray:
    """Standard deviation of those gaps over their mean, in whole numbers; needs two gaps."""
    first, last, _ = _ends(s, f.days)
    index, _ = s.day_runs
    fresh = np.flatnonzero(np.diff(index, prepend=-1))
    gap = np.diff(s.day[fresh], prepend=0).astype(np.int64)
    # Gaps from one entity's days to another's are left out by the difference.
    squares = np.cumsum(gap * gap)
    n = index[last] - index[first]
    total = s.day[last].astype(np.float64) - s.day[first]
    squared = squares[index[last]] - squares[index[first]]
    variance = np.maximum(n * squared - total * total, 0.0)
    return np.where(n > 1, ratio(np.sqrt(variance), total), np.nan)


def _burstiness(s: Selection, f: Feature) -> np.ndarray:
    """How the times between events vary: -1 never, 0 as at random, 1 all in one burst.

    ``(sqrt(n + 1) r - sqrt(n - 1)) / ((sqrt(n + 1) - 2) r + sqrt(n - 1))`` with r the standard
    deviation of the n times over their mean; needs two. Without the correction, (r - 1) / (r + 1),
    few events look regular whatever they are (Kim and Jo 2016, Measuring burstiness for finite
    event sequences, Physical Review E 94, 032311).
    """
    first, last, _ = _ends(s, f.days)
    gap = np.diff(s.at, prepend=0) / 1e6
    gap[s.start[:-1][np.diff(s.start) > 0]] = 0.0  # before an entity's first event
    n = last - first
    mean = ratio((s.at[last] - s.at[first]) / 1e6, n)
    # From the second event of the window on: the time before the first lies outside.
    second = np.minimum(s.lo(f.days) + 1, s.hi)
    total = s.running("gaps squared", lambda: gap * gap)
    square = ratio(window_sum(*total, s.first, s.hi, second), n)
    r = ratio(np.sqrt(np.maximum(square - mean * mean, 0.0)), mean)
    more, less = np.sqrt(n + 1.0), np.sqrt(np.maximum(n - 1.0, 0.0))
    return np.where(n > 1, ratio(more * r - less, (more - 2) * r + less), np.nan)


def _peak_ratio(s: Selection, f: Feature) -> np.ndarray:
    """The window's events over the most the entity ever had in one as long."""
    if f.days is None:
        raise AssertionError(f"{f.name} passed the check without a window")
    last = np.where(s.hi > s.first, s.hi - 1, 0)
    most = np.where(s.hi > s.first, peak(s.at, s.start, f.days * DAY_US)[last], 0)
    return ratio(s.count(f.days), most)


STATISTICS = {
    "streak": Statistic(_streak, "days", 0, window="none"),
    "longest_streak": Statistic(_longest_streak, "days", 0),
    "weekdays": Statistic(_weekdays, "weekdays", 0),
    "business_share": Statistic(_business_share, "0 to 1"),
    "gap_days": Statistic(_gap_days, "days"),
    "gap_variation": Statistic(_gap_variation, "ratio"),
    "burstiness": Statistic(_burstiness, "-1 to 1"),
    "peak_ratio": Statistic(_peak_ratio, "0 to 1", window="bounded"),
}
