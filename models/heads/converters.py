"""A number that only converting rows have: forecast only as far as later rows prefer that."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models import scoring
from models.choosing.walk_forward import paired_gain
from models.dataset import Dataset
from models.heads.line import Candidate, Fit, candidates, fit_lines, learner_of
from models.learners.cluster_folds import cluster_folds
from models.learners.encoding import values_of
from models.learners.inputs import Inputs
from models.scoring import Learner

log = logging.getLogger(__name__)

LEAST_TO_LEARN = 30
"""Converting clusters of the training rows below which nothing but a constant is tried."""
LEAST_TO_JUDGE = 15
"""Converting clusters of the later rows below which nothing can beat a constant."""
_CONFIDENCE = 0.95
_FOLDS = 5


@dataclass(frozen=True)
class Target:
    """A number per row, NaN where the row has none.

    Parameters
    ----------
    value
        float64, shape (n,).
    settled_at
        int64, shape (n,): microseconds UTC from which on it is known that the number is this, or
        that there is none. Nothing reads a number that was not settled yet.
    """

    value: np.ndarray
    settled_at: np.ndarray

    def settled(self, before: int) -> np.ndarray:
        """Rows that have a number, known at `before` or earlier; bool, shape (n,).

        >>> Target(np.array([1.0, 2.0, np.nan]), np.array([9, 10, 5])).settled(9)
        array([ True, False, False])
        """
        return ~np.isnan(self.value) & (self.settled_at <= before)


@dataclass(frozen=True)
class Converters:
    """Rows that have a number, and it: float64, shape (n,)."""

    rows: Dataset
    value: np.ndarray

    @classmethod
    def settled(cls, rows: Dataset, target: Target, before: int) -> "Converters":
        """Those of `rows` whose number was known at `before` or earlier."""
        known = target.settled(before)
        return cls(rows.take(known), target.value[known])

    @property
    def accounts(self) -> list[str]:
        """What each row hangs together by: its account, or itself without one."""
        own = self.rows.matrix.snapshots.ids
        return [i if a is None else a for a, i in zip(self.rows.account, own, strict=True)]

    @property
    def clusters(self) -> int:
        """How many independent ones they are."""
        return len(np.unique(self.rows.cluster))


class Scale(Protocol):
    """Where a head fits its straight line, and what it counts as an error."""

    @property
    def objective(self) -> str:
        """LightGBM's, for trees on the scale of the line."""

    def line(self, value: np.ndarray) -> np.ndarray:
        """Numbers on the scale of the line."""

    def constant(self, value: np.ndarray) -> float:
        """The one forecast of least mean loss."""

    def correction(self, value: np.ndarray, line: np.ndarray) -> float:
        """What takes lines that never saw these numbers to unbiased forecasts."""

    def forecast(self, line: np.ndarray, correction: float) -> np.ndarray:
        """Back from the line."""

    def losses(self, value: np.ndarray, forecast: np.ndarray) -> np.ndarray:
        """Loss of each forecast."""


@dataclass(frozen=True)
class Evidence:
    """Why a head forecasts as it does; losses are means over later converting rows.

    Parameters
    ----------
    tried
        The learner that clustered cross-validation within the training rows preferred; None when
        conversions are too few to try one.
    rows, converting, learnt_from
        Later rows that judged; their clusters; clusters of the training rows.
    constant_loss
        None without later rows.
    gain, error
        Mean loss of the constant minus that of the learner, and its clustered standard error.
    """

    tried: str | None
    rows: int
    converting: int
    learnt_from: int
    constant_loss: float | None
    gain: float
    error: float
    kept: bool


