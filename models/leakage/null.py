"""What the best of many columns reaches where no column knows anything."""

import numpy as np


def permuted_labels(
    label: np.ndarray, cluster: np.ndarray, as_of: np.ndarray, n: int, seed: int
) -> np.ndarray:
    """Labels handed from cluster to cluster, shape (n_rows, n).

    Clusters of about the same size exchange their whole label histories, aligned at the end: the
    rows of a cluster hang together as before, and conversions stay where they were in its life.

    Examples
    --------
    Two clusters of two rows, of which one converts at the end.

    >>> labels = permuted_labels(np.array([False, False, False, True]), np.array([0, 0, 1, 1]),
    ...                          np.array([1, 2, 1, 2]), n=5, seed=1)
    >>> labels[[0, 2]].any(), labels[[1, 3]].sum(axis=0).tolist()
    (np.False_, [1, 1, 1, 1, 1])
    """
    rng = np.random.default_rng(seed)
    # Newest first, so that place 0 is the end of each cluster's life.
    order = np.lexsort((-as_of, cluster))
    starts = np.flatnonzero(np.r_[True, np.diff(cluster[order]) != 0])
    size = np.diff(np.r_[starts, len(order)])
    member = np.repeat(np.arange(len(starts)), size)
    place = np.arange(len(order)) - starts[member]
    by_size = np.argsort(size, kind="stable")
    block = np.arange(len(starts)) // _BLOCK
    found = np.zeros((len(label), n), bool)
    ordered = label[order]
    for column in range(n):
        shuffled = by_size[np.lexsort((rng.random(len(starts)), block))]
        giver = np.empty(len(starts), np.int64)
        giver[by_size] = shuffled
        given = giver[member]
        has = place < size[given]
        source = np.where(has, starts[given] + place, 0)
        found[order, column] = has & ordered[source]
    return found


class Labellings:
    """Several labellings of the same rows, kept as the places of their positives: those are few.

    Parameters
    ----------
    labels
        bool, shape (n_rows, n).
    """

    def __init__(self, labels: np.ndarray):
        self._n_rows = len(labels)
        self._of, self._places = np.nonzero(labels.T)
        self._positive = labels.sum(axis=0)

    def areas(self, rank: np.ndarray) -> np.ndarray:
        """ROC-AUC of one column under each, shape (n,), from its ranks (Mann & Whitney 1947).

        A labelling without both classes has 0.5.

        >>> labels = np.array([[False, True], [False, False], [True, False]])
        >>> Labellings(labels).areas(np.array([1.0, 2.0, 3.0]))
        array([1., 0.])
        """
        positive = self._positive
        pairs = positive * (self._n_rows - positive)
        above = np.bincount(self._of, rank[self._places], len(positive))
        above -= positive * (positive + 1) / 2
        return np.where(pairs > 0, above / np.maximum(pairs, 1), 0.5)


def area_low(area: float, n_positive: int, n_negative: int) -> float:
    """Lower end of the 95 % interval of a ROC-AUC (Hanley & McNeil 1982), from counts of clusters.

    >>> round(area_low(0.97, 25, 300), 3), area_low(1.0, 25, 300)
    (0.923, 1.0)
    """
    if not n_positive or not n_negative:
        return 0.5
    one, two = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area)
    spread += (n_positive - 1) * (one - area * area) + (n_negative - 1) * (two - area * area)
    return area - _Z * float(np.sqrt(max(0.0, spread) / (n_positive * n_negative)))


_Z = 1.959963984540054
_BLOCK = 40
"""Clusters of neighbouring sizes that exchange labels."""
