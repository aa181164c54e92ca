"""The compiled loops: each walks an entity's events and its snapshots once, forward.

Every kernel sees the same shape. Events of a selection are sorted by (entity, at); those of entity
``e`` are ``[start[e], start[e + 1])``. Snapshots are sorted by (entity, as_of); those of ``e`` are
``[row_start[e], row_start[e + 1])``. ``hi[row]`` is the entity's first event with ``at >= as_of``
and ``lo[row]`` its first with ``at >= as_of - window``: the window is ``[lo, hi)``, half-open, and
an event exactly at as_of is the future. Pointers only move forward, so the cost is events + rows
per window, whatever the number of snapshots.
"""

import numpy as np
from numba import njit

_JIT = {"nogil": True, "cache": True}


@njit(**_JIT)
def locate(
    at: np.ndarray, start: np.ndarray, row_start: np.ndarray, as_of: np.ndarray, span: int
) -> np.ndarray:
    """Per row the entity's first event with ``at >= as_of - span``: int32, shape (n_rows,)."""
    found = np.empty(len(as_of), np.int32)
    for e in range(len(row_start) - 1):
        i, stop = start[e], start[e + 1]
        for row in range(row_start[e], row_start[e + 1]):
            edge = as_of[row] - span
            while i < stop and at[i] < edge:
                i += 1
            found[row] = i
    return found


@njit(**_JIT)
def latest_before(
    at: np.ndarray, left: np.ndarray, right: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Position of the latest entry in ``[left, right)`` with at < time, per row in any order.

    Returns
    -------
    ndarray of int64, shape (n_rows,)
        -1 where there is none.
    """
    found = np.full(len(time), -1, np.int64)
    for row in range(len(time)):
        low, high = left[row], right[row]
        while low < high:
            middle = (low + high) // 2
            if at[middle] < time[row]:
                low = middle + 1
            else:
                high = middle
        if low > left[row]:
            found[row] = low - 1
    return found


@njit(**_JIT)
def scatter(values: np.ndarray, place: np.ndarray, target: np.ndarray) -> None:
    """``target[place] = values`` for one column, converting the type on the way."""
    for row in range(len(place)):
        target[place[row]] = values[row]


@njit(**_JIT)
def scatter_one(value: float, place: np.ndarray, target: np.ndarray) -> None:
    """``target[place] = value`` for one column."""
    for row in range(len(place)):
        target[place[row]] = value


@njit(**_JIT)
def days_before(
    as_of: np.ndarray, at: np.ndarray, place: np.ndarray, known: np.ndarray, unit: int
) -> np.ndarray:
    """``(as_of - at[place]) / unit`` where known, else NaN: float64, shape (n_rows,)."""
    out = np.full(len(as_of), np.nan)
    for row in range(len(as_of)):
        if known[row]:
            out[row] = (as_of[row] - at[place[row]]) / unit
    return out


@njit(**_JIT)
def link(keys: np.ndarray, start: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Position of the previous and next event of the same key and entity.

    Returns
    -------
    before, after
        int32, shape (n_events,); -1 and n_events where there is none. An event without key (-1)
        gets n_events and -1, so that no window ever counts it.
    """
    n = len(keys)
    before = np.empty(n, np.int32)
    after = np.empty(n, np.int32)
    latest = np.full(n_keys, -1, np.int32)
    for e in range(len(start) - 1):
        for i in range(start[e], start[e + 1]):
            key = keys[i]
            if key < 0:
                before[i] = n
                after[i] = -1
                continue
            seen = latest[key]
            before[i] = -1
            after[i] = n
            if seen >= start[e]:
                before[i] = seen
                after[seen] = i
            latest[key] = i
    return before, after


@njit(**_JIT)
def distinct(
    before: np.ndarray, after: np.ndarray, row_start: np.ndarray, hi: np.ndarray, lo: np.ndarray
) -> np.ndarray:
    """Exact distinct keys of every window, from the links: int32, shape (n_rows,).

    No hash sets, no sketches: an entering event adds 1 if the key's previous event lies before the
    window, a leaving one subtracts 1 if the key's next event lies at or after its end.
    """
    out = np.empty(len(hi), np.int32)
    for e in range(len(row_start) - 1):
        n, from_lo, from_hi = 0, -1, -1
        for row in range(row_start[e], row_start[e + 1]):
            to_lo, to_hi = lo[row], hi[row]
            if to_lo >= from_hi:
                # Nothing is shared with the window before.
                n = 0
                for i in range(to_lo, to_hi):
                    n += before[i] < to_lo
            else:
                for i in range(from_hi, to_hi):
                    n += before[i] < from_lo
                for i in range(from_lo, to_lo):
                    n -= after[i] >= to_hi
            out[row] = n
            from_lo, from_hi = to_lo, to_hi
    return out


@njit(**_JIT)
def window_maxima(
    value: np.ndarray, row_start: np.ndarray, hi: np.ndarray, lo: np.ndarray, longest: int
) -> np.ndarray:
    """Maximum over ``[lo, hi)`` of several windows at once; NaN left out, NaN if there is none.

    One stack of candidates with decreasing values serves all windows: each keeps the place of the
    first candidate that has not left it, and that is its maximum.

    Parameters
    ----------
    lo
        int32, shape (n_windows, n_rows).
    longest
        The most events of one entity.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_rows)
    """
    n_windows = len(lo)
    out = np.full((n_windows, len(hi)), np.float32(np.nan), np.float32)
    stack = np.empty(longest, np.int32)
    head = np.zeros(n_windows, np.int64)
    for e in range(len(row_start) - 1):
        top, seen = 0, -1
        for row in range(row_start[e], row_start[e + 1]):
            left = lo[0, row]
            for w in range(1, n_windows):
                left = min(left, lo[w, row])
            if left > seen:
                # Nothing is shared with the windows before.
                top, seen = 0, left
            lowest = top
            for i in range(seen, hi[row]):
                if value[i] == value[i]:
                    while top > 0 and value[stack[top - 1]] <= value[i]:
                        top -= 1
                    lowest = min(lowest, top)
                    stack[top] = i
                    top += 1
            seen = max(seen, hi[row])
            for w in range(n_windows):
                # What lies below `lowest` and below the old head has left the window before.
                k = min(head[w], lowest)
                while k < top and stack[k] < lo[w, row]:
                    k += 1
                head[w] = k
                if k < top:
                    out[w, row] = value[stack[k]]
    return out
