"""Rows and columns before anything is fitted."""

import numpy as np
import pyarrow as pa
import pytest

from features.definitions import Feature
from features.errors import SchemaMismatch
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Dataset
from models.learners.encoding import fit_columns, values_of
from models.scoring import encode


def _matrix(plan: list, count: list) -> FeatureMatrix:
    def feature(name: str, dtype: str) -> Feature:
        return Feature(name, "fit", "attribute", (), name, None, "entity", dtype, "", name)

    n = len(plan)
    ids = np.array([f"e{at}" for at in range(n)], object)
    snapshots = Snapshots("account", np.arange(n, dtype=np.int32), np.zeros(n, np.int64), ids)
    table = pa.table({"plan": pa.array(plan, pa.string()), "count": pa.array(count, pa.float32())})
    return FeatureMatrix(
        snapshots, (feature("plan", "category"), feature("count", "number")), table
    )


def _dataset(n: int = 3, **changed: np.ndarray) -> Dataset:
    columns = {
        "label": np.zeros(n, bool),
        "mature": np.ones(n, bool),
        "account": np.array(["a", "b", None], object),
        "domain": np.full(n, None),
    }
    return Dataset(_matrix(["x"] * n, [0.0] * n), **(columns | changed))


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match=r"3 snapshots, .*label 2"):
        _dataset(label=np.zeros(2, bool))


def test_account_codes_are_refused_because_the_next_import_changes_them() -> None:
    with pytest.raises(SchemaMismatch, match="'account' must hold ids"):
        _dataset(account=np.arange(3, dtype=np.int32))


def test_taking_rows_takes_all_columns() -> None:
    taken = _dataset().take(np.array([False, True, True]))
    assert taken.account.tolist() == ["b", None]
    assert taken.matrix.snapshots.ids.tolist() == ["e1", "e2"]
    assert len(taken) == len(taken.label) == len(taken.mature) == len(taken.domain) == 2


def test_rare_levels_share_a_code_and_unseen_ones_are_missing() -> None:
    train = _matrix(["a", "a", "b", "b", "b", "c", "d", None], [1, 2, 3, np.nan, 5, 6, 7, 8])
    columns = fit_columns(train, min_level_rows=2)
    plan, count = encode(columns, values_of(_matrix(["b", "a", "c", "d", "new", None], [0] * 6))).T
    np.testing.assert_array_equal(plan, [0, 1, 2, 2, np.nan, np.nan])
    np.testing.assert_array_equal(count, np.zeros(6))
    assert [column["typical"] for column in columns] == ["b", 5.0]


def test_a_column_that_is_always_missing_has_nothing_typical() -> None:
    columns = fit_columns(_matrix([None, None], [np.nan, np.nan]), min_level_rows=1)
    assert [column["typical"] for column in columns] == [None, None]
    assert columns[0]["levels"] == []


def test_rows_of_one_account_hang_together_and_the_homeless_by_themselves() -> None:
    matrix = _matrix(["a"] * 5, [1] * 5)
    account = np.array(["acme", "acme", None, "beta", None], object)
    none = np.zeros(5, bool)
    cluster = Dataset(matrix, none, none, account, np.full(5, None)).cluster
    assert cluster[0] == cluster[1]
    assert len(set(cluster[[0, 2, 3, 4]])) == 4
