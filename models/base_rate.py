"""Moving probabilities to another base rate: known, seen in recent labels, or sampled away."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from features.errors import NotEnoughHistory, SettingsError
from models.judging.curves import effective_rows, wilson
from models.scoring.probability import move_odds

How = Literal["known", "labels"]

_PRIOR_SPREAD = float(np.log(2))
"""Standard deviation of the shift before any label is seen: one time in three the odds more than
double or halve."""
_Z = 1.959963984540054
_FARTHEST = 100.0
"""No shift is farther: e^100."""


@dataclass(frozen=True)
class Shift:
    """A move of all log-odds.

    Parameters
    ----------
    shift
        What is added to every log-odds.
    how
        ``known``: a rate that was given; ``labels``: estimated from recent mature labels.
    rate
        Mean probability of the recent rows after the move.
    rate_before
        The same before it.
    error
        Standard error of the estimate, clustered; 0 for a known rate.
    rows, positives
        Of the recent rows; a known rate reads no label, so its positives are 0.
    last_as_of
        Of the rows whose labels were read, microseconds UTC; None for a known rate.
    """

    shift: float
    how: How
    rate: float
    rate_before: float
    error: float
    rows: int
    positives: int
    last_as_of: int | None = None

    @property
    def factor(self) -> tuple[float, float, float]:
        """What the odds are multiplied by, with its 95 % interval.

        >>> [round(x, 2) for x in Shift(np.log(2), "labels", 0.2, 0.1, 0.1, 900, 180).factor]
        [2.0, 1.64, 2.43]
        """
        low, high = self.shift - _Z * self.error, self.shift + _Z * self.error
        return float(np.exp(self.shift)), float(np.exp(low)), float(np.exp(high))


@dataclass(frozen=True)
class Observed:
    """The share of rows that converted, with a 95 % interval that knows of repeated rows."""

    rows: int
    positives: int
    rate: float
    low: float
    high: float


def observed_rate(label: np.ndarray, cluster: np.ndarray) -> Observed:
    """What mature rows did: Wilson's interval (1927) on as many rows as tell something new.

    >>> observed_rate(np.array([True, False]), np.array([1, 2])).rate
    0.5

    Raises
    ------
    NotEnoughHistory
        When there are no rows.
    """
    _check_rows(label)
    rate, counted = float(label.mean()), effective_rows(label, cluster)
    return Observed(len(label), int(label.sum()), rate, *wilson(rate * counted, counted))


def with_shift(mapping: Mapping[str, Any], shift: Shift) -> dict[str, Any]:
    """A calibration map that `models.scoring.calibrate` moves by `shift`, in place of any before.

    Estimate it on probabilities of the map *without* its ``base_rate`` block (`without_shift`).
    """
    return {**without_shift(mapping), "base_rate": asdict(shift)}


def without_shift(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The map as it was fitted."""
    return {name: value for name, value in mapping.items() if name != "base_rate"}


def down_sampling_offset(share: float) -> float:
    """What to add to log-odds that were learnt with a share of the negatives only.

    With all positives and a random `share` of the negatives the odds are 1 / share times too
    high (Elkan 2001, "The foundations of cost-sensitive learning", theorem 2; Dal Pozzolo et al.
    2015, "Calibrating probability with undersampling", equation 4), so the offset is ln(share).

    Parameters
    ----------
    share
        Of the negatives that were kept, in (0, 1].

    Examples
    --------
    >>> down_sampling_offset(1.0), round(down_sampling_offset(0.1), 4)
    (0.0, -2.3026)

    Raises
    ------
    SettingsError
        When the share lies outside (0, 1].
    """
    if not 0 < share <= 1:
        raise SettingsError(f"The share of negatives kept must lie in (0, 1], not {share!r}.")
    return float(np.log(share))


def shift_to_rate(probability: np.ndarray, rate: float) -> Shift:
    """The move after which the mean probability of recent rows is a known `rate`.

    Where all that changed is how often rows convert, odds change by one factor (Elkan 2001;
    Saerens, Latinne & Decaestecker 2002). The factor is solved for on the rows themselves: the
    ratio of old and new rate's odds would miss `rate` where probabilities spread.

    Parameters
    ----------
    probability
        Shape (n,), in (0, 1): of the cohort that the rate is about.
    rate
        Share of such rows that convert within the horizon, in (0, 1).

    Examples
    --------
    >>> moved = shift_to_rate(np.array([0.1, 0.3]), rate=0.4)
    >>> round(float(move_odds(np.array([0.1, 0.3]), moved.shift).mean()), 12)
    0.4

    Raises
    ------
    SettingsError
        When the rate lies outside (0, 1).
    NotEnoughHistory
        When there are no rows.
    """
    if not 0 < rate < 1:
        raise SettingsError(
            f"The base rate must lie between 0 and 1, not {rate!r}; write 0.05 for five per cent."
        )
    _check_rows(probability)
    shift = _solve(lambda move: float(move_odds(probability, move).mean()) - rate)
    return Shift(shift, "known", rate, float(probability.mean()), 0.0, len(probability), 0)


def shift_from_labels(probability: np.ndarray, label: np.ndarray, cluster: np.ndarray) -> Shift:
    """The move that recent outcomes ask for, pulled towards none where they are few.

    Maximum of the log likelihood of a shift, divided by the design effect of clusters (one
    conversion shows in several rows; the sandwich of Liang & Zeger 1986), with a normal prior of
    mean 0 and standard deviation ln 2. A shift with standard error e keeps about
    ln(2)^2 / (ln(2)^2 + e^2) of itself: of 5 conversions two thirds, of 100 almost all.

    Parameters
    ----------
    label
        Shape (n,), bool: every one of them mature.
    cluster
        Shape (n,): rows of one cluster hang together.

    Raises
    ------
    NotEnoughHistory
        When there are no rows.
    """
    _check_rows(probability)
    _, member = np.unique(cluster, return_inverse=True)
    effect = 1.0
    # The design effect is that of the residuals after the move: before it, what all rows miss
    # alike would count as clustering. Two rounds settle it.
    for _ in range(2):
        moved = move_odds(probability, _most_likely(probability, label, effect))
        variance = float((moved * (1 - moved)).sum())
        by_cluster = np.bincount(member, label - moved)
        effect = max(1.0, float((by_cluster**2).sum()) / variance)
    shift = _most_likely(probability, label, effect)
    return Shift(
        shift=shift,
        how="labels",
        rate=float(move_odds(probability, shift).mean()),
        rate_before=float(probability.mean()),
        error=float((variance / effect + _PRIOR_SPREAD**-2) ** -0.5),
        rows=len(label),
        positives=int(label.sum()),
    )


def _most_likely(probability: np.ndarray, label: np.ndarray, effect: float) -> float:
    """Where the slope of the penalised log likelihood of a shift is 0."""
    positives = float(label.sum())

    def fall(move: float) -> float:
        expected = float(move_odds(probability, move).sum())
        return (expected - positives) / effect + move * _PRIOR_SPREAD**-2

    return _solve(fall)


def _check_rows(rows: np.ndarray) -> None:
    if not len(rows):
        raise NotEnoughHistory(
            "There are no recent rows to read a base rate from. Take more days, or bring newer "
            "data."
        )


def _solve(rising: Callable[[float], float]) -> float:
    """Where a rising function of the shift crosses 0."""
    from scipy.optimize import brentq

    return float(brentq(rising, -_FARTHEST, _FARTHEST, xtol=1e-12))
