"""How many conversions have happened but are not known yet, told from the delays so far."""

import numpy as np


def share_known(occurred_at: np.ndarray, known_at: np.ndarray, known_before: int) -> np.ndarray:
    """Share of all conversions of each moment that is known by now, from the history of delays.

    Conversions known in (-inf, known_before) only are seen, so long delays are seen less often
    than they are (right truncation). The distribution of delays is therefore estimated by the
    product limit in reverse time (Lagakos, Barraj and De Gruttola 1988, "Nonparametric analysis of
    truncated survival data"): G(d) = product over delays x > d of 1 - (conversions delayed by x) /
    (those delayed by at most x that had at least x to become known). Delays longer than any seen
    are outside what it can tell.

    Parameters
    ----------
    occurred_at, known_at
        int64 microseconds, shape (n,): conversions with known_at < known_before.

    Returns
    -------
    float64 array of shape (n,)
        G(known_before - occurred_at), in (0, 1].

    Examples
    --------
    Three were known at once and one a day later; of what happened a moment ago a quarter is
    still to come:

    >>> share_known(np.array([0, 0, 0, 0, 99]), np.array([0, 0, 0, 10, 99]), 100)
    array([1.  , 1.  , 1.  , 1.  , 0.75])
    """
    delay = known_at - occurred_at
    room = known_before - occurred_at
    if not len(delay):
        return np.ones(0)
    steps, count = np.unique(delay, return_counts=True)
    # At risk at delay x: delayed by at most x, and old enough that x would have been seen.
    at_most = np.searchsorted(np.sort(delay), steps, side="right")
    too_young = np.searchsorted(np.sort(room), steps, side="right")
    at_risk = np.maximum(at_most - too_young, count)
    kept = 1 - count / at_risk
    # G at a delay is the product over the longer ones.
    longer = np.concatenate([np.cumprod(kept[::-1])[::-1], [1.0]])
    known = longer[np.searchsorted(steps, room, side="left")]
    return np.maximum(known, 1 / (len(delay) + 1))


def still_to_come(known: np.ndarray) -> np.ndarray:
    """Conversions to expect beside each known one: 1 / G - 1, its weight less itself.

    >>> still_to_come(np.array([1.0, 0.75]))
    array([0.        , 0.33333333])
    """
    return 1 / known - 1
