"""Definitions grouped into kernel calls: each group of events is swept once for all it serves."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from features.clock import DAY_US
from features.definitions import Feature, Scope
from features.errors import SchemaMismatch, few
from features.events import Attribute, EventLog, Level, Property

LIFETIME = 0
"""A window of 0 microseconds reaches back to the entity's first event."""

ACTIVITY = {"count", "active_days", "trend", "days_since_last", "days_since_first"}
VALUES = {"sum", "mean", "max", "last"}
SESSIONS = {"sessions", "session_minutes"}
DISTINCT = {"members", "breadth", "distinct"}


@dataclass(frozen=True)
class Group:
    """Features of one scope over the same events, with the columns they fill."""

    scope: Scope
    events: tuple[str, ...]
    columns: tuple[tuple[int, Feature], ...]

    def of(self, statistics: set[str]) -> list[tuple[int, Feature]]:
        return [pair for pair in self.columns if pair[1].statistic in statistics]


@dataclass(frozen=True)
class Plan:
    """Everything a shard function needs beside the shard: plain data, no open files.

    Parameters
    ----------
    event_codes
        Code of every event name of the log. A name that the log has never seen has no code: its
        counts are 0, which is what they are.
    categories
        Values of each categorical property in code order.
    n_users
        Size of the user code space.
    """

    level: Level
    features: tuple[Feature, ...]
    event_codes: dict[str, int]
    properties: dict[str, Property]
    attributes: tuple[Attribute, ...]
    categories: dict[str, list[str]]
    n_users: int
    n_accounts: int
    groups: tuple[Group, ...] = field(default=())

    @property
    def event_columns(self) -> list[str]:
        """Columns of the shard that the features read."""
        wanted = {f.property for f in self.features if f.source == "event" and f.property}
        return ["account", "user", "event", "at", *sorted(f"property.{name}" for name in wanted)]


def compile_plan(log: EventLog, level: Level, features: Iterable[Feature]) -> Plan:
    """Check the definitions against the log and group them.

    Raises
    ------
    SchemaMismatch
        When a definition needs a property or attribute that the log does not carry.
    """
    features = tuple(features)
    properties = {item.name: item for item in log.properties}
    attributes = {(item.of, item.name) for item in log.attributes}
    _check(features, properties, attributes)
    grouped: dict[tuple[Scope, tuple[str, ...]], list[tuple[int, Feature]]] = defaultdict(list)
    for column, feature in enumerate(features):
        if feature.statistic != "attribute":
            grouped[feature.scope, tuple(sorted(set(feature.events)))].append((column, feature))
    return Plan(
        level=level,
        features=features,
        event_codes=log.event_codes,
        properties=properties,
        attributes=log.attributes,
        categories=log.categories,
        n_users=len(log.users),
        n_accounts=len(log.accounts),
        groups=tuple(Group(*key, tuple(columns)) for key, columns in grouped.items()),
    )


def _check(
    features: Sequence[Feature],
    properties: dict[str, Property],
    attributes: set[tuple[Level, str]],
) -> None:
    repeated = (
        {f.name for f in features if sum(g.name == f.name for g in features) > 1}
        if len({f.name for f in features}) < len(features)
        else set()
    )
    if repeated:
        raise SchemaMismatch(f"Feature names must be unique; repeated: {few(sorted(repeated))}.")
    lacking = [
        f"{feature.property} of the {feature.source}"
        for feature in features
        if feature.property is not None
        and (
            feature.property not in properties
            if feature.source == "event"
            else (feature.source, feature.property) not in attributes
        )
    ]
    if lacking:
        raise SchemaMismatch(
            f"The imported log lacks what {len(lacking)} features are made of: "
            f"{few(sorted(set(lacking)))}. Name it under data.properties or data.attributes."
        )


class WindowColumns:
    """Windows that a set of features looks through, and which column each one fills."""

    def __init__(self, columns: Sequence[tuple[int, Feature]]):
        spans = {_span(feature) for _, feature in columns}
        spans |= {2 * _span(feature) for _, feature in columns if feature.statistic == "trend"}
        self.spans = np.array(sorted(spans), np.int64)
        self._columns = columns

    def of(self, statistic: str) -> np.ndarray:
        """int64, shape (n_windows,): the column of `statistic` per window, -1 for none."""
        found = np.full(len(self.spans), -1, np.int64)
        for column, feature in self._columns:
            if feature.statistic == statistic:
                found[np.searchsorted(self.spans, _span(feature))] = column
        return found

    def one(self, statistic: str) -> int:
        """The column of a statistic that has no window, -1 for none."""
        return next((c for c, feature in self._columns if feature.statistic == statistic), -1)

    @property
    def doubles(self) -> np.ndarray:
        """Position of the window twice as long, 0 where there is none."""
        places = np.searchsorted(self.spans, 2 * self.spans)
        return np.where(places < len(self.spans), places, 0).astype(np.int64)


def _span(feature: Feature) -> int:
    return LIFETIME if feature.days is None else feature.days * DAY_US
