"""Metrics of scores and probabilities, with weights, so that a bootstrap replicate is one pass.

A row of integer weight w counts as w equal rows. Ranking metrics take the expectation over the
order of tied rows, so a constant score has lift 1 whatever the order of the table.
"""

from collections.abc import Sequence

import numpy as np

LIFT_SHARES = {"lift_1pct": 0.01, "lift_5pct": 0.05, "lift_10pct": 0.10}
PRECISION_SHARES = {"precision_1pct": 0.01, "precision_5pct": 0.05, "precision_10pct": 0.10}
CALIBRATION_BINS = 10
_LEAST_PROBABILITY = 1e-15


class Ranking:
    """Rows by falling score, within groups if given; rows of equal score form one block.

    Sorting happens once; every metric of a new weighting is then linear in the rows.
    """

    def __init__(self, label: np.ndarray, score: np.ndarray, group: np.ndarray | None = None):
        # Positions, not labels: a pandas Series would be indexed by its index.
        label, score = np.asarray(label), np.asarray(score)
        group = np.zeros(len(score), np.int64) if group is None else np.asarray(group)
        self._rows = np.lexsort((-score, group))
        score, group = score[self._rows], group[self._rows]
        new_group = np.r_[True, group[1:] != group[:-1]]
        new_block = new_group | np.r_[True, score[1:] != score[:-1]]
        self._starts = np.flatnonzero(new_block)
        self._group_starts = np.flatnonzero(new_group[self._starts])
        self._label = label[self._rows].astype(np.float64)

    def masses(self, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Weight of positives and of all rows, per block, shape (n_blocks,)."""
        ordered = np.ones(len(self._rows)) if weight is None else weight[self._rows].astype(float)
        positive = np.add.reduceat(ordered * self._label, self._starts)
        return positive, np.add.reduceat(ordered, self._starts)

    def precision_at(self, n: int, weight: np.ndarray | None = None) -> float:
        """Mean over groups of the share of positives among the top `n` (or all if fewer)."""
        positive, total = self.masses(weight)
        # Groups follow each other, so one cumulative curve serves all of them.
        reached = np.r_[0.0, np.cumsum(total)]
        found = np.r_[0.0, np.cumsum(positive)]
        before = reached[self._group_starts]
        size = np.add.reduceat(total, self._group_starts)
        taken = np.minimum(n, size)[size > 0]
        before, found_before = before[size > 0], found[self._group_starts][size > 0]
        hits = np.interp(before + taken, reached, found) - found_before
        return float(np.mean(hits / taken)) if len(taken) else float("nan")


def area_under_roc(positive: np.ndarray, total: np.ndarray) -> float:
    """P(score of a positive > score of a negative) + half of P(equal), from blocks."""
    negative = total - positive
    pairs = positive.sum() * negative.sum()
    above = np.cumsum(positive) - positive / 2
    return float((negative * above).sum() / pairs) if pairs else float("nan")


def average_precision(positive: np.ndarray, total: np.ndarray) -> float:
    """Mean over positives of the precision at their place, expected over the order of ties.

    In a block of n rows with p positives, after N rows with P, the row at place j is positive with
    p / n and then sees (P + 1 + (j - 1) (p - 1) / (n - 1)) positives among N + j rows; summed over
    j = 1..n by S = digamma(N + n + 1) - digamma(N + 1). Taking precision at the block's end
    instead, as scikit-learn does, favours scores without ties when positives are few.

    Without ties this is the usual average precision.
    """
    from scipy.special import digamma

    some = total > 0
    p, n = positive[some], total[some]
    if not p.sum():
        return float("nan")
    found, reached = np.cumsum(p) - p, np.cumsum(n) - n
    harmonic = digamma(reached + n + 1) - digamma(reached + 1)
    among = np.divide(p - 1, n - 1, out=np.zeros(len(n)), where=n > 1)
    seen = (found + 1) * harmonic + among * (n - (reached + 1) * harmonic)
    return float((p / n * seen).sum() / p.sum())


def precisions(positive: np.ndarray, total: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Share of positives among the top rows, for each share in (0, 1] of rows taken, from blocks.

    Part of a row counts as that part, so that no rounding moves the list of a small table.

    >>> precisions(np.array([1.0, 0.0, 0.0]), np.array([2.0, 4.0, 4.0]), [0.1, 0.4])
    array([0.5 , 0.25])
    """
    reached, found = np.r_[0.0, np.cumsum(total)], np.r_[0.0, np.cumsum(positive)]
    taken = np.asarray(shares) * reached[-1]
    return np.interp(taken, reached, found) / taken


def lifts(positive: np.ndarray, total: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """`precisions` over the share of positives among all rows; NaN without positives."""
    if not positive.sum():
        return np.full(len(shares), np.nan)
    return precisions(positive, total, shares) / (positive.sum() / total.sum())


def lift(positive: np.ndarray, total: np.ndarray, share: float) -> float:
    """Share of positives among the top `share` of rows, over their share among all."""
    return float(lifts(positive, total, [share])[0])


def roc_auc(label: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Area under the ROC curve; NaN without both classes.

    >>> roc_auc(np.array([True, False, False]), np.array([1.0, 1.0, 0.0]))
    0.75
    """
    return area_under_roc(*Ranking(label, score).masses(weight))


def pr_auc(label: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Average precision, in expectation over the order of ties.

    A useless score has the base rate, and a little more where rows are few.

    >>> round(pr_auc(np.array([True, False]), np.zeros(2)), 3)
    0.75
    """
    return average_precision(*Ranking(label, score).masses(weight))


def brier(label: np.ndarray, probability: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean squared gap between probability and outcome."""
    return float(np.average((probability - label) ** 2, weights=weight))


def log_loss(label: np.ndarray, probability: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean of -ln(probability given to what happened); probabilities are kept off 0 and 1."""
    return float(np.average(row_log_loss(label, probability), weights=weight))


def row_log_loss(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """-ln(probability given to what happened), per row."""
    given = np.where(label, probability, 1 - probability)
    return -np.log(np.clip(given, _LEAST_PROBABILITY, 1))


class Bins:
    """Rows by rising probability, cut into bins of equal count.

    Equal probabilities never part: a block goes to the bin of its middle. Bins may be empty.
    """

    def __init__(self, label: np.ndarray, probability: np.ndarray, n_bins: int = CALIBRATION_BINS):
        self._label = np.asarray(label, np.float64)
        self._value, self._block = np.unique(np.asarray(probability), return_inverse=True)
        self._n_bins = n_bins

    def of_rows(self) -> np.ndarray:
        """Number of each row's bin when every row counts once, from 0, shape (n,)."""
        return self._of_blocks(np.bincount(self._block).astype(np.float64))[self._block]

    def sums(self, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weight, sum of probabilities and sum of outcomes of each bin, shape (n_bins,)."""
        weight = np.ones(len(self._label)) if weight is None else np.asarray(weight, np.float64)
        blocks = len(self._value)
        total = np.bincount(self._block, weight, blocks)
        positive = np.bincount(self._block, weight * self._label, blocks)
        of_block = self._of_blocks(total)
        parts = total, total * self._value, positive
        counts = [np.bincount(of_block, part, self._n_bins) for part in parts]
        return counts[0], counts[1], counts[2]

    def errors(self, weight: np.ndarray | None = None) -> tuple[float, float]:
        """Mean gap of predicted and observed rate over the rows, and the largest of a bin."""
        total, predicted, observed = self.sums(weight)
        gap = np.abs(predicted - observed)
        filled = total > 0
        return float(gap.sum() / total.sum()), float((gap[filled] / total[filled]).max())

    def _of_blocks(self, total: np.ndarray) -> np.ndarray:
        middle = (np.cumsum(total) - total / 2) / total.sum()
        return np.minimum((middle * self._n_bins).astype(int), self._n_bins - 1)


def calibration_error(
    label: np.ndarray,
    probability: np.ndarray,
    weight: np.ndarray | None = None,
    n_bins: int = CALIBRATION_BINS,
) -> float:
    """Expected calibration error over equal-count bins (Naeini, Cooper & Hauskrecht 2015).

    It is biased upwards: also true probabilities miss the share of a bin's few rows. Judge it
    beside `models.judging.curves.calibration_error_if_perfect`.

    >>> calibration_error(np.array([False, True]), np.array([0.25, 0.25]))
    0.25
    """
    return Bins(label, probability, n_bins).errors(weight)[0]


def max_calibration_error(
    label: np.ndarray,
    probability: np.ndarray,
    weight: np.ndarray | None = None,
    n_bins: int = CALIBRATION_BINS,
) -> float:
    """Maximum calibration error: the largest gap of a bin; with the same bias, and more of it.

    >>> max_calibration_error(np.array([False, True]), np.array([0.25, 0.5]), n_bins=2)
    0.5
    """
    return Bins(label, probability, n_bins).errors(weight)[1]
