"""Which rows of a night are looked at: a sample of very many, and those who have just entered."""

import numpy as np

from features.clock import DAY_US

MOST_ROWS = 100_000
"""Beyond it a night, or all nights of a reference together, are thinned."""


def thinned(entity: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Rows of a random sample of whole entities, about `most` of them: bool, shape (n,).

    >>> thinned(np.array([0, 0, 1]), most=3, seed=1)
    array([ True,  True,  True])
    """
    if len(entity) <= most:
        return np.ones(len(entity), bool)
    rng = np.random.default_rng(seed)
    kept = rng.random(int(entity.max()) + 1) < most / len(entity)
    return kept[entity]


def newcomers(entered: np.ndarray, as_of: np.ndarray, days: int) -> np.ndarray:
    """True where the entity entered in [as_of - days, as_of); both int64 microseconds, shape (n,).

    >>> newcomers(np.array([0, 1]), np.array([DAY_US + 1, DAY_US + 1]), days=1)
    array([False,  True])
    """
    return (entered >= as_of - days * DAY_US) & (entered < as_of)
