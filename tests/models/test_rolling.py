"""Rolling folds: whatever the rows, nothing of a later part reaches an earlier one."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US
from features.errors import NotEnoughHistory
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Dataset
from models.judging.rolling import BacktestSpec, rolling_folds
from models.splits import FoldSpec, Split, temporal_split

PARTS = ("train", "calibrate", "test")


def _dataset(entity: list, as_of: list, label: list, mature: list | None = None) -> Dataset:
    """Rows without features; as_of in microseconds."""
    given_mature = np.ones(len(entity), bool) if mature is None else np.array(mature, bool)
    order = np.lexsort((as_of, entity))
    snapshots = Snapshots(
        "account",
        np.array(entity, np.int32)[order],
        np.array(as_of, np.int64)[order],
        np.array([f"e{entity[at]}" for at in order], object),
    )
    empty = pa.Table.from_batches([pa.record_batch([pa.nulls(len(entity))], ["x"])]).select([])
    known = given_mature[order]
    return Dataset(
        FeatureMatrix(snapshots, (), empty),
        # The trap: an immature row that claims to convert.
        np.array(label, bool)[order],
        known,
        snapshots.ids,
        np.full(len(entity), None),
    )


def _weekly(weeks: int, label: list | None = None) -> Dataset:
    """One row a week at days 0, 7, 14 ...; every one converts unless told otherwise."""
    days = [7 * week * DAY_US for week in range(weeks)]
    return _dataset(list(range(weeks)), days, [True] * weeks if label is None else label)


def _days(data: Dataset, mask: np.ndarray) -> list[int]:
    return sorted((data.as_of[mask] // DAY_US).tolist())


def _small(**settings: object) -> BacktestSpec:
    return BacktestSpec.model_validate(
        {"calibrate_days": 28, "test_days": 28, "min_positives": 1} | settings
    )


# Three dozen instants, so that whole dates are shared, and some microseconds off a date.
instants = st.one_of(
    st.integers(0, 35).map(lambda at: at * 5 * DAY_US),
    st.integers(0, 175 * DAY_US),
)
rows = st.lists(
    st.tuples(st.integers(0, 4), instants, st.booleans(), st.booleans()),
    min_size=4,
    max_size=70,
    unique_by=lambda row: row[:2],
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    rows,
    st.integers(1, 20),
    st.builds(
        BacktestSpec,
        folds=st.integers(1, 5),
        test_days=st.integers(1, 30),
        calibrate_days=st.integers(1, 30),
        train_days=st.one_of(st.none(), st.integers(1, 60)),
        embargo_days=st.integers(0, 6),
        min_positives=st.integers(1, 3),
    ),
)
def test_no_outcome_is_shared_and_nothing_later_is_learned_from(
    table: list, horizon: int, spec: BacktestSpec
) -> None:
    data = _dataset(*(list(column) for column in zip(*table, strict=True)))
    try:
        splits = rolling_folds(data, horizon, spec)
    except NotEnoughHistory:
        return
    assert 1 <= len(splits) <= spec.folds
    for split in splits:
        parts = [np.flatnonzero(getattr(split, name)) for name in PARTS]
        for earlier, later in itertools.pairwise(parts):
            for row, other in itertools.product(earlier, later):
                assert data.as_of[row] < data.as_of[other]
                wait = horizon + spec.embargo_days
                assert data.as_of[row] + wait * DAY_US <= data.as_of[other]
        assert data.mature[np.concatenate(parts)].all()
        for part in parts:
            assert data.label[part].sum() >= spec.min_positives
    tests = np.sum([split.test for split in splits], axis=0)
    assert tests.max() == 1
    # Adjacent: between the first and the last test row no known outcome is passed over.
    within = data.as_of >= data.as_of[tests == 1].min()
    assert (tests == (data.mature & within)).all()


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows, st.integers(1, 10))
def test_rows_whose_outcome_is_unknown_change_nothing(table: list, horizon: int) -> None:
    columns = [list(column) for column in zip(*table, strict=True)]
    data = _dataset(*columns)
    known = _dataset(*([v for v, ok in zip(c, columns[3], strict=True) if ok] for c in columns))

    def cut(rows: Dataset) -> list | str:
        try:
            return [split.folds for split in rolling_folds(rows, horizon, _small(calibrate_days=9))]
        except NotEnoughHistory as error:
            return str(error)

    assert cut(data) == cut(known)


def test_the_worked_example_of_the_module_holds() -> None:
    data = _weekly(29)
    older, newer = rolling_folds(data, 14, _small(folds=2))
    ends = [
        [(_days(data, getattr(split, p))[0], _days(data, getattr(split, p))[-1]) for p in PARTS]
        for split in (older, newer)
    ]
    assert ends == [[(0, 98), (112, 133), (147, 168)], [(0, 126), (140, 161), (175, 196)]]


def test_a_label_window_may_end_where_the_next_part_begins_but_not_a_microsecond_later() -> None:
    days = [7 * week * DAY_US for week in range(29)]
    days[23] += 1
    data = _dataset(list(range(29)), days, [True] * 29)
    (split,) = rolling_folds(data, 14, _small(folds=1))
    assert _days(data, split.calibrate)[-1] == 22 * 7


def test_an_embargo_moves_every_earlier_part_back() -> None:
    data = _weekly(29)
    (split,) = rolling_folds(data, 14, _small(folds=1, embargo_days=1))
    assert [_days(data, getattr(split, p))[-1] for p in PARTS] == [112, 154, 196]
    assert [fold.purged for fold in split.folds] == [2, 2, 0]


def test_a_rolling_window_forgets_the_oldest_rows() -> None:
    data = _weekly(29)
    (split,) = rolling_folds(data, 14, _small(folds=1, train_days=35))
    assert _days(data, split.train) == [98, 105, 112, 119, 126]


def test_a_test_window_with_too_few_conversions_reaches_further_back() -> None:
    label = [week <= 20 for week in range(29)]
    data = _weekly(29, label)
    (split,) = rolling_folds(data, 14, _small(folds=1, min_positives=3))
    assert _days(data, split.test)[0] == 18 * 7
    assert data.label[split.test].sum() == 3
    assert _days(data, split.calibrate)[-1] == 16 * 7


def test_a_calibrate_window_with_too_few_conversions_reaches_further_back() -> None:
    label = [not 12 <= week <= 23 for week in range(29)]
    data = _weekly(29, label)
    (split,) = rolling_folds(data, 14, _small(folds=1, min_positives=2))
    assert _days(data, split.test)[0] == 25 * 7
    assert _days(data, split.calibrate)[0] == 10 * 7
    assert data.label[split.calibrate].sum() == 2


def test_a_train_window_reaches_back_beyond_its_days_for_twice_the_conversions() -> None:
    label = [not 10 <= week <= 18 for week in range(29)]
    data = _weekly(29, label)
    (split,) = rolling_folds(data, 14, _small(folds=1, train_days=14, min_positives=3))
    assert _days(data, split.train)[0] == 4 * 7
    assert data.label[split.train].sum() == 6


def test_there_are_as_many_folds_as_the_history_holds() -> None:
    counts = [len(rolling_folds(_weekly(weeks), 14, _small(folds=9))) for weeks in (17, 21, 25)]
    assert counts == [1, 2, 3]


def test_a_history_too_short_for_one_fold_is_divided_once_by_shares() -> None:
    data = _weekly(14)
    (split,) = rolling_folds(data, 14, _small())
    expected = temporal_split(data, 14, FoldSpec(min_positives=1))
    assert split.folds == expected.folds
    assert all((getattr(split, p) == getattr(expected, p)).all() for p in PARTS)


def test_a_history_too_short_for_anything_is_refused_with_numbers_and_the_way_out() -> None:
    with pytest.raises(NotEnoughHistory, match=r"2 in 2 rows with a known outcome.*longer"):
        rolling_folds(_weekly(2), 14, BacktestSpec())
    with pytest.raises(NotEnoughHistory, match="0 in 0 rows"):
        rolling_folds(_dataset([0], [0], [True], [False]), 14, BacktestSpec())


def test_the_table_of_a_fold_counts_what_its_masks_hold() -> None:
    data = _weekly(29, [week % 3 > 0 for week in range(29)])
    split: Split
    for split in rolling_folds(data, 14, _small()):
        for fold, part in zip(split.folds, PARTS, strict=True):
            mask = getattr(split, part)
            assert fold.name == part
            assert (fold.rows, fold.positives) == (mask.sum(), data.label[mask].sum())
            assert (fold.first_as_of, fold.last_as_of) == (
                data.as_of[mask].min(),
                data.as_of[mask].max(),
            )
            assert fold.entities == len(set(data.entity[mask]))
