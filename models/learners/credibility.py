"""How far rows are believed against the scorecard: little while few convert, almost fully later."""

import numpy as np


def credibility(label: np.ndarray, cluster: np.ndarray, counts_for: float) -> float:
    """Share of what was learnt, n / (n + counts_for), n the converting clusters (Bühlmann 1967).

    The rest is the scorecard's. 1 where nothing was learnt and the scorecard counts for nothing.

    >>> credibility(np.array([True, True, True, False]), np.array([0, 0, 1, 2]), counts_for=2.0)
    0.5
    """
    converting = len(np.unique(cluster[label]))
    return converting / (converting + counts_for) if counts_for else 1.0
