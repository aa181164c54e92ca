"""The space in which accounts are compared with customers: its dimensions, ranks and references.

What is learnt here is stored as arrays; `models.scoring` measures the distances.
"""

import logging
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from features.clock import DAY_US
from features.spec import Spec
from models.metrics import roc_auc
from models.scoring import to_ranks

if TYPE_CHECKING:
    from models.dataset import Customers, Dataset

log = logging.getLogger(__name__)

Space = dict[str, np.ndarray]

_SAMPLE = 50_000
_KNOTS = 256


class SimilaritySpec(Spec):
    """Comparison with customers known in [as_of - trailing_days, as_of)."""

    enabled: bool = True
    k: int = Field(default=15, ge=1)
    min_customers: int = Field(default=20, ge=1)
    max_dims: int = Field(default=40, ge=1)
    trailing_days: int = Field(default=365, ge=1)
    max_others: int = Field(default=5_000, ge=1)
    duplicate_correlation: float = Field(default=0.95, gt=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> "SimilaritySpec":
        if self.min_customers < self.k:
            raise ValueError("min_customers must not be below k")
        return self


def fit_space(
    train: "Dataset",
    encoded: np.ndarray,
    customers: "Customers",
    customers_encoded: np.ndarray,
    columns: list[dict],
    spec: SimilaritySpec,
    *,
    horizon_days: int,
    seed: int,
) -> Space | None:
    """Dimensions and ranks from training rows, and the reference points in them.

    Parameters
    ----------
    encoded, customers_encoded
        float64, shapes (n, n_columns) and (m, n_columns): `models.scoring.encode` of the rows.
    columns
        Their descriptions, from `models.encoding.fit_columns`.

    Returns
    -------
    dict of ndarray or None
        None when switched off, when there are fewer than `min_customers` customers, or when no
        column tells converters from others.
    """
    if not spec.enabled or len(customers) < spec.min_customers:
        log.info("Similarity: off (%d customers)", len(customers))
        return None
    sample = np.unique(np.linspace(0, len(encoded) - 1, min(_SAMPLE, len(encoded))).astype(int))
    space = _choose_dims(encoded, sample, train.label, columns, spec)
    if not len(space["dims"]):
        return None
    space |= {
        "k": np.array(spec.k),
        "min_customers": np.array(spec.min_customers),
        "trailing_us": np.array(spec.trailing_days * DAY_US),
    }
    order = np.lexsort((customers.matrix.snapshots.entity, customers.known_at))
    space |= {
        "customer_points": to_ranks(space, customers_encoded[order]),
        "customer_known_at": customers.known_at[order],
        "customer_account": _text(customers.account[order]),
        "customer_domain": _text(customers.domain[order]),
        "customer_names": _text(customers.names[order]),
    }
    others = _others(train, spec.max_others, seed)
    # A label is known from the end of its horizon on: at a row's as_of it must lie before.
    known_at = train.as_of[others] + horizon_days * DAY_US - 1
    others, known_at = others[order := np.argsort(known_at, kind="stable")], known_at[order]
    space |= {
        "other_points": to_ranks(space, encoded[others]),
        "other_known_at": known_at,
        "other_account": _text(train.account[others]),
        "other_domain": _text(train.domain[others]),
    }
    log.info("Similarity: %d customers, %d dimensions", len(customers), len(space["dims"]))
    return space


def _others(train: "Dataset", most: int, seed: int) -> np.ndarray:
    """Increasing positions of at most `most` negatives, drawn once for all rows."""
    negative = np.flatnonzero(train.mature & ~train.label)
    drawn = np.random.default_rng(seed).permutation(len(negative))[:most]
    return np.sort(negative[drawn])


def _choose_dims(
    encoded: np.ndarray,
    sample: np.ndarray,
    label: np.ndarray,
    columns: list[dict],
    spec: SimilaritySpec,
) -> Space:
    """The numbers that separate best, without near-duplicates, at most `max_dims`."""
    judged = np.union1d(sample, np.flatnonzero(label))
    numbers = [
        at
        for at, column in enumerate(columns)
        if column["dtype"] == "number" and len(np.unique(_known(encoded[sample, at]))) > 1
    ]
    power = [_separation(encoded[judged, at], label[judged]) for at in numbers]
    by_power = [numbers[place] for place in np.argsort(-np.array(power), kind="stable")]
    knots = {at: _knots(encoded[sample, at]) for at in by_power}
    ranks = to_ranks(_space(by_power, knots), encoded[sample])
    kept = _without_duplicates(ranks, spec.duplicate_correlation)[: spec.max_dims]
    return _space([by_power[place] for place in kept], knots)


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


def _space(dims: list[int], knots: dict[int, tuple[np.ndarray, np.ndarray]]) -> Space:
    """Knots of all dimensions end to end; those of dims[i] are [offsets[i], offsets[i + 1])."""
    return {
        "dims": np.array(dims, np.int64),
        "offsets": np.cumsum([0, *(len(knots[at][0]) for at in dims)]),
        "knots": np.concatenate([knots[at][0] for at in dims] or [np.empty(0)]),
        "heights": np.concatenate([knots[at][1] for at in dims] or [np.empty(0)]),
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


def _text(values: np.ndarray) -> np.ndarray:
    """Unicode array, None as the empty string: an object array could only be pickled."""
    return np.array(["" if value is None else value for value in values], np.str_)
