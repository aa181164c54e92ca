"""Every entity's way through the product: when it entered, what it did, when it converted."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrow import numbers
from features.clock import DAY_US
from features.events import EventLog, Level
from features.labels import NEVER_US, Conversions
from features.lifespans import NO_EVENT_US, lifespans
from features.sorting import counting_order
from models.milestones.steps import Steps, steps_of_one


@dataclass(frozen=True)
class Journeys:
    """Events and lives of the entities of some shards.

    Parameters
    ----------
    entity, member, event, at
        Events sorted by (entity, at), shape (n_events,): codes, -1 for no member, and known_at.
    entered_at, converted_at
        int64, shape (n_entities,), `NEVER_US` for none. Entities that were not read never entered.
    cluster
        int64, shape (n_entities,): entities of one account hang together.
    data_end
        Everything in (-inf, data_end) is known.
    """

    level: Level
    names: tuple[str, ...]
    entity: np.ndarray
    member: np.ndarray
    event: np.ndarray
    at: np.ndarray
    entered_at: np.ndarray
    converted_at: np.ndarray
    cluster: np.ndarray
    data_end: int

    @property
    def n_entities(self) -> int:
        return len(self.entered_at)

    @cached_property
    def any_event(self) -> Steps:
        """Events of any name."""
        return Steps.of(self.entity, self.at, self.n_entities)

    @cached_property
    def active_days(self) -> Steps:
        """The first event of each UTC day."""
        first = _changes(self.entity, self.at // DAY_US)
        return Steps.of(self.entity[first], self.at[first], self.n_entities)

    @cached_property
    def members(self) -> Steps:
        """The first event of each member."""
        known = np.flatnonzero(self.member >= 0)
        order = known[np.lexsort((self.at[known], self.member[known], self.entity[known]))]
        joined = order[_changes(self.entity[order], self.member[order])]
        joined.sort()
        return Steps.of(self.entity[joined], self.at[joined], self.n_entities)

    @cached_property
    def member_days(self) -> tuple[Steps, np.ndarray]:
        """The first event of each member and UTC day, and whose it is, shape (n_steps,)."""
        known = np.flatnonzero(self.member >= 0)
        day = self.at[known] // DAY_US
        order = np.lexsort((self.at[known], day, self.member[known], self.entity[known]))
        sorted_, day = known[order], day[order]
        first = np.sort(sorted_[_changes(self.entity[sorted_], self.member[sorted_], day)])
        return Steps.of(self.entity[first], self.at[first], self.n_entities), self.member[first]

    def steps(self, code: int, *, by_one_member: bool) -> Steps:
        """How often the entity, or the member who is furthest, has done an event."""
        mine = self.event == code
        entity, at = self.entity[mine], self.at[mine]
        if by_one_member:
            return steps_of_one(entity, self.member[mine], at, self.n_entities)
        return Steps.of(entity, at, self.n_entities)


def read_journeys(
    log: EventLog,
    level: Level,
    conversions: Conversions,
    entered_by: tuple[str, ...],
    max_events: int,
) -> Journeys:
    """Read whole shards, evenly spread, until `max_events` are reached.

    Shards hold entities by hash, so some of them are a sample of the entities.

    Parameters
    ----------
    entered_by
        Events whose first marks the entry; empty: the first event of any name.
    """
    n = log.n_shards
    most = max(1, int(n * min(1.0, max_events / max(1, log.n_events))))
    parts = [
        _read(log, level, int(shard))
        for shard in np.unique(np.linspace(0, n - 1, most).astype(int))
    ]
    entity, member, event, at = (np.concatenate(column) for column in zip(*parts, strict=True))
    n_entities = len(log.entities(level))
    order, _ = counting_order(entity, n_entities)
    read = np.zeros(n_entities, bool)
    read[entity] = True
    entered = lifespans(log, level, entered_by)[0]
    known = read & (entered < NO_EVENT_US)
    return Journeys(
        level=level,
        names=tuple(name.name for name in log.event_names),
        entity=entity[order],
        member=member[order],
        event=event[order],
        at=at[order],
        entered_at=np.where(known, entered, NEVER_US),
        converted_at=conversions.occurred_at,
        cluster=_clusters(log, level, n_entities),
        data_end=log.data_end,
    )


def _read(log: EventLog, level: Level, shard: int) -> tuple[np.ndarray, ...]:
    table = log.shard(shard, ["account", "user", "event", "at"])
    columns = [numbers(table[name]) for name in (level, "user", "event", "at")]
    kept = columns[0] >= 0
    return tuple(column[kept] for column in columns)


def _clusters(log: EventLog, level: Level, n_entities: int) -> np.ndarray:
    """The account of each user, a number of its own for a user without one."""
    own = np.arange(n_entities, dtype=np.int64)
    if level == "account":
        return own
    account = numbers(log.users["account"])
    return np.where(account >= 0, account, len(log.accounts) + own)


def _changes(*keys: np.ndarray) -> np.ndarray:
    """Where the first row of each run of equal keys stands, increasing."""
    n = len(keys[0])
    begins = np.zeros(n, bool)
    begins[:1] = True
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(begins)
