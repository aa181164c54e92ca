"""Logistic regression that shrinks towards what was believed before, not towards nothing."""

from dataclasses import dataclass

import numpy as np

from models.learners.cluster_folds import cluster_folds
from models.metrics import row_log_loss
from models.scoring import sigmoid

PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_FOLDS = 5
_MOST_STEPS = 50
_ENOUGH = 1e-7
"""Log likelihood that another step could still gain, at most."""
_NEGATIVES_PER_POSITIVE = 10


@dataclass(frozen=True)
class Fit:
    """Weights of columns, the constant, and the penalty that was chosen."""

    weights: np.ndarray
    intercept: float
    penalty: float


def fit_logistic(
    columns: np.ndarray,
    label: np.ndarray,
    prior: np.ndarray,
    penalty: float,
    start: Fit | None = None,
) -> Fit:
    """Maximum a posteriori weights under normal beliefs with mean `prior`.

    Minimises the sum of log losses + penalty / 2 sum (weight - prior)^2 by Newton's method with
    halved steps (Nocedal & Wright 2006, section 3.3); the constant is free.

    Parameters
    ----------
    columns
        float64, shape (n, n_columns), without NaN.
    prior
        Shape (n_columns,).
    start
        Where to begin; another start gives the same minimum, for there is only one.
    """
    rate = np.clip(label.mean(), 1e-6, 1 - 1e-6)
    constant = np.log(rate / (1 - rate)) - float(columns.mean(axis=0) @ prior)
    weights = np.r_[prior, constant] if start is None else np.r_[start.weights, start.intercept]
    design = np.column_stack([columns, np.ones(len(columns))])
    centre = np.r_[prior, 0.0]
    strength = np.r_[np.full(len(prior), penalty), 0.0]

    def loss(weights: np.ndarray) -> float:
        logit, away = design @ weights, weights - centre
        surprise = np.logaddexp(0, np.where(label, -logit, logit)).sum()
        return float(surprise + (strength * away * away).sum() / 2)

    value = loss(weights)
    for _ in range(_MOST_STEPS):
        chance = sigmoid(design @ weights)
        slope = design.T @ (chance - label) + strength * (weights - centre)
        bend = (design.T * (chance * (1 - chance))) @ design + np.diag(strength + 1e-9)
        step = np.linalg.solve(bend, slope)
        promise = float(slope @ step)
        if promise < _ENOUGH:
            break
        size = 1.0
        while loss(weights - size * step) > value - 1e-4 * size * promise and size > 1e-6:
            size /= 2
        weights = weights - size * step
        value = loss(weights)
    return Fit(weights[:-1], float(weights[-1]), penalty)


def fit_by_cross_validation(
    columns: np.ndarray, label: np.ndarray, prior: np.ndarray, cluster: np.ndarray, seed: int
) -> Fit:
    """The penalty of `PENALTIES` with the least log loss on held-out clusters, then all rows.

    With fewer than ten positive rows nothing can be compared, and the strongest is taken.
    Penalties are compared on ten negatives per positive, drawn once: more of them hardly inform
    (Breslow & Day 1980, section 7.6), and the comparison is most of the work.
    """
    if label.sum() < 2 * _FOLDS:
        return fit_logistic(columns, label, prior, max(PENALTIES))
    fold = cluster_folds(label, cluster, _FOLDS, seed)
    share = min(1.0, _NEGATIVES_PER_POSITIVE * label.mean() / max(1 - label.mean(), 1e-9))
    drawn = label | (np.random.default_rng(seed).random(len(label)) < share)
    rows, outcome, fold = columns[drawn], label[drawn], fold[drawn]
    losses = np.zeros(len(PENALTIES))
    for held_out in (fold == number for number in range(_FOLDS)):
        past, truth = rows[~held_out], outcome[~held_out]
        fit: Fit | None = None
        # From strong to weak: each fit starts near its end.
        for at in reversed(range(len(PENALTIES))):
            fit = fit_logistic(past, truth, prior, PENALTIES[at], start=fit)
            raw = rows[held_out] @ fit.weights + fit.intercept
            losses[at] += row_log_loss(outcome[held_out], sigmoid(raw)).sum()
    return fit_logistic(columns, label, prior, PENALTIES[int(np.argmin(losses))])
