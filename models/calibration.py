"""From raw scores to probabilities: non-decreasing maps fitted on rows the booster never saw."""

import logging
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.errors import NotEnoughHistory
from features.spec import Spec
from models.learners.cluster_folds import cluster_folds
from models.metrics import row_log_loss
from models.scoring import calibrate, sigmoid

log = logging.getLogger(__name__)

Method = Literal["none", "shift", "sigmoid", "beta", "isotonic"]
_CV_FOLDS = 5
_LATER_SHARE = 0.4
_LEAST_IN_SLICE = 20


class CalibrationSpec(Spec):
    """Which map, and how many accounts must convert in the calibrate fold for a flexible one.

    ``none`` trusts the raw score; ``shift`` moves it; ``sigmoid`` stretches and moves it;
    ``beta`` bends both ends separately; ``isotonic`` is any non-decreasing step curve;
    ``auto`` takes the best by log loss on the later part of the fold.
    """

    method: Literal["auto", "none", "shift", "sigmoid", "beta", "isotonic"] = "auto"
    """Which map from raw score to probability; [how ``auto`` chooses](model.md#calibration)."""
    sigmoid_floor: int = Field(default=20, ge=1)
    """Accounts that must convert for ``sigmoid`` to be tried."""
    beta_floor: int = Field(default=60, ge=1)
    """Accounts that must convert for ``beta`` to be tried."""
    isotonic_floor: int = Field(default=300, ge=1)
    """Accounts that must convert for ``isotonic`` to be tried."""


def fit_calibration(
    score: np.ndarray,
    label: np.ndarray,
    entity: np.ndarray,
    spec: CalibrationSpec,
    seed: int,
    *,
    as_of: np.ndarray | None = None,
    horizon_days: int = 0,
) -> dict[str, Any]:
    """The map of raw scores (log-odds) to probabilities, for `models.scoring.calibrate`.

    Each method is fitted on the earlier rows and judged on the later ones, as it will be used.
    Where in either part fewer than 20 entities convert, or no times are given, it is judged on
    entities that it was not fitted on. The method chosen is fitted on all rows.

    Parameters
    ----------
    entity
        Shape (n,): in the choice of a method, rows of one entity stay in one fold, and count once
        as a conversion.
    as_of
        int64, shape (n,): microseconds UTC.
    horizon_days
        Of the labels: earlier rows with as_of + horizon_days after the first later one are left
        out of the choice.

    Returns
    -------
    dict
        JSON-ready: ``method``, its parameters, ``held_out_log_loss`` by method tried, and
        ``chosen_by``: ``later rows``, ``other entities``, ``settings``, or
        ``number of conversions`` where they are too few for more than one.

    Raises
    ------
    NotEnoughHistory
        When the rows hold no conversion, or nothing but conversions.
    """
    if not 0 < label.sum() < len(label):
        raise NotEnoughHistory(
            f"The calibrate fold has {int(label.sum())} conversions in {len(label)} rows; "
            "calibration needs both outcomes. Move the fold boundaries or bring a longer history."
        )
    # Rows of one entity repeat each other: what a flexible map needs is entities that convert.
    positives = len(np.unique(entity[label]))
    floors: dict[Method, int] = {
        "shift": 0,
        "sigmoid": spec.sigmoid_floor,
        "beta": spec.beta_floor,
        "isotonic": spec.isotonic_floor,
    }
    candidates = [method for method, floor in floors.items() if positives >= floor]
    if spec.method != "auto":
        candidates = [spec.method]
    if len(candidates) == 1:
        return _FITS[candidates[0]](score, label) | {
            "held_out_log_loss": {},
            "chosen_by": "settings" if spec.method != "auto" else "number of conversions",
        }
    slices = None if as_of is None else _slices(label, entity, as_of, horizon_days)
    if slices is None:
        how, judges = "other entities", entity
        losses = _held_out_losses(candidates, score, label, entity, seed)
    else:
        earlier, later = slices
        how, judges = "later rows", entity[later]
        losses = {
            name: row_log_loss(
                label[later], calibrate(_FITS[name](score[earlier], label[earlier]), score[later])
            )
            for name in candidates
        }
    method = _simplest_of_the_best(losses, judges)
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    log.info(
        "Calibration: %s of %s by %s, %d converting", method, ", ".join(candidates), how, positives
    )
    return _FITS[method](score, label) | {"held_out_log_loss": means, "chosen_by": how}


