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
def link(
    key: np.ndarray, start: np.ndarray, n_keys: int
) -> tuple[np.ndarray, np.ndarray]:
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
def sweep_values(
    at: np.ndarray,
    value: np.ndarray,
    start: np.ndarray,
    row_start: np.ndarray,
    as_of: np.ndarray,
    windows: np.ndarray,
    sum_column: np.ndarray,
    mean_column: np.ndarray,
    max_column: np.ndarray,
    last_column: np.ndarray,
    out: np.ndarray,
) -> None:
    """Sum, mean, maximum and last of a numeric property; events without a value are left out.

    Sums are differences of prefix sums kept as an unevaluated pair of float64 (TwoSum, Knuth 1969,
    The Art of Computer Programming vol. 2, 4.2.2): a window's sum then depends on the entity's
    past alone, not on which other snapshots were asked for. The maximum of every window is read
    from one stack of candidates with decreasing values. Nothing in a window: 0 for the sum,
    missing for the others.
    """
    n_windows = len(windows)
    lo = np.empty(n_windows, np.int64)
    low_sum = np.empty(n_windows)
    low_rest = np.empty(n_windows)
    longest = 0
    for e in range(len(start) - 1):
        longest = max(longest, start[e + 1] - start[e])
    stack = np.empty(longest, np.int64)
    for e in range(len(row_start) - 1):
        if row_start[e] == row_start[e + 1]:
            continue
        hi = start[e]
        lo[:] = start[e]
        low_sum[:] = 0.0
        low_rest[:] = 0.0
        high_sum, high_rest = 0.0, 0.0
        depth = 0
        for row in range(row_start[e], row_start[e + 1]):
            now = as_of[row]
            while hi < start[e + 1] and at[hi] < now:
                high_sum, high_rest = _add(high_sum, high_rest, value[hi])
                while depth > 0 and value[stack[depth - 1]] <= value[hi]:
                    depth -= 1
                stack[depth] = hi
                depth += 1
                hi += 1
            for w in range(n_windows):
                if windows[w] > 0:
                    edge = now - windows[w]
                    while lo[w] < hi and at[lo[w]] < edge:
                        low_sum[w], low_rest[w] = _add(low_sum[w], low_rest[w], value[lo[w]])
                        lo[w] += 1
                n = hi - lo[w]
                total = (high_sum - low_sum[w]) + (high_rest - low_rest[w])
                if sum_column[w] >= 0:
                    out[sum_column[w], row] = total if n > 0 else 0.0
                if mean_column[w] >= 0:
                    out[mean_column[w], row] = total / n if n > 0 else np.nan
                if last_column[w] >= 0:
                    out[last_column[w], row] = value[hi - 1] if n > 0 else np.nan
                if max_column[w] >= 0:
                    if n == 0:
                        out[max_column[w], row] = np.nan
                    else:
                        # The first candidate inside the window is its maximum.
                        left, right = 0, depth - 1
                        while left < right:
                            middle = (left + right) // 2
                            if stack[middle] < lo[w]:
                                left = middle + 1
                            else:
                                right = middle
                        out[max_column[w], row] = value[stack[left]]


@njit(**_JIT)
def _add(total: float, rest: float, value: float) -> tuple[float, float]:
    """Add to an unevaluated sum; `rest` collects the exact rounding errors."""
    new = total + value
    part = new - total
    return new, rest + ((total - (new - part)) + (value - part))


@njit(**_JIT)
def sweep_sessions(
    at: np.ndarray,
    before: np.ndarray,
    gap: int,
    start: np.ndarray,
    row_start: np.ndarray,
    as_of: np.ndarray,
    windows: np.ndarray,
    session_column: np.ndarray,
    minutes_column: np.ndarray,
    out: np.ndarray,
) -> None:
    """Sessions of an entity's users: a pause of more than `gap` microseconds begins a new one.

    Start and duration belong to the later event of each pair, so that a session that straddles
    as_of gives away nothing of its future.
    """
    n = len(at)
    begun = np.zeros(n + 1, np.int64)
    inside = np.zeros(n + 1, np.int64)
    for i in range(n):
        pause = at[i] - at[before[i]] if before[i] >= 0 else gap + 1
        begun[i + 1] = begun[i] + (1 if pause > gap else 0)
        inside[i + 1] = inside[i] + (0 if pause > gap else pause)
    n_windows = len(windows)
    lo = np.empty(n_windows, np.int64)
    for e in range(len(row_start) - 1):
        hi = start[e]
        lo[:] = start[e]
        for row in range(row_start[e], row_start[e + 1]):
            now = as_of[row]
            while hi < start[e + 1] and at[hi] < now:
                hi += 1
            for w in range(n_windows):
                if windows[w] > 0:
                    while lo[w] < hi and at[lo[w]] < now - windows[w]:
                        lo[w] += 1
                sessions = begun[hi] - begun[lo[w]]
                if session_column[w] >= 0:
                    out[session_column[w], row] = sessions
                if minutes_column[w] >= 0:
                    spent = (inside[hi] - inside[lo[w]]) / 60e6
                    out[minutes_column[w], row] = spent / sessions if sessions > 0 else np.nan


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
