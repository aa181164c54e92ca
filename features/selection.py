"""The events a group of features reads, with what several of them ask for computed once."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from features.clock import DAY_US
from features.definitions import Feature
from features.events import PROPERTY_PREFIX
from features.kernels import distinct, link, locate
from features.kernels_counts import day_runs, window_days
from features.kernels_sums import running_sum, window_sum

if TYPE_CHECKING:
    from features.view import View


class Links(NamedTuple):
    """The previous and next event of the same key, see `features.kernels.link`."""

    before: np.ndarray
    after: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """1 where the key has its first event, else 0: int32, shape (n_events,)."""
        return (self.before == -1).astype(np.int32)


class Selection:
    """Some events of a view, sorted by (entity, at), and the windows of its rows over them.

    Parameters
    ----------
    at
        int64, shape (n_events,).
    start
        int64, shape (n_entities + 1,): events of entity ``e`` are ``[start[e], start[e + 1])``.
    places
        int32, shape (n_events,): where each event lies in the view; None: it is all of them.
    features
        What the group asks of it, so that windows that share work are computed together.
    """

    features: tuple[Feature, ...] = ()

    def __init__(self, view: "View", at: np.ndarray, start: np.ndarray, places: np.ndarray | None):
        self.view, self.at, self.start, self._places = view, at, start, places
        self._known: dict[object, Any] = {}

        self.rows = view.rows

    def __len__(self) -> int:
        return len(self.at)

    def once(self, key: object, compute: Callable[[], Any]) -> Any:
        """What `compute` gives, remembered as long as the selection lives."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def carries(self, over: str, feature: Feature) -> bool:
        """Whether there is an event, and one with a number where the statistic reads numbers."""
        if over != "number" or not len(self):
            return len(self) > 0
        name = PROPERTY_PREFIX + str(feature.property)
        return self.once(("carries", name), lambda: not np.isnan(self.values(name)).all())

    @cached_property
    def order(self) -> np.ndarray:
        """Where each event lies in the shard: int32, shape (n_events,)."""
        return self.view.order if self._places is None else self.view.order[self._places]

    @cached_property
    def hi(self) -> np.ndarray:
        """Per row the first event that lies in its future: int32, shape (n_rows,)."""
        return self._locate(0)

    @cached_property
    def first(self) -> np.ndarray:
        """Per row its entity's first event: int32, shape (n_rows,)."""
        return self.start[:-1].astype(np.int32)[self.rows.entity]

    @cached_property
    def longest(self) -> int:
        """The most events of one entity, at least 1."""
        return max(1, int(np.diff(self.start).max(initial=0)))

    def windows(self, feature: Feature) -> tuple[int | None, ...]:
        """Look-backs in which the group asks for `feature`'s statistic of its property."""
        what = (feature.statistic, feature.property)
        alike = (one for one in self.features if (one.statistic, one.property) == what)
        return tuple(dict.fromkeys(one.days for one in (*alike, feature)))

    def lo(self, days: int | None) -> np.ndarray:
        """Per row the first event of [as_of - days, as_of), None: of all before as_of."""
        if days is None:
            return self.first
        return self.once(("lo", days), lambda: self._locate(days * DAY_US))

    def count(self, days: int | None) -> np.ndarray:
        """Events in the window: int32, shape (n_rows,)."""
        return self.hi - self.lo(days)

    def _locate(self, span: int) -> np.ndarray:
        return locate(self.at, self.start, self.rows.start, self.rows.as_of, span)

    def values(self, column: str) -> np.ndarray:
        """A column of the shard, in the order of the selection."""
        return self.once(column, lambda: self.view.shard.column(column)[self.order])

    @cached_property
    def day(self) -> np.ndarray:
        """UTC day of each event: int32, shape (n_events,)."""
        return (self.at // DAY_US).astype(np.int32)

    @cached_property
    def day_runs(self) -> tuple[np.ndarray, np.ndarray]:
        return day_runs(self.day, self.start)

    def active_days(self, days: int | None) -> np.ndarray:
        """UTC days with an event in the window: int32, shape (n_rows,)."""
        return window_days(self.day_runs[0], self.hi, self.lo(days))

    def links(self, of: str) -> Links:
        """Links by ``user``, by ``event``, or by another of `ShardColumns.keys`."""
        keys, n_keys = self.keys(of)
        return self.once(("links", of), lambda: Links(*link(keys, self.start, n_keys)))

    def keys(self, of: str) -> tuple[np.ndarray, int]:
        """Codes in the order of the selection, -1 for none, and how many codes there are."""
        codes, n_codes = self.view.shard.keys(of)
        return self.once(("keys", of), lambda: codes[self.order]), n_codes

    def distinct(self, of: str, days: int | None) -> np.ndarray:
        """Distinct keys in the window: int32, shape (n_rows,)."""
        return self.distinct_links(self.links(of), days)

    def distinct_links(self, links: Links, days: int | None) -> np.ndarray:
        return distinct(links.before, links.after, self.rows.start, self.hi, self.lo(days))

    def difference(
        self, name: object, flags: Callable[[], np.ndarray], days: int | None
    ) -> np.ndarray:
        """Sum of whole numbers, one per event, over the window: int64, shape (n_rows,)."""

        def running() -> np.ndarray:
            return np.concatenate([np.zeros(1, np.int64), np.cumsum(flags(), dtype=np.int64)])

        total = self.once(("difference", name), running)
        return total[self.hi] - total[self.lo(days)]

    def sum(self, name: object, value: Callable[[], np.ndarray], days: int | None) -> np.ndarray:
        """Sum of float64 values over the window, NaN left out: float64, shape (n_rows,)."""
        total = self.running(name, value)
        return window_sum(*total, self.first, self.hi, self.lo(days))

    def running(
        self, name: object, value: Callable[[], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sums up to and including each event, see `features.kernels_sums.running_sum`."""
        return self.once(("sum", name), lambda: running_sum(value(), self.start))
