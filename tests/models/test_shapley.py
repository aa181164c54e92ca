"""Shapley values of trees: LightGBM's own, all subsets by brute force, and what is refused."""

from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest

from models.scoring.shapley import NotCoveredError, TreeShapley

N = 1_500


def rows(n: int, seed: int, missing: float = 0.1) -> np.ndarray:
    """Two categories and five numbers, some of them whole."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, 7))
    matrix[:, :2] = rng.integers(0, 12, (n, 2))
    matrix[:, 2] = rng.poisson(2.0, n)
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix


def booster(missing: float = 0.1, **params: object) -> lgb.Booster:
    matrix = rows(N, 1, missing)
    known = np.nan_to_num(matrix)
    odds = known[:, 3] + known[:, 4] * known[:, 5] + (known[:, 0] % 3 == 1) + known[:, 2] / 2
    label = np.random.default_rng(2).random(N) < 1 / (1 + np.exp(2 - odds))
    data = lgb.Dataset(matrix, label, categorical_feature=[0, 1])
    given = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 10}
    trained = lgb.train({**given, **params}, data, num_boost_round=20)
    return lgb.Booster(model_str=trained.model_to_string())


@pytest.mark.parametrize(
    "params",
    [
        {"num_leaves": 6},
        {"num_leaves": 63, "bagging_fraction": 0.7, "bagging_freq": 1},
        {"num_leaves": 200, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0.0},
        {"num_leaves": 31, "max_cat_to_onehot": 1, "cat_smooth": 1.0, "min_data_per_group": 5},
        {"num_leaves": 31, "use_missing": False},
        {"num_leaves": 31, "missing": 0.0},
        {"num_leaves": 2, "feature_fraction": 0.2},
        {"num_leaves": 31, "min_data_in_leaf": 1_000},
    ],
    ids=["small", "bagged", "deep", "many levels", "no missing type", "complete", "stumps", "bare"],
)
def test_they_are_those_of_lightgbm(params):
    found = booster(**params)
    # Levels that were never seen, negative and broken ones, and extremes.
    matrix = rows(700, 3)
    matrix[:6, 0] = [40.0, -1.0, 2.5, 1e9, np.nan, 11.0]
    matrix[6:9, 3] = [1e300, -1e300, 0.0]
    trees = TreeShapley.of(found)
    values = trees.values(matrix)
    wanted = found.predict(matrix, pred_contrib=True, num_threads=1)
    assert np.abs(values.T - wanted[:, :-1]).max() < 1e-9
    assert trees.constant == pytest.approx(wanted[0, -1], abs=1e-9)
    raw = found.predict(matrix, raw_score=True, num_threads=1)
    assert np.abs(values.sum(axis=0) + trees.constant - raw).max() < 1e-9


def test_they_are_the_definition_over_all_subsets():
    """What a tree says when only some features are known: Lundberg's weighting by training rows."""
    found = booster(num_leaves=12)
    root = found.dump_model()["tree_info"][0]["tree_structure"]
    single = found.model_to_string(num_iteration=1)
    trees = TreeShapley.of(lgb.Booster(model_str=single))
    matrix = rows(40, 4, missing=0.0)

    def said(node: dict, row: np.ndarray, known: set[int]) -> float:
        if "leaf_value" in node:
            return node["leaf_value"]
        children = node["left_child"], node["right_child"]
        at = node["split_feature"]
        if at not in known:
            count = [c.get("internal_count", c.get("leaf_count")) for c in children]
            parts = [n * said(c, row, known) for n, c in zip(count, children, strict=True)]
            return sum(parts) / sum(count)
        if node["decision_type"] == "==":
            left = str(int(row[at])) in str(node["threshold"]).split("||")
        else:
            left = row[at] <= node["threshold"]
        return said(children[0 if left else 1], row, known)

    features = range(trees.n_features)
    n = trees.n_features
    values = trees.values(matrix)
    for place, row in enumerate(matrix[:5]):
        for feature in features:
            others = [other for other in features if other != feature]
            total = 0.0
            for size in range(n):
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                for some in combinations(others, size):
                    gain = said(root, row, {*some, feature}) - said(root, row, set(some))
                    total += weight * gain
            assert values[feature, place] == pytest.approx(total, abs=1e-12)


def test_a_row_has_the_same_values_alone_and_among_others():
    trees = TreeShapley.of(booster(num_leaves=63))
    matrix = rows(9_000, 5)
    together = trees.values(matrix)
    for some in (slice(0, 1), slice(17, 80), slice(4_000, 8_500)):
        assert np.array_equal(trees.values(matrix[some]), together[:, some])
    assert trees.values(matrix[:0]).shape == (7, 0)


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"linear_tree": True}, "linear"),
        ({"zero_as_missing": True}, "zeros"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "averaged"),
    ],
)
def test_what_is_not_covered_is_refused(params, what):
    with pytest.raises(NotCoveredError, match=what):
        TreeShapley.of(booster(missing=0.0 if "linear" in what else 0.1, **params))
