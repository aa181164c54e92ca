"""Metrics against scikit-learn and against loops over rows."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from features.clock import DAY_US
from models.judging.curves import (
    calibration_error_if_perfect,
    effective_rows,
    gain_curve,
    reliability,
    reliability_by,
    wilson,
)
from models.metrics import (
    Ranking,
    brier,
    calibration_error,
    lift,
    log_loss,
    max_calibration_error,
    pr_auc,
    precisions,
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
    plain = (roc_auc, pr_auc, brier, log_loss, calibration_error, max_calibration_error)
    for metric in plain:
        weighted = metric(label, score, weight)
        assert weighted == pytest.approx(metric(label[again], score[again]), abs=1e-12)
    for share in (0.01, 0.05, 0.1):
        weighted = lift(*Ranking(label, score).masses(weight), share)
        repeated = lift(*Ranking(label[again], score[again]).masses(), share)
        assert weighted == pytest.approx(repeated)
        (precise,) = precisions(*Ranking(label, score).masses(weight), [share])
        assert precise == pytest.approx(weighted * np.average(label, weights=weight))
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
    precise = tenth * label.mean()
    assert precisions(*Ranking(label, score).masses(), [0.1]) == pytest.approx(precise, abs=0.02)


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


def test_the_maximum_calibration_error_is_that_of_the_worst_bin() -> None:
    label, probability = np.array([0, 0, 1, 1], bool), np.array([0.1, 0.2, 0.6, 0.8])
    assert max_calibration_error(label, probability, n_bins=2) == pytest.approx(0.30)
    assert max_calibration_error(label, probability, np.array([1, 1, 0, 0]), 2) == pytest.approx(
        0.20
    )


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=40))
def test_the_worst_bin_is_never_better_than_the_mean_over_bins(rows: list) -> None:
    label = np.array([row[0] for row in rows])
    probability = np.array([row[1] for row in rows]) / 9
    assert (
        max_calibration_error(label, probability) >= calibration_error(label, probability) - 1e-12
    )


def _colleagues(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Accounts of 2 to 15 rows with a rate of their own, 0.1 on average."""
    size = rng.integers(2, 16, 60)
    cluster = np.repeat(np.arange(60), size)
    return rng.random(len(cluster)) < rng.beta(0.5, 4.5, 60)[cluster], cluster


def test_a_bin_of_hanging_rows_has_an_interval_that_covers_where_plain_wilson_does_not() -> None:
    rng = np.random.default_rng(4)
    covered = np.zeros(2)
    for _ in range(300):
        label, cluster = _colleagues(rng)
        counted = effective_rows(label, cluster)
        assert 30 <= counted <= len(label)
        for place, n in enumerate((len(label), counted)):
            low, high = wilson(label.mean() * n, n)
            covered[place] += low <= 0.1 <= high
    plain, clustered = covered / 300
    assert plain < 0.85
    assert clustered > 0.9


def test_an_interval_holds_the_truth_where_accounts_differ_much_in_size() -> None:
    """Colleagues convert together, and a few accounts hold most rows."""
    rng = np.random.default_rng(8)
    covered = 0
    for _ in range(300):
        size = np.ceil(np.exp(rng.normal(1.2, 1.2, 60))).astype(int)
        cluster = np.repeat(np.arange(60), size)
        label = (rng.random(60) < 0.1)[cluster]
        n = effective_rows(label, cluster)
        low, high = wilson(label.mean() * n, n)
        covered += low <= 0.1 <= high
    assert covered / 300 > 0.9


def test_independent_rows_count_almost_whole_and_repeated_rows_once() -> None:
    rng = np.random.default_rng(5)
    label = rng.random(4_000) < 0.2
    assert effective_rows(label, np.arange(4_000)) == pytest.approx(4_000, rel=0.01)
    again = effective_rows(np.repeat(label, 5), np.repeat(np.arange(4_000), 5))
    assert again == pytest.approx(4_000, rel=0.01)


def test_a_bin_without_conversions_is_as_sure_as_its_accounts_are_many() -> None:
    row = reliability(np.zeros(40, bool), np.full(40, 0.1), cluster=np.repeat(np.arange(4), 10))
    assert (row[0].low, row[0].high) == wilson(0, 4)
    by_name = reliability_by(
        np.zeros(40, bool),
        np.full(40, 0.1),
        np.full(40, "hot", object),
        ("hot",),
        cluster=np.repeat(np.arange(4), 10),
    )
    assert by_name[0].high == row[0].high


def test_true_probabilities_show_the_calibration_error_that_perfect_ones_would() -> None:
    rng = np.random.default_rng(6)
    probability = np.repeat(rng.beta(1, 9, 400), 3)
    entity, as_of = np.repeat(np.arange(400), 3), np.tile([0, 30, 60], 400) * DAY_US
    perfect = calibration_error_if_perfect(probability, entity, as_of, horizon_days=14)
    found = [calibration_error(rng.random(1_200) < probability, probability) for _ in range(100)]
    assert np.mean(found) == pytest.approx(perfect.mean, rel=0.1)
    inside = [perfect.low <= error <= perfect.high for error in found]
    assert 0.88 <= np.mean(inside) <= 1
    assert calibration_error(rng.random(1_200) < probability, 1 - probability) > perfect.high


def _outcomes(rng: np.random.Generator, hazard: np.ndarray, horizon: int) -> np.ndarray:
    """Labels of daily rows of each entity: does one of its random conversions fall into
    [day, day + horizon)?"""
    happens = rng.random((len(hazard), 28 + horizon)) < hazard[:, None]
    return np.array([happens[:, day : day + horizon].any(axis=1) for day in range(28)]).T.ravel()


def test_overlapping_label_windows_hang_together_as_much_as_in_the_simulation() -> None:
    rng, horizon = np.random.default_rng(7), 14
    hazard = rng.beta(1, 60, 300)
    probability = np.repeat(1 - (1 - hazard) ** horizon, 28)
    entity, as_of = np.repeat(np.arange(300), 28), np.tile(np.arange(28), 300) * DAY_US
    found = [calibration_error(_outcomes(rng, hazard, horizon), probability) for _ in range(60)]
    perfect = calibration_error_if_perfect(probability, entity, as_of, horizon_days=horizon)
    assert perfect.mean == pytest.approx(np.mean(found), rel=0.15)
    unrelated = calibration_error_if_perfect(
        probability, np.arange(len(entity)), as_of, horizon_days=horizon
    )
    assert unrelated.mean < 0.5 * np.mean(found)


@pytest.mark.parametrize(("days", "shared"), [((13, 20), 0.5), ((0, 13), 1 / 14), ((0, 14), 0)])
def test_rows_share_their_luck_as_far_as_their_windows_overlap(days: tuple, shared: float) -> None:
    entity, as_of = np.repeat(np.arange(500), 2), np.tile(days, 500) * DAY_US
    perfect = calibration_error_if_perfect(
        np.full(1_000, 0.2), entity, as_of, horizon_days=14, draws=1_500
    )
    # One bin: the mean distance of a share from its expectation, normal for so many rows.
    spread = np.sqrt(0.2 * 0.8 / 1_000 * (1 + shared))
    assert perfect.mean == pytest.approx(spread * np.sqrt(2 / np.pi), rel=0.05)


def test_a_calibration_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        calibration_error_if_perfect(np.empty(0), np.empty(0), np.empty(0), horizon_days=7)


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
