"""Training rows as a sequence of past and next: what a setting is worth on rows it did not see."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.clock import DAY_US
from models.learners.booster import BoosterSpec, fit_booster
from models.learners.rungs import (
    ModelSpec,
    beside_trees,
    columns_for,
    learner_inputs,
    scores_of_later,
)
from models.metrics import row_log_loss
from models.scorecard.rules import Rule
from models.scoring import Learner, sigmoid

if TYPE_CHECKING:
    from models.dataset import Customers, Dataset

LEAST_TO_FIT = 10
"""Conversions that a booster needs (`models.learners.booster.fit_booster`)."""


@dataclass(frozen=True)
class Part:
    """Rows to fit on and later rows to be judged on, encoded once for any number of settings.

    Parameters
    ----------
    names, categories, matrix, label, as_of
        As `models.learners.booster.fit_booster` takes them.
    held_matrix, held_label, held_cluster
        The later rows in the same columns; clusters as in `Dataset`.
    weight
        Of the trees in the raw score.
    held_rest
        Log-odds of the held-out rows by what has the rest of the weight. Neither depends on the
        settings that are searched.
    """

    names: tuple[str, ...]
    categories: frozenset[str]
    matrix: np.ndarray
    label: np.ndarray
    as_of: np.ndarray
    held_matrix: np.ndarray
    held_label: np.ndarray
    held_cluster: np.ndarray
    weight: float
    held_rest: np.ndarray
    horizon_days: int

    def losses(self, spec: BoosterSpec, *, seed: int, threads: int) -> np.ndarray:
        """Log loss of each held-out row after the best shift, float64, shape (n_held,)."""
        trees = self.trees(spec, seed=seed, threads=threads)
        raw = self.weight * trees + (1 - self.weight) * self.held_rest
        return shifted_log_loss(raw, self.held_label)

    def trees(self, spec: BoosterSpec, *, seed: int, threads: int) -> np.ndarray:
        """Log-odds of each held-out row by one booster, float64, shape (n_held,)."""
        text = fit_booster(
            self.matrix,
            self.names,
            self.categories,
            self.label,
            self.as_of,
            spec,
            horizon_days=self.horizon_days,
            seed=seed,
            threads=threads,
        )
        return Learner("booster", [text], weight=1.0).raw(self.names, self.held_matrix)


@dataclass(frozen=True)
class Preparation:
    """How rows become a `Part`; of the booster's settings it reads those that are not searched.

    Parameters
    ----------
    rules
        The scorecard's, which every learner starts from.
    """

    customers: "Customers"
    spec: ModelSpec
    horizon_days: int
    seed: int
    threads: int
    rules: tuple[Rule, ...] = ()

    def scores(self, rung: str, train: "Dataset", later: "Dataset") -> np.ndarray:
        """Log-odds that another rung gives to later rows, shape (n_later,)."""
        return scores_of_later(
            train,
            later,
            self.customers,
            self.spec.model_copy(update={"learner": rung}),
            self.rules,
            horizon_days=self.horizon_days,
            seed=self.seed,
            threads=self.threads,
        )

    def part(self, train: "Dataset", held_out: "Dataset") -> Part:
        """Columns, similarity and the choice of columns learnt from `train` alone."""
        spec = self.spec.model_copy(update={"learner": "booster"})
        inputs = learner_inputs(
            train, self.customers, spec, horizon_days=self.horizon_days, seed=self.seed
        )
        choice = columns_for(inputs, train, spec, seed=self.seed, threads=self.threads)
        at = choice.positions(inputs.names)
        encoded = inputs.of(held_out)
        weight, rest = beside_trees(inputs, train, spec, self.rules, self.seed)
        return Part(
            names=choice.kept,
            categories=frozenset(inputs.categories & set(choice.kept)),
            matrix=inputs.matrix[:, at],
            label=train.label,
            as_of=train.as_of,
            held_matrix=encoded[:, at],
            held_label=held_out.label,
            held_cluster=held_out.cluster,
            weight=weight,
            held_rest=rest.raw(inputs.names, encoded),
            horizon_days=self.horizon_days,
        )


def walk_forward(
    as_of: np.ndarray,
    label: np.ndarray,
    cluster: np.ndarray,
    horizon_days: int,
    folds: int,
    min_positives: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Masks of the rows to fit on and to judge on, each bool of shape (n,), oldest first.

    The rows judged lie in [start, next start), adjacent, with about as many conversions each;
    they hold the later 60 % of all. Rows are fitted on if as_of + horizon <= start, so that no
    label window reaches the rows judged. Where conversions are few there are fewer folds, down
    to none: a fold is fitted on 10 converting rows or more, and judged where `min_positives`
    clusters convert or more.

    Examples
    --------
    The row whose label window ends where the judged rows start is fitted on.

    >>> as_of, label = np.repeat([0, 7, 8, 14], 20) * DAY_US, np.arange(80) % 2 == 0
    >>> found = walk_forward(as_of, label, np.arange(80), 7, folds=1, min_positives=5)
    >>> [(train, later)] = found
    >>> [np.unique(as_of[rows] // DAY_US).tolist() for rows in (train, later)]
    [[0], [7, 8, 14]]
    """
    for wanted in range(folds, 0, -1):
        found = list(_folds(as_of, label, horizon_days, wanted))
        enough = [
            label[train].sum() >= LEAST_TO_FIT
            and (~label[train]).sum() >= LEAST_TO_FIT
            and len(np.unique(cluster[later & label])) >= min_positives
            for train, later in found
        ]
        if found and all(enough):
            return found
    return []