def _slices(
    label: np.ndarray, entity: np.ndarray, as_of: np.ndarray, horizon_days: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Masks of the earlier rows, purged, and of the later ones; None where one has too little.

    The later part begins where about two in five conversions lie ahead.
    """
    times, place = np.unique(as_of, return_inverse=True)
    ahead = np.cumsum(np.bincount(place, label)[::-1])[::-1] / label.sum()
    begin = times[np.argmin(np.abs(ahead - _LATER_SHARE))]
    earlier, later = as_of + horizon_days * DAY_US <= begin, as_of >= begin
    for rows in (earlier, later):
        if min(len(np.unique(entity[rows & truth])) for truth in (label, ~label)) < _LEAST_IN_SLICE:
            return None
    return earlier, later


def _held_out_losses(
    candidates: list[Method], score: np.ndarray, label: np.ndarray, entity: np.ndarray, seed: int
) -> dict[Method, np.ndarray]:
    """Log loss of each row under maps fitted without its entity."""
    fold = cluster_folds(label, entity, _CV_FOLDS, seed)
    losses: dict[Method, np.ndarray] = {name: np.empty(len(label)) for name in candidates}
    for held_out in (fold == number for number in range(_CV_FOLDS)):
        for name, loss in losses.items():
            mapping = _FITS[name](score[~held_out], label[~held_out])
            loss[held_out] = row_log_loss(label[held_out], calibrate(mapping, score[held_out]))
    return losses


def _simplest_of_the_best(losses: dict[Method, np.ndarray], entity: np.ndarray) -> Method:
    """From simple to flexible, move on only for a gain above its own standard error.

    The error of the mean difference is clustered by entity.
    """
    chosen, *flexible = losses
    _, member = np.unique(entity, return_inverse=True)
    for method in flexible:
        gain = losses[chosen] - losses[method]
        by_entity = np.bincount(member, gain - gain.mean())
        if gain.mean() > np.sqrt((by_entity**2).sum()) / len(gain):
            chosen = method
    return chosen


def _line(score: np.ndarray, label: np.ndarray, slopes: int, penalty: float = 1.0) -> np.ndarray:
    """Low, high and shift of logit p = high ln(1 + e^s) - low ln(1 + e^-s) + shift.

    Maximum likelihood with slopes >= 0 and a weak pull towards 1, "the raw score is right". The
    shift is free, so the mean probability equals the base rate of the slice. The pull stands in
    for the smoothed targets of Platt 1999, which would inflate a small base rate.
    """
    from scipy.optimize import minimize

    pieces = -np.logaddexp(0, -score), np.logaddexp(0, score)
    basis = {0: [], 1: [score], 2: [*pieces]}[slopes]
    offset = score if slopes == 0 else 0.0
    columns = np.column_stack([*basis, np.ones(len(score))])
    pull = np.r_[np.full(slopes, penalty), 0.0]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logit = columns @ weights + offset
        away = weights - 1
        value = np.where(label, np.logaddexp(0, -logit), np.logaddexp(0, logit)).sum()
        slope = columns.T @ (sigmoid(logit) - label) + pull * away
        return (value + (pull * away * away).sum() / 2) / len(label), slope / len(label)

    start = np.r_[np.ones(slopes), 0.0]
    bounds = [(0, None)] * slopes + [(None, None)]
    options = {"ftol": 1e-14, "gtol": 1e-10, "maxiter": 1_000}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    slope = {0: [1.0, 1.0], 1: [found[0], found[0]], 2: list(found[:-1])}[slopes]
    return np.array([*slope, found[-1]])


def _linear(slopes: int, method: Method) -> Callable[[np.ndarray, np.ndarray], dict[str, Any]]:
    def fit(score: np.ndarray, label: np.ndarray) -> dict[str, Any]:
        low, high, shift = _line(score, label, slopes).tolist()
        return {"method": method, "low": low, "high": high, "shift": shift}

    return fit


def _none(score: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    return {"method": "none", "low": 1.0, "high": 1.0, "shift": 0.0}


def _isotonic(score: np.ndarray, label: np.ndarray) -> dict[str, Any]:
    """Zadrozny & Elkan 2002; kept off 0 and 1, which no finite sample can prove."""
    from sklearn.isotonic import IsotonicRegression

    least = 0.5 / (len(label) + 1)
    fitted = IsotonicRegression(y_min=least, y_max=1 - least).fit(score, label.astype(float))
    return {
        "method": "isotonic",
        "score": fitted.X_thresholds_.tolist(),
        "probability": fitted.y_thresholds_.tolist(),
    }


_FITS: dict[Method, Callable[[np.ndarray, np.ndarray], dict[str, Any]]] = {
    "none": _none,
    "shift": _linear(0, "shift"),
    "sigmoid": _linear(1, "sigmoid"),  # Platt 1999
    "beta": _linear(2, "beta"),  # Kull, Silva Filho & Flach 2017
    "isotonic": _isotonic,
}
