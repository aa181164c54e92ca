"""Where things lie around an anchor: the conversion, or a moment like any other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.arrow import numbers
from features.clock import DAY_US
from features.labels import NEVER_US
from models.leakage.case import Case

HOUR_US = DAY_US // 24


@dataclass(frozen=True)
class Around:
    """One row per (thing, entity) that had it: when first, and how near to the entity's anchor.

    Parameters
    ----------
    thing, entity
        Codes, shape (n,).
    first_gap
        First occurrence minus anchor, microseconds, int64.
    just_before, just_after, last_hour
        Whether any occurrence lies in [anchor - together, anchor], in (anchor, anchor + together],
        and in [anchor - 1 hour, anchor].
    converted
        Whether the anchor is a conversion.
    """

    thing: np.ndarray
    entity: np.ndarray
    first_gap: np.ndarray
    just_before: np.ndarray
    just_after: np.ndarray
    last_hour: np.ndarray
    converted: np.ndarray


def around(
    thing: np.ndarray,
    entity: np.ndarray,
    time: np.ndarray,
    anchor: np.ndarray,
    converted: np.ndarray,
    together_us: int,
) -> Around:
    """Summarise occurrences per thing and entity.

    Parameters
    ----------
    anchor, converted
        By entity code; who has the anchor `NEVER_US` is left out.

    Examples
    --------
    The second entity is anchored at 100 seconds; its event at 99 lies just before.

    >>> seconds = 1_000_000
    >>> found = around(np.array([0]), np.array([1]), np.array([99]) * seconds,
    ...                np.array([50, 100]) * seconds, np.array([False, True]), 10 * seconds)
    >>> found.first_gap.tolist(), found.just_before.tolist(), found.just_after.tolist()
    ([-1000000], [True], [False])
    """
    kept = anchor[entity] < NEVER_US
    thing, entity, time = thing[kept].astype(np.int64), entity[kept], time[kept]
    gap = time - anchor[entity]
    key = thing * len(anchor) + entity
    order = np.argsort(key, kind="stable")
    key, gap = key[order], gap[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, int)

    def any_in(inside: np.ndarray) -> np.ndarray:
        return np.logical_or.reduceat(inside, starts) if len(starts) else np.zeros(0, bool)

    who = key[starts] % max(1, len(anchor))
    return Around(
        thing=key[starts] // max(1, len(anchor)),
        entity=who,
        first_gap=np.minimum.reduceat(gap, starts) if len(starts) else np.zeros(0, np.int64),
        just_before=any_in((gap >= -together_us) & (gap <= 0)),
        just_after=any_in((gap > 0) & (gap <= together_us)),
        last_hour=any_in((gap >= -HOUR_US) & (gap <= 0)),
        converted=converted[who],
    )


def event_occurrences(case: Case) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(event code, entity, occurred_at) of the shards looked at, before the case's end.

    Whole shards, evenly spread, until `max_events` are reached: shards hold entities by hash, so
    they are a sample of them.
    """
    n = case.log.n_shards
    most = max(1, int(n * min(1.0, case.spec.max_events / max(1, case.log.n_events))))
    for shard in np.unique(np.linspace(0, n - 1, most).astype(int)):
        table = case.log.shard(int(shard), [case.level, "event", "occurred_at"])
        entity, time = numbers(table[case.level]), numbers(table["occurred_at"])
        kept = (entity >= 0) & (time < case.until)
        yield numbers(table["event"])[kept], entity[kept], time[kept]


def anchors(
    entity: np.ndarray, time: np.ndarray, converted_at: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """The conversion of everyone seen here; for who has none the middle one of their events.

    Conversions happen while somebody is active: what surrounds them is compared with what surrounds
    other activity, not with what surrounds the middle of the night.

    Parameters
    ----------
    known
        Anchors so far, by entity code, `NEVER_US` for who has not been seen.

    Examples
    --------
    >>> times = np.array([10, 30, 20, 7])
    >>> anchors(np.array([0, 0, 0, 1]), times, np.array([NEVER_US, 9]), np.full(2, NEVER_US))
    array([20,  9])
    """
    order = np.lexsort((time, entity))
    who, when = entity[order], time[order]
    starts = np.flatnonzero(np.r_[True, who[1:] != who[:-1]]) if len(who) else np.zeros(0, int)
    middle = (starts + np.r_[starts[1:], len(who)]) // 2
    filled, seen = known.copy(), who[starts]
    filled[seen] = np.where(converted_at[seen] < NEVER_US, converted_at[seen], when[middle])
    return filled
