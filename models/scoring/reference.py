"""Distances to customers: weighted ranks, an exact search, and the columns that come of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

SIMILARITY = ("similarity_distance", "similarity_contrast")

# Ranks lie in [0, 1], so a missing value is unlike every other.
_MISSING_RANK = -0.5
_PAIRS_AT_ONCE = 1 << 20
# Two rows nearer than a millionth of the space are one place: a logarithm needs a floor.
_SAME_PLACE = 1e-6


def to_ranks(space: Mapping[str, np.ndarray], encoded: np.ndarray) -> np.ndarray:
    """Training ranks of the similarity dimensions times their scale, float32, shape (n, n_dims).

    Scales are square roots of weights whose mean is 1, so a distance weighs squared gaps of ranks.
    """
    ranks = np.empty((len(encoded), len(space["dims"])), np.float32)
    for at, column in enumerate(space["dims"]):
        part = slice(space["offsets"][at], space["offsets"][at + 1])
        rank = np.interp(encoded[:, column], space["knots"][part], space["heights"][part])
        rank[np.isnan(encoded[:, column])] = _MISSING_RANK
        ranks[:, at] = rank * space["scale"][at]
    return ranks


class Reference:
    """Customers, or non-customers, in rank space, sorted by the time they were known.

    Distance is the weighted root mean squared gap of ranks. The search is exact: float32 products
    choose candidates with room for their rounding, float64 sums in a fixed order decide, and ties
    go to the point known first. So no result depends on the shape of a batch.
    """

    def __init__(self, space: Mapping[str, np.ndarray], kind: str):
        self.points, self.known_at = space[f"{kind}_points"], space[f"{kind}_known_at"]
        self._mates = [_positions(space[f"{kind}_{key}"]) for key in ("account", "domain")]
        self._space, self._kind = space, kind
        self._at_least, self._trailing_us = int(space["min_customers"]), int(space["trailing_us"])
        # |q - p|^2 - |q|^2 = p^2 - 2 q p: one product of vectors with one more coordinate.
        square = (self.points * self.points).sum(axis=1)
        self._factor = np.column_stack([self.points, square]).T.copy()
        self._axes = self.points.T.astype(np.float64)
        # Rounding of a product of n terms is below n 2^-24 sum |terms| (Higham 2002, section 3.1),
        # and the squared scales of the dimensions sum to their number.
        n_dims = self.points.shape[1]
        self._slack = np.float32(8 * n_dims * (n_dims + 1) * 2.0**-24)

    def known(self, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Positions [first, last) of the points known in [as_of - trailing, as_of), per row."""
        as_of = np.asarray(values["as_of"]).astype("datetime64[us]").astype(np.int64)
        first = np.searchsorted(self.known_at, as_of - self._trailing_us)
        return first, np.searchsorted(self.known_at, as_of)

    def nearest(
        self, ranks: np.ndarray, values: Mapping[str, Any], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest points known in [as_of - trailing, as_of), never of the row's own
        account or e-mail domain.

        Returns
        -------
        distance, index
            float64 and int64, shape (n, k), nearest first; NaN and -1 where fewer than
            `min_customers` points are known, and behind the last of fewer than k that remain.
        """
        n, n_dims = ranks.shape
        distance, index = np.full((n, k), np.nan), np.full((n, k), -1)
        first, last = self.known(values)
        keys = [values.get(key, [None] * n) for key in ("account_id", "domain")]
        order = np.argsort(last, kind="stable")
        order = order[(last - first)[order] >= max(1, self._at_least)]
        size = int(np.clip(_PAIRS_AT_ONCE // max(1, len(self.points)), 16, 1024))
        for rows in (order[start : start + size] for start in range(0, len(order), size)):
            low, high = int(first[rows].min()), int(last[rows].max())
            gap = np.column_stack([-2 * ranks[rows], np.ones(len(rows), np.float32)])
            gap = gap @ self._factor[:, low:high]
            self._hide(gap, rows, first[rows], last[rows], keys)
            row, point = np.divmod(np.flatnonzero(_near(gap, k, self._slack)), high - low)
            point += low
            axes = ranks[rows].T.astype(np.float64)
            total = np.zeros(len(row))
            for axis in range(n_dims):
                step = axes[axis][row] - self._axes[axis][point]
                total += step * step
            ranked = np.lexsort((total, row))
            row, point, total = row[ranked], point[ranked], total[ranked]
            place = np.arange(len(row)) - np.searchsorted(row, row)
            cell = rows[row[place < k]], place[place < k]
            distance[cell] = np.sqrt(total[place < k] / n_dims)
            index[cell] = point[place < k]
        return distance, index

    def mean_distance(self, ranks: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
        """Mean distance to the nearest `share` of the known points, at most k of them, shape (n,).

        A fixed number of neighbours comes nearer as points accumulate, a fixed share does not. Once
        k is less than the share of n known points, distances are multiplied by
        (n share / k) ** exponent, `exponent` being one over the dimension that the points really
        fill (Pettis et al. 1979, "An intrinsic dimensionality estimator from near-neighbor
        information"). NaN where fewer than `min_customers` points are known, or too few that are
        not the row's own.
        """
        k, exponent = int(self._space["k"]), float(self._space[f"{self._kind}_exponent"])
        first, last = self.known(values)
        wanted = (last - first) * float(self._space["share"])
        taken = np.clip(np.ceil(wanted), 1, k)
        distance, _ = self.nearest(ranks, values, k)
        # Places are added one by one: an order of summation that no array shape can change.
        total = np.zeros(len(ranks))
        for place in range(k):
            total += np.where(place < taken, distance[:, place], 0.0)
        return total / taken * np.maximum(wanted / k, 1.0) ** exponent

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
    largest = np.finfo(np.float32).max
    if gap.shape[1] <= k:
        return gap <= largest
    n_groups = min(gap.shape[1], 16 * k)
    depth = gap.shape[1] // n_groups
    minima = gap[:, : n_groups * depth].reshape(len(gap), depth, n_groups).min(axis=1)
    bound = np.partition(minima, k - 1, axis=1)[:, k - 1] + slack
    return gap <= np.minimum(bound, largest)[:, None]


class Similarity:
    """Likeness to customers and to non-customers of one space, each sorted and indexed once."""

    def __init__(self, space: Mapping[str, np.ndarray]):
        self.space = space
        self.customers, self.others = Reference(space, "customer"), Reference(space, "other")

    def __call__(self, ranks: np.ndarray, values: Mapping[str, Any]) -> np.ndarray:
        """Distance to customers, and contrast with matured non-customers, shape (n, 2).

        Contrast is the logarithm of the distance to non-customers over that to customers: above 0
        the row looks more like a customer. It is a difference of log densities up to a factor
        (Loftsgaarden and Quesenberry 1965), in which what both sides share cancels.
        """
        customers = self.customers.mean_distance(ranks, values)
        others = self.others.mean_distance(ranks, values)
        ratio = np.maximum(others, _SAME_PLACE) / np.maximum(customers, _SAME_PLACE)
        return np.column_stack([customers, np.log(ratio)])
