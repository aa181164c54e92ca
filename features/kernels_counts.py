"""Compiled loops over counts per key and over days: concentration, peaks, streaks."""

import numpy as np
from numba import njit

_JIT = {"nogil": True, "cache": True}


@njit(**_JIT)
def concentration(
    keys: np.ndarray, n_keys: int, row_start: np.ndarray, hi: np.ndarray, lo: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How unevenly a window's events fall on keys (members, event names); -1 is no key.

    Counts per key and how many keys have each count are kept while events enter and leave, so the
    largest count costs O(1) per event.

    Returns
    -------
    top
        int32, shape (n_rows,): events of the key with the most.
    gini
        float64, shape (n_rows,): the Gini coefficient of events per key present (Gini 1912), in
        [0, 1); 0 for one key, NaN for none.
    """
    n_rows = len(hi)
    top = np.zeros(n_rows, np.int32)
    gini = np.full(n_rows, np.nan)
    count = np.zeros(n_keys, np.int64)
    longest = 0
    for e in range(len(row_start) - 1):
        if row_start[e] < row_start[e + 1]:
            longest = max(longest, hi[row_start[e + 1] - 1] - lo[row_start[e]])
    having = np.zeros(longest + 2, np.int64)  # keys per count
    for e in range(len(row_start) - 1):
        if row_start[e] == row_start[e + 1]:
            continue
        left = right = lo[row_start[e]]
        most = 0
        for row in range(row_start[e], row_start[e + 1]):
            for i in range(right, hi[row]):
                if keys[i] >= 0:
                    c = count[keys[i]]
                    count[keys[i]] = c + 1
                    having[c] -= 1
                    having[c + 1] += 1
                    most = max(most, c + 1)
            right = hi[row]
            for i in range(left, lo[row]):
                if keys[i] >= 0:
                    c = count[keys[i]]
                    count[keys[i]] = c - 1
                    having[c] -= 1
                    having[c - 1] += 1
                    if c == most and having[c] == 0:
                        most = c - 1
            left = lo[row]
            top[row] = most
            n, weighted, total = 0, 0, 0
            for c in range(1, most + 1):
                k = having[c]
                if k > 0:
                    # Ranks n + 1 .. n + k share the count c.
                    weighted += c * (k * n + k * (k + 1) // 2)
                    total += c * k
                    n += k
            if n > 0:
                gini[row] = (2.0 * weighted / total - (n + 1)) / n
        for i in range(left, right):
            if keys[i] >= 0:
                having[count[keys[i]]] = 0
                count[keys[i]] = 0
    return top, gini


@njit(**_JIT)
def peak(at: np.ndarray, start: np.ndarray, span: int) -> np.ndarray:
    """The most events in any ``(at - span, at]`` up to each event: int32, shape (n_events,)."""
    out = np.empty(len(at), np.int32)
    for e in range(len(start) - 1):
        left, most = start[e], 0
        for i in range(start[e], start[e + 1]):
            while at[left] <= at[i] - span:
                left += 1
            most = max(most, i - left + 1)
            out[i] = most
    return out


@njit(**_JIT)
def day_runs(day: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which day of the entity's days an event lies on, and how many days in a row it ends.

    Parameters
    ----------
    day
        int32, shape (n_events,): UTC day numbers, ascending within an entity.

    Returns
    -------
    index
        int32, shape (n_events,): the number of day changes before it.
    run
        int32, shape (n_events,): consecutive days with an event, up to and including its own.
    """
    index = np.empty(len(day), np.int32)
    run = np.empty(len(day), np.int32)
    n = -1
    for e in range(len(start) - 1):
        length = 0
        for i in range(start[e], start[e + 1]):
            if i == start[e] or day[i] != day[i - 1]:
                n += 1
                follows = i > start[e] and day[i] == day[i - 1] + 1
                length = length + 1 if follows else 1
            index[i] = n
            run[i] = length
    return index, run


@njit(**_JIT)
def window_days(index: np.ndarray, hi: np.ndarray, lo: np.ndarray) -> np.ndarray:
    """Days with an event in ``[lo, hi)``, from the index of `day_runs`: int32, shape (n_rows,)."""
    out = np.zeros(len(hi), np.int32)
    for row in range(len(hi)):
        if hi[row] > lo[row]:
            out[row] = index[hi[row] - 1] - index[lo[row]] + 1
    return out


@njit(**_JIT)
def longest_run(
    day: np.ndarray,
    run: np.ndarray,
    row_start: np.ndarray,
    hi: np.ndarray,
    lo: np.ndarray,
    longest: int,
) -> np.ndarray:
    """The most consecutive days with an event inside ``[lo, hi)``: int32, shape (n_rows,).

    A run that began before the window counts from the window's first day. Runs that begin inside
    it are compared by a queue of decreasing lengths.
    """
    out = np.zeros(len(hi), np.int32)
    queue = np.empty(longest, np.int32)
    for e in range(len(row_start) - 1):
        head, tail, seen = 0, 0, -1
        for row in range(row_start[e], row_start[e + 1]):
            left, right = lo[row], hi[row]
            if left == right:
                continue
            if left > seen:
                head, tail, seen = 0, 0, left
            for i in range(seen, right):
                while tail > head and run[queue[tail - 1]] <= run[i]:
                    tail -= 1
                queue[tail] = i
                tail += 1
            seen = max(seen, right)
            while head < tail and queue[head] < left:
                head += 1
            # Days of the run under way when the window begins that lie before it.
            before = run[left] - 1
            began = day[left] - before
            best = 0
            for k in range(head, tail):
                i = queue[k]
                if day[i] - run[i] + 1 != began:
                    # The first candidate of another run is the longest of those.
                    best = max(best, run[i])
                    break
                best = max(best, run[i] - before)
            out[row] = best
    return out
