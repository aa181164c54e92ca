"""Maps from raw scores to probabilities."""

import json

import numpy as np
import pytest

from features.errors import NotEnoughHistory
from models.calibration import CalibrationSpec, fit_calibration
from models.metrics import log_loss
from models.scoring import calibrate

METHODS = ("none", "shift", "sigmoid", "beta", "isotonic")


def _world(n: int, seed: int, base: float = -2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logit = base + 1.3 * rng.normal(size=n)
    return logit, rng.random(n) < 1 / (1 + np.exp(-logit)), np.arange(n) // 4


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


DISTORTIONS = {
    "moved": lambda logit: logit + 1.5,
    "overconfident": lambda logit: 2.5 * logit + 1,
    "bent": lambda logit: _logit((1 / (1 + np.exp(-logit))) ** 0.3),
    "kinked": lambda logit: np.where(logit < -2, 0.2 * (logit + 2), 3 * (logit + 2)),
}


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_auto_recovers_a_distorted_probability(distortion: str) -> None:
    logit, label, entity = _world(12_000, seed=1)
    score = DISTORTIONS[distortion](logit)
    mapping = fit_calibration(score, label, entity, CalibrationSpec(), seed=0)
    truth = 1 / (1 + np.exp(-logit))
    assert np.abs(calibrate(mapping, score) - truth).mean() < 0.012
    assert np.abs(1 / (1 + np.exp(-score)) - truth).mean() > 0.03


@pytest.mark.parametrize("method", METHODS)
def test_every_map_is_non_decreasing_even_when_the_score_is_upside_down(method: str) -> None:
    logit, label, entity = _world(2_000, seed=2)
    spec = CalibrationSpec(method=method)
    grid = np.linspace(-40, 40, 2_001)
    for score in (logit, -logit):
        probability = calibrate(fit_calibration(score, label, entity, spec, seed=0), grid)
        assert (np.diff(probability) >= -1e-15).all()
        assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.parametrize("method", ["shift", "sigmoid", "beta", "isotonic"])
def test_the_mean_probability_equals_the_base_rate_of_the_slice(method: str) -> None:
    logit, label, entity = _world(3_000, seed=3, base=-4)
    mapping = fit_calibration(logit + 1, label, entity, CalibrationSpec(method=method), seed=0)
    assert calibrate(mapping, logit + 1).mean() == pytest.approx(label.mean(), abs=2e-4)


def test_a_score_that_is_right_already_keeps_the_simplest_map() -> None:
    chosen = []
    for seed in range(8):
        logit, label, entity = _world(4_000, seed)
        chosen.append(fit_calibration(logit, label, entity, CalibrationSpec(), seed)["method"])
    assert chosen.count("shift") >= 6


@pytest.mark.parametrize(
    ("positives", "tried"),
    [
        (10, []),
        (20, ["shift", "sigmoid"]),
        (60, ["shift", "sigmoid", "beta"]),
        (300, ["shift", "sigmoid", "beta", "isotonic"]),
    ],
)
def test_flexible_maps_need_their_floor_of_conversions(positives: int, tried: list) -> None:
    rng = np.random.default_rng(0)
    label = np.arange(3_000) < positives
    mapping = fit_calibration(
        label + rng.normal(size=3_000), label, np.arange(3_000), CalibrationSpec(), seed=0
    )
    assert [name for name in METHODS if name in mapping["held_out_log_loss"]] == tried
    assert mapping["method"] in (tried or ["shift"])


def test_isotonic_never_claims_certainty() -> None:
    score = np.arange(1_000.0)
    label = score >= 500
    spec = CalibrationSpec(method="isotonic")
    mapping = fit_calibration(score, label, np.arange(1_000), spec, seed=0)
    probability = calibrate(mapping, np.array([-1e9, 1e9]))
    assert 0 < probability[0] < probability[1] < 1
    assert np.isfinite(log_loss(np.array([True, False]), probability))


def test_a_map_survives_json_bit_for_bit() -> None:
    logit, label, entity = _world(2_000, seed=4)
    for method in METHODS:
        mapping = fit_calibration(logit, label, entity, CalibrationSpec(method=method), seed=0)
        again = json.loads(json.dumps(mapping, allow_nan=False))
        assert (calibrate(mapping, logit) == calibrate(again, logit)).all()


@pytest.mark.parametrize("outcome", [True, False])
def test_one_outcome_alone_can_not_be_calibrated(outcome: bool) -> None:
    with pytest.raises(NotEnoughHistory, match="needs both outcomes"):
        fit_calibration(np.zeros(5), np.full(5, outcome), np.arange(5), CalibrationSpec(), seed=0)
