"""Segments: who belongs where, what is found when planted, and silence where nothing is wrong."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US
from features.definitions import Feature
from features.errors import SettingsError
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Dataset
from models.judging.bootstrap import Contender
from models.judging.segment_metrics import ALL_ROWS, measure_segments
from models.judging.segment_verdict import findings, worst_segment
from models.judging.segments import Segmentation, SegmentSpec, segmentations
from models.metrics import pr_auc, roc_auc

SPEC = SegmentSpec()


class Weekly:
    """Accounts asked every week whether they convert within two, until they do.

    So a conversion makes up to two rows positive. Segments mean nothing unless `hazard_of` or
    `blind` make them.
    """

    def __init__(self, seed: int, n: int = 700, hazard_of: dict[int, float] | None = None):
        rng = np.random.default_rng(seed)
        hazard = np.exp(-3.6 + 0.9 * rng.normal(size=n)).clip(0, 0.5)
        self.groups = [rng.choice(k, size=n) for k in (3, 4, 5)]
        real = hazard * np.array([(hazard_of or {}).get(at, 1.0) for at in self.groups[0]])
        real = real.clip(0, 1)
        week = rng.geometric(real) - 1
        rows = [(i, w) for i in range(n) for w in range(8) if w <= week[i]]
        self.cluster, at = np.array(rows).T
        self.label = week[self.cluster] < at + 2
        self.probability = 1 - (1 - hazard[self.cluster]) ** 2

    @property
    def divided(self) -> list[Segmentation]:
        return [
            Segmentation(f"column {number}", None, tuple("abcde")[: group.max() + 1], member)
            for number, group in enumerate(self.groups)
            for member in [group[self.cluster]]
        ]

    def measured(self, score: np.ndarray | None = None, n_bootstrap: int = 60) -> pd.DataFrame:
        score = self.probability if score is None else score
        who = Contender(score, self.probability)
        return measure_segments(
            self.label, who, self.cluster, self.divided, SPEC, n_bootstrap=n_bootstrap, seed=0
        )


def _rows(columns: dict[str, list], as_of: list[int] | None = None) -> Dataset:
    """Numbers are attributes; texts are categories; a Feature may be the key's own meaning."""
    n = len(next(iter(columns.values())))
    features = tuple(_attribute(name, values) for name, values in columns.items())
    return _dataset(features, list(columns.values()), n, as_of)


def _attribute(name: str, values: list) -> Feature:
    text = any(isinstance(value, str) for value in values)
    dtype = "category" if text else "number"
    return Feature(name, "fit", "attribute", (), name, None, "entity", dtype, "", meaning=name)


def _dataset(
    features: tuple[Feature, ...], values: list[list], n: int, as_of: list[int] | None = None
) -> Dataset:
    ids = np.array([f"a{at:03d}" for at in range(n)], object)
    when = np.array(as_of if as_of else [100 * DAY_US] * n, np.int64)
    types = [pa.string() if f.dtype == "category" else pa.float32() for f in features]
    columns = [pa.array(v, t) for v, t in zip(values, types, strict=True)]
    # An unknown number is NaN in a matrix, an unknown text is null.
    columns = [c if c.type == pa.string() else c.fill_null(np.nan) for c in columns]
    table = pa.table(columns, names=[f.name for f in features])
    matrix = FeatureMatrix(
        Snapshots("account", np.arange(n, dtype=np.int32), when, ids), features, table
    )
    yes = np.ones(n, bool)
    return Dataset(matrix, yes, yes, ids, np.full(n, None, object))


def _names(one: Segmentation) -> list[str]:
    return [one.order[at] for at in one.member]


def test_a_category_has_its_most_frequent_training_levels_then_others_then_unknown() -> None:
    often = [letter for at, letter in enumerate("abcdefgh") for _ in range(10 - at)]
    now = _rows({"plan": ["h", "a", "f", "g", "new", None]})
    plan, *_ = segmentations(_rows({"plan": often}), now, SPEC)
    assert _names(plan) == ["all others", "a", "f", "all others", "all others", "not known"]
    assert plan.order == ("a", "f", "all others", "not known")


def test_a_free_text_is_no_segment() -> None:
    names = [f"Company {at}" for at in range(200)]
    assert segmentations(_rows({"name": names}), _rows({"name": names}), SPEC) == ()


def test_size_bands_hold_a_third_of_the_training_rows_whatever_the_test_rows_are() -> None:
    train = _rows({"employees": list(range(30))})
    size, *_ = segmentations(train, _rows({"employees": [9.0, 10.0, 19.0, 20.0, 1e6]}), SPEC)
    assert _names(size) == [
        "under 10", "10 to under 20", "10 to under 20", "20 and more", "20 and more",
    ]  # fmt: skip


