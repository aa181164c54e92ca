"""Folds of cross-validation that keep the rows of an account, or of an entity, together."""

import numpy as np


def cluster_folds(label: np.ndarray, cluster: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold number of each row, shape (n,): converting and other clusters are dealt separately."""
    codes, member = np.unique(cluster, return_inverse=True)
    converts = np.bincount(member, label) > 0
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    dealt = shuffled[np.argsort(~converts[shuffled], kind="stable")]
    fold = np.empty(len(codes), np.int64)
    fold[dealt] = np.arange(len(codes)) % folds
    return fold[member]
