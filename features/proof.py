"""Proof by experiment that features of one's own see the past only."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

import numpy as np

from features.clock import DAY_US, to_text
from features.definitions import Feature
from features.engine import build_features
from features.errors import EventLogError, FeatureLeak, SettingsError, few
from features.events import PROPERTY_PREFIX, EventLog, Level
from features.matrix import FeatureMatrix, Snapshots
from features.part import CODE, LogFacts, LogPart
from features.snapshots import instants

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ENTITIES = 2000
_HOUR_US = DAY_US // 24


def check_point_in_time(
    log: EventLog,
    level: Level,
    features: Iterable[Feature] | Feature,
    as_ofs: object = None,
) -> int:
    """Whether no feature changes with the future, with the other dates, or with the other rows.

    Computed on one shard of the log, at each as_of: with everything known at or after it renamed,
    moved and given other values, and with none of it; alone and among the other dates; alone and
    among other entities.

    Parameters
    ----------
    as_ofs
        Times as `own_rows` takes them; None takes the quarters of the log's time.

    Returns
    -------
    int
        How many cells were compared.

    Raises
    ------
    FeatureLeak
        Naming the features that changed, and by what.
    SettingsError, EventLogError
        When there is no feature or no time to check.
    """
    features = (features,) if isinstance(features, Feature) else tuple(features)
    if not features:
        raise SettingsError("There is no feature to check: the list is empty.")
    if level not in get_args(Level):
        raise EventLogError(f"There is no level {level!r}: it is 'user' or 'account'.")
    if as_ofs is not None:
        as_ofs = np.unique(instants(as_ofs))
        if not len(as_ofs):
            raise EventLogError("There is no as_of to check at: the list is empty.")
    else:
        quarters = np.linspace(log.first_at, log.data_end, 5)[1:-1].astype(np.int64)
        as_ofs = np.unique(quarters // DAY_US * DAY_US)
    part, codes = _part(log, level)
    codes = codes[:: -(-len(codes) // _MOST_ENTITIES)]
    n = len(codes)
    everywhere = Snapshots.of(
        level, np.repeat(codes, len(as_ofs)), np.tile(as_ofs, n), part.ids(level)
    )
    whole = build_features(part, everywhere, features)
    compared = 0
    for as_of in as_ofs:
        here = everywhere.as_of == as_of
        expected, rows = whole.take(here), everywhere.take(here)
        compared += _same(
            expected, build_features(part, rows, features), as_of, "without the other dates"
        )
        half = np.arange(len(rows)) % 2 == 0
        few_rows = build_features(part, rows.take(half), features)
        compared += _same(expected.take(half), few_rows, as_of, "without the other entities")
        other = _with_another_future(log, part, int(as_of))
        compared += _same(
            expected, build_features(other, rows, features), as_of, "with another future"
        )
        cut = _without_the_future(part, int(as_of))
        compared += _same(
            expected, build_features(cut, rows, features), as_of, "without the future"
        )
    return compared


def _part(log: EventLog, level: Level) -> tuple[LogPart, np.ndarray]:
    """The log's largest shard, and the codes of its entities there."""
    sizes = [shard["n_events"] for shard in log.manifest["shards"]]
    shard = int(np.argmax(sizes))
    accounts, users = _of(log.accounts, shard), _of(log.users, shard)
    facts = LogFacts(log.manifest, log.categories)
    events = log.shard(shard)
    named = np.unique(events["user"].to_numpy())
    if len(named) and not np.isin(named[named >= 0], users[CODE].to_numpy()).all():
        users = _coded(log.users)  # at account level a user's events may lie in several shards
    part = LogPart(facts, events, accounts, users, log.attribute_values)
    present = np.unique(part.shard(0)[level].to_numpy())
    return part, present[present >= 0]


def _coded(entities: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    return entities.append_column(CODE, pa.array(np.arange(len(entities), dtype=np.int32)))


def _of(entities: "pa.Table", shard: int) -> "pa.Table":
    return _coded(entities).filter(entities["shard"].to_numpy() == shard)


def _with_another_future(log: EventLog, part: LogPart, as_of: int) -> LogPart:
    """The part with everything known in [as_of, inf) renamed, moved within it, and revalued."""
    import pyarrow as pa

    events = part.shard(0)
    future = events["at"].to_numpy() >= as_of
    columns = {}
    for name in events.column_names:
        value = np.array(events[name].to_numpy())
        if name == "event":
            value[future] = len(log.event_names) - 1 - value[future]
        elif name in ("at", "occurred_at"):
            value[future] += _HOUR_US * (1 + np.arange(future.sum()) % 50)
        elif name in ("account", "user"):
            pass
        elif value.dtype.kind == "f":
            value[future] = np.where(np.isnan(value[future]), 1e9, -value[future] - 1)
        else:
            n = max(1, len(log.categories[name.removeprefix(PROPERTY_PREFIX)]))
            value[future] = (value[future] + 1) % n
        columns[name] = value
    order = np.argsort(columns["at"], kind="stable")
    altered = pa.table({name: value[order] for name, value in columns.items()})
    known = part.attribute_values["at"].to_numpy() < as_of
    return LogPart(
        LogFacts(part.manifest, part.categories),
        altered,
        _coded(part.accounts),
        _coded(part.users),
        part.attribute_values.filter(known),
    )


def _without_the_future(part: LogPart, as_of: int) -> LogPart:
    """The part as if it ended at as_of: nothing known in [as_of, inf)."""
    events, values = part.shard(0), part.attribute_values
    return LogPart(
        LogFacts(part.manifest, part.categories),
        events.filter(events["at"].to_numpy() < as_of),
        _coded(part.accounts),
        _coded(part.users),
        values.filter(values["at"].to_numpy() < as_of),
    )


def _same(expected: FeatureMatrix, found: FeatureMatrix, as_of: int, how: str) -> int:
    """How many values were compared; they must not differ."""
    changed = [
        feature.name
        for feature in expected.features
        if not _equal(expected.column(feature.name), found.column(feature.name))
    ]
    if changed:
        raise FeatureLeak(
            f"{len(changed)} of {len(expected.features)} features are not point-in-time: as of "
            f"{to_text(as_of)} they change {how}: {few(changed)}."
        )
    return len(expected) * len(expected.features)


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    """Bit for bit, missing equal to missing."""
    if left.dtype == object:
        return bool((left == right).all())
    return bool(np.array_equal(left, right, equal_nan=True))
