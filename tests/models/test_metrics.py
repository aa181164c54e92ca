"""Metrics against scikit-learn and against loops over rows."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from models.curves import gain_curve, reliability, reliability_by, wilson
from models.metrics import (
    Ranking,
    brier,
    calibration_error,
    lift,
    log_loss,
    pr_auc,
    roc_auc,
)

SEEDS = range(5)


def _rows(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.integers(1, 20, size=n) / 20  # many ties
    return rng.random(n) < probability, probability, rng.integers(0, 4, size=n)


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_equal_scikit_learn_on_tied_scores_with_and_without_weights(seed: int) -> None:
    label, score, weight = _rows(seed)
    pairs = [
        (roc_auc, sklearn.metrics.roc_auc_score),
        (brier, sklearn.metrics.brier_score_loss),
        (log_loss, sklearn.metrics.log_loss),
    ]
    for ours, theirs in pairs:
        assert ours(label, score) == pytest.approx(theirs(label, score), abs=1e-12)
        weighted = theirs(label, score, sample_weight=weight)
        assert ours(label, score, weight) == pytest.approx(weighted, abs=1e-12)
    distinct = score + np.arange(len(score)) * 1e-6
    assert pr_auc(label, distinct) == pytest.approx(average_precision_score(label, distinct))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_row_of_weight_w_counts_as_w_equal_rows(seed: int) -> None:
    label, score, weight = _rows(seed)
    again = np.repeat(np.arange(len(label)), weight)
    date = np.arange(len(label)) % 3
    for metric in (roc_auc, pr_auc, brier, log_loss, calibration_error):
        weighted = metric(label, score, weight)
        assert weighted == pytest.approx(metric(label[again], score[again]), abs=1e-12)
    for share in (0.01, 0.05, 0.1):
        weighted = lift(*Ranking(label, score).masses(weight), share)
        repeated = lift(*Ranking(label[again], score[again]).masses(), share)
        assert weighted == pytest.approx(repeated)
    weighted = Ranking(label, score, date).precision_at(7, weight)
    repeated = Ranking(label[again], score[again], date[again]).precision_at(7)
    assert weighted == pytest.approx(repeated)


def _mean_precision_over_shuffles(
    label: np.ndarray, score: np.ndarray, n: int, rng: np.random.Generator
) -> float:
    """Oracle: break ties at random many times."""
    hits = 0.0
    for _ in range(4_000):
        order = rng.permutation(len(label))
        hits += label[order][np.argsort(-score[order], kind="stable")[:n]].mean()
    return hits / 4_000


def test_the_top_of_tied_scores_is_its_expected_value() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(0, 4, size=40).astype(float)
    label = rng.random(40) < 0.3
    date = np.repeat([10, 20], 20)
    expected = np.mean(
        [
            _mean_precision_over_shuffles(label[date == d], score[date == d], 6, rng)
            for d in (10, 20)
        ]
    )
    assert Ranking(label, score, date).precision_at(6) == pytest.approx(expected, abs=0.01)
    tenth = _mean_precision_over_shuffles(label, score, 4, rng) / label.mean()
    assert lift(*Ranking(label, score).masses(), 0.1) == pytest.approx(tenth, abs=0.05)


def test_a_constant_score_has_lift_one_and_the_base_rate_everywhere() -> None:
    label = np.arange(50) % 5 == 0
    constant = np.zeros(50)
    assert lift(*Ranking(label, constant).masses(), 0.01) == pytest.approx(1)
    assert roc_auc(label, constant) == 0.5
    rng = np.random.default_rng(0)
    by_chance = [average_precision_score(label, rng.random(50)) for _ in range(4_000)]
    assert pr_auc(label, constant) == pytest.approx(np.mean(by_chance), abs=0.005)


def test_average_precision_of_ties_is_its_mean_over_their_orders() -> None:
    """At the end of a block, as scikit-learn takes it, points of few levels would look worse."""
    rng = np.random.default_rng(3)
    score = rng.integers(0, 4, size=60).astype(float)
    label = rng.random(60) < 0.2
    broken = [average_precision_score(label, score + rng.random(60) / 2) for _ in range(4_000)]
    assert pr_auc(label, score) == pytest.approx(np.mean(broken), abs=0.005)
    assert average_precision_score(label, score) < np.mean(broken) - 0.01


def test_precision_at_a_capacity_above_the_list_is_that_of_the_whole_list() -> None:
    label = np.array([True, False, True, True])
    assert Ranking(label, np.arange(4.0), np.array([1, 1, 2, 2])).precision_at(10) == 0.75


def test_metrics_that_need_both_outcomes_are_not_a_number_without_them() -> None:
    assert np.isnan(roc_auc(np.ones(3, bool), np.arange(3.0)))
    assert np.isnan(pr_auc(np.zeros(3, bool), np.arange(3.0)))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=30), st.randoms())
def test_the_order_of_the_table_changes_no_metric(rows: list, random: object) -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    values = []
    for table in (rows, mixed):
        label = np.array([row[0] for row in table])
        score = np.array([row[1] for row in table]) / 5
        values.append(
            [metric(label, score) for metric in (roc_auc, pr_auc, calibration_error)]
            + [lift(*Ranking(label, score).masses(), 0.1), *gain_curve(label, score)[:, 1]]
        )
    np.testing.assert_allclose(values[0], values[1], atol=1e-12)


def test_calibration_error_is_the_mean_gap_over_equal_count_bins() -> None:
    label, probability = np.array([0, 0, 1, 1], bool), np.array([0.1, 0.2, 0.6, 0.8])
    assert calibration_error(label, probability, n_bins=2) == pytest.approx((0.15 + 0.30) / 2)


def test_reliability_rows_hold_every_row_once_and_equal_probabilities_together() -> None:
    probability = np.repeat([0.1, 0.9], [70, 30])
    label = np.arange(100) % 10 == 0
    rows = reliability(label, probability, n_bins=10)
    assert [row.rows for row in rows] == [70, 30]
    assert [row.predicted for row in rows] == pytest.approx([0.1, 0.9])
    assert [row.observed for row in rows] == pytest.approx([0.1, 0.1])
    assert all(row.low < row.observed < row.high for row in rows)


def test_reliability_by_tier_follows_the_given_order_and_skips_empty_tiers() -> None:
    tier = np.array(["hot", "cold", "cold"], object)
    rows = reliability_by(
        np.array([True, False, True]), np.array([0.8, 0.1, 0.3]), tier, ("cold", "warm", "hot")
    )
    assert [(row.group, row.rows, row.observed) for row in rows] == [
        ("cold", 2, 0.5),
        ("hot", 1, 1),
    ]


def test_the_wilson_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    covered = [
        low <= 0.1 <= high for low, high in map(wilson, rng.binomial(80, 0.1, 2_000), [80] * 2_000)
    ]
    assert 0.93 < np.mean(covered) < 0.98


def test_a_perfect_score_gains_everything_within_the_share_of_positives() -> None:
    label = np.arange(100) < 20
    curve = gain_curve(label, label.astype(float))
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert np.interp(0.2, curve[:, 0], curve[:, 1]) == pytest.approx(1)
