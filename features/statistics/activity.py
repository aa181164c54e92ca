"""How much, how lately, how long: counts, days, recency, shares, trends, sessions, first uses."""

import numpy as np

from features.clock import DAY_US, MINUTE_US
from features.definitions import Feature
from features.kernels import days_before, latest_before, locate
from features.selection import Selection
from features.statistics.base import Statistic, at_rows, ratio

SESSION_GAP_US = 30 * MINUTE_US


def _count(s: Selection, f: Feature) -> np.ndarray:
    return s.count(f.days)


def _active_days(s: Selection, f: Feature) -> np.ndarray:
    return s.active_days(f.days)


def _per_active_day(s: Selection, f: Feature) -> np.ndarray:
    return ratio(s.count(f.days), s.active_days(f.days))


def _share(s: Selection, f: Feature) -> np.ndarray:
    return ratio(s.count(f.days), _against(s, f).count(f.days))


def _against(s: Selection, f: Feature) -> Selection:
    return s.view.select(f.against or (), keep=True)


def _breadth(s: Selection, f: Feature) -> np.ndarray:
    return s.distinct("event", f.days)


def _days_since_last(s: Selection, f: Feature) -> np.ndarray:
    return _days_before(s, s.hi - 1)


def _days_since_first(s: Selection, f: Feature) -> np.ndarray:
    return _days_before(s, s.first)


def _days_before(s: Selection, place: np.ndarray) -> np.ndarray:
    return days_before(s.rows.as_of, s.at, place, s.hi > s.first, DAY_US)


def _trend(s: Selection, f: Feature) -> np.ndarray:
    this, both = s.count(f.days), s.count(2 * _days(f))
    return ratio(2 * this - both, both)


def _acceleration(s: Selection, f: Feature) -> np.ndarray:
    this, two, three = (s.count(n * _days(f)) for n in (1, 2, 3))
    # this - 2 * before + the one before that, over all three.
    return ratio(this - 2 * (two - this) + (three - two), three)


def _slope(s: Selection, f: Feature) -> np.ndarray:
    """Least-squares line through the rate: 12 * sum(t - middle) / days^3, t in days."""
    days = _days(f)
    began = at_rows(s.at, s.first, s.hi > s.first)
    middle = (s.rows.as_of - began) / DAY_US - days / 2
    n = s.count(days)
    slope = 12 * (s.sum("since", lambda: _days_in(s), days) - n * middle) / days**3
    return np.where(n > 0, slope, np.where(s.hi > s.first, 0.0, np.nan))


def _days_in(s: Selection) -> np.ndarray:
    """Days from the entity's first event to each: float64, shape (n_events,)."""
    sizes = np.diff(s.start)
    return (s.at - s.at[s.start[:-1][sizes > 0]].repeat(sizes[sizes > 0])) / DAY_US


def _days(f: Feature) -> int:
    if f.days is None:
        raise AssertionError(f"{f.name} passed the check without a window")
    return f.days


def _pauses(s: Selection) -> np.ndarray:
    """Microseconds since the same user's event before, per event; more than a gap for the first.

    A session's start and length belong to the later event of a pair, so that a session that
    straddles as_of gives away nothing of its future.
    """
    before = s.links("session").before
    return s.once("pauses", lambda: np.where(before >= 0, s.at - s.at[before], SESSION_GAP_US + 1))


def _sessions(s: Selection, f: Feature) -> np.ndarray:
    return s.difference("sessions", lambda: _pauses(s) > SESSION_GAP_US, f.days)


def _session_minutes(s: Selection, f: Feature) -> np.ndarray:
    def inside() -> np.ndarray:
        pause = _pauses(s)
        return np.where(pause > SESSION_GAP_US, 0, pause)

    return ratio(s.difference("in sessions", inside, f.days) / MINUTE_US, _sessions(s, f))


def _events_per_session(s: Selection, f: Feature) -> np.ndarray:
    return ratio(s.count(f.days), _sessions(s, f))


def _first_uses(s: Selection, f: Feature) -> np.ndarray:
    return s.difference("first uses", lambda: s.links("event").first, f.days)


def _days_to_first(s: Selection, f: Feature) -> np.ndarray:
    everything = s.view.all()
    known = s.hi > s.first
    mine = at_rows(s.at, s.first, known)
    return (mine - at_rows(everything.at, everything.first, known)) / DAY_US


def _first_use_rank(s: Selection, f: Feature) -> np.ndarray:
    """1 + the event names that the entity used for the first time before this one."""
    everything = s.view.all()
    known = s.hi > s.first
    when = np.where(known, s.at[np.where(known, s.first, 0)], 0)
    entity = s.rows.entity
    place = latest_before(
        everything.at, everything.start[entity], everything.start[entity + 1], when
    )
    running = np.cumsum(everything.links("event").first)
    before_entity = np.concatenate([[0], running])[everything.first]
    used = np.where(place >= 0, running[place] - before_entity, 0)
    return np.where(known, 1.0 + used, np.nan)


def _first_period(s: Selection, f: Feature) -> np.ndarray:
    """Events in the entity's first days, counted from its first event of any name."""
    everything = s.view.all()
    known = everything.hi > everything.first
    began = np.zeros(len(known), np.int64)
    began[known] = everything.at[everything.first[known]]
    until = np.minimum(began + _days(f) * DAY_US, s.rows.as_of)
    # Within an entity `until` never moves back: `began` is the same for all of its known rows.
    n = locate(s.at, s.start, s.rows.start, until, 0) - s.first
    return np.where(known, n, np.nan)


def _first_period_ratio(s: Selection, f: Feature) -> np.ndarray:
    """Against the mean of the entities whose first days had ended a day before as_of."""
    everything = s.view.all()
    began = at_rows(everything.at, everything.first, everything.hi > everything.first)
    over = s.rows.as_of - began >= _days(f) * DAY_US
    mean = s.view.shard.plan.references[f].mean_before(s.rows.as_of)
    return np.where(over & (mean > 0), _first_period(s, f) / np.where(mean > 0, mean, 1), np.nan)


STATISTICS = {
    "count": Statistic(_count, "events", 0, asked="every"),
    "active_days": Statistic(_active_days, "days", 0, asked="every"),
    "per_active_day": Statistic(_per_active_day, "events a day"),
    "share": Statistic(_share, "0 to 1", None, of_share=True),
    "breadth": Statistic(_breadth, "event names", 0, asked="every"),
    "first_uses": Statistic(_first_uses, "event names", 0),
    "days_since_last": Statistic(_days_since_last, "days", window="none"),
    "days_since_first": Statistic(_days_since_first, "days", window="none"),
    "days_to_first": Statistic(_days_to_first, "days", window="none"),
    "first_use_rank": Statistic(_first_use_rank, "rank", window="none"),
    "first_period": Statistic(_first_period, "events", None, window="bounded", asked="first"),
    "first_period_ratio": Statistic(
        _first_period_ratio, "ratio", None, window="bounded", asked="first"
    ),
    "trend": Statistic(_trend, "-1 to 1", window="bounded", asked="trend"),
    "acceleration": Statistic(_acceleration, "-2 to 1", window="bounded", asked="trend"),
    "slope": Statistic(_slope, "events a day per day", window="bounded"),
    "sessions": Statistic(_sessions, "sessions", 0, reads_users=True, asked="every"),
    "session_minutes": Statistic(_session_minutes, "minutes", reads_users=True, asked="every"),
    "events_per_session": Statistic(_events_per_session, "events", reads_users=True),
}
