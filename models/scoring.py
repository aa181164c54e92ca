"""Scores rows with a saved model: numpy and LightGBM only, because this file travels alone.

It is copied into the registered model and imports nothing of this project. `PropensityModel`
calls this very code, so there is one scoring path. A row's result never depends on which other
rows are in the batch, nor on their order.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FORMAT_VERSION = 1
TIERS = ("cold", "warm", "hot", "critical")
KEYS = ("as_of", "account_id", "domain")
SIMILARITY = ("similarity_mean_distance", "similarity_nearest_distance", "similarity_contrast")

# Ranks lie in [0, 1], so a missing value is unlike every other.
_MISSING_RANK = -0.5
_PAIRS_AT_ONCE = 1 << 20
_KINDS = {"number": "fiub", "category": "OUT", "time": "iM"}


class ColumnError(ValueError):
    """The columns are not those the model was trained on; the message is a diff."""


def check_columns(columns: list[dict], values: Mapping[str, Any]) -> int:
    """Number of rows, if all columns have the names and types that the model expects.

    Raises
    ------
    ColumnError
        With a diff: ``-`` is missing, ``+`` is unknown, ``!`` is wrong.
    """
    expected = {"as_of": "time"} | {column["name"]: column["dtype"] for column in columns}
    diff = [f"- {name}" for name in expected if name not in values]
    diff += [f"+ {name}" for name in values if name not in expected and name not in KEYS]
    n = len(values.get("as_of", ()))
    for name, column in values.items():
        found = np.asarray(column).dtype
        if name in expected and found.kind not in _KINDS[expected[name]]:
            diff.append(f"! {name}: expected {expected[name]}, got {found}")
        if len(column) != n and "as_of" in values:
            diff.append(f"! {name}: {len(column)} rows, as_of has {n}")
    if diff:
        raise ColumnError("The columns differ from the model's:\n" + "\n".join(diff))
    return n


def encode(columns: list[dict], values: Mapping[str, Any]) -> np.ndarray:
    """Model columns as float64, shape (n, n_columns); missing and unseen values are NaN.

    A category becomes the position of its level; levels that were rare in training share the
    position after the last.
    """
    n = check_columns(columns, values)
    encoded = np.empty((n, len(columns)), order="F")
    for at, column in enumerate(columns):
        raw = values[column["name"]]
        if column["dtype"] == "category":
            codes = dict.fromkeys(column["rare"], len(column["levels"]))
            codes |= {level: code for code, level in enumerate(column["levels"])}
            raw = np.array([codes.get(value, np.nan) for value in raw], np.float64)
        encoded[:, at] = raw
    return encoded


def to_ranks(space: Mapping[str, np.ndarray], encoded: np.ndarray) -> np.ndarray:
    """Training ranks of the similarity dimensions, float32 in [0, 1], shape (n, n_dims)."""
    ranks = np.empty((len(encoded), len(space["dims"])), np.float32)
    for at, column in enumerate(space["dims"]):
        part = slice(space["offsets"][at], space["offsets"][at + 1])
        rank = np.interp(encoded[:, column], space["knots"][part], space["heights"][part])
        ranks[:, at] = np.where(np.isnan(encoded[:, column]), _MISSING_RANK, rank)
    return ranks


class Reference:
    """Customers, or non-customers, in rank space, sorted by the time they were known.

    Distance is the root mean squared gap of ranks. The search is exact: float32 products choose
    candidates with room for their rounding, float64 sums in a fixed order decide, and ties go to
    the point known first. So no result depends on the shape of a batch.
    """

    def __init__(self, space: Mapping[str, np.ndarray], kind: str):
        self.points, self.known_at = space[f"{kind}_points"], space[f"{kind}_known_at"]
        self._mates = [_positions(space[f"{kind}_{key}"]) for key in ("account", "domain")]
        self._at_least, self._trailing_us = int(space["min_customers"]), int(space["trailing_us"])
        # |q - p|^2 - |q|^2 = p^2 - 2 q p: one product of vectors with one more coordinate.
        square = (self.points * self.points).sum(axis=1)
        self._factor = np.column_stack([self.points, square]).T.copy()
        self._axes = self.points.T.astype(np.float64)
        # Rounding of a product of n terms is below n 2^-24 sum |terms| (Higham 2002, section 3.1).
        n_dims = self.points.shape[1]
        self._slack = np.float32(8 * n_dims * (n_dims + 1) * 2.0**-24)

    def nearest(
        self, ranks: np.ndarray, values: Mapping[str, Any], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest points known in [as_of - trailing, as_of), never of the row's own
        account or e-mail domain.

        Returns
        -------
        distance, index
            float64 and int64, shape (n, k), nearest first; NaN and -1 where fewer than
            `min_customers` points are known, or fewer than k remain.
        """
        n, n_dims = ranks.shape
        distance, index = np.full((n, k), np.nan), np.full((n, k), -1)
        as_of = np.asarray(values["as_of"]).astype("datetime64[us]").astype(np.int64)
        first = np.searchsorted(self.known_at, as_of - self._trailing_us)
        last = np.searchsorted(self.known_at, as_of)
        keys = [values.get(key, [None] * n) for key in ("account_id", "domain")]
        axes = ranks.T.astype(np.float64)
        order = np.argsort(as_of, kind="stable")
        order = order[(last - first)[order] >= max(k, self._at_least)]
        size = int(np.clip(_PAIRS_AT_ONCE // max(1, len(self.points)), 16, 1024))
        for rows in (order[start : start + size] for start in range(0, len(order), size)):
            low, high = int(first[rows].min()), int(last[rows].max())
            gap = np.column_stack([-2 * ranks[rows], np.ones(len(rows), np.float32)])
            gap = gap @ self._factor[:, low:high]
            self._hide(gap, rows, first[rows], last[rows], keys)
            row, point = np.divmod(np.flatnonzero(_near(gap, k, self._slack)), high - low)
            point += low
            total = np.zeros(len(row))
            for axis in range(n_dims):
                step = axes[axis][rows[row]] - self._axes[axis][point]
                total += step * step
            ranked = np.lexsort((total, row))
            row, point, total = row[ranked], point[ranked], total[ranked]
            place = np.arange(len(row)) - np.searchsorted(row, row)
            cell = rows[row[place < k]], place[place < k]
            distance[cell] = np.sqrt(total[place < k] / n_dims)
            index[cell] = point[place < k]
        return distance, index

    def _hide(
        self, gap: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray, keys: list
    ) -> None:
        """Set gaps to infinity for points outside [first, last) and for the row's own people."""
        low = int(first.min())
        if (first != low).any() or (last != low + gap.shape[1]).any():
            point = np.arange(low, low + gap.shape[1])
            gap[(point < first[:, None]) | (point >= last[:, None])] = np.inf
        for mates, key in zip(self._mates, keys, strict=True):
            for place, row in enumerate(rows):
                if (mate := mates.get(key[row])) is not None:
                    mate = mate[(mate >= first[place]) & (mate < last[place])]
                    gap[place, mate - low] = np.inf


def _positions(keys: np.ndarray) -> dict[str, np.ndarray]:
    """Increasing positions of each non-empty key."""
    known, code, count = np.unique(keys, return_inverse=True, return_counts=True)
    parts = np.split(np.argsort(code, kind="stable"), np.cumsum(count)[:-1])
    return {key: part for key, part in zip(known.tolist(), parts, strict=False) if key}


def _near(gap: np.ndarray, k: int, slack: np.float32) -> np.ndarray:
    """Mask of a superset of each row's k smallest finite gaps.

    The k-th smallest of the minima of disjoint groups is never below the k-th smallest of all,
    and costs one vectorised pass instead of a selection among all points.
    """
    n_groups = min(gap.shape[1], 16 * k)
    depth = gap.shape[1] // n_groups
    minima = gap[:, : n_groups * depth].reshape(len(gap), depth, n_groups).min(axis=1)
    bound = np.partition(minima, k - 1, axis=1)[:, k - 1] + slack
    return gap <= np.minimum(bound, np.finfo(np.float32).max)[:, None]


def similarity(space: Mapping[str, np.ndarray], ranks: np.ndarray, values: Mapping) -> np.ndarray:
    """Mean distance to the k nearest customers, nearest distance, and contrast, shape (n, 3).

    Contrast is the mean distance to the k nearest non-customers minus that to customers: above 0
    the row looks more like a customer.
    """
    k = int(space["k"])
    customers, _ = Reference(space, "customer").nearest(ranks, values, k)
    others, _ = Reference(space, "other").nearest(ranks, values, k)
    # Columns are added one by one: an order of summation that no array shape can change.
    mean = sum(customers.T) / k
    return np.column_stack([mean, customers[:, 0], sum(others.T) / k - mean])


def assemble(
    columns: list[dict], space: Mapping[str, np.ndarray] | None, values: Mapping[str, Any]
) -> tuple[list[str], np.ndarray]:
    """Names and float64 values, shape (n, n_names), of all columns and the similarities."""
    names, encoded = [column["name"] for column in columns], encode(columns, values)
    if space is None:
        return names, encoded
    like = similarity(space, to_ranks(space, encoded), values)
    return [*names, *SIMILARITY], np.hstack([encoded, like])


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -logit))


