"""The dimensions in which accounts are compared: which columns, their ranks, their weights."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from models.learners.booster import BoosterSpec, fit_booster
from models.metrics import roc_auc
from models.scoring import to_ranks

Space = dict[str, np.ndarray]
Weights = Literal["uniform", "power", "learned"]

_SAMPLE = 50_000
_KNOTS = 256
# A sketch of what matters, not a model: few rounds, and columns take turns.
_SKETCH = BoosterSpec(
    max_rounds=40, fallback_rounds=40, learning_rate=0.1, feature_fraction=0.5, bagging_fraction=0.8
)


def fit_ranks(
    weights: Weights,
    encoded: np.ndarray,
    label: np.ndarray,
    as_of: np.ndarray,
    rows: np.ndarray,
    columns: list[dict],
    *,
    max_dims: int,
    duplicate_correlation: float,
    horizon_days: int,
    seed: int,
) -> Space:
    """Dimensions, their ranks and their scales, from training rows.

    Parameters
    ----------
    weights
        "uniform": the columns that separate converters best, near-duplicates left out, all
        weighing the same. "power": the same columns, each weighing its |ROC-AUC - 0.5|.
        "learned": the columns that a small booster gains most from, weighing its gain; what one
        column tells as well as another then counts once.
    encoded
        float64, shape (n, n_columns): `models.scoring.encode` of the rows.
    rows
        int64: increasing positions of the rows to learn from. An index, so that a matrix that
        fills the memory is not copied.

    Returns
    -------
    dict of ndarray
        ``dims, offsets, knots, heights, scale`` as `models.scoring.to_ranks` reads them; no dims
        when no number tells converters from others.

    Raises
    ------
    NotEnoughHistory
        With "learned", when fewer than 10 rows convert or fail to.
    """
    sample = evenly(rows, _SAMPLE)
    judged = np.union1d(sample, rows[label[rows]])
    numbers = [
        at
        for at, column in enumerate(columns)
        if column["dtype"] == "number" and len(np.unique(_known(encoded[sample, at]))) > 1
    ]
    if not numbers:
        return _ranks([], {}, np.empty(0))
    if weights == "learned":
        gain = _gain(encoded[judged], label[judged], as_of[judged], numbers, horizon_days, seed)
        dims = [at for at in sorted(numbers, key=lambda at: (-gain[at], at)) if gain[at] > 0]
        dims = dims[:max_dims]
        knots = {at: _knots(encoded[sample, at]) for at in dims}
        return _ranks(dims, knots, np.array([gain[at] for at in dims]))
    power = {at: _separation(encoded[judged, at], label[judged]) for at in numbers}
    by_power = sorted(numbers, key=lambda at: (-power[at], at))
    knots = {at: _knots(encoded[sample, at]) for at in by_power}
    every = _ranks(by_power, knots, np.ones(len(by_power)))
    kept = _without_duplicates(to_ranks(every, encoded[sample]), duplicate_correlation)[:max_dims]
    dims = [by_power[place] for place in kept]
    weight = np.array([power[at] if weights == "power" else 1.0 for at in dims])
    return _ranks(dims, knots, weight)


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows, evenly spaced.

    >>> evenly(np.arange(9), 3), evenly(np.arange(2), 3)
    (array([0, 4, 8]), array([0, 1]))
    """
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]


def _gain(
    encoded: np.ndarray,
    label: np.ndarray,
    as_of: np.ndarray,
    numbers: list[int],
    horizon_days: int,
    seed: int,
) -> dict[int, float]:
    """What a small booster of the numbers gains from each, 0 where it has no use for it."""
    import lightgbm as lgb

    text = fit_booster(
        encoded[:, numbers],
        [str(at) for at in numbers],
        (),
        label,
        as_of,
        _SKETCH,
        horizon_days=horizon_days,
        seed=seed,
        threads=1,
    )
    sketch = lgb.Booster(model_str=text)
    gain = dict(zip(sketch.feature_name(), sketch.feature_importance("gain"), strict=True))
    return {at: float(gain.get(str(at), 0.0)) for at in numbers}


def _separation(values: np.ndarray, label: np.ndarray) -> float:
    """|ROC-AUC - 0.5| of one column, missing values lowest."""
    return abs(roc_auc(label, np.nan_to_num(values, nan=-np.inf)) - 0.5)


def _without_duplicates(ranks: np.ndarray, limit: float) -> list[int]:
    """Columns whose rank correlation with every kept column before them is at most `limit`."""
    ranks = ranks - ranks.mean(axis=0)
    ranks /= np.maximum(np.sqrt((ranks * ranks).sum(axis=0)), 1e-12)
    correlation = np.abs(ranks.T @ ranks)
    kept: list[int] = []
    for column in range(ranks.shape[1]):
        if correlation[column, kept].max(initial=0) <= limit:
            kept.append(column)
    return kept


def _ranks(
    dims: Sequence[int], knots: dict[int, tuple[np.ndarray, np.ndarray]], weight: np.ndarray
) -> Space:
    """Knots of all dimensions end to end; those of dims[i] are [offsets[i], offsets[i + 1]).

    Weights become scales whose squares have the mean 1, so that distances stay comparable.
    """
    mean = weight.mean() if weight.any() else 1.0
    return {
        "dims": np.array(dims, np.int64),
        "offsets": np.cumsum([0, *(len(knots[at][0]) for at in dims)]),
        "knots": np.concatenate([knots[at][0] for at in dims] or [np.empty(0)]),
        "heights": np.concatenate([knots[at][1] for at in dims] or [np.empty(0)]),
        "scale": np.sqrt(weight / mean),
    }


def _knots(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and their mid-ranks in [0, 1], thinned evenly by rank.

    >>> _knots(np.array([0.0, 0.0, 5.0, np.nan]))
    (array([0., 5.]), array([0.33333333, 0.83333333]))
    """
    known = _known(values)
    distinct, count = np.unique(known, return_counts=True)
    middle = (np.cumsum(count) - count / 2) / len(known)
    if len(distinct) > _KNOTS:
        at = np.searchsorted(middle, np.linspace(middle[0], middle[-1], _KNOTS))
        distinct, middle = distinct[np.unique(at)], middle[np.unique(at)]
    return distinct, middle


def _known(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]
