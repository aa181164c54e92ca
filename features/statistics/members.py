"""Who: members, new members, how the work is spread over them, and the busiest one."""

import numpy as np

from features.definitions import Feature
from features.kernels_counts import concentration
from features.selection import Links, Selection
from features.statistics.base import Statistic, ratio


def _members(s: Selection, f: Feature) -> np.ndarray:
    return s.distinct("user", f.days)


def _joined(s: Selection, days: int | None) -> np.ndarray:
    return s.difference("joined", lambda: s.links("user").first, days)


def _new_members(s: Selection, f: Feature) -> np.ndarray:
    return _joined(s, f.days)


def _member_growth(s: Selection, f: Feature) -> np.ndarray:
    new = _new_members(s, f)
    return ratio(new, _joined(s, None) - new)


def _active_member_share(s: Selection, f: Feature) -> np.ndarray:
    return ratio(s.distinct("user", f.days), s.distinct("user", None))


def _member_share(s: Selection, f: Feature) -> np.ndarray:
    everyone = s.view.select(f.against or (), keep=True)
    return ratio(s.distinct("user", f.days), everyone.distinct("user", f.days))


def _per_member(s: Selection, f: Feature) -> np.ndarray:
    return ratio(_keyed(s, "user", f.days), s.distinct("user", f.days))


def _keyed(s: Selection, of: str, days: int | None) -> np.ndarray:
    """Events of the window that have such a key."""
    return s.difference(("keyed", of), lambda: s.keys(of)[0] >= 0, days)


def _days_per_member(s: Selection, f: Feature) -> np.ndarray:
    """Different (member, day) pairs per member: links hold within one day only."""
    links = s.once("daily links", lambda: _daily_links(s))
    return ratio(s.distinct_links(links, f.days), s.distinct("user", f.days))


def _daily_links(s: Selection) -> Links:
    """The links of users, cut where the day changes."""
    before, after = s.links("user")
    n = len(s)
    last_day = (before >= 0) & (before < n) & (s.day[before % n] != s.day)
    next_day = (after >= 0) & (after < n) & (s.day[after % n] != s.day)
    return Links(np.where(last_day, np.int32(-1), before), np.where(next_day, np.int32(n), after))


def _spread(s: Selection, of: str, days: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Events of the commonest key, the Gini coefficient, and events that have a key."""
    keys, n_keys = s.keys(of)
    top, gini = s.once(
        ("spread", of, days),
        lambda: concentration(keys, n_keys, s.rows.start, s.hi, s.lo(days)),
    )
    return top, gini, _keyed(s, of, days)


def _top_member_count(s: Selection, f: Feature) -> np.ndarray:
    return _spread(s, "user", f.days)[0]


def _top_member_share(s: Selection, f: Feature) -> np.ndarray:
    top, _, n = _spread(s, "user", f.days)
    return ratio(top, n)


def _member_gini(s: Selection, f: Feature) -> np.ndarray:
    return _spread(s, "user", f.days)[1]


def _top_event_share(s: Selection, f: Feature) -> np.ndarray:
    top, _, n = _spread(s, "event", f.days)
    return ratio(top, n)


STATISTICS = {
    "members": Statistic(_members, "users", 0, of_members=True, asked="every"),
    "new_members": Statistic(_new_members, "users", 0, of_members=True),
    "member_growth": Statistic(_member_growth, "ratio", window="bounded", of_members=True),
    "active_member_share": Statistic(
        _active_member_share, "0 to 1", window="bounded", of_members=True
    ),
    "member_share": Statistic(
        _member_share, "0 to 1", None, of_members=True, of_share=True, asked="shortest"
    ),
    "per_member": Statistic(_per_member, "events per user", of_members=True),
    "days_per_member": Statistic(_days_per_member, "days per user", of_members=True),
    "top_member_count": Statistic(_top_member_count, "events", 0, of_members=True),
    "top_member_share": Statistic(_top_member_share, "0 to 1", of_members=True),
    "member_gini": Statistic(_member_gini, "0 to 1", of_members=True),
    "top_event_share": Statistic(_top_event_share, "0 to 1"),
}
