"""What each column alone knows about the outcome, and how much of it in the last hours only."""

from dataclasses import dataclass

import numpy as np

from models.leakage.case import Case
from models.leakage.columns import HOUR_US, Ranked, columns_of, planted_columns
from models.leakage.null import Labellings, area_low, permuted_labels
from models.leakage.pockets import Pocket, purest

AFTERWARDS = 3.0
"""Rows that convert between the hidden hours and three times them are what those are compared with.

Intent may rise within days, so rows weeks away would be no fair comparison.
"""


@dataclass(frozen=True)
class Strength:
    """One column.

    Parameters
    ----------
    area, area_low
        ROC-AUC in the better direction, [0.5, 1], and the lower end of its 95 % interval.
    null
        The same with labels handed from cluster to cluster, shape (n_permutations,).
    near, far
        ROC-AUC of rows that convert within `hidden_hours`, and of those that convert in twice that
        time thereafter, each against all rows that do not convert, in the direction in which
        `near` is above 0.5.
    drop_sd
        Standard deviation of near - far.
    pocket
        The purest group of rows that the column picks out, where one may be too pure.
    """

    area: float
    area_low: float
    null: np.ndarray
    near: float
    far: float
    drop_sd: float
    pocket: Pocket | None


@dataclass(frozen=True)
class Strengths:
    """All columns of a case that are not constant; planted ones apart.

    `n_near` and `n_far` are the clusters with a row that converts within the hidden hours, and
    with one that converts in twice that time thereafter.
    """

    of: dict[str, Strength]
    planted: dict[str, Strength]
    n_rows: int
    n_near: int
    n_far: int

    @property
    def best(self) -> float:
        return max((one.area for one in self.of.values()), default=0.5)

    @property
    def null_best(self) -> float:
        """The best that any column reached in any permutation."""
        return max((float(one.null.max(initial=0.5)) for one in self.of.values()), default=0.5)


def strengths(case: Case) -> Strengths:
    """Measure every column on the case's rows, or on whole clusters of them."""
    rows = _some_rows(case)
    label, cluster = case.rows.label[rows], case.cluster[rows]
    gap, spec = case.us_to_conversion[rows], case.spec
    null = permuted_labels(label, cluster, case.rows.as_of[rows], spec.n_permutations, case.seed)
    # Histories of other lengths lose positives; with a handful left any column looks strong.
    fair = 2 * null.sum(axis=0) >= label.sum()
    labels = Labellings(np.column_stack([label, null[:, fair]]))
    n_clusters, n_positive = len(np.unique(cluster)), len(np.unique(cluster[label]))
    hidden = spec.hidden_hours * HOUR_US
    near, far = label & (gap < hidden), label & (gap >= hidden) & (gap < AFTERWARDS * hidden)

    def measure(value: np.ndarray) -> Strength | None:
        column = Ranked(value)
        if column.constant:
            return None
        area = 0.5 + np.abs(labels.areas(column.rank) - 0.5)
        above, below, drop_sd = _near_and_far(column.rank, label, near, far, cluster)
        return Strength(
            area=float(area[0]),
            area_low=area_low(float(area[0]), n_positive, n_clusters - n_positive),
            null=area[1:],
            near=above,
            far=below,
            drop_sd=drop_sd,
            pocket=purest(column, label, cluster, spec.most_precision),
        )

    own = {name: measure(value) for name, value in columns_of(case, rows, label, cluster)}
    planted = planted_columns(gap, label, spec.hidden_hours, case.seed)
    return Strengths(
        of={name: one for name, one in own.items() if one is not None},
        planted={
            name: one for name, value in planted.items() if (one := measure(value)) is not None
        },
        n_rows=len(rows),
        n_near=len(np.unique(cluster[near])),
        n_far=len(np.unique(cluster[far])),
    )


def _some_rows(case: Case) -> np.ndarray:
    """All rows, or those of clusters drawn until `max_rows` are reached, in order."""
    n = len(case.rows)
    if n <= case.spec.max_rows:
        return np.arange(n)
    cluster = case.cluster
    size = np.bincount(cluster)
    drawn = np.random.default_rng(case.seed).permutation(len(size))
    kept = np.zeros(len(size), bool)
    kept[drawn[np.cumsum(size[drawn]) <= case.spec.max_rows]] = True
    return np.flatnonzero(kept[cluster])


def _near_and_far(
    rank: np.ndarray, label: np.ndarray, near: np.ndarray, far: np.ndarray, cluster: np.ndarray
) -> tuple[float, float, float]:
    """Mean placement of near and far positives among the negatives, and the sd of the difference.

    A positive's placement is the share of negatives that it ranks above (DeLong, DeLong &
    Clarke-Pearson 1988); its mean is the ROC-AUC.
    """
    n_negative = len(label) - int(label.sum())
    if not near.any() or not far.any() or not n_negative:
        return 0.5, 0.5, np.inf
    # Ranked among all rows, less the rank among the positives: what remains are negatives.
    placement = (rank[label] - Ranked(rank[label]).rank) / n_negative
    parts, variance = [], 0.0
    for chosen in (near[label], far[label]):
        some, who = placement[chosen], np.unique(cluster[label][chosen], return_inverse=True)[1]
        parts.append(float(some.mean()))
        by_cluster = np.bincount(who, some - some.mean())
        variance += float((by_cluster**2).sum()) / len(some) ** 2
    sign = 1.0 if parts[0] >= 0.5 else -1.0
    above, below = (0.5 + sign * (part - 0.5) for part in parts)
    return above, below, float(np.sqrt(variance))
