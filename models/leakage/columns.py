"""Feature columns as ranks, with leaks planted among them."""

from collections.abc import Iterator

import numpy as np

from features.clock import DAY_US
from models.leakage.case import Case

HOUR_US = DAY_US // 24
KNOWN_LATER = "the label with noise"
KNOWN_AT_THE_END = "a count of the last hours before the conversion"
_SMOOTHING = 20.0
"""Rows of the mean rate that a category's own rate is mixed with."""


class Ranked:
    """One column by rank, equal values sharing theirs.

    Parameters
    ----------
    value
        float, shape (n,); missing values rank lowest.

    Examples
    --------
    >>> Ranked(np.array([3.0, np.nan, 3.0])).rank.tolist()
    [2.5, 1.0, 2.5]
    """

    def __init__(self, value: np.ndarray):
        value = np.where(np.isnan(value), -np.inf, value)
        self.order = np.argsort(value, kind="stable")
        ordered = value[self.order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.ends = np.r_[starts[1:], len(value)]
        self.rank = np.empty(len(value))
        self.rank[self.order] = np.repeat((starts + self.ends + 1) / 2, self.ends - starts)

    @property
    def constant(self) -> bool:
        return len(self.ends) == 1


def columns_of(
    case: Case, rows: np.ndarray, label: np.ndarray, cluster: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each feature at `rows`; categories by the rate of *other* clusters."""
    matrix = case.rows.matrix
    for feature in matrix.features:
        value = matrix.column(feature.name)[rows]
        if feature.dtype == "category":
            value = _rates(value, label, cluster)
        yield feature.name, value.astype(np.float64)


def planted_columns(
    gap_us: np.ndarray, label: np.ndarray, hidden_hours: float, seed: int
) -> dict[str, np.ndarray]:
    """Columns that leak: what is known when the label is, and what happens as one converts.

    Parameters
    ----------
    gap_us
        From as_of to the conversion, int64 of shape (n,).
    """
    noise = np.random.default_rng(seed).normal(0, 0.2, len(label))
    near = label & (gap_us < hidden_hours * HOUR_US)
    return {KNOWN_LATER: label + noise, KNOWN_AT_THE_END: near.astype(float)}


def _rates(value: np.ndarray, label: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Each row's category as its rate of positives among the clusters of the other half."""
    text = np.array(["" if one is None else one for one in value.tolist()])
    names, code = np.unique(text, return_inverse=True)
    half = cluster % 2
    rate = np.empty(len(value))
    for side in (0, 1):
        other = half != side
        count = np.bincount(code[other], minlength=len(names))
        hits = np.bincount(code[other], label[other], minlength=len(names))
        mean = label[other].mean() if other.any() else 0.0
        rate[~other] = ((hits + _SMOOTHING * mean) / (count + _SMOOTHING))[code[~other]]
    return rate
