"""How the work is cut so that it stays within a memory limit."""

import logging
from dataclasses import dataclass

from features.events import EventLog

logger = logging.getLogger(__name__)

_PER_EVENT = 360
"""Bytes at work per event of a shard: its columns, two sorts, links and running sums (measured with
the 525 features of the demo company)."""
_PER_ROW = 150
"""Bytes at work per snapshot of a shard: the ends of its windows and a few columns."""
_LEAST_ROWS = 20_000
"""Fewer snapshots at once would cost more reading than they save."""
_BASE_MB = 350
"""The program with its libraries."""


def events_per_shard(memory_mb: int, threads: int) -> int:
    """Events that lie together on disk, so that all threads at once stay within half the limit.

    In steps of two, so that not every change of a limit makes another log.

    >>> events_per_shard(2000, 2), events_per_shard(500, 2), events_per_shard(10, 2)
    (1000000, 250000, 125000)
    """
    most = memory_mb * 1e6 / (2 * threads * _PER_EVENT)
    return next((n for n in (1_000_000, 500_000, 250_000) if n <= most), 125_000)


@dataclass(frozen=True)
class Budget:
    """How the matrix is computed.

    Parameters
    ----------
    threads
        Shards computed at the same time.
    spill
        Whether the matrix goes to disk.
    rows_at_once
        Snapshots of one shard that are computed together; None for all. A shard with more is read
        again for the rest.
    """

    threads: int
    spill: bool
    rows_at_once: int | None = None


def within(
    log: EventLog,
    rows: dict[int, int],
    n_features: int,
    threads: int,
    memory_mb: int | None,
) -> Budget:
    """The fastest way to compute `n_features` columns within a limit.

    Parameters
    ----------
    rows
        Snapshots per shard.
    memory_mb
        Limit in megabytes for the whole process; None for no limit.
    """
    if memory_mb is None or not rows:
        return Budget(threads, False)
    limit = (memory_mb - _BASE_MB) * 1e6
    events = [shard["n_events"] for shard in log.manifest["shards"]]
    work = max(events[shard] * _PER_EVENT + n * _PER_ROW for shard, n in rows.items())
    matrix = 4.0 * n_features * sum(rows.values())
    if matrix + work <= limit:
        return Budget(_fitting(limit - matrix, work, threads), False)
    part = max(
        events[shard] * _PER_EVENT + n * (_PER_ROW + 4 * n_features) for shard, n in rows.items()
    )
    if part <= limit:
        return Budget(_fitting(limit, part, threads), True)
    of_events = max(events[shard] for shard in rows) * _PER_EVENT
    at_once = int((limit - of_events) / (_PER_ROW + 4 * n_features))
    if at_once < _LEAST_ROWS:
        logger.warning(
            "The largest shard holds %s events and needs about %.0f MB, more than the limit of "
            "%d MB; raise compute.memory_mb if this fails",
            f"{max(events):,}",
            (of_events + _LEAST_ROWS * (_PER_ROW + 4 * n_features)) / 1e6 + _BASE_MB,
            memory_mb,
        )
    return Budget(1, True, max(at_once, _LEAST_ROWS))


def _fitting(room: float, work: float, threads: int) -> int:
    """
    >>> _fitting(10, 4, 8), _fitting(1, 4, 8), _fitting(99, 4, 8)
    (2, 1, 8)
    """
    return int(max(1, min(threads, room // max(work, 1))))