def calibrate(mapping: Mapping[str, Any], score: np.ndarray) -> np.ndarray:
    """Probability of raw scores (log-odds), non-decreasing; `mapping` is calibration.json."""
    if mapping["method"] == "isotonic":
        return np.interp(score, mapping["score"], mapping["probability"])
    low, high, shift = mapping["low"], mapping["high"], mapping["shift"]
    # ln p = -ln(1 + e^-s) and -ln(1 - p) = ln(1 + e^s); with low = high it is a line in s.
    return sigmoid(high * np.logaddexp(0, score) - low * np.logaddexp(0, -score) + shift)


def tier_of(cutoffs: Mapping[str, float], probability: np.ndarray) -> np.ndarray:
    """Names of tiers; a probability equal to a cut-off reaches the tier."""
    edges = [cutoffs[name] for name in TIERS[1:]]
    return np.array(TIERS, object)[np.searchsorted(edges, probability, side="right")]


class Scorer:
    """A saved model: `score` gives probabilities, `look_alikes` the nearest customers."""

    def __init__(
        self,
        columns: list[dict],
        booster_text: str,
        space: Mapping[str, np.ndarray] | None,
        calibration: dict | None = None,
        tiers: dict | None = None,
    ):
        import lightgbm as lgb

        self.columns, self.booster_text, self.space = columns, booster_text, space
        self.calibration, self.tiers = calibration or {}, tiers or {}
        self.booster = lgb.Booster(model_str=booster_text)

    @classmethod
    def load(cls, folder: str | Path) -> "Scorer":
        """Read a bundle folder; ValueError when its format is another than this file reads."""
        root = Path(folder)
        about, calibration, tiers = (
            json.loads((root / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("bundle", "calibration", "tiers")
        )
        if about["format_version"] != FORMAT_VERSION:
            raise ValueError(f"Format {about['format_version']} is not {FORMAT_VERSION}: retrain.")
        space = None
        if (root / "similarity.npz").is_file():
            with np.load(root / "similarity.npz", allow_pickle=False) as arrays:
                space = dict(arrays)
        booster_text = (root / "booster.txt").read_text("utf-8")
        return cls(about["columns"], booster_text, space, calibration, tiers)

    def _predict(self, values: Mapping[str, Any], **what: Any) -> np.ndarray:
        names, matrix = assemble(self.columns, self.space, values)
        # LightGBM predicts by position: columns are picked by the names it was trained with.
        matrix = matrix[:, [names.index(name) for name in self.booster.feature_name()]]
        return self.booster.predict(matrix, num_threads=1, **what)

    def raw(self, values: Mapping[str, Any]) -> np.ndarray:
        """Raw scores (log-odds before calibration), shape (n,)."""
        return self._predict(values, raw_score=True)

    def contributions(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """What each column adds to the raw score, by name, shape (n,) each; "" is the constant."""
        parts = self._predict(values, pred_contrib=True).T
        return dict(zip([*self.booster.feature_name(), ""], parts, strict=True))

    def score(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Scores by name, each of shape (n,).

        `values` maps names to arrays: every model column, ``as_of`` (int64 microseconds UTC or
        datetime64), and where known ``account_id`` and ``domain``.

        Raises
        ------
        ColumnError
            When a column is missing, unknown or of another type.
        """
        raw = self.raw(values)
        probability = calibrate(self.calibration, raw)
        return {
            "raw_score": raw,
            "probability": probability,
            "pql_score": np.interp(probability, self.tiers["knots"], self.tiers["heights"]),
            "tier": tier_of(self.tiers["cutoffs"], probability),
        }

    def look_alikes(self, values: Mapping[str, Any], k: int) -> list[list[tuple[str, float]]]:
        """Names and distances of the k nearest customers of each row, nearest first."""
        if self.space is None:
            return [[] for _ in range(check_columns(self.columns, values))]
        ranks = to_ranks(self.space, encode(self.columns, values))
        distance, index = Reference(self.space, "customer").nearest(ranks, values, k)
        names = self.space["customer_names"]
        rows = zip(index.tolist(), distance.tolist(), strict=True)
        return [[(str(names[i]), d) for i, d in zip(*row, strict=True) if i >= 0] for row in rows]
