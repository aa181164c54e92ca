"""A shard's events as one level sees them, and the kernel calls that fill its features."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from features.clock import MINUTE_US
from features.definitions import Feature
from features.events import PROPERTY_PREFIX, Level
from features.plan import ACTIVITY, DISTINCT, SESSIONS, VALUES, Group, WindowColumns
from features.sweep import counting_order, link, sweep_activity, sweep_distinct
from features.sweep_values import sweep_sessions, sweep_values

if TYPE_CHECKING:
    from features.shard import ShardColumns

SESSION_GAP_US = 30 * MINUTE_US
Columns = list[tuple[int, Feature]]


class Rows:
    """Distinct (entity, as_of) pairs of a shard's snapshots, sorted, entities numbered from 0."""

    def __init__(
        self, codes: np.ndarray, start: np.ndarray, as_of: np.ndarray, inverse: np.ndarray
    ):
        self.codes, self.start, self.as_of, self.inverse = codes, start, as_of, inverse

    @classmethod
    def of(cls, entity: np.ndarray, as_of: np.ndarray) -> "Rows":
        order = np.lexsort((as_of, entity))
        entity, as_of = entity[order], as_of[order]
        fresh = np.ones(len(entity), bool)
        fresh[1:] = (entity[1:] != entity[:-1]) | (as_of[1:] != as_of[:-1])
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.cumsum(fresh) - 1
        codes, first = np.unique(entity[fresh], return_index=True)
        return cls(codes, np.append(first, fresh.sum()), as_of[fresh], inverse)


class EventView:
    """A shard's events as seen from one level: sorted by (entity, at), snapshots' entities only."""

    def __init__(self, shard: "ShardColumns", level: Level, rows: Rows):
        self.shard, self.rows = shard, rows
        plan = shard.plan
        size = plan.n_accounts if level == "account" else plan.n_users
        local = np.full(size + 1, -1, np.int32)  # the last slot stands for code -1
        local[rows.codes] = np.arange(len(rows.codes))
        local[size] = -1
        entity = local[shard.columns[level]]
        kept = np.flatnonzero(entity >= 0)
        order, start = counting_order(entity[kept], len(rows.codes))
        self.order, self.start = kept[order], start
        self.entity = entity[self.order]
        self.event = shard.columns["event"][self.order]

    def fill(self, group: Group, out: np.ndarray) -> None:
        """Write every feature of the group."""
        if group.events:
            known = self.shard.plan.event_codes
            chosen = np.zeros(len(known), bool)
            chosen[[known[name] for name in group.events if name in known]] = True
            places = np.flatnonzero(chosen[self.event])
        else:
            places = np.arange(len(self.event))
        if columns := group.of(ACTIVITY):
            self._activity(places, columns, out)
        if columns := group.of(SESSIONS):
            self._sessions(places, columns, out)
        for same in _alike(group.of(DISTINCT)):
            self._distinct(places, same, out)
        for same in _alike(group.of(VALUES)):
            self._values(places, same, out)

    def _start(self, places: np.ndarray) -> np.ndarray:
        if len(places) == len(self.order):
            return self.start
        return np.searchsorted(places, self.start)

    def _at(self, places: np.ndarray) -> np.ndarray:
        return self.shard.columns["at"][self.order[places]]

    def _activity(self, places: np.ndarray, columns: Columns, out: np.ndarray) -> None:
        windows = WindowColumns(columns)
        sweep_activity(
            self._at(places),
            self._start(places),
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of("count"),
            windows.of("active_days"),
            windows.doubles,
            windows.of("trend"),
            windows.one("days_since_last"),
            windows.one("days_since_first"),
            out,
        )

    def _distinct(self, places: np.ndarray, columns: Columns, out: np.ndarray) -> None:
        example = columns[0][1]
        keys, n_keys = self.shard.keys(example)
        places = places[keys[self.order[places]] >= 0]
        start = self._start(places)
        before, after = link(keys[self.order[places]], start, n_keys)
        windows = WindowColumns(columns)
        sweep_distinct(
            self._at(places),
            before,
            after,
            start,
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of(example.statistic),
            out,
        )

    def _values(self, places: np.ndarray, columns: Columns, out: np.ndarray) -> None:
        example = columns[0][1]
        value = self.shard.columns[PROPERTY_PREFIX + str(example.property)]
        chosen = value[self.order[places]]
        present = chosen >= 0 if example.dtype == "category" else ~np.isnan(chosen)
        places = places[present]
        windows = WindowColumns(columns)
        sweep_values(
            self._at(places),
            chosen[present].astype(np.float64),
            self._start(places),
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of("sum"),
            windows.of("mean"),
            windows.of("max"),
            windows.of("last"),
            out,
        )

    def _sessions(self, places: np.ndarray, columns: Columns, out: np.ndarray) -> None:
        # Events without a user share one pseudo-user: code -1 becomes the last.
        user = self.shard.columns["user"][self.order[places]]
        user = np.where(user < 0, self.shard.plan.n_users, user)
        start = self._start(places)
        before, _ = link(user, start, self.shard.plan.n_users + 1)
        windows = WindowColumns(columns)
        sweep_sessions(
            self._at(places),
            before,
            SESSION_GAP_US,
            start,
            self.rows.start,
            self.rows.as_of,
            windows.spans,
            windows.of("sessions"),
            windows.of("session_minutes"),
            out,
        )


def _alike(columns: Columns) -> list[Columns]:
    """Features that read the same values are swept together; distinct counts by their kind."""
    kinds: dict[tuple, Columns] = defaultdict(list)
    for column, feature in columns:
        kind = feature.statistic if feature.statistic in DISTINCT else "values"
        kinds[feature.source, feature.property, kind].append((column, feature))
    return list(kinds.values())
