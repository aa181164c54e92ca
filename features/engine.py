"""Point-in-time features of any snapshots: every shard of the log is read and swept once."""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from features.definitions import Feature
from features.events import EventLog
from features.matrix import FeatureMatrix, Snapshots
from features.plan import compile_plan
from features.shard import compute_shard

Progress = Callable[[int, int], None]


def build_features(
    log: EventLog,
    snapshots: Snapshots,
    features: Iterable[Feature],
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> FeatureMatrix:
    """Feature matrix of any snapshots: a calendar, one date, or a user's own rows.

    Parameters
    ----------
    threads
        Shards computed at the same time; the result does not depend on it.
    progress
        Called with (shards done, shards in all).

    Returns
    -------
    FeatureMatrix
        Row i is snapshot i; windows are [as_of - days, as_of) on known_at.

    Raises
    ------
    SchemaMismatch
        When a definition needs what the log does not carry.
    """
    from joblib import Parallel, delayed

    plan = compile_plan(log, snapshots.level, features)
    shard_of = log.entities(snapshots.level)["shard"].to_numpy()[snapshots.entity]
    # Entities without events live in no shard (-1): any shard computes them.
    shard_of = np.maximum(shard_of, 0)
    rows = [np.flatnonzero(shard_of == shard) for shard in range(log.n_shards)]

    def one(shard: int) -> pa.Table:
        wanted = snapshots.take(rows[shard])
        return compute_shard(
            log.shard(shard, plan.event_columns),
            pa.table({"entity": wanted.entity, "as_of": wanted.as_of}),
            log.attribute_values,
            plan,
        )

    busy = [shard for shard in range(log.n_shards) if len(rows[shard])]
    tables = []
    # Threads, not processes: the kernels and Arrow release the GIL and nothing is copied.
    for done, table in enumerate(
        Parallel(n_jobs=threads, prefer="threads", return_as="generator")(
            delayed(one)(shard) for shard in busy
        )
    ):
        tables.append(table)
        if progress:
            progress(done + 1, len(busy))
    if not tables:
        empty = pa.table({"entity": snapshots.entity, "as_of": snapshots.as_of})
        events = log.shard(0, plan.event_columns).slice(0, 0)
        tables = [compute_shard(events, empty, log.attribute_values, plan)]
    table = pa.concat_tables(tables)
    order = np.concatenate([rows[shard] for shard in busy]) if busy else np.empty(0, np.int64)
    if len(busy) > 1:
        table = table.take(np.argsort(order, kind="stable")).combine_chunks()
    return FeatureMatrix(snapshots, plan.features, table)
