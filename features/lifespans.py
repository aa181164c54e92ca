"""When each entity was first and last seen."""

import numpy as np

from features.arrow import numbers
from features.events import EventLog, Level

NO_EVENT_US = np.iinfo(np.int64).max // 2
"""First event of an entity that has none; its last is the negative."""


def lifespans(
    log: EventLog, level: Level, events: tuple[str, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """First and last known_at per entity code of `events`, of any if empty.

    Returns
    -------
    two int64 arrays of shape (n_entities,)
        `NO_EVENT_US` and its negative for an entity without such an event.
    """
    codes = [log.event_codes[name] for name in events]
    n = len(log.entities(level))
    first = np.full(n, NO_EVENT_US, np.int64)
    last = np.full(n, -NO_EVENT_US, np.int64)
    for shard in range(log.n_shards):
        table = log.shard(shard, [level, "at", *(["event"] if codes else [])])
        entity, at = numbers(table[level]), numbers(table["at"])
        wanted = entity >= 0
        if codes:
            wanted &= np.isin(numbers(table["event"]), codes)
        np.minimum.at(first, entity[wanted], at[wanted])
        np.maximum.at(last, entity[wanted], at[wanted])
    return first, last
