"""Kernels over per-event numbers: property aggregates and sessions. See `features.sweep`."""

import numpy as np
from numba import njit

_JIT = {"nogil": True, "cache": True}


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
