"""Whether later conversions confirm what earlier ones found, and how large the effect is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from models.milestones.score_test import fit_logistic
from models.milestones.search import Case, Chosen
from models.scoring import sigmoid

_LEVEL = 0.05
"""One-sided: as often a milestone without an effect is confirmed."""


@dataclass(frozen=True)
class Effect:
    """Hazard of converting once reached, as a multiple of that of equals who have not.

    Parameters
    ----------
    ratio, low, high
        Adjusted hazard ratio and its 95 % interval, by cluster.
    p_value
        One-sided, that it is above 1 by chance.
    """

    ratio: float
    low: float
    high: float
    p_value: float

    @property
    def confirmed(self) -> bool:
        return self.p_value <= _LEVEL


def confirm(later: Case, chosen: Sequence[Chosen]) -> list[tuple[Chosen, Effect]]:
    """The milestones that later moments confirm, each held against all others that they confirm.

    The least sure one leaves first, then the rest is judged again.

    Parameters
    ----------
    chosen
        With `reached` at the moments of `later`.
    """
    standing = list(chosen)
    while standing:
        effects = [effect_of(later, one, standing) for one in standing]
        worst = int(np.argmax([effect.p_value for effect in effects]))
        if effects[worst].confirmed:
            return list(zip(standing, effects, strict=True))
        standing.pop(worst)
    return []


def effect_of(case: Case, one: Chosen, all_found: Sequence[Chosen]) -> Effect:
    """Adjusted for the controls and all other milestones; errors by cluster (White 1982)."""
    others = [each.reached for each in all_found if each is not one]
    columns = np.column_stack([case.controls.all(), *others, one.reached])
    converts = case.moments.converts
    weights = fit_logistic(columns, converts)
    expected = sigmoid(columns @ weights)
    bread = np.linalg.pinv(columns.T @ (columns * (expected * (1 - expected))[:, None]))
    starts = np.flatnonzero(np.r_[True, case.cluster[1:] != case.cluster[:-1]])
    by_cluster = np.add.reduceat(columns * (converts - expected)[:, None], starts, axis=0)
    variance = float((bread[-1] @ by_cluster.T @ by_cluster) @ bread[-1])
    log_ratio, error = float(weights[-1]), float(np.sqrt(max(variance, 1e-12)))
    return Effect(
        ratio=float(np.exp(log_ratio)),
        low=float(np.exp(log_ratio - 1.96 * error)),
        high=float(np.exp(log_ratio + 1.96 * error)),
        p_value=1 - NormalDist().cdf(log_ratio / error),
    )
