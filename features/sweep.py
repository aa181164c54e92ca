"""The compiled kernels: two pointers per window move once over an entity's events.

Every kernel walks the same shape. Events are sorted by (entity, at); those of entity ``e`` are
``[start[e], start[e + 1])``. Snapshots are sorted by (entity, as_of); those of ``e`` are
``[row_start[e], row_start[e + 1])``. For each snapshot ``hi`` is the first event with
``at >= as_of`` and ``lo[w]`` the first with ``at >= as_of - windows[w]``, so a window is
``[lo[w], hi)``: half-open, an event exactly at as_of is the future. Pointers only move forward, so
the cost is events x windows + output, whatever the number of snapshots.

A window of 0 microseconds means lifetime: its ``lo`` stays at the entity's first event. Results go
to rows of ``out`` (float32, one row per feature, one column per snapshot) given by ``*_column``
arrays; -1 means not wanted.
"""

import numpy as np
from numba import njit

from features.clock import DAY_US

_JIT = {"nogil": True, "cache": True}


@njit(**_JIT)
def counting_order(keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Stable order by small integer keys in [0, n_keys), and the (n_keys + 1,) offsets."""
    start = np.zeros(n_keys + 1, np.int64)
    for key in keys:
        start[key + 1] += 1
    for key in range(n_keys):
        start[key + 1] += start[key]
    place = start[:-1].copy()
    order = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        order[place[keys[i]]] = i
        place[keys[i]] += 1
    return order, start


@njit(**_JIT)
def sweep_activity(
    at: np.ndarray,
    start: np.ndarray,
    row_start: np.ndarray,
    as_of: np.ndarray,
    windows: np.ndarray,
    count_column: np.ndarray,
    days_column: np.ndarray,
    trend_double: np.ndarray,
    trend_column: np.ndarray,
    last_column: int,
    first_column: int,
    out: np.ndarray,
) -> None:
    """Counts, active days, trends and recency of one group of events.

    ``trend_double[w]`` is the position of the window twice as long as window ``w``.
    """
    n_windows = len(windows)
    lo = np.empty(n_windows, np.int64)
    days = np.empty(n_windows, np.int64)
    for e in range(len(row_start) - 1):
        if row_start[e] == row_start[e + 1]:
            continue
        first, stop = start[e], start[e + 1]
        hi = first
        lo[:] = first
        days[:] = 0
        for row in range(row_start[e], row_start[e + 1]):
            now = as_of[row]
            while hi < stop and at[hi] < now:
                for w in range(n_windows):
                    # A new day enters when the event before it, if still inside, is of another day.
                    if hi == lo[w] or at[hi - 1] // DAY_US != at[hi] // DAY_US:
                        days[w] += 1
                hi += 1
            for w in range(n_windows):
                if windows[w] > 0:
                    edge = now - windows[w]
                    while lo[w] < hi and at[lo[w]] < edge:
                        nxt = lo[w] + 1
                        # A day leaves with its last event inside the window.
                        if nxt == hi or at[nxt] // DAY_US != at[lo[w]] // DAY_US:
                            days[w] -= 1
                        lo[w] = nxt
                if count_column[w] >= 0:
                    out[count_column[w], row] = hi - lo[w]
                if days_column[w] >= 0:
                    out[days_column[w], row] = days[w]
            for w in range(n_windows):
                if trend_column[w] >= 0:
                    now_count = hi - lo[w]
                    both = hi - lo[trend_double[w]]
                    # (this - before) / (this + before), with before = both - this.
                    out[trend_column[w], row] = (
                        (2.0 * now_count - both) / both if both > 0 else np.nan
                    )
            if last_column >= 0:
                out[last_column, row] = (now - at[hi - 1]) / DAY_US if hi > first else np.nan
            if first_column >= 0:
                out[first_column, row] = (now - at[first]) / DAY_US if hi > first else np.nan


@njit(**_JIT)
def link(key: np.ndarray, start: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Position of the previous and next event of the same key and entity.

    Returns
    -------
    before, after
        int64, shape (n_events,); -1 and n_events where there is none.
    """
    n = len(key)
    before = np.full(n, -1, np.int64)
    after = np.full(n, n, np.int64)
    latest = np.full(n_keys, -1, np.int64)
    for e in range(len(start) - 1):
        for i in range(start[e], start[e + 1]):
            seen = latest[key[i]]
            if seen >= start[e]:
                before[i] = seen
                after[seen] = i
            latest[key[i]] = i
    return before, after


@njit(**_JIT)
def sweep_distinct(
    at: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    start: np.ndarray,
    row_start: np.ndarray,
    as_of: np.ndarray,
    windows: np.ndarray,
    column: np.ndarray,
    out: np.ndarray,
) -> None:
    """Exact distinct keys per window, from the links of `link`: no hash sets, no sketches.

    An entering event adds 1 if the key's previous event lies before the window; a leaving one
    subtracts 1 if the key's next event lies at or after its end.
    """
    n_windows = len(windows)
    lo = np.empty(n_windows, np.int64)
    distinct = np.empty(n_windows, np.int64)
    for e in range(len(row_start) - 1):
        if row_start[e] == row_start[e + 1]:
            continue
        hi = start[e]
        lo[:] = start[e]
        distinct[:] = 0
        for row in range(row_start[e], row_start[e + 1]):
            now = as_of[row]
            while hi < start[e + 1] and at[hi] < now:
                for w in range(n_windows):
                    if before[hi] < lo[w]:
                        distinct[w] += 1
                hi += 1
            for w in range(n_windows):
                if windows[w] > 0:
                    edge = now - windows[w]
                    while lo[w] < hi and at[lo[w]] < edge:
                        if after[lo[w]] >= hi:
                            distinct[w] -= 1
                        lo[w] += 1
                out[column[w], row] = distinct[w]


@njit(**_JIT)
def latest_before(
    at: np.ndarray,
    start: np.ndarray,
    row_entity: np.ndarray,
    row_time: np.ndarray,
) -> np.ndarray:
    """Position of each row's latest entry with at < time, -1 if none: int64, shape (n_rows,)."""
    found = np.full(len(row_entity), -1, np.int64)
    for row in range(len(row_entity)):
        e = row_entity[row]
        left, right = start[e], start[e + 1]
        while left < right:
            middle = (left + right) // 2
            if at[middle] < row_time[row]:
                left = middle + 1
            else:
                right = middle
        if left > start[e]:
            found[row] = left - 1
    return found
