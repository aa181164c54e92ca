"""From raw scores to probabilities, PQL scores and tiers: fixed maps, row by row."""

from collections.abc import Mapping
from typing import Any

import numpy as np

TIERS = ("cold", "warm", "hot", "critical")


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -logit))


def calibrate(mapping: Mapping[str, Any], score: np.ndarray) -> np.ndarray:
    """Probability of raw scores (log-odds), non-decreasing; `mapping` is calibration.json.

    Its ``base_rate`` block, where there is one, moves the log-odds of all rows by ``shift``.
    """
    probability = _mapped(mapping, score)
    moved = mapping.get("base_rate")
    return probability if moved is None else move_odds(probability, moved["shift"])


def _mapped(mapping: Mapping[str, Any], score: np.ndarray) -> np.ndarray:
    if mapping["method"] == "isotonic":
        return np.interp(score, mapping["score"], mapping["probability"])
    low, high, shift = mapping["low"], mapping["high"], mapping["shift"]
    # ln p = -ln(1 + e^-s) and -ln(1 - p) = ln(1 + e^s); with low = high it is a line in s.
    return sigmoid(high * np.logaddexp(0, score) - low * np.logaddexp(0, -score) + shift)


def points_per_log_odds(
    mapping: Mapping[str, Any], raw: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """Percentage points of probability that a log-odds is worth between two raw scores.

    The probability's mean slope on the straight way from `base` to `raw`. Contributions that add
    up to raw - base, times this, add up to the difference of the probabilities, and are the Aumann
    and Shapley (1974) prices of a probability that is a function of their sum.

    >>> line = {"method": "isotonic", "score": [0.0, 1.0], "probability": [0.1, 0.5]}
    >>> points_per_log_odds(line, np.array([1.0, 0.0]), np.array([0.0, 0.0])).round(6)
    array([40., 20.])
    """
    # So near that only a difference quotient around the point says how steep it is there.
    near = np.abs(raw - base) < 1e-6
    low, high = np.where(near, base - 5e-5, base), np.where(near, base + 5e-5, raw)
    return 100 * (calibrate(mapping, high) - calibrate(mapping, low)) / (high - low)


def move_odds(probability: np.ndarray, shift: float) -> np.ndarray:
    """Probabilities whose odds are exp(shift) times as high.

    >>> move_odds(np.array([0.0, 0.5, 1.0]), np.log(3)).round(12)
    array([0.  , 0.75, 1.  ])
    """
    return probability / (probability + (1 - probability) * np.exp(-shift))


def tier_basis(
    tiers: Mapping[str, Any], probability: np.ndarray, values: Mapping[str, Any]
) -> np.ndarray:
    """What cut-offs are compared with: the probability, or the expected value of each row.

    Parameters
    ----------
    tiers
        tiers.json; its ``value`` block, where there is one, names the column of account values
        and what stands in where it is missing.
    values
        Columns by name, as `Scorer.score` takes them.
    """
    worth = tiers.get("value")
    if worth is None:
        return probability
    value = np.asarray(values[worth["column"]], np.float64)
    return probability * np.where(np.isnan(value), worth["missing"], value)


def tier_of(cutoffs: Mapping[str, float], basis: np.ndarray) -> np.ndarray:
    """Names of tiers; a value equal to a cut-off reaches the tier.

    Parameters
    ----------
    cutoffs
        By tier: of probability, above 1 where nobody reaches it, or of expected value.
    basis
        As `tier_basis` gives it, shape (n,).
    """
    edges = [cutoffs[name] for name in TIERS[1:]]
    return np.array(TIERS, object)[np.searchsorted(edges, basis, side="right")]


def high_low(view: Mapping[str, Any], raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability, and ``high`` from the cut-off on or ``low``, of one view's raw scores.

    Parameters
    ----------
    view
        ``calibration`` as calibration.json, and ``cutoff``, a probability.
    """
    probability = calibrate(view["calibration"], raw)
    return probability, np.where(probability >= view["cutoff"], "high", "low").astype(object)
