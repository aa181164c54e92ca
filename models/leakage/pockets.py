"""Groups of rows that one column picks out, in which nearly everyone converts."""

from dataclasses import dataclass

import numpy as np

from models.judging.curves import wilson
from models.leakage.columns import Ranked


@dataclass(frozen=True)
class Pocket:
    """Rows at one end of a column: how many clusters, and the share of rows that convert."""

    rows: int
    clusters: int
    precision: float
    precision_low: float


def purest(column: Ranked, label: np.ndarray, cluster: np.ndarray, least: float) -> Pocket | None:
    """The surest group at either end of a column, if its precision may reach `least`.

    A column that leaks for a few entities ranks most rows no better than chance, so that its
    ROC-AUC looks honest; its few rows do not. Rows of one cluster repeat each other: the interval
    (Wilson 1927) counts clusters.

    Examples
    --------
    >>> label = np.arange(100) >= 80
    >>> purest(Ranked(np.arange(100.0)), label, np.arange(100), 0.8).rows
    20
    """
    best: Pocket | None = None
    for order, ends in (
        (column.order[::-1], len(column.order) - np.r_[0, column.ends[:-1]][::-1]),
        (column.order, column.ends),
    ):
        hits = np.cumsum(label[order])[ends - 1]
        pure = np.flatnonzero(hits >= least * ends)
        if not len(pure):
            continue
        # The longest pure prefix has the most clusters; a shorter one may be purer.
        low = np.array([wilson(hits[at], ends[at])[0] for at in pure[-_MOST_TRIED:]])
        at = pure[-_MOST_TRIED:][int(np.argmax(low))]
        rows = int(ends[at])
        clusters, precision = len(np.unique(cluster[order[:rows]])), float(hits[at] / rows)
        found = Pocket(rows, clusters, precision, wilson(precision * clusters, clusters)[0])
        if best is None or found.precision_low > best.precision_low:
            best = found
    return best


_MOST_TRIED = 200
