"""What the mistakes of one kind have that the model does not know of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from models.judging.differences import Difference, differences

if TYPE_CHECKING:
    from models.dataset import Dataset

Kind: TypeAlias = Literal["false positives", "false negatives"]
LEAST_IN_GROUP = 10
"""Smaller groups are listed, not compared."""

_PER_MISTAKE = 4
_MOST_COMPARED = 4_000


@dataclass(frozen=True)
class Contrast:
    """What sets the mistakes of one kind apart from who got that verdict rightly.

    Parameters
    ----------
    n, n_right
        Entities: false positives and true positives, or false negatives and true negatives.
    compared
        Columns that were compared; 0 where a group is too small for it.
    """

    kind: Kind
    n: int
    n_right: int
    differences: tuple[Difference, ...]
    compared: int
    text: str


def contrast(
    kind: Kind,
    entities: tuple[int, int],
    verdict: np.ndarray,
    rows: "Dataset",
    probability: np.ndarray,
    n_bootstrap: int,
    seed: int,
) -> Contrast:
    """Compare the wrong ones of a verdict with right ones whose probabilities are nearest.

    Against all right ones, features that the model reads would stand out by themselves: they made
    the probability. One row of an account is compared, drawn at random among its converting rows
    or, without any, among all: the most confident row of each would be a peak of recent activity
    for who has many rows, and not for who has few.

    Parameters
    ----------
    entities
        How many got the verdict wrongly, and how many rightly.
    verdict
        bool, shape (n,): flagged, for false positives; not flagged, for false negatives.
    rows
        All rows, several of an entity.
    probability
        That the model gave, shape (n,).
    """
    wrong = ~rows.label if kind == "false positives" else rows.label
    both = _one_per_cluster(rows.cluster, rows.label, verdict, np.random.default_rng(seed))
    both = both[of_like_probability(probability[both], wrong[both])]
    found: tuple[Difference, ...] = ()
    compared = 0
    if min(int(wrong[both].sum()), int((~wrong[both]).sum())) >= LEAST_IN_GROUP:
        found, compared = differences(
            rows.take(both), wrong[both], n_bootstrap=n_bootstrap, seed=seed
        )
    return Contrast(kind, *entities, found, compared, _sentence(kind, *entities, found, compared))


def of_like_probability(probability: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """bool, shape (n,): the wrong ones, and the four right ones nearest to each in log-odds.

    Two from below and two from above, as far as there are any (nearest-neighbour matching with
    replacement, Rosenbaum and Rubin 1985).

    Examples
    --------
    >>> chance = np.array([0.01, 0.02, 0.05, 0.07, 0.08, 0.09, 0.5])
    >>> wrong = np.array([False, False, False, True, False, False, False])
    >>> of_like_probability(chance, wrong)
    array([False,  True,  True,  True,  True,  True, False])
    """
    chosen = wrong.copy()
    right = np.flatnonzero(~wrong)
    if len(right) and wrong.any():
        bounded = np.clip(probability, 1e-12, 1 - 1e-12)
        log_odds = np.log(bounded / (1 - bounded))
        right = right[np.argsort(log_odds[right], kind="stable")]
        place = np.searchsorted(log_odds[right], log_odds[wrong])
        around = np.arange(-(_PER_MISTAKE // 2), _PER_MISTAKE // 2)
        near = place[:, None] + around
        chosen[right[near[(near >= 0) & (near < len(right))]]] = True
    return chosen


def _one_per_cluster(
    cluster: np.ndarray, label: np.ndarray, verdict: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Increasing rows of one verdict, a converting one where a cluster has any."""
    mixed = rng.permutation(np.flatnonzero(verdict))
    mixed = mixed[np.argsort(~label[mixed], kind="stable")]
    _, first = np.unique(cluster[mixed], return_index=True)
    alone = mixed[np.sort(first)]
    groups = (alone[label[alone]], alone[~label[alone]])
    return np.sort(np.concatenate([group[:_MOST_COMPARED] for group in groups]))


def _sentence(kind: Kind, n: int, n_right: int, found: Sequence[Difference], compared: int) -> str:
    all_ = n + n_right
    if kind == "false positives":
        told = (
            f"{all_:,} were flagged, and {n:,} of them converted after none of their dates (tiers "
            "count each date by itself)."
        )
    else:
        told = f"{all_:,} were not flagged, and {n:,} of them converted after one of their dates."
    if not compared:
        return (
            f"{told} Too few to compare: {LEAST_IN_GROUP} accounts of each are needed, here are "
            f"{n:,} and {n_right:,}."
        )
    out = next((one.text for one in found if one.stands_out), None)
    if out is None:
        return (
            f"{told} No feature is shown to set them apart from those with the nearest "
            f"probabilities, of {compared:,} compared."
        )
    return (
        f"{told} What sets them apart most from those with the nearest probabilities, of "
        f"{compared:,} features compared: {out}."
    )
