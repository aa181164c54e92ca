"""The booster: guarded, deterministic, its length chosen without looking ahead."""

import lightgbm as lgb
import numpy as np
import pytest

from features.clock import DAY_US
from features.errors import NotEnoughHistory, SettingsError
from models.learners.booster import BoosterSpec, fit_booster

NAMES = ("signal", "plan", "constant")


def _rows(n: int = 1_500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    matrix = np.column_stack([signal, rng.integers(0, 3, size=n), np.full(n, 7.0)])
    label = rng.random(n) < 1 / (1 + np.exp(3 - 2 * np.abs(signal)))
    return matrix, label, np.sort(rng.integers(0, 10, size=n)) * 7 * DAY_US


def _fit(spec: BoosterSpec, seed: int = 0, rows: tuple | None = None) -> str:
    matrix, label, as_of = rows or _rows()
    return fit_booster(
        matrix, NAMES, {"plan"}, label, as_of, spec, horizon_days=7, seed=seed, threads=1
    )


def test_the_same_seed_gives_equal_text_and_another_does_not() -> None:
    assert _fit(BoosterSpec()) == _fit(BoosterSpec())
    trees = [_fit(BoosterSpec(), seed).split("\nparameters:")[0] for seed in (0, 1)]
    assert trees[0] != trees[1]


@pytest.mark.parametrize("name", ["plan", "unheard_of"])
def test_monotone_on_a_category_or_unknown_column_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        _fit(BoosterSpec(monotone={name: 1}))


def test_a_monotone_feature_never_lowers_the_score() -> None:
    text = _fit(BoosterSpec(monotone={"signal": 1}))
    booster = lgb.Booster(model_str=text)
    grid = np.column_stack([np.linspace(-3, 3, 100), np.ones(100)])
    free = lgb.Booster(model_str=_fit(BoosterSpec())).predict(grid, raw_score=True)
    assert (np.diff(booster.predict(grid, raw_score=True)) >= 0).all()
    assert (np.diff(free) < 0).any()


def test_columns_that_never_vary_are_left_out() -> None:
    assert lgb.Booster(model_str=_fit(BoosterSpec())).feature_name() == ["signal", "plan"]
    matrix, label, as_of = _rows()
    with pytest.raises(NotEnoughHistory, match="None of the 3 features varies"):
        _fit(BoosterSpec(), rows=(np.ones_like(matrix), label, as_of))


def test_a_column_that_is_known_for_some_rows_only_does_vary() -> None:
    matrix, label, as_of = _rows()
    matrix[::2, 2] = np.nan
    text = _fit(BoosterSpec(), rows=(matrix, label, as_of))
    assert "constant" in lgb.Booster(model_str=text).feature_name()


def test_pure_noise_stops_early_and_signal_does_not() -> None:
    matrix, label, as_of = _rows()
    noise = matrix.copy()
    noise[:, 0] = np.random.default_rng(5).permutation(noise[:, 0])
    rounds = [
        lgb.Booster(model_str=_fit(BoosterSpec(), rows=(given, label, as_of))).num_trees()
        for given in (noise, matrix)
    ]
    assert 2 * rounds[0] < rounds[1]


def test_too_few_rows_to_hold_some_back_take_the_fallback_rounds() -> None:
    matrix, label, as_of = _rows()
    spec = BoosterSpec(fallback_rounds=13)
    text = _fit(spec, rows=(matrix, label, np.zeros_like(as_of)))
    assert lgb.Booster(model_str=text).num_trees() == 13


@pytest.mark.parametrize("positives", [3, 1_497])
def test_almost_one_outcome_only_is_refused_with_the_way_out(positives: int) -> None:
    matrix, _, as_of = _rows()
    label = np.arange(len(matrix)) < positives
    with pytest.raises(NotEnoughHistory, match=rf"{positives} of 1500 .*or use the scorecard"):
        _fit(BoosterSpec(), rows=(matrix, label, as_of))
