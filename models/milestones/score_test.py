"""Whether reaching something goes with converting, beyond the controls: score tests by cluster."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from models.scoring import sigmoid

_RIDGE = 1e-3
_MOST_STEPS = 30
_SMALLEST_STEP = 1e-6
_DRAWS_AT_ONCE = 125
_PASSES = 20
"""Draws as good as the data after which the p value is known well enough."""
_PLAIN_Z = 2.0
"""Below it the best candidate alone would not do: nothing needs to be drawn."""


@dataclass(frozen=True)
class Null:
    """A logistic regression of conversions on controls alone.

    Parameters
    ----------
    design
        float64, shape (n, m), its first column 1.
    expected
        Fitted probabilities, float64, shape (n,).
    starts
        Where the rows of each cluster begin: rows stand cluster by cluster.
    """

    design: np.ndarray
    converts: np.ndarray
    expected: np.ndarray
    starts: np.ndarray

    @classmethod
    def fit(cls, design: np.ndarray, converts: np.ndarray, cluster: np.ndarray) -> "Null":
        """Rows must be sorted by cluster."""
        weights = fit_logistic(design, converts)
        starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
        return cls(design, converts, sigmoid(design @ weights), starts)

    def scores(self, reached: np.ndarray) -> "Scores":
        """Score contributions of candidates, given as columns of shape (n, k)."""
        spread = self.expected * (1 - self.expected)
        weighted = self.design * spread[:, None]
        columns = reached.astype(np.float64)
        inner = self.design.T @ weighted + _RIDGE * np.eye(self.design.shape[1])
        # What the controls say about a candidate is taken out of it (Rao 1948).
        columns -= self.design @ np.linalg.solve(inner, weighted.T @ columns)
        information = spread @ (columns * columns)
        columns *= (self.converts - self.expected)[:, None]
        return Scores(np.add.reduceat(columns, self.starts, axis=0), information)


@dataclass(frozen=True)
class Scores:
    """Efficient scores of candidates: shape (n_clusters, k), and their information, shape (k,)."""

    by_cluster: np.ndarray
    information: np.ndarray

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of each sum, clusters being independent."""
        return np.sqrt(np.maximum((self.by_cluster * self.by_cluster).sum(axis=0), 1e-12))

    @property
    def z(self) -> np.ndarray:
        """Sum over its standard deviation, shape (k,): about normal where there is no effect."""
        return self.by_cluster.sum(axis=0) / self.deviation

    def p_value(self, n_draws: int, rng: np.random.Generator) -> float:
        """Chance that the best of these candidates is as good where none has an effect.

        All thresholds, windows and scopes are paid for, and what they share is not paid for twice:
        the scores of each cluster are multiplied by a normal draw (Lin 2005), which gives the
        joint distribution of all z. Beyond what the draws resolve, Bonferroni's bound.
        """
        z = self.z
        best = float(z.max())
        bound = bonferroni(best, len(z))
        if bound <= 1 / n_draws or best < _PLAIN_Z:
            return bound
        scaled = (self.by_cluster / self.deviation).astype(np.float32)
        passed, drawn = 0, 0
        # A p value that is surely large needs no further draws (Besag and Clifford 1991).
        while drawn < n_draws and passed < _PASSES:
            n = min(_DRAWS_AT_ONCE, n_draws - drawn)
            draws = rng.standard_normal((n, len(scaled)), dtype=np.float32)
            passed += int(((draws @ scaled).max(axis=1) >= best).sum())
            drawn += n
        return min(bound, (1 + passed) / (1 + drawn))


def bonferroni(z: float, n_tried: int) -> float:
    """One-sided p value of the best of `n_tried` z, at most 1.

    >>> round(bonferroni(3.0, 10), 4)
    0.0135
    """
    return min(1.0, n_tried * NormalDist().cdf(-z))


def q_values(p_values: np.ndarray) -> np.ndarray:
    """Smallest false-discovery rate at which each would be found (Benjamini and Hochberg 1995).

    >>> q_values(np.array([0.01, 0.5, 0.02]))
    array([0.03, 0.5 , 0.03])
    """
    order = np.argsort(p_values)[::-1]
    n = len(p_values)
    ratio = p_values[order] * n / np.arange(n, 0, -1)
    found = np.empty(n)
    found[order] = np.minimum.accumulate(np.minimum(ratio, 1.0))
    return found


def fit_logistic(
    design: np.ndarray, converts: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """Maximum-likelihood weights by Newton's method, held by a trace of ridge, shape (m,)."""
    n_columns = design.shape[1]
    rate = np.clip(converts.mean(), 1e-6, 1 - 1e-6)
    weights = np.r_[np.log(rate / (1 - rate)), np.zeros(n_columns - 1)] if start is None else start
    height = _held(design, converts, weights)
    for _ in range(_MOST_STEPS):
        expected = sigmoid(design @ weights)
        slope = design.T @ (converts - expected) - _RIDGE * weights
        spread = expected * (1 - expected)
        inner = design.T @ (design * spread[:, None]) + _RIDGE * np.eye(n_columns)
        step = np.linalg.solve(inner, slope)
        # Far from the top a full step can overshoot, and then swing for ever.
        step = step / max(1.0, float(np.abs(step).max()) / 4)
        reached = _held(design, converts, weights + step)
        while reached < height and np.abs(step).max() > _SMALLEST_STEP:
            step = step / 2
            reached = _held(design, converts, weights + step)
        weights, height = weights + step, reached
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    return weights


def _held(design: np.ndarray, converts: np.ndarray, weights: np.ndarray) -> float:
    """Log likelihood less the ridge: what the weights maximise."""
    return log_likelihood(design, converts, weights) - _RIDGE / 2 * float(weights @ weights)


def log_likelihood(design: np.ndarray, converts: np.ndarray, weights: np.ndarray) -> float:
    """Sum over the rows of the log probability of what happened."""
    logit = design @ weights
    return -float(np.logaddexp(0, np.where(converts, -logit, logit)).sum())
