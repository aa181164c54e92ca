"""Tiers that do not flicker: an account keeps its tier until it clears a cut-off by a margin."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from features.spec import Spec
from models.scoring.probability import TIERS, move_odds


class HysteresisSpec(Spec):
    """How far beyond a cut-off an account must be before its tier changes."""

    enabled: bool = True
    """A tier changes only beyond the margin, or upwards when something happened since the last
    scoring."""
    margin: float = Field(default=0.15, gt=0, le=3)
    """Log-odds of the probability, or log of the expected value: 0.15 is 15 % of the odds."""


@dataclass(frozen=True)
class Churn:
    """Tier changes from one date to the next, among entities present at both.

    Parameters
    ----------
    pairs
        Entities at two consecutive dates.
    changes
        Of those, with another tier.
    returns
        Of the changes, taken back at the very next date.
    """

    pairs: int
    changes: int
    returns: int

    @property
    def share(self) -> float:
        """Changes per pair; NaN without pairs."""
        return self.changes / self.pairs if self.pairs else float("nan")


def settle(
    basis: np.ndarray,
    previous: np.ndarray,
    new_event: np.ndarray,
    tiers: Mapping[str, object],
    margin: float,
) -> np.ndarray:
    """Tier of each row, given the tier it had at the date before.

    It falls only once the row lies below a cut-off by more than the margin. It rises once the row
    lies above one by the margin, or at all when something happened since: sales should hear of
    what an account did at once, and never of what mere time did. A Schmitt trigger per cut-off
    (Schmitt 1938), so each row's result follows from its own numbers.

    Parameters
    ----------
    basis
        Shape (n,): what cut-offs are compared with, as `models.scoring.tier_basis` gives it.
    previous
        Object array of tier names, shape (n,); None for a row that was not there, which gets the
        tier that its number says.
    new_event
        bool, shape (n,): the row has an event known in [previous as_of, as_of).
    tiers
        tiers.json.

    Returns
    -------
    object array of str, shape (n,)

    Examples
    --------
    Hot begins at 0.5. Just above it a warm row stays, unless something happened; just below it a
    hot row stays whatever happened.

    >>> tiers = {"by": "probability", "cutoffs": {"warm": 0.1, "hot": 0.5, "critical": 0.9}}
    >>> settle(
    ...     np.array([0.51, 0.51, 0.49, 0.4, 0.6]),
    ...     np.array(["warm", "warm", "hot", "hot", None], object),
    ...     np.array([False, True, True, False, False]),
    ...     tiers,
    ...     margin=0.15,
    ... ).tolist()
    ['warm', 'hot', 'hot', 'warm', 'hot']
    """
    firm, bare, slack = (_reached(tiers, basis, by) for by in (margin, 0.0, -margin))
    before = np.array([-1 if name is None else TIERS.index(name) for name in previous], np.int64)
    settled = np.clip(before, np.where(new_event, bare, firm), slack)
    return np.array(TIERS, object)[np.where(before < 0, bare, settled)]


def replay(
    entity: np.ndarray,
    as_of: np.ndarray,
    basis: np.ndarray,
    days_since_event: np.ndarray,
    tiers: Mapping[str, object],
    margin: float,
) -> np.ndarray:
    """Tiers as scoring at one date after the other would have given them, shape (n,).

    Parameters
    ----------
    days_since_event
        Shape (n,): days from the latest event of any name to as_of.
    """
    dates = np.unique(as_of)
    settled = np.empty(len(basis), object)
    latest: dict[int, str] = {}
    for at, date in enumerate(dates):
        rows = np.flatnonzero(as_of == date)
        previous = np.array([latest.get(code) for code in entity[rows].tolist()], object)
        gap = date - dates[at - 1] if at else 0
        new = happened_since(days_since_event[rows], int(gap))
        settled[rows] = settle(basis[rows], previous, new, tiers, margin)
        # Who is not in a date's table has no tier to keep at the next.
        latest = dict(zip(entity[rows].tolist(), settled[rows], strict=True))
    return settled


def happened_since(days_since_event: np.ndarray, gap_us: int) -> np.ndarray:
    """Whether the latest event lies in [as_of - gap, as_of); False where there is none.

    >>> happened_since(np.array([6.9, 7.0, 7.1, np.nan]), gap_us=7 * 86_400_000_000)
    array([ True,  True, False, False])
    """
    return np.asarray(days_since_event, np.float64) * 86_400e6 <= gap_us


def tier_churn(entity: np.ndarray, as_of: np.ndarray, tier: np.ndarray) -> Churn:
    """How many entities change tier between consecutive dates of `as_of`.

    Examples
    --------
    Of three dates, b is missing at the second: no pair. a rises and comes back.

    >>> tier_churn(
    ...     np.array([1, 1, 1, 2, 2]),
    ...     np.array([10, 20, 30, 10, 30]),
    ...     np.array(["warm", "hot", "warm", "cold", "hot"], object),
    ... )
    Churn(pairs=2, changes=2, returns=1)
    """
    order = np.lexsort((as_of, entity))
    entity, tier = entity[order], tier[order]
    date = np.unique(as_of, return_inverse=True)[1][order]
    follows = (entity[1:] == entity[:-1]) & (date[1:] == date[:-1] + 1)
    changed = follows & (tier[1:] != tier[:-1])
    returned = changed[1:] & changed[:-1] & (tier[2:] == tier[:-2])
    return Churn(int(follows.sum()), int(changed.sum()), int(returned.sum()))


def _reached(tiers: Mapping[str, object], basis: np.ndarray, margin: float) -> np.ndarray:
    """Index of the tier reached when every cut-off is moved up by `margin`, shape (n,)."""
    cutoffs = tiers["cutoffs"]
    assert isinstance(cutoffs, Mapping)
    cuts = np.array([cutoffs[name] for name in TIERS[1:]], np.float64)
    if "value" in tiers:
        return np.searchsorted(cuts * np.exp(margin), basis, side="right")
    reachable = cuts <= 1
    moved = np.where(reachable, move_odds(np.where(reachable, cuts, 0.5), margin), np.inf)
    return np.searchsorted(moved, basis, side="right")
