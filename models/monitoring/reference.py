"""What the columns looked like when the model was trained, pinned as numbers beside the model."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.clock import DAY_US
from features.matrix import FeatureMatrix
from models.monitoring.bins import bins_of, filled, n_bins, stability_index

FORMAT = 1
FILE = "reference.json"
"""Its name in the bundle."""
SCORE = "probability"
NIGHTS = 28
"""Nights in a row, four of each weekday, that the reference pools."""
EARLIER = 8
"""Single nights before those, 8 days apart, which show how far columns move by themselves."""
_WEEKDAY_MATTERS = 0.02
"""PSI of one weekday against all from which its own shares are kept."""


def reference_nights(newest: int) -> np.ndarray:
    """as_of of the nights that a reference is made of: int64 microseconds, shape (36,), ascending.

    The last `NIGHTS` up to `newest`, and before them `EARLIER` ones. Eight days apart, these meet
    every weekday.

    >>> nights = reference_nights(100 * DAY_US) // DAY_US
    >>> nights[:3], nights[-2:]
    (array([16, 24, 32]), array([ 99, 100]))
    """
    pooled = newest - np.arange(NIGHTS)[::-1] * DAY_US
    earlier = pooled[0] - 1 * DAY_US - np.arange(EARLIER)[::-1] * 8 * DAY_US
    return np.concatenate([earlier, pooled])


def reference(
    matrix: FeatureMatrix,
    probability: np.ndarray,
    cluster: np.ndarray,
    newcomer: np.ndarray,
    events: Mapping[str, list[float]],
) -> dict[str, Any]:
    """The pinned reference, ready for JSON.

    Parameters
    ----------
    matrix
        The cohort at `reference_nights`, or at as many of them as the data hold.
    probability
        The model's, float64, shape (n,).
    cluster
        int64, shape (n,): rows of one account hang together.
    newcomer
        bool, shape (n,): entered shortly before its as_of.
    events
        Of `event_reference`.
    """
    as_of = matrix.snapshots.as_of
    newest = int(as_of.max(initial=0))
    pooled = as_of > newest - NIGHTS * DAY_US
    columns = {f.name: matrix.column(f.name) for f in matrix.features} | {SCORE: probability}
    parts = _Parts(as_of, cluster, pooled)
    fit = [f.name for f in matrix.features if f.dimension == "fit"]
    return {
        "format": FORMAT,
        "first_as_of": int(as_of[pooled].min(initial=newest)),
        "last_as_of": newest,
        "rows": int(pooled.sum()),
        "clusters": parts.whole[1],
        "columns": {name: _column(values, parts) for name, values in columns.items()},
        "newcomers": {
            "clusters": len(np.unique(cluster[newcomer])),
            "columns": {name: _pooled(columns[name][newcomer]) for name in fit},
        },
        "events": dict(events),
    }


def to_json(made: Mapping[str, Any]) -> str:
    """A reference as text, byte-equal for equal numbers."""
    return json.dumps(made, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def weekday(as_of: np.ndarray | int) -> Any:
    """Day of the week that ends at as_of, 0 to 6; which one is 0 does not matter."""
    return as_of // DAY_US % 7


class _Parts:
    """Rows of all pooled nights, of each weekday among them, and of each earlier night.

    Each with its number of clusters, which is the same for every column.
    """

    def __init__(self, as_of: np.ndarray, cluster: np.ndarray, pooled: np.ndarray):
        self.whole = self._counted(pooled, cluster)
        self.weekdays = [
            self._counted(pooled & (weekday(as_of) == day), cluster) for day in range(7)
        ]
        self.earlier = [
            (int(night), *self._counted(as_of == night, cluster))
            for night in np.unique(as_of[~pooled])
        ]

    @staticmethod
    def _counted(mask: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, int]:
        rows = np.flatnonzero(mask)
        return rows, len(np.unique(cluster[rows]))


def _column(values: np.ndarray, parts: _Parts) -> dict[str, Any]:
    rows, n = parts.whole
    found = _pooled(values[rows])
    whole = np.array(found["shares"])
    days: list[list[float]] = []
    apart = 0.0
    for rows, m in parts.weekdays:
        shares = filled(found, values[rows]) if m else whole
        apart = max(apart, stability_index(whole, n, shares, m))
        days.append(_rounded(shares))
    if apart >= _WEEKDAY_MATTERS:
        found["by_weekday"] = days
    found["usual"] = _usual(found, values, parts)
    return found


def _pooled(values: np.ndarray) -> dict[str, Any]:
    bins = bins_of(values)
    return bins | {"shares": _rounded(filled(bins, values))}


def _usual(found: Mapping[str, Any], values: np.ndarray, parts: _Parts) -> float:
    """How far nights before the reference lie from it: the second largest PSI of theirs.

    A young company's tenure grows with every night, and a season passes: what moved as far before
    anything was wrong is not news. The largest may be a night on which something was wrong.
    """
    moved = sorted(
        stability_index(shares_of(found, night), parts.whole[1], filled(found, values[rows]), m)
        for night, rows, m in parts.earlier
    )
    return round(moved[-2:][0], 4) if moved else 0.0


def shares_of(column: Mapping[str, Any], as_of: int) -> np.ndarray:
    """Shares of the bins to expect at an as_of: of its weekday where that matters."""
    shares = column["by_weekday"][weekday(as_of)] if "by_weekday" in column else column["shares"]
    assert len(shares) == n_bins(column)
    return np.array(shares, float)


def _rounded(shares: np.ndarray) -> list[float]:
    return [round(float(share), 6) for share in shares]
