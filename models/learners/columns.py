"""Columns that the learner never sees: dead ones, copies of others and, if asked, unstable ones."""

import hashlib
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from features.errors import NotEnoughHistory
from features.spec import Spec

if TYPE_CHECKING:
    from models.dataset import Dataset
    from models.learners.inputs import Inputs

log = logging.getLogger(__name__)

Reason = Literal["all missing", "constant", "duplicate", "unstable"]

_PROBED_ROWS = 1_000
_BLOCK = 64
_LEAST_CONVERTING = 20
_ROUNDS = 40


class StabilitySpec(Spec):
    """Stability selection: a small booster on each half of the accounts, again and again.

    A column stays if it is among the `chosen_per_half` that remove most loss in at least
    `least_share` of the halves.
    """

    pairs: int = Field(default=25, ge=5)
    """Each pair divides the accounts in two halves, so this many times two fits."""
    chosen_per_half: int = Field(default=60, ge=1)
    """Columns chosen on each half."""
    least_share: float = Field(default=0.6, gt=0.5, le=1)
    """Share of the halves that must choose a column for it to stay."""


class ColumnSpec(Spec):
    """Which columns are dropped before the learner is fitted; dead ones always are."""

    drop_duplicates: bool = True
    """Trees are not shown columns that say what another says."""
    stability: StabilitySpec | None = None
    """Keep only columns that are chosen again and again; none: off."""


@dataclass(frozen=True)
class Dropped:
    """A column that went: why, the kept column it repeats, the share of halves that chose it."""

    name: str
    reason: Reason
    because_of: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class ColumnChoice:
    """Names of the columns that stay, in their order, and those that go."""

    kept: tuple[str, ...]
    dropped: tuple[Dropped, ...]

    def positions(self, names: Sequence[str]) -> np.ndarray:
        """Where the kept columns are among `names`, int64, increasing."""
        kept = set(self.kept)
        return np.array([at for at, name in enumerate(names) if name in kept], np.int64)

    def describe(self) -> list[dict[str, Any]]:
        """One JSON-ready row per dropped column: name, reason, because_of, share."""
        return [asdict(one) for one in self.dropped]


def choose_columns(
    inputs: "Inputs",
    train: "Dataset",
    spec: ColumnSpec,
    *,
    seed: int,
    threads: int,
    protected: Collection[str] = (),
) -> ColumnChoice:
    """Decide on the training rows alone which columns the learner gets.

    A duplicate has the same missing rows as a column before it and the same order of values,
    rising or falling (rank correlation 1 or -1); of categories, the same groups of rows. A tree
    can't tell the two apart.

    Parameters
    ----------
    train
        The rows of ``inputs.matrix``.
    protected
        Names that always stay, such as those with monotone constraints.

    Raises
    ------
    NotEnoughHistory
        When stability selection is asked for with fewer than 20 converting accounts.
    """
    going: dict[int, Dropped] = {}
    safe = {at for at, name in enumerate(inputs.names) if name in set(protected)}
    for at, reason in _dead(inputs.matrix).items():
        if at not in safe:
            going[at] = Dropped(inputs.names[at], reason)
    if spec.drop_duplicates:
        left = [at for at in range(len(inputs.names)) if at not in going]
        # What is protected comes first, so that the others are copies of it.
        left.sort(key=lambda at: at not in safe)
        for at, first in _duplicates(inputs, left).items():
            if at not in safe:
                going[at] = Dropped(inputs.names[at], "duplicate", inputs.names[first])
    if spec.stability is not None:
        left = [at for at in range(len(inputs.names)) if at not in going]
        shares = _chosen(inputs, left, train, spec.stability, seed, threads)
        for at, share in zip(left, shares, strict=True):
            if share < spec.stability.least_share and at not in safe:
                going[at] = Dropped(inputs.names[at], "unstable", share=float(share))
    kept = tuple(name for at, name in enumerate(inputs.names) if at not in going)
    log.info("Columns: %d of %d stay", len(kept), len(inputs.names))
    return ColumnChoice(kept, tuple(going[at] for at in sorted(going)))


def false_choices(spec: StabilitySpec, n_columns: int) -> float:
    """Most useless columns that stability selection is expected to keep, of `n_columns`.

    q^2 / ((2 pi - 1) p) (Meinshausen & Buehlmann 2010, theorem 1), if useless columns are
    exchangeable and no worse than chance is done.

    >>> false_choices(StabilitySpec(chosen_per_half=10, least_share=0.75), 200)
    1.0
    """
    return spec.chosen_per_half**2 / ((2 * spec.least_share - 1) * n_columns)