@given(st.lists(st.one_of(st.none(), st.integers(0, 5), st.floats(-10, 10, width=32)), min_size=3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_every_row_is_in_one_segment_and_none_is_empty(values: list) -> None:
    rows = _rows({"size": values})
    for one in segmentations(rows, rows, SPEC):
        assert len(one.member) == len(values)
        assert sorted(set(one.member)) == list(range(len(one.order)))
        assert (one.order[-1] == "not known") == any(value is None for value in values)
        assert len(set(one.order)) == len(one.order)


def _count(name: str, statistic: str, **more: object) -> Feature:
    fixed = {"events": (), "property": None, "days": None, "scope": "entity", "dtype": "number"}
    about = {"dimension": "engagement", "unit": "", "meaning": "told"}
    return Feature(**{"name": name, "statistic": statistic, **fixed, **about, **more})


def test_cold_start_ends_at_exactly_seven_days() -> None:
    age = _count("odd_name", "days_since_first")
    rows = _dataset((age,), [[0.0, 6.99, 7.0, 28.0, 90.0]], 5)
    (tenure,) = segmentations(rows, rows, SPEC)
    assert tenure.feature == "odd_name"
    assert [name.split(" days")[0] for name in _names(tenure)] == [
        "under 7", "under 7", "7 to under 28", "28 to under 90", "90",
    ]  # fmt: skip


def test_the_channel_is_where_an_entity_came_from_first() -> None:
    about = {"dimension": "fit", "property": "source", "dtype": "category", "events": ("joined",)}
    last, first = _count("b", "last", **about), _count("a", "first", **about)
    usage = _count("c", "last", **(about | {"dimension": "engagement", "property": "page"}))
    rows = _dataset((last, first, usage), [["x", "y"], ["y", "x"], ["p", "q"]], 2)
    (channel,) = segmentations(rows, rows, SPEC)
    assert (channel.of, channel.feature) == ("source", "a")


def test_an_unknown_feature_is_named_with_the_nearest() -> None:
    rows = _rows({"plan": ["a", "b"]})
    with pytest.raises(
        SettingsError, match=r"names 'plam', which is no feature. Did you mean 'plan'"
    ):
        segmentations(rows, rows, SegmentSpec(by=("plam",)))


def test_the_table_says_what_each_segment_alone_would_say() -> None:
    world = Weekly(seed=1)
    table = world.measured()
    assert table.iloc[0]["segment"] == ALL_ROWS
    row = table[(table["of"] == "column 1") & (table["segment"] == "c")].iloc[0]
    inside = world.divided[1].member == 2
    label, probability = world.label[inside], world.probability[inside]
    assert row["rows"] == inside.sum()
    assert row["converting"] == len(set(world.cluster[inside & world.label]))
    assert row["roc_auc"] == pytest.approx(roc_auc(label, probability))
    rate = label.mean()
    assert row["pr_auc_over_base_rate"] == pytest.approx(pr_auc(label, probability) / rate)
    assert row["calibration_in_the_large"] == pytest.approx(probability.mean() - rate)
    for metric in ("base_rate", "calibration_in_the_large", "roc_auc", "lift_10pct"):
        assert (table[f"{metric}_low"] <= table[metric]).all()
        assert (table[metric] <= table[f"{metric}_high"]).all()


def test_rows_that_repeat_their_account_prove_nothing_more() -> None:
    world = Weekly(seed=2)
    once = world.measured()
    three = [np.repeat(part, 3) for part in (world.label, world.probability, world.cluster)]
    divided = [
        Segmentation(one.of, None, one.order, np.repeat(one.member, 3)) for one in world.divided
    ]
    who = Contender(three[1], three[1])
    thrice = measure_segments(three[0], who, three[2], divided, SPEC, n_bootstrap=60, seed=0)
    same = ["base_rate_low", "roc_auc_high", "calibration_p", "ranking_p", "converting"]
    pd.testing.assert_frame_equal(thrice[same], once[same])


def test_where_nothing_is_wrong_no_segment_is_named() -> None:
    least = [findings(Weekly(seed, n=300).measured(n_bootstrap=30))[0].p for seed in range(14)]
    assert sum(p < 0.05 for p in least) <= 3
    assert not any(p < 0.001 for p in least)
    assert min(least) < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_a_segment_that_converts_more_than_expected_is_named(seed: int) -> None:
    table = Weekly(seed, hazard_of={1: 2.5}).measured()
    assert worst_segment(table).startswith("Worst segment among 24 comparisons: column 0 'b'")
    assert "convert where" in worst_segment(table)


@pytest.mark.parametrize("seed", range(3))
def test_a_segment_that_is_ranked_at_random_is_named(seed: int) -> None:
    world = Weekly(seed)
    blind = world.divided[0].member == 2
    score = world.probability.copy()
    score[blind] = np.random.default_rng(seed).permutation(score[blind])
    sentence = worst_segment(world.measured(score))
    assert sentence.startswith("Worst segment among 24 comparisons: column 0 'c'")
    assert "where the other segments of column 0 have" in sentence


def test_a_segment_in_which_nobody_converts_though_many_should_is_named() -> None:
    world = Weekly(seed=0)
    world.label = world.label & (world.divided[0].member != 0)
    sentence = worst_segment(world.measured())
    assert "column 0 'a' (0 converting): 0 % convert where" in sentence


def test_what_is_wrong_everywhere_is_no_segments_fault() -> None:
    world = Weekly(seed=3)
    odds = world.probability / (1 - world.probability)
    world.probability = 3 * odds / (1 + 3 * odds)
    table = world.measured()
    assert table.iloc[0]["calibration_in_the_large_low"] > 0.05
    assert worst_segment(table).startswith("No segment stands out among 24 comparisons")


def test_too_few_conversions_are_no_verdict() -> None:
    world = Weekly(seed=4, n=60)
    world.label[np.flatnonzero(world.label)[3:]] = False
    world.probability /= 100
    assert worst_segment(world.measured()) == "No segment can be judged: too few conversions."


def test_adjusted_p_are_those_of_holm() -> None:
    table = pd.DataFrame(
        {"calibration_p": [np.nan, 0.04, 0.01], "ranking_p": [np.nan, 0.03, np.nan]}
    )
    found = [(one.row, one.what, round(one.p, 9)) for one in findings(table)]
    assert found == [(2, "calibration", 0.03), (1, "ranking", 0.06), (1, "calibration", 0.06)]


def test_the_same_seed_gives_the_same_table() -> None:
    pd.testing.assert_frame_equal(Weekly(5).measured(), Weekly(5).measured(), check_exact=True)
