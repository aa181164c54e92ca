"""Compiled sums over windows, in twice the precision of a float64.

A number is an unevaluated pair, a float64 and what it lacks (Dekker 1971, A floating-point
technique for extending the available precision). So the difference of two running sums is right to
the last bits however much lies before the window, and depends on the entity's past alone, not on
which snapshots were asked for.
"""

import numpy as np
from numba import njit

_JIT = {"nogil": True, "cache": True}
_SPLIT = 134217729.0
"""2^27 + 1: cuts a float64 into two halves whose products are exact (Veltkamp 1968)."""


@njit(inline="always")
def _add(a: float, b: float) -> tuple[float, float]:
    """``a + b`` and its rounding error (TwoSum, Knuth 1969, The Art of Computer Programming 2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@njit(inline="always")
def _multiply(a: float, b: float) -> tuple[float, float]:
    """``a * b`` and its rounding error (Dekker 1971)."""
    x, y = _SPLIT * a, _SPLIT * b
    a_high, b_high = x - (x - a), y - (y - b)
    a_low, b_low = a - a_high, b - b_high
    product = a * b
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(**_JIT)
def running_sum(
    value: np.ndarray, start: np.ndarray, squared: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of an entity's values up to and including each event, as pairs; NaN adds nothing.

    Parameters
    ----------
    squared
        Sum the squares instead.
    """
    total = np.empty(len(value))
    rest = np.empty(len(value))
    for e in range(len(start) - 1):
        high, low = 0.0, 0.0
        for i in range(start[e], start[e + 1]):
            if value[i] == value[i]:
                addend, lacks = value[i], 0.0
                if squared:
                    addend, lacks = _multiply(addend, addend)
                high, error = _add(high, addend)
                low += error + lacks
            total[i] = high
            rest[i] = low
    return total, rest


@njit(**_JIT)
def window_sum(
    total: np.ndarray, rest: np.ndarray, first: np.ndarray, hi: np.ndarray, lo: np.ndarray
) -> np.ndarray:
    """Sums over ``[lo, hi)`` from `running_sum`: float64, shape (n_rows,); 0 for an empty window.

    ``first[row]`` is the entity's first event.
    """
    out = np.zeros(len(hi))
    for row in range(len(hi)):
        if hi[row] > lo[row]:
            high, low = total[hi[row] - 1], rest[hi[row] - 1]
            if lo[row] > first[row]:
                high -= total[lo[row] - 1]
                low -= rest[lo[row] - 1]
            out[row] = high + low
    return out


@njit(**_JIT)
def window_deviation(
    total: np.ndarray,
    rest: np.ndarray,
    square: np.ndarray,
    square_rest: np.ndarray,
    n: np.ndarray,
    first: np.ndarray,
    hi: np.ndarray,
    lo: np.ndarray,
) -> np.ndarray:
    """Population standard deviation over ``[lo, hi)``: sqrt(n * squares - sum^2) / n.

    Parameters
    ----------
    n
        Values in the window, shape (n_rows,).

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        NaN where there is no value.
    """
    out = np.full(len(hi), np.nan)
    for row in range(len(hi)):
        if n[row] < 1:
            continue
        end, begin, many = hi[row] - 1, lo[row] - 1, float(n[row])
        high, low, squares, lacks = total[end], rest[end], square[end], square_rest[end]
        if lo[row] > first[row]:
            high, error = _add(high, -total[begin])
            low += error - rest[begin]
            squares, error = _add(squares, -square[begin])
            lacks += error - square_rest[begin]
        of_sum, lost = _multiply(high, high)
        lost += 2.0 * high * low
        of_squares, missing = _multiply(many, squares)
        missing += many * lacks
        difference, error = _add(of_squares, -of_sum)
        out[row] = np.sqrt(max(difference + (error + missing - lost), 0.0)) / many
    return out
