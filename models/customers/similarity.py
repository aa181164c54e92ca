"""Comparison with customers: the reference points, in ranks weighted as evidence says.

What is learnt here is stored as arrays; `models.scoring` measures the distances.
"""

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.spec import Spec
from models.customers.rank_space import Space, Weights, evenly, fit_ranks
from models.customers.weighting import choose_weights, values_of_rows
from models.scoring import Reference, to_ranks

if TYPE_CHECKING:
    from models.dataset import Customers, Dataset

log = logging.getLogger(__name__)

_EXPONENT_ROWS = 2_000


class SimilaritySpec(Spec):
    """Comparison with customers known in [as_of - trailing_days, as_of)."""

    enabled: bool = True
    """Compare with customers as they looked just before they bought."""
    weights: Literal["auto"] | Weights = "auto"
    """How much each feature counts in a distance: ``uniform``, ``power`` (by what it tells alone)
    or ``learned`` (by a sketch of trees); ``auto`` takes the simplest that later rows do not
    prefer another to."""
    k: int = Field(default=15, ge=1)
    """At most so many nearest customers make a distance."""
    share: float = Field(default=0.2, gt=0, le=1)
    """And at most this share of those known, so that distances don't shrink as customers come."""
    min_customers: int = Field(default=20, ge=1)
    """With fewer known customers it stays unknown."""
    max_dims: int = Field(default=40, ge=1)
    """At most so many features are compared."""
    trailing_days: int = Field(default=365, ge=1)
    """A customer older than this is no longer compared with."""
    max_others: int = Field(default=5_000, ge=1)
    """At most so many non-customers are compared with."""
    duplicate_correlation: float = Field(default=0.95, gt=0, le=1)
    """Of two features correlated as highly as this only one is compared."""

    def with_weights(self, weights: Weights) -> "SimilaritySpec":
        """For models that are compared: the choice is not made again."""
        return self.model_copy(update={"weights": weights})


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
        Their descriptions, from `models.learners.encoding.fit_columns`.

    Returns
    -------
    dict of ndarray or None
        None when switched off, when there are fewer than `min_customers` customers, or when no
        column tells converters from others. ``weights`` names the weighting that was taken, and
        ``tried, tried_pr_auc, tried_gain, tried_error`` what the choice rests on
        (`models.customers.weighting.choose_weights`), absent where there was none.

    Raises
    ------
    NotEnoughHistory
        With "learned" weights, when fewer than 10 rows convert or fail to.
    """
    if not spec.enabled or len(customers) < spec.min_customers:
        log.info("Similarity: off (%d customers)", len(customers))
        return None

    def build(weights: Weights, rows: np.ndarray) -> Space | None:
        ranks = fit_ranks(
            weights,
            encoded,
            train.label,
            train.as_of,
            rows,
            columns,
            max_dims=spec.max_dims,
            duplicate_correlation=spec.duplicate_correlation,
            horizon_days=horizon_days,
            seed=seed,
        )
        if not len(ranks["dims"]):
            return None
        others = _others(train, rows, spec.max_others, horizon_days, seed)
        return _refer(ranks, train, encoded, rows, others, customers, customers_encoded, spec)

    evidence: Space = {}
    if spec.weights == "auto":
        chosen, evidence = choose_weights(build, train, encoded, horizon_days, seed)
    else:
        chosen = spec.weights
    space = build(chosen, np.arange(len(train)))
    if space is None:
        return None
    log.info(
        "Similarity: %d customers, %d dimensions, %s weights",
        len(customers),
        len(space["dims"]),
        chosen,
    )
    return space | {"weights": np.array(chosen)} | evidence


def _refer(
    ranks: Space,
    train: "Dataset",
    encoded: np.ndarray,
    rows: np.ndarray,
    others: tuple[np.ndarray, np.ndarray],
    customers: "Customers",
    customers_encoded: np.ndarray,
    spec: SimilaritySpec,
) -> Space:
    """Put customers and matured non-customers into the space, each sorted by when it was known."""
    order = np.lexsort((customers.matrix.snapshots.entity, customers.known_at))
    negative, known_at = others
    space = ranks | {
        "k": np.array(spec.k),
        "share": np.array(spec.share),
        "min_customers": np.array(spec.min_customers),
        "trailing_us": np.array(spec.trailing_days * DAY_US),
        "customer_points": to_ranks(ranks, customers_encoded[order]),
        "customer_known_at": customers.known_at[order],
        "customer_account": _text(customers.account[order]),
        "customer_domain": _text(customers.domain[order]),
        "customer_names": _text(customers.names[order]),
        "other_points": to_ranks(ranks, encoded[negative]),
        "other_known_at": known_at,
        "other_account": _text(train.account[negative]),
        "other_domain": _text(train.domain[negative]),
    }
    some = evenly(rows, _EXPONENT_ROWS)
    at, seen = to_ranks(ranks, encoded[some]), values_of_rows(train, some)
    for kind in ("customer", "other"):
        space[f"{kind}_exponent"] = np.array(_exponent(space, kind, at, seen))
    return space


def _exponent(space: Space, kind: str, ranks: np.ndarray, values: dict) -> float:
    """How fast distances grow when every second point is left out: log2 of their median ratio.

    Measured where a fixed number of neighbours is taken from either, which is where it is used;
    0 when nowhere are so many known.
    """
    unscaled = space | {f"{kind}_exponent": np.array(0.0)}
    fixed = float(space["k"]) / float(space["share"])
    whole = Reference(unscaled, kind).mean_distance(ranks, values)
    ratios = []
    for start in (0, 1):
        half = unscaled | {
            f"{kind}_{part}": space[f"{kind}_{part}"][start::2]
            for part in ("points", "known_at", "account", "domain")
        }
        known = _n_known(half, kind, values["as_of"])
        thinned = Reference(half, kind).mean_distance(ranks, values)
        usable = (known >= fixed) & (whole > 0) & (thinned > 0)
        ratios.append(thinned[usable] / whole[usable])
    ratio = np.concatenate(ratios)
    return max(0.0, float(np.median(np.log2(ratio)))) if len(ratio) else 0.0


def _n_known(space: Space, kind: str, as_of: np.ndarray) -> np.ndarray:
    known_at = space[f"{kind}_known_at"]
    first = np.searchsorted(known_at, as_of - int(space["trailing_us"]))
    return np.searchsorted(known_at, as_of) - first


def _others(
    train: "Dataset", rows: np.ndarray, most: int, horizon_days: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` negatives, drawn once for all rows, and when each was known, ascending."""
    negative = rows[train.mature[rows] & ~train.label[rows]]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(negative))[:most])
    # A label is known from the end of its horizon on: at a row's as_of it must lie before.
    known_at = train.as_of[negative[drawn]] + horizon_days * DAY_US - 1
    by_time = np.argsort(known_at, kind="stable")
    return negative[drawn][by_time], known_at[by_time]


def _text(values: np.ndarray) -> np.ndarray:
    """Unicode array, None as the empty string: an object array could only be pickled."""
    return np.array(["" if value is None else value for value in values], np.str_)
