"""Which columns tell converters from others on their own, and which of them say the same."""

import numpy as np

from models.metrics import roc_auc


def separation(encoded: np.ndarray, label: np.ndarray) -> np.ndarray:
    """|ROC-AUC - 0.5| of each column, missing values lowest, shape (n_columns,).

    >>> separation(np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([False, True]))
    array([0.5, 0. ])
    """
    columns = np.nan_to_num(encoded, nan=-np.inf, posinf=np.inf, neginf=-np.inf).T
    return np.array([abs(roc_auc(label, column) - 0.5) for column in columns])


def distinct(ranks: np.ndarray, limit: float, most: int) -> list[int]:
    """The first `most` columns whose |correlation| with every one kept before is at most `limit`.

    >>> distinct(np.array([[0.0, 0.0, 1.0], [1.0, 2.0, 0.0], [2.0, 4.0, 1.0]]), 0.9, most=9)
    [0, 2]
    """
    ranks = np.asfortranarray(ranks - ranks.mean(axis=0))
    ranks /= np.maximum(np.sqrt((ranks * ranks).sum(axis=0)), 1e-12)
    kept: list[int] = []
    for column in range(ranks.shape[1]):
        if len(kept) == most:
            break
        correlation = np.abs(ranks[:, column] @ ranks[:, kept])
        if correlation.max(initial=0) <= limit:
            kept.append(column)
    return kept
