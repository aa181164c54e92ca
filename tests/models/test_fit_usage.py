"""Who they are against what they do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.calibration import CalibrationSpec
from models.customers.similarity import SimilaritySpec
from models.dataset import Dataset
from models.learners.booster import BoosterSpec
from models.learners.inputs import Inputs, fit_inputs
from models.metrics import roc_auc
from models.scoring import Learner
from models.scoring.probability import high_low
from models.splits import FoldSpec, temporal_split
from models.tiering.fit_usage import (
    VIEWS,
    FitUsage,
    FitUsageSpec,
    by_dimension,
    conversion_matrix,
    fit_fit_usage,
    view_files,
)


def _files(found: FitUsage) -> dict[str, str]:
    return view_files({name: (view.learner, view.mapping) for name, view in found.views.items()})


@pytest.fixture(scope="module")
def folds(make_world: Callable) -> tuple[Inputs, Dataset, Dataset, Dataset]:
    world = make_world(n_entities=600, n_weeks=14, seed=4)
    split = temporal_split(world.data, 7, FoldSpec())
    train, calibrate, test = (
        world.data.take(rows) for rows in (split.train, split.calibrate, split.test)
    )
    inputs = fit_inputs(
        train, world.customers, SimilaritySpec(), min_level_rows=30, horizon_days=7, seed=1
    )
    return inputs, train, calibrate, test


def _fit(
    folds: tuple, booster: BoosterSpec | None = None, spec: FitUsageSpec | None = None
) -> FitUsage:
    inputs, train, calibrate, _ = folds
    return fit_fit_usage(
        inputs,
        train,
        calibrate,
        spec or FitUsageSpec(),
        booster or BoosterSpec(max_rounds=60),
        CalibrationSpec(),
        horizon_days=7,
        seed=1,
    )


@pytest.fixture(scope="module")
def views(folds: tuple) -> FitUsage:
    return _fit(folds)


def test_each_view_reads_its_own_columns_and_neither_reads_similarity(
    folds: tuple, views: FitUsage
) -> None:
    inputs, *_, test = folds
    assert views.views["fit"].columns == ("plan",)
    assert views.views["usage"].columns == tuple(
        feature.name for feature in test.matrix.features if feature.name != "plan"
    )
    assert set(inputs.names) > set(views.views["usage"].columns) | {"plan"}
    encoded = inputs.of(test)
    scores = views.score(inputs.names, encoded)
    plan = inputs.names.index("plan")
    swapped = encoded.copy()
    swapped[:, plan] = np.roll(swapped[:, plan], 500)
    moved = views.score(inputs.names, swapped)
    assert (moved["usage_score"] == scores["usage_score"]).all()
    assert (moved["fit_score"] == np.roll(scores["fit_score"], 500)).all()


def test_both_scores_are_probabilities_and_tell_converters(folds: tuple, views: FitUsage) -> None:
    inputs, *_, test = folds
    scores = views.score(inputs.names, inputs.of(test))
    expected = test.label.sum()
    for name, least in (("fit", 0.52), ("usage", 0.56)):
        gap = scores[f"{name}_score"].sum() - expected
        assert abs(gap) < 3 * np.sqrt(2 * expected)
        assert roc_auc(test.label, scores[f"{name}_score"]) > least
        high = scores[f"{name}_tier"] == "high"
        assert test.label[high].mean() > test.label[~high].mean()
        assert scores[f"{name}_score"][high].min() > scores[f"{name}_score"][~high].max()


def test_a_higher_bar_leaves_fewer_above_it(folds: tuple, views: FitUsage) -> None:
    inputs, *_, test = folds
    strict = _fit(folds, spec=FitUsageSpec(high_lift=4.0))
    encoded = inputs.of(test)
    n_high = [
        (each.score(inputs.names, encoded)["usage_tier"] == "high").sum()
        for each in (views, strict)
    ]
    assert n_high[0] > n_high[1]


def test_without_fit_features_there_is_usage_only_and_it_says_so(folds: tuple) -> None:
    inputs, train, calibrate, test = folds
    bare = replace(
        train.matrix,
        features=tuple(replace(feature, dimension="value") for feature in train.matrix.features),
    )
    views = _fit((inputs, replace(train, matrix=bare), calibrate, test))
    assert list(views.views) == ["usage"]
    assert views.missing == {"fit": "The model has no fit features."}
    assert set(views.score(inputs.names, inputs.of(test))) == {"usage_score", "usage_tier"}


def test_a_view_that_says_nothing_in_training_is_left_out(folds: tuple) -> None:
    inputs, train, calibrate, test = folds
    blank = inputs.matrix.copy()
    blank[:, inputs.names.index("plan")] = 0.0
    views = _fit((replace(inputs, matrix=blank), train, calibrate, test))
    assert list(views.views) == ["usage"]
    assert "varies in training" in views.missing["fit"]


def test_a_constraint_on_one_views_column_does_not_trouble_the_other(folds: tuple) -> None:
    booster = BoosterSpec(max_rounds=20, monotone={"reports_count_7d": 1})
    assert list(_fit(folds, booster).views) == ["fit", "usage"]


def test_the_same_seed_gives_the_same_bytes(folds: tuple, views: FitUsage) -> None:
    assert _files(_fit(folds)) == _files(views)


def test_views_read_from_their_files_score_bit_for_bit_the_same(
    folds: tuple, views: FitUsage, tmp_path: Path
) -> None:
    for name, text in _files(views).items():
        (tmp_path / name).write_text(text)
    inputs, *_, test = folds
    encoded = inputs.of(test)
    scores = views.score(inputs.names, encoded)
    for name in VIEWS:
        mapping = json.loads((tmp_path / f"{name}-view.json").read_text())
        raw = Learner.read(tmp_path, f"{name}-").raw(inputs.names, encoded)
        probability, tier = high_low(mapping, raw)
        assert (probability == scores[f"{name}_score"]).all()
        assert (tier == scores[f"{name}_tier"]).all()


def test_columns_are_told_apart_by_the_features_own_dimension(folds: tuple) -> None:
    _, train, *_ = folds
    fit, usage = by_dimension(train.matrix.features, ["noise_count_28d", "plan", "similarity"])
    assert (fit, usage) == (["plan"], ["noise_count_28d"])


def test_cells_hold_what_was_observed_with_intervals_that_know_of_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    fit = np.where(rng.random(4_000) < 0.5, "high", "low").astype(object)
    usage = np.where(rng.random(4_000) < 0.3, "high", "low").astype(object)
    usage[(fit == "low") & (usage == "low")] = "high"
    label = rng.random(4_000) < np.where(fit == "high", 0.2, 0.05)
    once = conversion_matrix(label, fit, usage, np.arange(4_000))
    assert [(cell.fit, cell.usage) for cell in once] == [
        ("high", "high"),
        ("low", "high"),
        ("high", "low"),
    ]
    for cell in once:
        inside = (fit == cell.fit) & (usage == cell.usage)
        assert (cell.rows, cell.converting) == (inside.sum(), label[inside].sum())
        assert cell.low < cell.observed == cell.converting / cell.rows < cell.high
    five = conversion_matrix(*(np.repeat(x, 5) for x in (label, fit, usage, np.arange(4_000))))
    for one, many in zip(once, five, strict=True):
        assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.02)


def test_a_cell_without_a_conversion_keeps_a_width() -> None:
    high = np.full(20, "high", object)
    (cell,) = conversion_matrix(np.zeros(20, bool), high, high, np.arange(20) // 2)
    assert cell.low == 0
    assert cell.high > 0.2
