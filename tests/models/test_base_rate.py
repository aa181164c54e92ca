"""Moving probabilities to another base rate."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import NotEnoughHistory, SettingsError
from models.base_rate import (
    down_sampling_offset,
    shift_from_labels,
    shift_to_rate,
    with_shift,
    without_shift,
)
from models.calibration import CalibrationSpec, fit_calibration
from models.learners.booster import BoosterSpec
from models.scoring import calibrate
from models.scoring.probability import move_odds, sigmoid


def _rows(n: int, seed: int, base: float = -3.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logit = base + 1.2 * rng.normal(size=n)
    return sigmoid(logit), rng.random(n)


def _odds(probability: np.ndarray) -> np.ndarray:
    return probability / (1 - probability)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=30),
    st.floats(1e-4, 1 - 1e-4),
)
def test_a_known_rate_becomes_the_mean_and_all_odds_change_by_one_factor(
    values: list, rate: float
) -> None:
    probability = np.array(values)
    found = shift_to_rate(probability, rate)
    moved = move_odds(probability, found.shift)
    assert moved.mean() == pytest.approx(rate, rel=1e-6)
    np.testing.assert_allclose(_odds(moved) / _odds(probability), np.exp(found.shift), rtol=1e-6)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5.0])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        shift_to_rate(np.array([0.1]), rate)


def test_nobody_recent_has_no_rate() -> None:
    for call in (
        lambda: shift_to_rate(np.empty(0), 0.1),
        lambda: shift_from_labels(np.empty(0), np.empty(0, bool), np.empty(0)),
    ):
        with pytest.raises(NotEnoughHistory, match="no recent rows"):
            call()


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_many_labels_give_back_a_planted_change_of_the_odds(factor: float) -> None:
    probability, luck = _rows(40_000, seed=1)
    label = luck < move_odds(probability, np.log(factor))
    found = shift_from_labels(probability, label, np.arange(len(label)))
    assert abs(found.shift - np.log(factor)) < 2.5 * found.error
    assert found.error < 0.05
    assert found.rate == pytest.approx(label.mean(), rel=0.01)


def test_the_standard_error_covers_the_truth_nineteen_times_in_twenty() -> None:
    """Two rows each: the conversion of an entity shows in both, as weekly snapshots do."""
    covered, naive = 0, 0
    for seed in range(200):
        once, luck = _rows(1_500, seed)
        entity = np.repeat(np.arange(1_500), 2)
        label = np.repeat(luck < move_odds(once, 0.4), 2)
        found = shift_from_labels(np.repeat(once, 2), label, entity)
        covered += abs(found.shift - 0.4) < 1.96 * found.error
        alone = shift_from_labels(np.repeat(once, 2), label, np.arange(3_000))
        naive += abs(alone.shift - 0.4) < 1.96 * alone.error
    assert 183 <= covered <= 198
    assert naive < covered - 10


@pytest.mark.parametrize(("positives", "at_most"), [(0, 0.6), (1, 0.3), (5, 0.7)])
def test_a_handful_of_conversions_moves_the_rate_less_than_it_says(
    positives: int, at_most: float
) -> None:
    """Two were expected: none at all does not prove a rate of 0, nor do five a doubling."""
    probability = np.full(200, 0.01)
    label = np.arange(200) < positives
    found = shift_from_labels(probability, label, np.arange(200))
    assert np.isfinite(found.shift)
    assert abs(found.shift) < at_most
    assert min(0.01, label.mean()) <= found.rate <= max(0.01, label.mean())


def test_the_estimate_is_that_of_a_grid_search_of_the_penalised_likelihood() -> None:
    probability, luck = _rows(800, seed=3, base=-2)
    label = luck < move_odds(probability, -0.5)
    found = shift_from_labels(probability, label, np.arange(800))
    grid = np.linspace(-2, 1, 3_001)
    best, at = -np.inf, 0.0
    for shift in grid:
        odds = _odds(probability) * np.exp(shift)
        value = np.where(label, np.log(odds), 0.0).sum() - np.log1p(odds).sum()
        value -= (shift / np.log(2)) ** 2 / 2
        if value > best:
            best, at = value, shift
    # Each row its own cluster: the design effect is at its floor, or a hair above it.
    assert found.shift == pytest.approx(at, abs=0.01)


@pytest.mark.parametrize("method", ["shift", "sigmoid", "beta", "isotonic"])
def test_a_moved_map_gives_the_new_rate_keeps_the_order_and_survives_json(method: str) -> None:
    probability, luck = _rows(4_000, seed=5, base=-2)
    score = np.log(_odds(probability)) + 1
    spec = CalibrationSpec(method=method)
    mapping = fit_calibration(score, luck < probability, np.arange(4_000), spec, seed=0)
    before = calibrate(mapping, score)
    moved = with_shift(mapping, shift_to_rate(before, 2 * before.mean()))
    again = json.loads(json.dumps(moved, allow_nan=False))
    after = calibrate(again, score)
    assert after.mean() == pytest.approx(2 * before.mean(), rel=1e-9)
    grid = calibrate(again, np.linspace(-40, 40, 2_001))
    assert (np.diff(grid) >= -1e-15).all()
    assert (calibrate(without_shift(again), score) == before).all()
    # A second move replaces the first: moves never pile up.
    twice = with_shift(moved, shift_to_rate(before, 2 * before.mean()))
    assert twice == moved


def test_odds_learnt_without_most_negatives_are_put_right_by_the_offset() -> None:
    """Counted by hand: 10 of 1,000 convert; one in ten negatives kept makes it 10 of 109."""
    kept = 10 / 99
    assert np.log(kept) + down_sampling_offset(0.1) == pytest.approx(np.log(10 / 990))


def test_trees_grown_on_a_share_of_the_negatives_predict_the_full_rate() -> None:
    from models.learners.booster import fit_booster
    from models.scoring import Learner

    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(12_000, 2))
    label = rng.random(12_000) < sigmoid(-4 + matrix[:, 0])
    text = fit_booster(
        matrix,
        ["a", "b"],
        [],
        label,
        np.zeros(12_000, np.int64),
        BoosterSpec(fallback_rounds=60, negative_share=0.2),
        horizon_days=7,
        seed=0,
        threads=1,
    )
    rates = {
        share: sigmoid(
            Learner("booster", [text], 1.0, offset=down_sampling_offset(share)).raw(
                ["a", "b"], matrix
            )
        ).mean()
        for share in (1.0, 0.2)
    }
    assert rates[1.0] > 3 * label.mean()
    assert rates[0.2] == pytest.approx(label.mean(), rel=0.08)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_of_negatives_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(SettingsError, match="share of negatives"):
        down_sampling_offset(share)
