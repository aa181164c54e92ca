"""A shard's events as one level sees them: sorted by entity, and by event name within reach."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from features.events import Level
from features.selection import Selection
from features.sorting import offsets, sort_by_entity, sort_by_event

if TYPE_CHECKING:
    from features.definitions import Condition
    from features.shard import ShardColumns


class Rows:
    """Distinct (entity, as_of) pairs, sorted by both, entities numbered from 0.

    Parameters
    ----------
    codes
        int32, shape (n_entities,): entity codes, ascending.
    start
        int64, shape (n_entities + 1,): rows of entity ``e`` are ``[start[e], start[e + 1])``.
    as_of
        int64, shape (n_rows,).
    """

    def __init__(self, codes: np.ndarray, start: np.ndarray, as_of: np.ndarray):
        self.codes, self.start, self.as_of = codes, start, as_of
        self.entity = np.repeat(np.arange(len(codes), dtype=np.int32), np.diff(start))

    def __len__(self) -> int:
        return len(self.as_of)

    @classmethod
    def of(cls, entity: np.ndarray, as_of: np.ndarray) -> tuple["Rows", np.ndarray]:
        """The rows, and for every pair given the row it is: int64, shape (n_pairs,)."""
        order = np.lexsort((as_of, entity))
        entity, as_of = entity[order], as_of[order]
        fresh = np.ones(len(entity), bool)
        fresh[1:] = (entity[1:] != entity[:-1]) | (as_of[1:] != as_of[:-1])
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.cumsum(fresh) - 1
        return cls.sorted(entity[fresh], as_of[fresh]), inverse

    @classmethod
    def sorted(cls, entity: np.ndarray, as_of: np.ndarray) -> "Rows":
        """From distinct pairs that are sorted already."""
        first = np.flatnonzero(np.diff(entity, prepend=-2))
        return cls(entity[first], np.append(first, len(entity)), as_of)


class View:
    """The events of the rows' entities, seen from one level.

    Sorted twice, each time by a counting sort: by (entity, at) for what all events say, and by
    (event, entity, at), so that one event name is one stretch.
    """

    def __init__(self, shard: "ShardColumns", level: Level, rows: Rows):
        self.shard, self.rows, self.level = shard, rows, level
        local = np.full(shard.n_codes(level) + 1, -1, np.int32)  # the last slot is code -1's
        local[rows.codes] = np.arange(len(rows.codes), dtype=np.int32)
        self.order, self.start, self._event, self.at = sort_by_entity(
            local[shard.column(level)],
            shard.column("event"),
            shard.column("at"),
            len(rows.codes),
        )
        self._selections: dict[object, Selection] = {}

    def all(self) -> Selection:
        """Every event, whatever its name."""
        return self.select((), (), keep=True)

    def forget(self) -> None:
        """Let go of the selections: each knows its view, and nobody would free the circle soon."""
        self._selections.clear()

    def select(
        self, events: Sequence[str], where: tuple["Condition", ...] = (), *, keep: bool = False
    ) -> Selection:
        """The events of these names (of any, if empty) that meet every condition.

        Parameters
        ----------
        keep
            Remember the selection: another feature will ask for it.
        """
        key = (tuple(events), tuple(where))
        if key in self._selections:
            return self._selections[key]
        selection = self._selected(events, where)
        if keep:
            self._selections[key] = selection
        return selection

    def _selected(self, events: Sequence[str], where: tuple["Condition", ...]) -> Selection:
        codes = [self.shard.plan.event_codes[e] for e in {*events} & self.shard.event_set]
        if len(codes) == 1 and not where:
            return self._of_one_event(codes[0])
        places = None
        if events:
            order, start, _, _ = self._by_event
            stretches = [order[start[code] : start[code + 1]] for code in codes]
            places = np.sort(np.concatenate(stretches)) if stretches else np.empty(0, np.int32)
        if where:
            met = self.shard.meets(where)
            places = (
                np.flatnonzero(met[self.order])
                if places is None
                else places[met[self.order[places]]]
            )
        if places is None:
            return Selection(self, self.at, self.start, None)
        return Selection(self, self.at[places], np.searchsorted(places, self.start), places)

    def _of_one_event(self, code: int) -> Selection:
        order, start, at, entity = self._by_event
        stretch = slice(start[code], start[code + 1])
        begins = offsets(entity[stretch], len(self.rows.codes))
        return Selection(self, at[stretch], begins, order[stretch])

    @cached_property
    def _by_event(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Places, the start of each event code's stretch, and the events' at and entity."""
        return sort_by_event(self._event, self.at, self.start, len(self.shard.plan.event_codes))