def _columns(matrix: np.ndarray, positions: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Positions and contiguous columns; read by blocks, for the matrix lies row by row."""
    for start in range(0, len(positions), _BLOCK):
        block = positions[start : start + _BLOCK]
        yield from zip(block, np.ascontiguousarray(matrix[:, block].T), strict=True)


def _dead(matrix: np.ndarray) -> dict[int, Reason]:
    """Columns of one value, missing being a value of its own."""
    low, high = np.fmin.reduce(matrix, axis=0), np.fmax.reduce(matrix, axis=0)
    some_missing = np.isnan(matrix).any(axis=0)
    dead: dict[int, Reason] = {int(at): "all missing" for at in np.flatnonzero(np.isnan(low))}
    return dead | {int(at): "constant" for at in np.flatnonzero((low == high) & ~some_missing)}


def _duplicates(inputs: "Inputs", positions: Sequence[int]) -> dict[int, int]:
    """Each repeated column, and the first one of `positions` that it repeats."""
    categories = inputs.categories
    probe = inputs.matrix[:: max(1, len(inputs.matrix) // _PROBED_ROWS)]
    # What differs on a few rows differs on all, and most columns do.
    alike: dict[bytes, list[int]] = {}
    for at, column in _columns(probe, positions):
        alike.setdefault(_order(column, inputs.names[at] in categories), []).append(at)
    candidates = [at for group in alike.values() if len(group) > 1 for at in group]
    candidates.sort(key=list(positions).index)
    first: dict[bytes, int] = {}
    repeated = {}
    for at, column in _columns(inputs.matrix, candidates):
        key = _order(column, inputs.names[at] in categories)
        if first.setdefault(key, at) != at:
            repeated[at] = first[key]
    return repeated


def _order(column: np.ndarray, is_category: bool) -> bytes:
    """Digest of which rows are equal, missing and, for numbers, in which order up to reversal.

    >>> rising, falling = np.array([1.0, 2.0, 9.0]), np.array([0.0, -1.0, -2.0])
    >>> _order(rising, False) == _order(falling, False)
    True
    >>> _order(rising, False) == _order(np.array([1.0, 1.0, 9.0]), False)
    False
    """
    missing = np.isnan(column)
    if is_category:
        # Codes are names: groups are numbered by their first row.
        _, first, group = np.unique(column, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))[group].astype(np.int32)
        return _digest(b"category", np.where(missing, -1, rank))
    values, place = np.unique(column, return_inverse=True)
    last = len(values) - 1 - bool(missing.any())
    ways = (np.where(missing, -1, rank).astype(np.int32) for rank in (place, last - place))
    return min(_digest(b"number", way) for way in ways)


def _digest(kind: bytes, ranks: np.ndarray) -> bytes:
    return hashlib.sha256(kind + ranks.tobytes()).digest()


def _chosen(
    inputs: "Inputs",
    positions: Sequence[int],
    train: "Dataset",
    spec: StabilitySpec,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Share of halves in which each column is among the strongest, shape (n_positions,).

    Meinshausen & Buehlmann 2010 draw halves; complementary ones (Shah & Samworth 2013) use every
    account in each pair. Halves are of accounts, whose rows repeat each other.
    """
    cluster = train.cluster
    if (converting := len(np.unique(cluster[train.label]))) < _LEAST_CONVERTING:
        raise NotEnoughHistory(
            f"Stability selection needs {_LEAST_CONVERTING} converting accounts to divide, the "
            f"training rows have {converting}. Remove model.columns.stability."
        )
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(positions))
    params = _small_booster(seed, threads)
    data = _binned(inputs, positions, train.label, params)
    for _ in range(spec.pairs):
        half = _half(cluster, train.label, rng)[cluster]
        for rows in (half, ~half):
            gain = _gains(data, np.flatnonzero(rows), params)
            strongest = np.argsort(-gain, kind="stable")[: spec.chosen_per_half]
            chosen[strongest[gain[strongest] > 0]] += 1
    return chosen / (2 * spec.pairs)


def _half(cluster: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the converting and half of the other clusters, bool by cluster."""
    converts = np.bincount(cluster, label) > 0
    shuffled = rng.permutation(len(converts))
    dealt = shuffled[np.argsort(~converts[shuffled], kind="stable")]
    half = np.zeros(len(converts), bool)
    half[dealt[::2]] = True
    return half


def _small_booster(seed: int, threads: int) -> dict[str, Any]:
    """Shallow and short: it only has to say which columns speak first."""
    return {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 7,
        "feature_fraction": 0.5,
        "max_bin": 63,
        "lambda_l2": 5.0,
        "feature_pre_filter": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "seed": seed,
        "verbosity": -1,
    }


def _binned(
    inputs: "Inputs", positions: Sequence[int], label: np.ndarray, params: dict[str, Any]
) -> Any:
    import lightgbm as lgb

    categories = inputs.categories
    named = [at for at, place in enumerate(positions) if inputs.names[place] in categories]
    return lgb.Dataset(
        inputs.matrix[:, positions],
        label.astype(np.float64),
        categorical_feature=named,
        params=params,
    ).construct()


def _gains(data: Any, rows: np.ndarray, params: dict[str, Any]) -> np.ndarray:
    """Training loss that each column removes, shape (n_columns,)."""
    import lightgbm as lgb

    booster = lgb.train(params, data.subset(rows), num_boost_round=_ROUNDS)
    return booster.feature_importance("gain")
