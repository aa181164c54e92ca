"""How far tonight's rows lie from the pinned reference, and which columns are more than chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.matrix import FeatureMatrix
from models.monitoring.bins import (
    benjamini_hochberg,
    filled,
    no_change,
    place,
    stability_index,
)
from models.monitoring.reference import SCORE, shares_of
from models.monitoring.spec import MonitorSpec

MODERATE = 0.1
"""PSI below it is usually called no change; from `MonitorSpec.psi` on, a large one."""
_TIMES_USUAL = 2.0


@dataclass(frozen=True)
class Drift:
    """One column of one night against the reference.

    Parameters
    ----------
    psi
        Population stability index, less what chance gives.
    limit
        It has drifted from here on: `MonitorSpec.psi`, or twice what it moved by itself before.
    q
        Smallest false discovery rate at which the change is called one, over all columns.
    unknown_before, unknown
        Share of rows without a value, then and now.
    unseen
        Share of rows with a category that had no bin of its own in the reference, beyond the
        share of such rows then.
    before, now
        Shares of the bins, float64, shape (n_bins,).
    """

    name: str
    psi: float
    limit: float
    q: float
    drifted: bool
    unknown_before: float
    unknown: float
    unseen: float
    before: np.ndarray
    now: np.ndarray


def score_drift(
    pinned: Mapping[str, Any],
    probability: np.ndarray,
    cluster: np.ndarray,
    as_of: int,
    spec: MonitorSpec,
) -> Drift:
    """Tonight's probabilities against those at training."""
    column = {SCORE: pinned["columns"][SCORE]}
    return _compare(column, {SCORE: probability}, pinned["clusters"], cluster, as_of, spec)[0]


def feature_drift(
    pinned: Mapping[str, Any],
    matrix: FeatureMatrix,
    cluster: np.ndarray,
    as_of: int,
    spec: MonitorSpec,
) -> list[Drift]:
    """Every feature that the reference knows, furthest beyond its limit first.

    Parameters
    ----------
    matrix
        The cohort at `as_of`.
    cluster
        int64, shape (n,): rows of one account count as one in the test.
    """
    known = {
        f.name: pinned["columns"][f.name] for f in matrix.features if f.name in pinned["columns"]
    }
    values = {name: matrix.column(name) for name in known}
    found = _compare(known, values, pinned["clusters"], cluster, as_of, spec)
    return sorted(found, key=lambda one: (-one.psi / one.limit, one.name))


def newcomer_drift(
    pinned: Mapping[str, Any],
    matrix: FeatureMatrix,
    cluster: np.ndarray,
    newcomer: np.ndarray,
    as_of: int,
    spec: MonitorSpec,
) -> list[Drift]:
    """Who signs up now against who signed up then, by fit features.

    In the whole cohort another mix of sign-ups takes weeks to show.

    Parameters
    ----------
    newcomer
        bool, shape (n,): entered in [as_of - newcomers_days, as_of).
    """
    columns = pinned["newcomers"]["columns"]
    values = {f.name: matrix.column(f.name)[newcomer] for f in matrix.features if f.name in columns}
    known = {name: columns[name] | {"usual": 0.0} for name in values}
    n = pinned["newcomers"]["clusters"]
    found = _compare(known, values, n, cluster[newcomer], as_of, spec)
    return sorted(found, key=lambda one: (one.q, one.name))


def _compare(
    columns: Mapping[str, Any],
    values: Mapping[str, np.ndarray],
    n: int,
    cluster: np.ndarray,
    as_of: int,
    spec: MonitorSpec,
) -> list[Drift]:
    """PSI of each column, and one family of tests."""
    m = len(np.unique(cluster))
    before = {name: shares_of(column, as_of) for name, column in columns.items()}
    now = {name: filled(column, values[name]) for name, column in columns.items()}
    chance = [no_change(before[name], n, now[name], m) for name in columns]
    found = []
    for (name, column), q in zip(
        columns.items(), benjamini_hochberg(np.array(chance)), strict=True
    ):
        psi = stability_index(before[name], n, now[name], m)
        limit = max(spec.psi, _TIMES_USUAL * column["usual"])
        unseen = now[name][-2] - before[name][-2] if "values" in column else 0.0
        found.append(
            Drift(
                name=name,
                psi=psi,
                limit=limit,
                q=float(q),
                drifted=bool(psi >= limit and q <= spec.false_discoveries),
                unknown_before=float(before[name][-1]),
                unknown=float(now[name][-1]),
                unseen=max(0.0, float(unseen)),
                before=before[name],
                now=now[name],
            )
        )
    return found


def new_values(column: Mapping[str, Any], values: np.ndarray) -> list[str]:
    """Categories without a bin in the reference, commonest first, ties by name.

    >>> new_values({"values": ["free"]}, np.array(["gift", "free", None, "gift"], object))
    ['gift']
    """
    if "values" not in column:
        return []
    others = place(column, values) == len(column["values"])
    names, counts = np.unique(values[others].astype(str), return_counts=True)
    return [str(names[at]) for at in np.lexsort((names, -counts))]
