"""Companies whose accounts have a hidden urge to buy, and models that see it through noise.

The urge wanders from week to week. A model sees it through noise that an account keeps, and its
probabilities are true for what it sees; a worse model has more noise. Challenger and champion share
three quarters of their noise, as two trainings on mostly the same rows do; the anchor, trained long
ago, shares less.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from models.judging.bootstrap import Contender
from models.metrics import pr_auc, row_log_loss
from models.scoring import move_odds

WEEKS, BASE, SPREAD, DRIFT = 13, -6.2, 2.0, 0.7
SHARED, LONG_AGO = 3 / 4, 1 / 3
NOISES = (0.8, 0.95, 1.1, 1.25, 1.4, 1.55, 1.7)
"""Each has 8 to 9 % less PR-AUC than the one before; the first is the champion's."""


@dataclass(frozen=True)
class Company:
    """Weekly rows of accounts that have not bought yet; `urge` is what a perfect model knows."""

    n: int
    account: np.ndarray
    week: np.ndarray
    label: np.ndarray
    urge: np.ndarray

    @classmethod
    def of(cls, n: int, rng: np.random.Generator) -> "Company":
        urge = BASE + SPREAD * rng.normal(size=(n, 1)) + DRIFT * rng.normal(size=(n, WEEKS + 2))
        buys = rng.random(urge.shape) < 1 / (1 + np.exp(-urge))
        when = np.where(buys.any(1), buys.argmax(1), WEEKS + 9)
        account, week = np.nonzero(when[:, None] >= np.arange(WEEKS))
        return cls(n, account, week, when[account] <= week + 1, urge[account, week])

    @property
    def converting(self) -> int:
        return len(np.unique(self.account[self.label]))

    def score(self, noise: float, shared: np.ndarray, own: np.ndarray, share: float) -> np.ndarray:
        both = np.sqrt(share) * shared + np.sqrt(1 - share) * own
        return self.urge + noise * both[self.account]


class Model:
    """Maps what is seen through noise to probabilities that are true of it, by a large company."""

    def __init__(self, noise: float):
        rng = np.random.default_rng(1)
        made = Company.of(30_000, rng)
        score = made.score(noise, *rng.normal(size=(2, made.n)), SHARED)
        edges = np.quantile(score, np.r_[np.linspace(0.05, 0.9, 18), np.linspace(0.91, 0.999, 15)])
        place = np.searchsorted(edges, score)
        size = np.bincount(place)
        share = np.maximum.accumulate((np.bincount(place, made.label) + 0.5) / (size + 1))
        self._noise, self._x = noise, np.bincount(place, score) / size
        self._y = np.log(share / (1 - share))
        self.probabilities, self.pr_auc = self._probability(score), pr_auc(made.label, score)
        self.log_loss = float(row_log_loss(made.label, self.probabilities).mean())

    def says(
        self, made: Company, shared: np.ndarray, rng: np.random.Generator, share: float = SHARED
    ) -> Contender:
        score = made.score(self._noise, shared, rng.normal(size=made.n), share)
        return Contender(score, self._probability(score))

    def points(self, made: Company, rng: np.random.Generator) -> Contender:
        """A scorecard that knows as much: it has ties, and errors of its own."""
        score = np.round(self.says(made, rng.normal(size=made.n), rng).score * 4) / 4
        return Contender(score, self._probability(score))

    def bent(self, slope: float) -> Callable[[np.ndarray], np.ndarray]:
        """A map that stretches its log-odds and keeps its mean."""

        def steeper(p: np.ndarray) -> np.ndarray:
            return 1 / (1 + (1 / p - 1) ** slope)

        mine = self.probabilities
        far = brentq(lambda move: (move_odds(steeper(mine), move) - mine).mean(), -30, 30)
        return lambda p: move_odds(steeper(p), far)

    def _probability(self, score: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.interp(score, self._x, self._y)))
