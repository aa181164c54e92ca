"""From raw scores to probabilities, PQL scores and tiers: fixed maps, row by row."""

from collections.abc import Mapping
from typing import Any

import numpy as np

TIERS = ("cold", "warm", "hot", "critical")


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -logit))


def calibrate(mapping: Mapping[str, Any], score: np.ndarray) -> np.ndarray:
    """Probability of raw scores (log-odds), non-decreasing; `mapping` is calibration.json."""
    if mapping["method"] == "isotonic":
        return np.interp(score, mapping["score"], mapping["probability"])
    low, high, shift = mapping["low"], mapping["high"], mapping["shift"]
    # ln p = -ln(1 + e^-s) and -ln(1 - p) = ln(1 + e^s); with low = high it is a line in s.
    return sigmoid(high * np.logaddexp(0, score) - low * np.logaddexp(0, -score) + shift)


def tier_of(cutoffs: Mapping[str, float], probability: np.ndarray) -> np.ndarray:
    """Names of tiers; a probability equal to a cut-off reaches the tier."""
    edges = [cutoffs[name] for name in TIERS[1:]]
    return np.array(TIERS, object)[np.searchsorted(edges, probability, side="right")]
