"""Metrics of several parts of the rows under the same draws of clusters."""

from collections.abc import Sequence

import numpy as np

from models.judging.bootstrap import Contender
from models.metrics import Ranking, area_under_roc, average_precision, lift, row_log_loss

PART_METRICS = (
    "base_rate",
    "mean_probability",
    "calibration_in_the_large",
    "roc_auc",
    "pr_auc",
    "pr_auc_over_base_rate",
    "lift_10pct",
    "log_loss",
)
"""Of `Part.measure`, in order."""
_TOP_SHARE = 0.10


class Part:
    """Some rows with everything sorted that does not depend on weights.

    Parameters
    ----------
    label, cluster
        Shape (n,). Parts may share rows and clusters; clusters have the same codes in all parts.
    who
        Scores and probabilities of these rows.
    """

    def __init__(self, label: np.ndarray, who: Contender, cluster: np.ndarray):
        self.label, self.probability, self.cluster = label, who.probability, cluster
        self._ranking = Ranking(label, who.score)
        self._gap = who.probability - label
        self._log_loss = row_log_loss(label, who.probability)

    @property
    def converting(self) -> int:
        """Clusters that convert: what the intervals rest on."""
        return len(np.unique(self.cluster[self.label]))

    def measure(self, weight: np.ndarray | None = None) -> np.ndarray:
        """Values of `PART_METRICS`, NaN where the weighted rows have none."""
        weight = np.ones(len(self.label)) if weight is None else weight
        whole = weight.sum()
        if not whole:
            return np.full(len(PART_METRICS), np.nan)
        masses = self._ranking.masses(weight)
        # Sums, not BLAS products, whose bytes depend on its threads.
        rate = masses[0].sum() / whole
        gap = (weight * self._gap).sum() / whole
        precision = average_precision(*masses)
        return np.array(
            [
                rate,
                rate + gap,
                gap,
                area_under_roc(*masses),
                precision,
                precision / rate if rate else np.nan,
                lift(*masses, _TOP_SHARE),
                (weight * self._log_loss).sum() / whole,
            ]
        )


def draw_parts(parts: Sequence[Part], n_bootstrap: int, seed: int) -> np.ndarray:
    """Metrics of every part in every draw, shape (n_bootstrap, n_parts, n_metrics).

    Each draw takes whole clusters, with replacement, from all parts together (pairs cluster
    bootstrap: Field & Welsh 2007), and a cluster weighs the same in every part that holds it. So
    a difference between parts is paired where they share clusters, unpaired where they do not.
    """
    rng = np.random.default_rng(seed)
    codes = np.unique(np.concatenate([part.cluster for part in parts]))
    members = [np.searchsorted(codes, part.cluster) for part in parts]
    draws = np.empty((n_bootstrap, len(parts), len(PART_METRICS)))
    for draw in draws:
        drawn = rng.integers(len(codes), size=len(codes))
        weight = np.bincount(drawn, minlength=len(codes)).astype(np.float64)
        for at, (part, member) in enumerate(zip(parts, members, strict=True)):
            draw[at] = part.measure(weight[member])
    return draws