def _folds(
    as_of: np.ndarray, label: np.ndarray, horizon_days: int, folds: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    times = np.unique(as_of)
    before = np.cumsum(np.bincount(np.searchsorted(times, as_of), label, len(times)))
    shares = np.linspace(0.4, 1, folds + 1)[:-1]
    starts = times[np.unique(np.searchsorted(before, shares * before[-1]))]
    for start, end in zip(starts, [*starts[1:], times[-1] + 1], strict=True):
        yield as_of + horizon_days * DAY_US <= start, (as_of >= start) & (as_of < end)


def sample_accounts(rows: "Dataset", most: int, seed: int) -> "Dataset":
    """All rows of as many accounts as fit into `most` rows, drawn at random; all where they fit."""
    if len(rows) <= most:
        return rows
    cluster = rows.cluster
    size = np.bincount(cluster)
    drawn = np.random.default_rng(seed).permutation(len(size))
    inside = np.zeros(len(size), bool)
    inside[drawn[np.cumsum(size[drawn]) <= most]] = True
    return rows.take(inside[cluster])


def shifted_log_loss(raw: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Log loss of each row once raw scores (log-odds) are moved to the rows' own base rate.

    The one number that calibration always sets is the shift, and base rates change from month to
    month: a setting must not win because its training months happened to convert like the next.
    The best shift is where the mean probability is the base rate.

    >>> shifted_log_loss(np.array([7.0, 7.0]), np.array([True, False])).round(3)
    array([0.693, 0.693])
    """
    from scipy.optimize import brentq

    least = 0.5 / len(label)
    base = np.clip(label.mean(), least, 1 - least)
    centre = np.log(base / (1 - base))

    def excess(shift: float) -> float:
        return float(sigmoid(raw + shift).mean() - base)

    shift = brentq(excess, centre - raw.max() - 1, centre - raw.min() + 1, xtol=1e-12)
    return row_log_loss(label, sigmoid(raw + shift))


def paired_gain(before: np.ndarray, after: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    """Mean of before - after per row, and its standard error over clusters.

    The rows of a cluster repeat each other, so their deviations are summed before they are
    squared (Liang & Zeger 1986).

    >>> paired_gain(np.array([3.0, 3.0, 1.0, 1.0]), np.ones(4), np.array([0, 0, 1, 1]))
    (1.0, 0.7071067811865476)
    """
    gain = before - after
    by_cluster = np.bincount(cluster, gain - gain.mean())
    return float(gain.mean()), float(np.sqrt((by_cluster**2).sum()) / len(gain))
