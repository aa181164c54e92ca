"""Coverage, precision, recall and lift of having reached something, with intervals by account."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Shares:
    """What having reached something says at landmarks of the hold-out.

    A landmark is an entity at a moment, not converted; it converts if it does so in
    [landmark, landmark + follow-up).

    Parameters
    ----------
    rows, converting
        Landmarks, and those that convert.
    coverage
        Share that has reached it.
    precision
        Share of these that converts.
    base_rate
        Share of all that converts.
    recall
        Share of the converting that has reached it.
    lift
        precision / base_rate.
    """

    rows: int
    converting: int
    coverage: Estimate
    precision: Estimate
    base_rate: Estimate
    recall: Estimate
    lift: Estimate

    @property
    def not_reached_rate(self) -> float:
        """Share that converts among those that have not reached it."""
        missed = self.converting * (1 - self.recall.value)
        return missed / max(self.rows * (1 - self.coverage.value), 1.0)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def shares_of(
    reached: np.ndarray,
    converts: np.ndarray,
    cluster: np.ndarray,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Shares:
    """Shares over landmarks, their intervals by resampling clusters (Efron 1979; percentiles).

    Parameters
    ----------
    reached, converts
        bool, shape (n_landmarks,).
    cluster
        Landmarks of one cluster hang together, int, shape (n_landmarks,).
    """
    parts = np.column_stack([np.ones(len(reached)), reached, converts, reached & converts])
    points, low, high = _resampled(parts, cluster, n_bootstrap, rng)
    return Shares(
        len(reached),
        int(converts.sum()),
        *(Estimate(*row) for row in np.column_stack([points, low, high]).tolist()),
    )


def rate_of(
    converts: np.ndarray, cluster: np.ndarray, n_bootstrap: int, rng: np.random.Generator
) -> Estimate:
    """Share that converts."""
    nobody = np.zeros(len(converts), bool)
    return shares_of(nobody, converts, cluster, n_bootstrap, rng).base_rate


def _resampled(
    parts: np.ndarray, cluster: np.ndarray, n_bootstrap: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The five shares, and both ends of their intervals: three arrays of shape (5,)."""
    if not len(parts):
        nothing = np.full(5, np.nan)
        return nothing, nothing, nothing
    _, place = np.unique(cluster, return_inverse=True)
    n = int(place.max()) + 1
    sums = np.column_stack([np.bincount(place, column, n) for column in parts.T])
    # Clusters with equal sums are drawn together: few differ, and a million cost as one.
    kinds, sizes = np.unique(sums, axis=0, return_counts=True)
    draws = rng.multinomial(n, sizes / n, n_bootstrap) @ kinds
    drawn = _shares(draws)
    ends = [
        np.percentile(column[~np.isnan(column)], INTERVAL)
        if not np.isnan(column).all()
        else (np.nan, np.nan)
        for column in drawn.T
    ]
    low, high = np.array(ends).T
    return _shares(kinds.T @ sizes), low, high


def _shares(totals: np.ndarray) -> np.ndarray:
    """Coverage, precision, base rate, recall and lift from totals of shape (..., 4)."""
    rows, reached, converting, both = np.moveaxis(np.asarray(totals, np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, base_rate = both / reached, converting / rows
        return np.stack(
            [reached / rows, precision, base_rate, both / converting, precision / base_rate],
            axis=-1,
        )
