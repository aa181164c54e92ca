"""Maps from raw scores to probabilities."""

import json

import numpy as np
import pytest

from features.clock import DAY_US
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


def test_rows_of_one_entity_are_one_conversion() -> None:
    """Three hundred positive rows of thirty accounts do not bear a step curve."""
    rng = np.random.default_rng(0)
    label = np.arange(3_000) < 300
    mapping = fit_calibration(
        label + rng.normal(size=3_000), label, np.arange(3_000) // 10, CalibrationSpec(), seed=0
    )
    assert set(mapping["held_out_log_loss"]) == {"shift", "sigmoid"}


def _in_time(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Ten weekly dates; the score is right in the first half and twice too sure in the second."""
    logit, label, entity = _world(n, seed)
    as_of = np.arange(n) % 10 * 7 * DAY_US
    return np.where(as_of < 35 * DAY_US, logit, 2 * logit + 2), label, entity, as_of


def test_a_method_is_judged_on_later_rows_than_it_was_fitted_on() -> None:
    """What holds in the earlier rows only does not win: there a stretch is not seen to be needed,
    and other entities of the same dates would show it."""
    score, label, entity, as_of = _in_time(6_000, seed=1)
    spec = CalibrationSpec(isotonic_floor=10_000)
    later = fit_calibration(score, label, entity, spec, 0, as_of=as_of, horizon_days=14)
    mixed = fit_calibration(score, label, entity, spec, 0)
    assert (later["chosen_by"], mixed["chosen_by"]) == ("later rows", "other entities")
    assert later["method"] == "shift"
    assert mixed["method"] != "shift"


def test_the_label_windows_of_the_earlier_rows_end_before_the_later_ones() -> None:
    """Labels of the two weeks before the later part may turn around and change nothing."""
    score, label, entity, as_of = _in_time(6_000, seed=2)
    later_from = min(
        np.unique(as_of), key=lambda at: abs(label[as_of >= at].sum() / label.sum() - 0.4)
    )
    purged = (as_of < later_from) & (as_of > later_from - 14 * DAY_US)
    turned = np.where(purged, np.roll(label, 60) & purged, label)
    spread = [
        fit_calibration(score, outcome, entity, CalibrationSpec(), 0, as_of=as_of, horizon_days=14)[
            "held_out_log_loss"
        ]
        for outcome in (label, turned)
    ]
    assert purged.sum() > 500
    assert abs(int(turned.sum()) - int(label.sum())) < 60
    assert spread[0] == spread[1]


def test_too_few_later_conversions_are_judged_by_other_entities() -> None:
    score, label, entity, as_of = _in_time(6_000, seed=3)
    few = label & (np.cumsum(label) <= 45)
    mapping = fit_calibration(
        score, few, entity, CalibrationSpec(), 0, as_of=as_of, horizon_days=14
    )
    assert mapping["chosen_by"] == "other entities"
    assert set(mapping["held_out_log_loss"]) == {"shift", "sigmoid"}


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_one_conversion_in_two_hundred_is_enough(method: str) -> None:
    """At 0.5 % the next rows convert as often as predicted, within what 20,000 rows can tell."""
    logit, label, entity = _world(40_000, seed=6, base=-6.2)
    now = np.arange(40_000) < 20_000
    assert 0.003 < label.mean() < 0.007
    mapping = fit_calibration(
        logit[now] * 1.5 if method != "none" else logit[now],
        label[now],
        entity[now],
        CalibrationSpec(method=method),
        seed=0,
    )
    later = calibrate(mapping, logit[~now] * 1.5 if method != "none" else logit[~now])
    expected, seen = later.sum(), label[~now].sum()
    # Both slices are samples: the difference of two counts.
    assert abs(expected - seen) < 2.5 * np.sqrt(expected + seen)
    everywhere = calibrate(mapping, np.linspace(-30, 30, 601))
    assert everywhere.min() > 0
    assert everywhere.max() < 1


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
