"""Reliability and gain curves: the tables behind the two plots of every evaluation."""

from dataclasses import dataclass

import numpy as np

from models.metrics import CALIBRATION_BINS, Bins, Ranking

_Z = 1.959963984540054
_MOST_GAIN_POINTS = 200


@dataclass(frozen=True)
class ReliabilityRow:
    """Rows of similar probability: what was predicted, what happened, and how sure that is."""

    group: str
    rows: int
    predicted: float
    observed: float
    low: float
    high: float


def reliability(
    label: np.ndarray, probability: np.ndarray, n_bins: int = CALIBRATION_BINS
) -> list[ReliabilityRow]:
    """Mean predicted and observed rate per equal-count bin, from the lowest probability up.

    Equal probabilities share a bin, so there may be fewer than `n_bins`.
    """
    filled = [row for row in zip(*Bins(label, probability, n_bins).sums(), strict=True) if row[0]]
    return [
        _row(str(at + 1), int(total), predicted, observed)
        for at, (total, predicted, observed) in enumerate(filled)
    ]


def reliability_by(
    label: np.ndarray, probability: np.ndarray, group: np.ndarray, order: tuple[str, ...]
) -> list[ReliabilityRow]:
    """The same per named group, such as tiers; groups without rows are left out."""
    rows = []
    for name in order:
        inside = group == name
        if inside.any():
            sums = probability[inside].sum(), label[inside].sum()
            rows.append(_row(name, int(inside.sum()), *map(float, sums)))
    return rows


def _row(group: str, rows: int, predicted: float, observed: float) -> ReliabilityRow:
    low, high = wilson(observed, rows)
    return ReliabilityRow(group, rows, float(predicted / rows), float(observed / rows), low, high)


def wilson(positives: float, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); it has width even at 0 of n.

    >>> [round(x, 3) for x in wilson(0, 10)]
    [0.0, 0.278]
    """
    share, spread = positives / n, _Z * _Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def gain_curve(label: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Share of rows taken from the top, and share of conversions among them, shape (m, 2).

    From (0, 0) to (1, 1), at most 201 points; a block of equal scores is one straight line.
    """
    positive, total = Ranking(label, score).masses()
    taken = np.r_[0.0, np.cumsum(total)] / total.sum()
    found = np.r_[0.0, np.cumsum(positive)] / max(positive.sum(), 1)
    grid = np.linspace(0, 1, _MOST_GAIN_POINTS + 1)
    return np.column_stack([grid, np.interp(grid, taken, found)])
