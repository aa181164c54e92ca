"""Point-in-time features of any snapshots: every shard is swept once, whatever the dates."""

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.arrow import numbers
from features.budget import within
from features.clock import DAY_US
from features.columns import Columns
from features.definitions import Feature
from features.errors import EventLogError, SchemaMismatch, few
from features.events import EventLog, Level
from features.lifespans import NO_EVENT_US, lifespans
from features.matrix import FeatureMatrix, Snapshots
from features.plan import compile_plan
from features.reference import Reference
from features.shard import ShardColumns, fill_shard
from features.sorting import counting_order
from features.spill import Spill

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]


def build_features(
    log: EventLog,
    snapshots: "Snapshots | pd.DataFrame",
    features: Iterable[Feature] | Feature,
    *,
    threads: int = 1,
    memory_mb: int | None = None,
    spill: Path | None = None,
    progress: Progress | None = None,
) -> FeatureMatrix:
    """Feature matrix of any snapshots: a calendar, one date, or a user's own rows.

    Parameters
    ----------
    snapshots
        Or any frame with columns ``entity_id`` and ``as_of``, of the entities that the log was
        imported for. The matrix is sorted by both and has each row once: join by them.
    threads
        Shards computed at the same time; the result does not depend on it.
    memory_mb
        Limit for the whole process, in megabytes. A matrix that does not fit beside the work is
        built on disk and read from there as it is used. None: no limit.
    spill
        Folder for that; None: the system's folder for temporary files.
    progress
        Called with (parts done, parts in all); a part is a shard, or some of its rows.

    Returns
    -------
    FeatureMatrix
        Row i is snapshot i; windows are [as_of - days, as_of) on known_at.

    Raises
    ------
    SchemaMismatch
        When a definition needs what the log does not carry, or something else is given for one.
    EventLogError
        When rows are users and the log was imported for accounts, or when the disk is full.
    """
    features = (features,) if isinstance(features, Feature) else tuple(features)
    if strange := [one for one in features if not isinstance(one, Feature)]:
        raise SchemaMismatch(
            f"{few(strange, 3)} is no Feature; take definitions from build_catalogue, own_feature "
            "or define."
        )
    if threads < 1:
        raise SchemaMismatch(f"threads must be 1 or more, not {threads}.")
    if not isinstance(snapshots, Snapshots):
        from features.snapshots import rows_of_frame

        snapshots = rows_of_frame(log, snapshots)
    if snapshots.level == "user" and log.manifest["level"] == "account":
        raise EventLogError(
            "This log was imported to score accounts: a user's events may lie in several files of "
            "it. Import it again with `entity: user`."
        )
    compared = references(log, snapshots.level, features, threads, memory_mb, spill)
    plan = compile_plan(log, snapshots.level, features, compared)
    shards = _rows_by_shard(log, snapshots)
    sizes = {shard: len(rows) for shard, rows in shards}
    budget = within(log, sizes, len(features), threads, memory_mb)

    def fill(shard: int, rows: np.ndarray, place: np.ndarray, columns: Columns) -> None:
        part = ShardColumns(log.shard(shard, plan.event_columns), log.attribute_values, plan)
        fill_shard(part, snapshots.entity[rows], snapshots.as_of[rows], place, columns)

    if not budget.spill:
        columns = Columns(features, len(snapshots))
        _each(
            lambda shard, rows: fill(shard, rows, rows, columns), shards, budget.threads, progress
        )
        return FeatureMatrix(snapshots, features, columns.table())

    with Spill(features, len(snapshots), spill or Path(tempfile.gettempdir())) as parts:

        def keep(shard: int, rows: np.ndarray) -> None:
            part = Columns(features, len(rows))
            fill(shard, rows, np.arange(len(rows)), part)
            parts.keep(rows, part)

        most = budget.rows_at_once
        _each(keep, shards if most is None else _cut(shards, most), budget.threads, progress)
        return FeatureMatrix(snapshots, features, parts.table())


def references(
    log: EventLog,
    level: Level,
    features: Iterable[Feature],
    threads: int = 1,
    memory_mb: int | None = None,
    spill: Path | None = None,
) -> dict[Feature, Reference]:
    """What each ``first_period_ratio`` feature is compared with, from all entities of the log.

    One more pass over the log for each level and length of the first period, one for each level to
    find where it begins, and none if no feature compares.
    """
    asked: dict[Level, dict[int, list[Feature]]] = {}
    for feature in features:
        if needs_reference(feature) and feature.days is not None:
            of: Level = "account" if feature.scope == "account" else level
            asked.setdefault(of, {}).setdefault(feature.days, []).append(feature)
    found: dict[Feature, Reference] = {}
    for of, by_days in asked.items():
        first, _ = lifespans(log, of)
        began = np.flatnonzero(first < NO_EVENT_US)
        for days, alike in by_days.items():
            end = first[began] + days * DAY_US
            ends = Snapshots.of(of, began, end, log.ids(of))
            periods = [replace(f, statistic="first_period", scope="entity") for f in alike]
            counts = build_features(
                log, ends, periods, threads=threads, memory_mb=memory_mb, spill=spill
            )
            for feature in alike:
                found[feature] = Reference.of(end, counts.column(feature.name))
    return found


def needs_reference(feature: Feature) -> bool:
    """Whether it compares an entity with all others."""
    return feature.statistic == "first_period_ratio"


def _rows_by_shard(log: EventLog, snapshots: Snapshots) -> list[tuple[int, np.ndarray]]:
    """Shards with snapshots, and which these are; an entity without events may go to any."""
    shard_of = np.maximum(numbers(log.entities(snapshots.level)["shard"]), 0)
    order, start = counting_order(shard_of[snapshots.entity], log.n_shards)
    return [
        (shard, order[start[shard] : start[shard + 1]].astype(np.int64))
        for shard in range(log.n_shards)
        if start[shard] < start[shard + 1]
    ]


def _cut(shards: list[tuple[int, np.ndarray]], most: int) -> list[tuple[int, np.ndarray]]:
    """The same rows, at most so many at once."""
    return [
        (shard, rows[begin : begin + most])
        for shard, rows in shards
        for begin in range(0, len(rows), most)
    ]


def _each(
    compute: Callable[[int, np.ndarray], None],
    shards: list[tuple[int, np.ndarray]],
    threads: int,
    progress: Progress | None,
) -> None:
    """Threads, not processes: the kernels and Arrow release the GIL and nothing is copied."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        futures = [pool.submit(compute, shard, rows) for shard, rows in shards]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress:
                    progress(done, len(shards))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
