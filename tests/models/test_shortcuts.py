"""The price of shortcuts: what is divided, what is spread, and what is claimed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import SchemaMismatch
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender
from models.judging.nulls import contender_of
from models.judging.parts import PART_METRICS, Part, draw_parts
from models.judging.shortcuts import (
    SHORTCUTS,
    price_of_shortcuts,
    price_sentence,
    random_entities,
    random_rows,
    spread,
)
from models.learners.rungs import ModelSpec
from models.metrics import roc_auc
from models.propensity import PropensityModel
from models.scorecard.rules import Rule
from models.splits import FoldSpec, Split, temporal_split

PARTS = ("train", "calibrate", "test")


SPEC = ModelSpec.model_validate(
    {
        "learner": "booster",
        "similarity": {"enabled": False},
        "fit_usage": {"enabled": False},
        "booster": {"max_rounds": 40, "seeds": 1},
    }
)


def _fit(train: Dataset, calibrate: Dataset, customers: Customers) -> PropensityModel:
    return PropensityModel.fit(train, calibrate, customers, SPEC, horizon_days=7, seed=3)


@pytest.fixture(scope="module")
def split(world: object) -> Split:
    return temporal_split(world.data, 7, FoldSpec())


def _sizes(split: Split) -> list[int]:
    return [int(getattr(split, name).sum()) for name in PARTS]


@given(st.integers(0, 1_000))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_random_parts_are_as_large_as_the_honest_and_share_no_row(
    world: object, split: Split, seed: int
) -> None:
    young = replace(world.data, mature=world.data.as_of < world.data.as_of.max())
    honest = temporal_split(young, 7, FoldSpec())
    for divide in (random_rows, random_entities):
        other = divide(young, honest, seed)
        assert (sum(getattr(other, name).astype(int) for name in PARTS) <= young.mature).all()
        _, most = np.unique(young.entity, return_counts=True)
        for mine, theirs in zip(_sizes(other), _sizes(honest), strict=True):
            assert abs(mine - theirs) < most.max()
    assert _sizes(random_rows(young, honest, seed)) == _sizes(honest)


def test_random_rows_put_entities_on_both_sides_and_random_entities_do_not(
    world: object, split: Split
) -> None:
    entity = world.data.entity
    mixed, apart = (divide(world.data, split, 5) for divide in (random_rows, random_entities))
    assert set(entity[mixed.train]) & set(entity[mixed.test])
    parts = [set(entity[getattr(apart, name)]) for name in PARTS]
    assert len(set.union(*parts)) == sum(len(part) for part in parts)


@pytest.mark.parametrize("divide", [random_rows, random_entities])
def test_parts_depend_on_the_seed_alone(divide: object, world: object, split: Split) -> None:
    one, same, other = (divide(world.data, split, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)


def _ends(data: Dataset, converts: np.ndarray) -> FeatureMatrix:
    """One row per entity; the noise column gives away who ever converts."""
    entity, first = np.unique(data.entity, return_index=True)
    snapshots = data.matrix.snapshots
    at = np.full(len(entity), data.as_of.max() + 1)
    table = data.matrix.table.take(first)
    told = pa.array(converts[entity] * 50, pa.float32())
    place = table.column_names.index("noise_count_28d")
    table = table.set_column(place, "noise_count_28d", told)
    ends = Snapshots(snapshots.level, entity.astype(np.int32), at, snapshots.ids[first])
    return FeatureMatrix(ends, data.matrix.features, table)


@pytest.fixture(scope="module")
def ends(world: object) -> FeatureMatrix:
    converts = np.zeros(world.data.entity.max() + 1)
    converts[world.data.entity[world.data.label]] = 1
    return _ends(world.data, converts)


def test_every_row_gets_its_entitys_last_features(world: object, ends: FeatureMatrix) -> None:
    rows = world.data.matrix
    wide = spread(ends, rows)
    assert wide.snapshots is rows.snapshots
    last = dict(zip(ends.snapshots.ids, ends.column("reports_count_7d"), strict=True))
    wanted = [last[name] for name in rows.snapshots.ids]
    assert wide.column("reports_count_7d").tolist() == wanted


def test_an_entity_without_last_features_is_an_error(world: object, ends: FeatureMatrix) -> None:
    missing = ends.take(np.arange(3, len(ends)))
    with pytest.raises(SchemaMismatch, match=r"3 entities have no whole-history features: 'acc-0"):
        spread(missing, world.data.matrix)
    fewer = FeatureMatrix(
        ends.snapshots, ends.features[1:], ends.table.drop_columns(ends.table.column_names[:1])
    )
    with pytest.raises(SchemaMismatch, match="other definitions"):
        spread(fewer, world.data.matrix)


@pytest.fixture(scope="module")
def prices(fitted: object, split: Split, ends: FeatureMatrix) -> pd.DataFrame:
    world = fitted.world
    return price_of_shortcuts(
        _fit, fitted.model, world.data, split, world.customers, ends, n_bootstrap=60, seed=3
    )


def _row(prices: pd.DataFrame, shortcut: str, metric: str = "roc_auc") -> pd.Series:
    return prices[(prices["shortcut"] == shortcut) & (prices["metric"] == metric)].iloc[0]


def test_each_shortcut_stands_beside_the_same_honest_number(
    prices: pd.DataFrame, fitted: object
) -> None:
    own = roc_auc(fitted.test.label, contender_of(fitted.model, fitted.test).score)
    assert prices["shortcut"].unique().tolist() == list(SHORTCUTS)
    assert prices["metric"].unique().tolist() == list(PART_METRICS)
    for name in SHORTCUTS:
        row = _row(prices, name)
        assert row["honest"] == pytest.approx(own)
        assert row["price"] == pytest.approx(row["claimed"] - row["honest"])
        assert row["price_low"] <= row["price"] <= row["price_high"]


def test_features_that_know_the_end_claim_what_is_not_there(prices: pd.DataFrame) -> None:
    for name in ("whole-history features", "whole-history features, random rows"):
        row = _row(prices, name)
        assert row["claimed"] > 0.85
        assert row["price_low"] > 0
    assert "'whole-history features' flatters by +0." in price_sentence(prices)


def test_where_rows_are_alike_at_all_times_a_random_split_has_no_price(
    prices: pd.DataFrame,
) -> None:
    for name in ("random rows", "random entities"):
        row = _row(prices, name)
        assert row["price_low"] < 0 < row["price_high"]
    assert price_sentence(prices).endswith(
        "For 'random rows' and 'random entities' no price is shown: it may be 0."
    )


def test_a_shortcut_can_undersell() -> None:
    row = {"shortcut": "random rows", "metric": "roc_auc", "price": -0.1}
    same = {"same_price": -0.02, "same_price_low": -0.04, "same_price_high": 0.01}
    table = pd.DataFrame([row | same | {"price_low": -0.2, "price_high": -0.05}])
    told = "In ROC-AUC, 'random rows' undersells by -0.100 (-0.200 to -0.050), on the rows of both "
    assert price_sentence(table) == f"{told}tests by -0.020 (-0.040 to +0.010)."
    few = table.assign(same_price=np.nan, same_price_low=np.nan, same_price_high=np.nan)
    assert "on the rows of both tests by what can't be told (too few" in price_sentence(few)


def test_months_that_are_easier_are_no_price_on_the_same_rows(make_world: Callable) -> None:
    """Points that learn nothing rank no better for a random split; older months are easier."""
    world = make_world(n_entities=400, n_weeks=12, seed=4)
    honest = temporal_split(world.data, 7, FoldSpec())
    late = world.data.as_of >= world.data.as_of[honest.test].min()
    rules = [
        Rule(dimension="value", points=20, name=f"r{n}", feature="reports_count_7d", at_least=n)
        for n in (1, 3, 8)
    ]
    rng = np.random.default_rng(0)
    label = world.data.label.copy()
    label[late] = rng.permutation(label[late])
    data = replace(world.data, label=label)

    def points(train: Dataset, calibrate: Dataset, customers: object) -> PropensityModel:
        return PropensityModel.fit(
            train,
            calibrate,
            customers,
            ModelSpec(learner="scorecard").without_views(),
            horizon_days=7,
            seed=3,
            rules=rules,
        )

    parts = [data.take(rows) for rows in (honest.train, honest.calibrate)]
    table = price_of_shortcuts(
        points,
        points(*parts, world.customers),
        data,
        honest,
        world.customers,
        n_bootstrap=40,
        seed=3,
    )
    rows = table[table["metric"] == "roc_auc"]
    assert (rows["price_low"] > 0).all()
    assert (rows[["same_price", "same_price_low", "same_price_high"]] == 0).all(axis=None)
    assert (rows["same_rows"] < rows["rows"]).all()


def test_without_whole_history_features_that_shortcut_is_left_out(
    fitted: object, split: Split
) -> None:
    world = fitted.world
    table = price_of_shortcuts(
        _fit, fitted.model, world.data, split, world.customers, n_bootstrap=5, seed=3
    )
    assert table["shortcut"].unique().tolist() == ["random rows", "random entities"]


def _part(label: np.ndarray, score: np.ndarray, cluster: np.ndarray) -> Part:
    return Part(label, Contender(score, score), cluster)


def test_parts_that_share_their_rows_differ_by_nothing_in_every_draw() -> None:
    rng = np.random.default_rng(0)
    label, score, cluster = rng.random(200) < 0.3, rng.random(200), rng.integers(40, size=200)
    mixed = rng.permutation(200)
    draws = draw_parts(
        [_part(label, score, cluster), _part(label[mixed], score[mixed], cluster[mixed])],
        20,
        seed=1,
    )
    np.testing.assert_allclose(draws[:, 0], draws[:, 1], atol=1e-12)


def test_a_draw_is_a_table_with_whole_clusters_repeated() -> None:
    rng = np.random.default_rng(2)
    label, score, cluster = rng.random(60) < 0.3, rng.random(60), rng.integers(9, size=60)
    draws = draw_parts([_part(label, score, cluster)], 5, seed=7)
    again = np.random.default_rng(7)
    codes = np.unique(cluster)
    for draw in draws:
        drawn = codes[again.integers(len(codes), size=len(codes))]
        rows = np.concatenate([np.flatnonzero(cluster == code) for code in drawn])
        alone = _part(label[rows], score[rows], cluster[rows]).measure()
        np.testing.assert_allclose(draw[0], alone)


def test_rows_without_conversions_have_no_ranking() -> None:
    part = _part(np.zeros(4, bool), np.array([0.1, 0.2, 0.2, 0.4]), np.arange(4))
    measured = dict(zip(PART_METRICS, part.measure(), strict=True))
    assert measured["base_rate"] == 0
    assert measured["calibration_in_the_large"] == pytest.approx(0.225)
    assert np.isnan([measured[m] for m in ("roc_auc", "pr_auc", "pr_auc_over_base_rate")]).all()
    assert np.isnan(part.measure(np.zeros(4))).all()
