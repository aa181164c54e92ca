"""How feature columns become numbers: levels and typical values learnt from training rows."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from features.matrix import FeatureMatrix

MAX_RARE_LEVELS = 1_000
"""Rare levels beyond this many are treated like unseen ones, so free text can't bloat a bundle."""


def values_of(
    matrix: "FeatureMatrix", account: np.ndarray | None = None, domain: np.ndarray | None = None
) -> dict[str, Any]:
    """The mapping of columns that `models.scoring` reads."""
    columns = {feature.name: matrix.column(feature.name) for feature in matrix.features}
    keys = {"as_of": matrix.snapshots.as_of, "account_id": account, "domain": domain}
    return columns | {name: value for name, value in keys.items() if value is not None}


def fit_columns(matrix: "FeatureMatrix", min_level_rows: int) -> list[dict]:
    """Describe each column for `models.scoring.encode`, in the order of the features.

    Parameters
    ----------
    min_level_rows
        Categories seen on fewer training rows share one code.

    Returns
    -------
    list of dict
        ``name``, ``dtype``, ``typical`` (median or most frequent value, None when all are
        missing) and for categories ``levels`` and ``rare``, each most frequent first.
    """
    columns = []
    for feature in matrix.features:
        values = matrix.column(feature.name)
        described: dict[str, Any] = {"name": feature.name, "dtype": feature.dtype}
        if feature.dtype == "number":
            columns.append(described | {"typical": _median(values)})
        else:
            columns.append(described | _levels(values, min_level_rows))
    return columns


def _median(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _levels(values: Sequence[str | None] | np.ndarray, min_level_rows: int) -> dict[str, Any]:
    """
    >>> _levels(["a", "b", "a", None], min_level_rows=2)
    {'levels': ['a'], 'rare': ['b'], 'typical': 'a'}
    """
    counts = Counter(value for value in values if value is not None)
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    levels = [level for level in ordered if counts[level] >= min_level_rows]
    rare = ordered[len(levels) :][:MAX_RARE_LEVELS]
    return {"levels": levels, "rare": rare, "typical": ordered[0] if ordered else None}
