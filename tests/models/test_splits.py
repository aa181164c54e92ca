"""Folds in time: nothing a later fold knows may reach an earlier one."""

import itertools
import json
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.clock import DAY_US, to_us
from features.errors import NotEnoughHistory
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Dataset
from models.splits import FoldSpec, conversions, temporal_split


def _rows(days: list[int], label: list[bool], mature: list[bool] | None = None) -> Dataset:
    """One entity per row: only times matter here."""
    n = len(days)
    ids = np.array([f"e{at}" for at in range(n)], object)
    as_of = np.array(days, np.int64) * DAY_US
    matrix = FeatureMatrix(
        Snapshots("account", np.arange(n, dtype=np.int32), as_of, ids),
        (),
        pa.Table.from_batches([pa.record_batch([pa.nulls(n)], ["x"])]).select([]),
    )
    given = np.ones(n, bool) if mature is None else np.array(mature)
    return Dataset(matrix, np.array(label) & given, given, ids, np.full(n, None))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 120), st.booleans(), st.booleans()), min_size=6, max_size=80),
    st.integers(1, 20),
    st.integers(0, 5),
)
def test_no_label_window_reaches_the_next_fold(rows: list, horizon: int, embargo: int) -> None:
    data = _rows(*(list(column) for column in zip(*rows, strict=True)))
    try:
        split = temporal_split(data, horizon, FoldSpec(embargo_days=embargo, min_positives=1))
    except NotEnoughHistory:
        return
    folds = [data.as_of[mask] for mask in (split.train, split.calibrate, split.test)]
    for earlier, later in itertools.pairwise(folds):
        assert earlier.max() + (horizon + embargo) * DAY_US <= later.min()
    together = split.train.astype(int) + split.calibrate + split.test
    assert together.max() == 1
    assert data.mature[together == 1].all()
    assert all(data.label[mask].any() for mask in (split.train, split.calibrate, split.test))


def test_a_label_window_that_ends_where_the_next_fold_begins_is_kept() -> None:
    data = _rows([0, 7, 14, 21, 28, 35], [True] * 6)
    spec = FoldSpec(calibrate_from=date(1970, 1, 15), test_from=date(1970, 1, 29), min_positives=1)
    assert temporal_split(data, 7, spec).train.tolist() == [True, True, False, False, False, False]
    assert temporal_split(data, 8, spec).train.tolist() == [True, False, False, False, False, False]


def test_shares_are_of_the_calendar_time() -> None:
    days = list(range(100))
    split = temporal_split(_rows(days, [True] * 100), 1, FoldSpec())
    assert [fold.rows for fold in split.folds] == [60, 20, 20]


def test_boundaries_move_until_every_fold_has_conversions() -> None:
    label = [day < 10 or 50 <= day < 60 or day in (97, 98, 99) for day in range(100)]
    split = temporal_split(_rows(list(range(100)), label), 1, FoldSpec(min_positives=3))
    assert all(fold.positives >= 3 for fold in split.folds)


def test_a_conversion_counts_once_however_many_rows_it_makes_positive() -> None:
    """Three accounts that convert, each in the six daily rows before: not eighteen conversions."""
    days = [start + day for start in (0, 40, 80) for day in range(6)]
    data = _rows(days, [True] * 18)
    rows = data.matrix.snapshots
    whose = np.repeat(np.arange(3, dtype=np.int32), 6)
    matrix = replace(data.matrix, snapshots=replace(rows, entity=whose))
    same = replace(data, matrix=matrix)
    assert np.flatnonzero(conversions(same)).tolist() == [5, 11, 17]
    assert conversions(data).all()
    assert temporal_split(same, 1, FoldSpec(min_positives=1)).test.sum() == 6
    with pytest.raises(NotEnoughHistory, match="3 in 18 rows"):
        temporal_split(same, 1, FoldSpec(min_positives=2))


def test_the_table_of_folds_counts_what_the_masks_hold() -> None:
    data = _rows(list(range(100)), [True] * 100)
    split = temporal_split(data, 5, FoldSpec())
    for row, mask in zip(split.describe(), (split.train, split.calibrate, split.test), strict=True):
        assert row["rows"] == mask.sum()
        assert row["positives"] == data.label[mask].sum()
        assert to_us(row["from"]) == data.as_of[mask].min()
        assert to_us(row["to"]) == data.as_of[mask].max()
    assert [row["purged"] for row in split.describe()] == [4, 4, 0]


def test_too_short_a_history_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        NotEnoughHistory, match=r"too few conversions.*: 2 in 2 rows with a known outcome.*longer"
    ):
        temporal_split(_rows([0, 1], [True, True]), 7, FoldSpec())
    with pytest.raises(NotEnoughHistory, match="0 in 0 rows with a known outcome"):
        temporal_split(_rows([0, 1], [True, True], [False, False]), 7, FoldSpec())


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_share": 0.8, "calibrate_share": 0.2},
        {"test_from": "2024-01-01"},
        {"calibrate_from": "2024-02-01", "test_from": "2024-01-01"},
        {"train_share": 0.7, "calibrate_from": "2024-01-01", "test_from": "2024-02-01"},
    ],
)
def test_settings_that_leave_a_fold_empty_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        FoldSpec.model_validate_json(json.dumps(wrong))


def test_boundaries_that_leave_a_fold_without_a_day_are_passed_over() -> None:
    """With a gap of nine days some of the boundaries tried have no days at all to divide by."""
    data = _rows([0, 9, 19, 67, 75, 101], [True] * 6)
    split = temporal_split(data, 4, FoldSpec(embargo_days=5, min_positives=1))
    assert [mask.any() for mask in (split.train, split.calibrate, split.test)] == [True] * 3
