"""Which milestones together say more than each alone."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from features.clock import DAY_US
from models.milestones.candidates import Candidate
from models.milestones.eligible import Eligible
from models.milestones.figures import shares_of
from models.milestones.found import Combination
from models.milestones.journeys import Journeys
from models.milestones.landmarks import HoldOut, Landmarks, landmarks

_LEAST_CONVERTING = 10
"""Conversions before the split that must have reached a combination; of fewer it is luck."""


def combine(
    journeys: Journeys,
    eligible: Eligible,
    candidates: Sequence[Candidate],
    holdout: HoldOut,
    most: int,
) -> tuple[Combination, ...]:
    """Pairs, and at least k of all: those with the highest lift, best first.

    Landmarks whose follow-up ends before the split choose and order them, later ones judge them.
    """
    everything = landmarks(journeys, eligible, None, 0, holdout.follow_up_days)
    reached = np.column_stack([everything.reached(journeys, one) for one in candidates])
    later = everything.at >= holdout.split_at
    earlier = everything.at + holdout.follow_up_days * DAY_US <= holdout.split_at
    ranked = []
    for parts, needed in ways(len(candidates)):
        has = reached[:, list(parts)].sum(axis=1) >= needed
        n_both = int((has & everything.converts & earlier).sum())
        if n_both >= _LEAST_CONVERTING:
            ranked.append((n_both / int((has & earlier).sum()), parts, needed, has))
    ranked.sort(key=lambda one: -one[0])
    return tuple(
        _combination(parts, needed, has, everything, later, holdout)
        for _, parts, needed, has in ranked[:most]
    )


def ways(n: int) -> list[tuple[tuple[int, ...], int]]:
    """Which of n milestones, and how many of these: all pairs, then 2 to n of all.

    >>> ways(2), len(ways(4))
    ([((0, 1), 2)], 9)
    """
    pairs: list[tuple[tuple[int, ...], int]] = [(pair, 2) for pair in combinations(range(n), 2)]
    return pairs + [(tuple(range(n)), needed) for needed in range(2, n + 1) if n > 2]


def _combination(
    parts: tuple[int, ...],
    needed: int,
    has: np.ndarray,
    at: Landmarks,
    later: np.ndarray,
    holdout: HoldOut,
) -> Combination:
    shares = shares_of(
        has[later], at.converts[later], at.cluster[later], holdout.n_bootstrap, holdout.rng
    )
    numbers = [str(part + 1) for part in parts]
    listed = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    said = f"{listed}" if needed == len(parts) else f"any {needed} of {listed}"
    return Combination(**vars(shares), parts=parts, needed=needed, said=said)
