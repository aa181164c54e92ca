"""A small part of a log, to try on it what would take too long on the whole."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrow import numbers
from features.definitions import Feature
from features.engine import build_features
from features.events import EventLog, Level
from features.matrix import Snapshots
from features.part import CODE, LogFacts, LogPart


def sample_of(log: EventLog, level: Level, as_of: int, n: int) -> LogPart:
    """At most `n` entities of the largest shard with all their events, as a log.

    Those with events on both sides of `as_of` come first, evenly spread over the codes: others have
    no past or no future to look at.
    """
    sizes = [shard["n_events"] for shard in log.manifest["shards"]]
    events = log.shard(int(np.argmax(sizes)))
    entity, at = numbers(events[level]), numbers(events["at"])
    n_all = len(log.entities(level))
    past, future = (np.zeros(n_all, bool) for _ in range(2))
    past[entity[(entity >= 0) & (at < as_of)]] = True
    future[entity[(entity >= 0) & (at >= as_of)]] = True
    both, other = np.flatnonzero(past & future), np.flatnonzero(past ^ future)
    chosen = _spread(both, n)
    chosen = np.concatenate([chosen, _spread(other, n - len(chosen))])
    kept = np.zeros(n_all, bool)
    kept[chosen] = True
    rows = events.filter((entity >= 0) & kept[entity])
    return LogPart(
        LogFacts(log.manifest, log.categories),
        rows,
        _named(log.accounts, rows, "account"),
        _named(log.users, rows, "user"),
        log.attribute_values,
    )


def moved_by(
    part: EventLog, level: Level, features: Iterable[Feature], as_of: int, later: int
) -> int:
    """How many features differ between the two times for at least one entity of the part."""
    features = tuple(features)
    codes = np.arange(len(part.entities(level)))
    now, then = (
        build_features(
            part, Snapshots.of(level, codes, np.full(len(codes), at), part.ids(level)), features
        )
        for at in (as_of, later)
    )
    return sum(not now.table[one.name].equals(then.table[one.name]) for one in features)


def _spread(codes: np.ndarray, n: int) -> np.ndarray:
    if n <= 0 or not len(codes):
        return codes[:0]
    return codes[np.unique(np.linspace(0, len(codes) - 1, min(n, len(codes))).astype(int))]


def _named(entities: "pa.Table", events: "pa.Table", level: Level) -> "pa.Table":
    """The entities that the events name, with their codes."""
    codes = np.unique(numbers(events[level]))
    codes = codes[codes >= 0]
    named = entities.take(pa.array(codes))
    return named.append_column(CODE, pc.cast(pa.array(codes), pa.int32()))
