"""One column in bins: where they lie, how full they are, and how far two fillings differ."""

from collections.abc import Mapping
from typing import Any

import numpy as np

N_BINS = 10
MOST_VALUES = 30
"""Commoner values of a category have a bin of their own; the others share one."""


def bins_of(values: np.ndarray) -> dict[str, Any]:
    """Where the bins of a column lie: decile edges of numbers, or the commonest values of texts.

    Parameters
    ----------
    values
        float array with NaN, or object array of str with None, for unknown; shape (n,).

    Examples
    --------
    Equal deciles are one edge: of many zeros two bins are left, none and some.

    >>> bins_of(np.array([0.0] * 95 + [3.0] * 5))
    {'edges': [0.0]}
    """
    if values.dtype == object:
        known = [value for value in values if value is not None]
        names, counts = np.unique(np.array(known, str), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
        return {"values": sorted(str(name) for name in names[order])}
    known = values[~np.isnan(values)].astype(float)
    if not len(known):
        return {"edges": []}
    cuts = np.quantile(known, np.arange(1, N_BINS) / N_BINS, method="inverted_cdf")
    return {"edges": np.unique(cuts).tolist()}


def n_bins(bins: Mapping[str, Any]) -> int:
    """Bins of a column: between and beyond the edges or one per value and others, and unknown."""
    return len(bins["edges"] if "edges" in bins else bins["values"]) + 2


def place(bins: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    """Bin of each value: int64, shape (n,). Bins are (lower, upper]; the last one is unknown.

    >>> place({"edges": [0.0, 2.0]}, np.array([0.0, 0.5, 2.0, 9.0, np.nan]))
    array([0, 1, 1, 2, 3])
    >>> place({"values": ["free", "paid"]}, np.array(["paid", "gift", None], object))
    array([1, 2, 3])
    """
    last = n_bins(bins) - 1
    if "values" in bins:
        at = {value: number for number, value in enumerate(bins["values"])} | {None: last}
        return np.array([at.get(value, last - 1) for value in values], np.int64)
    found = np.searchsorted(np.array(bins["edges"], float), values, side="left")
    return np.where(np.isnan(values), last, found).astype(np.int64)


def filled(bins: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    """Share of the values in each bin: float64, shape (n_bins,); zeros without values."""
    counts = np.bincount(place(bins, values), minlength=n_bins(bins))
    return counts / max(len(values), 1)


def stability_index(before: np.ndarray, n: int, now: np.ndarray, m: int) -> float:
    """Population stability index of two fillings, without what chance alone would give it.

    PSI = sum of (now - before) ln(now / before) over the bins (Siddiqi 2006, "Credit Risk
    Scorecards"). Between samples of one distribution it is (1/n + 1/m) times a chi-square of
    bins - 1 degrees of freedom (Yurdakul 2018, "Statistical properties of the population stability
    index"); its mean is taken off, so that small samples do not look like drift. Half a row is
    added to each bin, since an empty one would make it infinite.

    Parameters
    ----------
    n, m
        Independent rows behind each filling: accounts, not rows.

    >>> round(stability_index(np.array([0.5, 0.5]), 10**6, np.array([0.2, 0.8]), 10**6), 3)
    0.416
    """
    if not n or not m:
        return 0.0
    used = (before > 0) | (now > 0)
    bins = int(used.sum())
    p = (before[used] * n + 0.5) / (n + 0.5 * bins)
    q = (now[used] * m + 0.5) / (m + 0.5 * bins)
    chance = (bins - 1) * (1 / n + 1 / m)
    return max(0.0, float(((q - p) * np.log(q / p)).sum() - chance))


MOST_EVIDENCE = 2000
"""Accounts that a test counts: whatever is worth an alarm shows in fewer."""


def no_change(before: np.ndarray, n: int, now: np.ndarray, m: int) -> float:
    """How likely chance alone moves a bin as far as the one that moved furthest, in [0, 1].

    Fisher's exact test (hypergeometric tail) of each bin against the rest, times two for the
    direction and times the bins (Bonferroni).
    """
    from scipy.stats import hypergeom

    n, m = min(n, MOST_EVIDENCE), min(m, MOST_EVIDENCE)
    if not n or not m:
        return 1.0
    old = np.rint(before * n).astype(int)
    new = np.rint(now * m).astype(int)
    used = np.flatnonzero(old + new)
    tails = [
        hypergeom.sf(new[at] - 1, n + m, old[at] + new[at], m)
        if new[at] * n > old[at] * m
        else hypergeom.cdf(new[at], n + m, old[at] + new[at], m)
        for at in used
    ]
    return min(1.0, 2 * len(used) * float(min(tails, default=1.0)))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Smallest false discovery rate at which each test is called a discovery; shape (n,).

    Benjamini and Hochberg 1995, "Controlling the false discovery rate".

    >>> benjamini_hochberg(np.array([0.01, 0.5, 0.02]))
    array([0.03, 0.5 , 0.03])
    """
    if not len(p):
        return p
    order = np.argsort(p)
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1)
    return adjusted