@dataclass(frozen=True)
class Forecast:
    """What was fitted: a learner on the scale of the line, or a constant where it is None."""

    learner: Learner | None
    constant: float
    correction: float
    evidence: Evidence

    def of(self, scale: Scale, names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
        """Forecasts of encoded rows, float64, shape (n,)."""
        if self.learner is None:
            return np.full(len(matrix), self.constant)
        return scale.forecast(self.learner.raw(names, matrix), self.correction)


def fit_forecast(
    columns: list[dict[str, Any]],
    train: Converters,
    judge: Converters,
    scale: Scale,
    *,
    seed: int,
    threads: int,
) -> Forecast:
    """The learner that the training rows prefer, if later rows prefer it to a constant.

    It is kept when the mean paired gain on the later rows exceeds 0 with 95 % confidence, one
    side, by Student's t over clusters. Neither learner nor its strength is chosen on those rows.

    Parameters
    ----------
    columns
        As `models.learners.encoding.fit_columns` describes them.
    train, judge
        Earlier rows to learn from, and later ones.
    """
    constant = scale.constant(train.value)
    base = scale.losses(judge.value, np.full(len(judge.value), constant))
    facts: dict[str, Any] = {
        "rows": len(base),
        "converting": judge.clusters,
        "learnt_from": train.clusters,
        "constant_loss": float(base.mean()) if len(base) else None,
    }
    # What stays a constant has chosen nothing, so the later rows may speak too.
    pooled = scale.constant(np.r_[train.value, judge.value])
    if train.clusters < LEAST_TO_LEARN or judge.clusters < LEAST_TO_JUDGE:
        evidence = Evidence(tried=None, gain=0.0, error=0.0, kept=False, **facts)
        return Forecast(None, pooled, 0.0, evidence)
    inputs = Inputs(
        columns, None, [column["name"] for column in columns], encoded(columns, train.rows)
    )
    chosen, correction = _best(inputs, train, scale, seed, threads)
    fit = fit_lines(inputs, scale.line(train.value), [chosen], scale.objective, seed, threads)[0]
    learner = learner_of(fit)
    forecast = scale.forecast(learner.raw(inputs.names, encoded(columns, judge.rows)), correction)
    gain, error = paired_gain(base, scale.losses(judge.value, forecast), judge.rows.cluster)
    kept = gain > _student(judge.clusters) * error
    log.info(
        "Head: %s gains %.4g (error %.2g) over the constant on %d rows: %s",
        chosen.learner,
        gain,
        error,
        len(base),
        "kept" if kept else "not kept",
    )
    evidence = Evidence(tried=chosen.learner, gain=gain, error=error, kept=kept, **facts)
    return (
        Forecast(learner, constant, correction, evidence)
        if kept
        else Forecast(None, pooled, 0.0, evidence)
    )


def encoded(columns: list[dict[str, Any]], rows: Dataset) -> np.ndarray:
    """Rows in the model's columns, whatever others they have, shape (n, n_columns)."""
    values = values_of(rows.matrix)
    read = {name: values[name] for name in ["as_of", *(column["name"] for column in columns)]}
    return scoring.encode(columns, read)


def _best(
    inputs: Inputs, train: Converters, scale: Scale, seed: int, threads: int
) -> tuple[Candidate, float]:
    """The candidate of least loss on clusters it was not fitted on, simple ones first, and the
    correction of its held-out lines."""
    value, line = train.value, scale.line(train.value)
    fold = cluster_folds(np.ones(len(value), bool), train.rows.cluster, _FOLDS, seed)
    tried = candidates(train.clusters)
    held = np.empty((len(tried), len(value)))
    for out in (fold == number for number in range(_FOLDS)):
        part = Inputs(inputs.columns, None, inputs.names, inputs.matrix[~out])
        fits = fit_lines(part, line[~out], tried, scale.objective, seed, threads)
        held[:, out] = _lines(fits, inputs.names, inputs.matrix[out])
    corrections = [scale.correction(value, lines) for lines in held]
    losses = [
        scale.losses(value, scale.forecast(lines, correction)).mean()
        for lines, correction in zip(held, corrections, strict=True)
    ]
    best = int(np.argmin(losses))
    return tried[best], corrections[best]


def _lines(fits: Sequence[Fit], names: Sequence[str], matrix: np.ndarray) -> np.ndarray:
    return np.array([learner_of(fit).raw(names, matrix) for fit in fits])


def _student(clusters: int) -> float:
    from scipy.stats import t

    return float(t.ppf(_CONFIDENCE, clusters - 1))
