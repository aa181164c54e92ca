"""How many conversions have happened but are not known yet, told from the delays of late."""

import numpy as np

from features.clock import DAY_US

DAYS = 90
"""Delays are those of conversions that happened in these days: what was usual before says little
of today, and old history imported at once is no delay."""
MOST = 5.0
"""Conversions that a known one stands for at most, itself included. What became known at once
stands for many where delays are long, and a single one of them would decide the sum."""


def share_known(
    occurred_at: np.ndarray,
    known_at: np.ndarray,
    known_before: int,
    *,
    happened_from: int | None = None,
) -> np.ndarray:
    """Share of all conversions of each moment that is known by now, from the delays of late.

    Conversions known in (-inf, known_before) only are seen, so long delays are seen less often
    than they are (right truncation). The distribution of delays is therefore estimated by the
    product limit in reverse time (Lagakos, Barraj and De Gruttola 1988, "Nonparametric analysis of
    truncated survival data"): G(d) = product over delays x > d of 1 - (conversions delayed by x) /
    (those delayed by at most x that had at least x to become known). Delays longer than any seen
    are outside what it can tell, and so are delays that changed within the `DAYS` it looks at.

    Parameters
    ----------
    occurred_at, known_at
        int64 microseconds, shape (n,): conversions with known_at < known_before.
    happened_from
        Conversions that happened in (-inf, happened_from) tell nothing of delays, since they may
        have been imported: the first score in the ledger. None for no such time.

    Returns
    -------
    float64 array of shape (n,)
        G(known_before - occurred_at), in [1 / `MOST`, 1].

    Examples
    --------
    Three were known at once and one a day later; of what happened a moment ago a quarter is
    still to come:

    >>> share_known(np.array([0, 0, 0, 0, 99]), np.array([0, 0, 0, 10, 99]), 100)
    array([1.  , 1.  , 1.  , 1.  , 0.75])
    """
    return _estimate(occurred_at, known_at, known_before, happened_from)[0]


def still_to_come(known: np.ndarray) -> np.ndarray:
    """Conversions to expect beside each known one: 1 / G - 1, its weight less itself.

    >>> still_to_come(np.array([1.0, 0.75]))
    array([0.        , 0.33333333])
    """
    return 1 / known - 1


def still_to_come_error(
    occurred_at: np.ndarray,
    known_at: np.ndarray,
    known_before: int,
    *,
    happened_from: int | None = None,
) -> np.ndarray:
    """Standard error of `still_to_come` that comes from having seen few delays.

    By Greenwood's formula in reverse time (Lagakos et al. 1988, section 3): the variance of log G
    is the sum over x > d of deaths / (at risk (at risk - deaths)). All conversions share the same
    estimate, so errors of several add up as they are, not by their squares.

    Parameters
    ----------
    occurred_at, known_at, known_before, happened_from
        As of `share_known`.

    Returns
    -------
    float64 array of shape (n,)
        In [0, `MOST` - 1].

    Examples
    --------
    >>> still_to_come_error(np.array([0, 0, 0, 0, 99]), np.array([0, 0, 0, 10, 99]), 100).round(2)
    array([0.  , 0.  , 0.  , 0.  , 0.38])
    """
    known, variance = _estimate(occurred_at, known_at, known_before, happened_from)
    return np.minimum(np.sqrt(variance) / known, MOST - 1)


def _estimate(
    occurred_at: np.ndarray, known_at: np.ndarray, known_before: int, happened_from: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """G of each conversion, and the variance of its logarithm."""
    since = known_before - DAYS * DAY_US
    late = occurred_at >= (since if happened_from is None else max(since, happened_from))
    room = known_before - occurred_at
    if not late.any():
        return np.ones(len(room)), np.zeros(len(room))
    delay = (known_at - occurred_at)[late]
    steps, count = np.unique(delay, return_counts=True)
    # At risk at delay x: delayed by at most x, and old enough that x would have been seen.
    at_most = np.searchsorted(np.sort(delay), steps, side="right")
    too_young = np.searchsorted(np.sort(room[late]), steps, side="right")
    at_risk = np.maximum(at_most - too_young, count)
    # G at a delay is the product over the longer ones.
    with np.errstate(divide="ignore"):
        added = count / (at_risk * (at_risk - count))
    longer = np.append(np.cumprod((1 - count / at_risk)[::-1])[::-1], 1.0)
    variance = np.append(np.cumsum(added[::-1])[::-1], 0.0)
    at = np.searchsorted(steps, room, side="left")
    return np.maximum(longer[at], 1 / MOST), variance[at]
