"""What training rows say of each rule's weight: the best one, the pull it needs, its spread."""

from dataclasses import dataclass

import numpy as np

from models.scorecard.signed import Patterns, fit_signed, weighted_patterns

_FOLDS = 5
_POINTS_PER_UNIT = 20.0
"""Points that are one unit of log-odds before anything is learnt; only their scale."""


@dataclass(frozen=True)
class Evidence:
    """Rows by which rules fire, and the points that were believed of these.

    Parameters
    ----------
    columns
        bool, shape (n_patterns, n_rules): the ways in which rules fire together.
    member
        Shape (n,): the pattern of each row.
    label, cluster
        Shape (n,): whether the row converts, and which rows hang together.
    old
        Points as they are, float64, shape (n_rules,).
    """

    columns: np.ndarray
    member: np.ndarray
    label: np.ndarray
    cluster: np.ndarray
    old: np.ndarray

    @classmethod
    def of(
        cls, fired: np.ndarray, label: np.ndarray, cluster: np.ndarray, old: np.ndarray
    ) -> "Evidence":
        """From which rules fire on each row, bool, shape (n, n_rules)."""
        columns, member = np.unique(fired, axis=0, return_inverse=True)
        return cls(columns, member.reshape(-1), label, cluster, old)

    @property
    def sign(self) -> np.ndarray:
        """1 or -1 by rule: the side that its weight may not leave."""
        return np.where(self.old < 0, -1.0, 1.0)

    def patterns(self, weight: np.ndarray | None = None) -> Patterns:
        """The rows, each counted `weight` times, shape (n,)."""
        weight = np.ones(len(self.label)) if weight is None else weight
        return weighted_patterns(self.columns, self.member, self.label, weight)

    def chosen_penalty(self, seed: int) -> float:
        """The pull towards the old points with the least log loss on held-out accounts."""
        from models.learners.cluster_folds import cluster_folds
        from models.learners.logistic import PENALTIES

        fold = cluster_folds(self.label, self.cluster, _FOLDS, seed)
        losses = np.zeros(len(PENALTIES))
        for number in range(_FOLDS):
            past = self.patterns((fold != number).astype(float))
            held_out = self.patterns((fold == number).astype(float))
            for at, penalty in enumerate(PENALTIES):
                weights, constant = self._fit(past, penalty)
                losses[at] += held_out.loss(held_out.columns @ weights + constant)
        return PENALTIES[int(np.argmin(losses))]

    def weights(self, penalty: float) -> np.ndarray:
        """Weights of the rules by all rows, shape (n_rules,)."""
        return self._fit(self.patterns(), penalty)[0]

    def draws(self, penalty: float, start: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
        """Weights by each draw of whole accounts, shape (n_bootstrap, n_rules)."""
        rng = np.random.default_rng(seed)
        codes, place = np.unique(self.cluster, return_inverse=True)
        out = np.empty((n_bootstrap, len(self.old)))
        for draw in out:
            times = np.bincount(rng.integers(len(codes), size=len(codes)), minlength=len(codes))
            patterns = self.patterns(times[place].astype(float))
            draw[:] = self._fit(patterns, penalty, start)[0]
        return out

    def _fit(
        self, patterns: Patterns, penalty: float, start: np.ndarray | None = None
    ) -> tuple[np.ndarray, float]:
        return fit_signed(patterns, self._believed(patterns), self.sign, penalty, start)

    def _believed(self, patterns: Patterns) -> np.ndarray:
        """Weights by the points as they are: what one is worth is learnt, and never negative."""
        units = self.old / _POINTS_PER_UNIT
        # Few sums are left of many patterns.
        sums, member = np.unique(patterns.columns @ units, return_inverse=True)
        n = len(sums)
        total = np.bincount(member, patterns.total, n)
        one = Patterns(sums[:, None], total, np.bincount(member, patterns.positive, n))
        return line_of(one)[0] * units


def line_of(patterns: Patterns) -> tuple[float, float]:
    """What one unit of a score is worth in log-odds, and a constant; weakly pulled to 1."""
    slope, constant = fit_signed(patterns, np.ones(1), np.ones(1), penalty=1.0)
    return float(slope[0]), constant
