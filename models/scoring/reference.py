"""Distances to customers: ranks, an exact search, and the columns that come of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

SIMILARITY = ("similarity_mean_distance", "similarity_nearest_distance", "similarity_contrast")

# Ranks lie in [0, 1], so a missing value is unlike every other.
_MISSING_RANK = -0.5
_PAIRS_AT_ONCE = 1 << 20


def to_ranks(space: Mapping[str, np.ndarray], encoded: np.ndarray) -> np.ndarray:
    """Training ranks of the similarity dimensions, float32 in [0, 1], shape (n, n_dims)."""
    ranks = np.empty((len(encoded), len(space["dims"])), np.float32)
    for at, column in enumerate(space["dims"]):
        part = slice(space["offsets"][at], space["offsets"][at + 1])
        rank = np.interp(encoded[:, column], space["knots"][part], space["heights"][part])
        ranks[:, at] = np.where(np.isnan(encoded[:, column]), _MISSING_RANK, rank)
    return ranks


class Reference:
    """Customers, or non-customers, in rank space, sorted by the time they were known.

    Distance is the root mean squared gap of ranks. The search is exact: float32 products choose
    candidates with room for their rounding, float64 sums in a fixed order decide, and ties go to
    the point known first. So no result depends on the shape of a batch.
    """

    def __init__(self, space: Mapping[str, np.ndarray], kind: str):
        self.points, self.known_at = space[f"{kind}_points"], space[f"{kind}_known_at"]
        self._mates = [_positions(space[f"{kind}_{key}"]) for key in ("account", "domain")]
        self._at_least, self._trailing_us = int(space["min_customers"]), int(space["trailing_us"])
        # |q - p|^2 - |q|^2 = p^2 - 2 q p: one product of vectors with one more coordinate.
        square = (self.points * self.points).sum(axis=1)
        self._factor = np.column_stack([self.points, square]).T.copy()
        self._axes = self.points.T.astype(np.float64)
        # Rounding of a product of n terms is below n 2^-24 sum |terms| (Higham 2002, section 3.1).
        n_dims = self.points.shape[1]
        self._slack = np.float32(8 * n_dims * (n_dims + 1) * 2.0**-24)

    def nearest(
        self, ranks: np.ndarray, values: Mapping[str, Any], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest points known in [as_of - trailing, as_of), never of the row's own
        account or e-mail domain.

        Returns
        -------
        distance, index
            float64 and int64, shape (n, k), nearest first; NaN and -1 where fewer than
            `min_customers` points are known, or fewer than k remain.
        """
        n, n_dims = ranks.shape
        distance, index = np.full((n, k), np.nan), np.full((n, k), -1)
        as_of = np.asarray(values["as_of"]).astype("datetime64[us]").astype(np.int64)
        first = np.searchsorted(self.known_at, as_of - self._trailing_us)
        last = np.searchsorted(self.known_at, as_of)
        keys = [values.get(key, [None] * n) for key in ("account_id", "domain")]
        axes = ranks.T.astype(np.float64)
        order = np.argsort(as_of, kind="stable")
        order = order[(last - first)[order] >= max(k, self._at_least)]
        size = int(np.clip(_PAIRS_AT_ONCE // max(1, len(self.points)), 16, 1024))
        for rows in (order[start : start + size] for start in range(0, len(order), size)):
            low, high = int(first[rows].min()), int(last[rows].max())
            gap = np.column_stack([-2 * ranks[rows], np.ones(len(rows), np.float32)])
            gap = gap @ self._factor[:, low:high]
            self._hide(gap, rows, first[rows], last[rows], keys)
            row, point = np.divmod(np.flatnonzero(_near(gap, k, self._slack)), high - low)
            point += low
            total = np.zeros(len(row))
            for axis in range(n_dims):
                step = axes[axis][rows[row]] - self._axes[axis][point]
                total += step * step
            ranked = np.lexsort((total, row))
            row, point, total = row[ranked], point[ranked], total[ranked]
            place = np.arange(len(row)) - np.searchsorted(row, row)
            cell = rows[row[place < k]], place[place < k]
            distance[cell] = np.sqrt(total[place < k] / n_dims)
            index[cell] = point[place < k]
        return distance, index

    def _hide(
        self, gap: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray, keys: list
    ) -> None:
        """Set gaps to infinity for points outside [first, last) and for the row's own people."""
        low = int(first.min())
        if (first != low).any() or (last != low + gap.shape[1]).any():
            point = np.arange(low, low + gap.shape[1])
            gap[(point < first[:, None]) | (point >= last[:, None])] = np.inf
        for mates, key in zip(self._mates, keys, strict=True):
            for place, row in enumerate(rows):
                if (mate := mates.get(key[row])) is not None:
                    mate = mate[(mate >= first[place]) & (mate < last[place])]
                    gap[place, mate - low] = np.inf


def _positions(keys: np.ndarray) -> dict[str, np.ndarray]:
    """Increasing positions of each non-empty key."""
    known, code, count = np.unique(keys, return_inverse=True, return_counts=True)
    parts = np.split(np.argsort(code, kind="stable"), np.cumsum(count)[:-1])
    return {key: part for key, part in zip(known.tolist(), parts, strict=False) if key}


def _near(gap: np.ndarray, k: int, slack: np.float32) -> np.ndarray:
    """Mask of a superset of each row's k smallest finite gaps.

    The k-th smallest of the minima of disjoint groups is never below the k-th smallest of all,
    and costs one vectorised pass instead of a selection among all points.
    """
    n_groups = min(gap.shape[1], 16 * k)
    depth = gap.shape[1] // n_groups
    minima = gap[:, : n_groups * depth].reshape(len(gap), depth, n_groups).min(axis=1)
    bound = np.partition(minima, k - 1, axis=1)[:, k - 1] + slack
    return gap <= np.minimum(bound, np.finfo(np.float32).max)[:, None]


def similarity(space: Mapping[str, np.ndarray], ranks: np.ndarray, values: Mapping) -> np.ndarray:
    """Mean distance to the k nearest customers, nearest distance, and contrast, shape (n, 3).

    Contrast is the mean distance to the k nearest non-customers minus that to customers: above 0
    the row looks more like a customer.
    """
    k = int(space["k"])
    customers, _ = Reference(space, "customer").nearest(ranks, values, k)
    others, _ = Reference(space, "other").nearest(ranks, values, k)
    # Columns are added one by one: an order of summation that no array shape can change.
    mean = sum(customers.T) / k
    return np.column_stack([mean, customers[:, 0], sum(others.T) / k - mean])
