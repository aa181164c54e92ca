"""The backtest: honest rows, pooled on one scale, and able to say that nothing is shown."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US
from features.errors import NotEnoughHistory
from models.base_rate import shift_to_rate, with_shift
from models.calibration import CalibrationSpec
from models.dataset import Customers, Dataset
from models.judging.backtest import Backtest, backtest
from models.judging.bootstrap import METRICS, Contender
from models.judging.champion import against_champion, unseen_by
from models.judging.out_of_fold import (
    Entrant,
    FoldRows,
    model_entrant,
    out_of_fold,
    ranks_within,
    scorecard_entrant,
)
from models.judging.rolling import BacktestSpec, rolling_folds
from models.learners.rungs import ModelSpec
from models.metrics import pr_auc, roc_auc
from models.propensity import PropensityModel
from models.scorecard import Rule, ScorecardSpec

BOOSTER = {"max_rounds": 40, "num_leaves": 7, "seeds": 1}
SIMILARITY = {"weights": "uniform", "max_others": 200}
SMALL = ModelSpec.model_validate(
    {"learner": "booster", "booster": BOOSTER, "similarity": SIMILARITY}
).without_views()
CARD = ScorecardSpec(
    rules=tuple(
        Rule(dimension="value", points=20, name=f"r{n}", feature="reports_count_7d", at_least=n)
        for n in (1, 3, 8)
    )
)
FOLDS = BacktestSpec(folds=3, test_days=21, calibrate_days=28)


def _fit(fold: FoldRows, customers: Customers) -> PropensityModel:
    return PropensityModel.fit(fold.train, fold.calibrate, customers, SMALL, horizon_days=7, seed=3)


def _entrants(world: object) -> dict[str, Entrant]:
    return {
        "model": model_entrant(_fit, world.customers),
        "scorecard": scorecard_entrant(CARD, CalibrationSpec(), horizon_days=7, seed=3),
    }


@pytest.fixture(scope="module")
def long(make_world) -> object:
    """22 weeks of 400 entities."""
    return make_world(n_entities=400, n_weeks=22, seed=5)


@pytest.fixture(scope="module")
def splits(long) -> tuple:
    return rolling_folds(long.data, 7, FOLDS)


@pytest.fixture(scope="module")
def result(long, splits) -> Backtest:

    def noise(fold: FoldRows) -> Contender:
        return _by(fold.test, "noise_count_28d")

    return backtest(
        splits,
        long.data,
        _entrants(long) | {"noise": noise},
        horizon_days=7,
        capacity=20,
        n_bootstrap=40,
        seed=0,
    )


def _by(test: Dataset, feature: str) -> Contender:
    return Contender(test.matrix.column(feature).astype(float), np.full(len(test), 0.05))


def _value(table, metric: str, contender: str) -> float:
    row = table[(table["metric"] == metric) & (table["contender"] == contender)]
    assert len(row) == 1
    return float(row["value"].iloc[0])


def test_every_test_row_is_scored_once_by_the_fold_that_tests_it(result, splits, long) -> None:
    found = result.out_of_fold
    assert len(splits) == 3
    tested = np.any([split.test for split in splits], axis=0)
    assert (found.rows.entity == long.data.entity[tested]).all()
    for number, split in enumerate(splits):
        assert (found.fold[split.test[tested]] == number).all()
    for who in found.scores.values():
        assert np.isfinite(who.score).all()
        assert ((who.probability > 0) & (who.probability < 1)).all()


def test_what_a_fold_says_does_not_depend_on_anything_later_than_its_test_rows(
    long, splits, result
) -> None:
    oldest = splits[0]
    end = long.data.as_of[oldest.test].max()
    kept = long.data.as_of <= end
    # Later outcomes are turned around, later customers are gone: the past must not notice.
    other = Dataset(
        long.data.matrix,
        np.where(kept, long.data.label, ~long.data.label),
        long.data.mature,
        long.data.account,
        long.data.domain,
    )
    known = long.customers.take(long.customers.known_at < long.data.as_of[oldest.test].min())
    entrants = {"model": model_entrant(_fit, known)}
    alone = out_of_fold([oldest], other, entrants).scores["model"]
    together = result.out_of_fold
    first = together.fold == 0
    assert (alone.score == together.scores["model"].score[first]).all()
    assert (alone.probability == together.scores["model"].probability[first]).all()


def test_the_fold_tables_hold_the_plain_metrics_of_the_rows_of_the_fold(result) -> None:
    found = result.out_of_fold
    for number, fold in enumerate(result.folds):
        rows = found.fold == number
        label = found.rows.label[rows]
        assert fold.base_rate == label.mean()
        assert set(fold.table["metric"]) == set(METRICS)
        for name, who in found.scores.items():
            assert _value(fold.table, "roc_auc", name) == pytest.approx(
                roc_auc(label, who.score[rows])
            )


def test_pooled_everyone_is_ranked_within_the_fold(result) -> None:
    found, label = result.out_of_fold, result.out_of_fold.rows.label
    for name, who in found.scores.items():
        rank = pd.DataFrame({"fold": found.fold, "score": who.score}).groupby("fold")["score"]
        share = (rank.rank() - 0.5) / rank.transform("size")
        assert _value(result.table, "pr_auc", name) == pytest.approx(pr_auc(label, share))
    assert result.base_rate == label.mean()


def test_boosters_on_other_scales_do_not_disturb_the_pooled_ranking(long, splits) -> None:
    """The raw score of each fold is moved far away from the others'; probabilities stay."""

    def reports(fold: FoldRows) -> Contender:
        return _by(fold.test, "reports_count_7d")

    def moved(fold: FoldRows) -> Contender:
        truth = reports(fold)
        return Contender(np.exp(truth.score / 9) - 1e6 * fold.number, truth.probability)

    found = out_of_fold(splits, long.data, {"reports": reports, "moved": moved})
    assert (found.pooled["moved"].score == found.pooled["reports"].score).all()
    label = found.rows.label
    kept, lost = (roc_auc(label, each["moved"].score) for each in (found.pooled, found.scores))
    assert kept > lost + 0.05


def test_a_model_that_knows_the_world_beats_noise_and_is_calibrated(result) -> None:
    gap = result.table[result.table["contender"] == "noise"].set_index("metric")
    assert gap.loc["pr_auc", "difference_low"] > 0
    in_the_large = result.table[
        (result.table["contender"] == "model")
        & (result.table["metric"] == "calibration_in_the_large")
    ].iloc[0]
    assert in_the_large["low"] < 0.01
    assert in_the_large["high"] > -0.01


def test_the_error_of_perfect_calibration_stands_beside_the_error_found(result) -> None:
    for name in ("model", "scorecard"):
        perfect = result.if_perfect[name]
        assert 0 < perfect.low < perfect.mean < perfect.high
        assert _value(result.table, "calibration_error", name) < 3 * perfect.high


def test_reliability_and_tiers_hold_every_row_once(result) -> None:
    rows = len(result.out_of_fold.rows)
    for table in (*result.reliability.values(), *result.tiers.values()):
        assert sum(row.rows for row in table) == rows
        assert all(0 <= row.low <= row.observed <= row.high <= 1 for row in table)


def test_the_frame_of_out_of_fold_rows_is_ready_for_segments_and_tier_churn(result) -> None:
    frame = result.out_of_fold.frame()
    assert list(frame.columns) == [
        "entity_id", "as_of", "label", "cluster", "fold", "probability", "score", "tier",
    ]  # fmt: skip
    assert not frame.duplicated(["entity_id", "as_of"]).any()
    assert set(frame["tier"]) <= {"cold", "warm", "hot", "critical"}
    assert frame.groupby("entity_id")["cluster"].nunique().max() == 1
    assert "tier" not in result.out_of_fold.frame("noise").columns


def test_a_seed_repeats_the_backtest_to_the_last_digit(long, splits, result) -> None:
    again = backtest(
        splits[:1], long.data, _entrants(long), horizon_days=7, capacity=20, n_bootstrap=40, seed=0
    )
    mine = result.folds[0].table
    same = mine[mine["contender"] != "noise"].reset_index(drop=True)
    assert again.folds[0].table.equals(same)


def test_progress_counts_up_to_all_steps(long, splits) -> None:
    seen = []

    def constant(fold: FoldRows) -> Contender:
        return _by(fold.test, "reports_count_7d")

    backtest(
        splits,
        long.data,
        {"model": constant, "scorecard": constant},
        horizon_days=7,
        capacity=20,
        n_bootstrap=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(at, 10) for at in range(1, 11)]


def test_a_fold_without_enough_to_learn_from_is_refused(long) -> None:
    one_outcome = Dataset(
        long.data.matrix,
        long.data.label & (long.data.as_of > _week(long, 14)),
        long.data.mature,
        long.data.account,
        long.data.domain,
    )
    splits = rolling_folds(long.data, 7, FOLDS)[:1]
    with pytest.raises(NotEnoughHistory, match="0 of"):
        out_of_fold(splits, one_outcome, _entrants(long))


@pytest.fixture(scope="module")
def champion(long, fit) -> object:
    """A model made before the last three weeks were known."""
    kept = long.data.as_of <= _week(long, 18)
    past = type(long)(long.data.take(kept), long.customers, long.truth[kept])
    return fit(past, booster=BOOSTER, similarity=SIMILARITY).model


def _week(world: object, number: int) -> int:
    return int(np.unique(world.data.as_of)[number])


def test_the_champion_is_judged_only_on_outcomes_that_it_had_never_seen(champion, result) -> None:
    found = result.out_of_fold
    unseen = unseen_by(champion, found.rows, horizon_days=7)
    seen_until = champion.training.calibrate_period[1] + 7 * DAY_US
    assert unseen.any()
    assert not unseen.all()
    assert (unseen == (found.rows.as_of >= seen_until)).all()
    matrix = found.rows.matrix.take(unseen)
    judged = against_champion(champion, found, unseen, matrix, capacity=20, n_bootstrap=40, seed=0)
    assert judged.rows == unseen.sum()
    assert judged.positives == found.rows.label[unseen].sum()
    model = ranks_within(found.fold[unseen], found.scores["model"].score[unseen])
    assert _value(judged.table, "pr_auc", "model") == pytest.approx(
        pr_auc(found.rows.label[unseen], model)
    )
    assert "hampion" in judged.verdict


def test_labels_that_moved_the_champion_were_seen_by_it(champion, result) -> None:
    rows = result.out_of_fold.rows
    late = int(np.unique(rows.as_of)[-2])
    scorer = copy.copy(champion.scorer)
    shift = replace(shift_to_rate(np.array([0.1, 0.2]), 0.3), how="labels", last_as_of=late)
    scorer.calibration = with_shift(scorer.calibration, shift)
    unseen = unseen_by(replace(champion, scorer=scorer), rows, horizon_days=7)
    assert (unseen == (rows.as_of >= late + 7 * DAY_US)).all()
    assert unseen.sum() < unseen_by(champion, rows, horizon_days=7).sum()


def test_a_champion_that_has_seen_every_outcome_is_not_judged(champion, result) -> None:
    found = result.out_of_fold
    none = np.zeros(len(found.rows), bool)
    judged = against_champion(
        champion, found, none, found.rows.matrix.take(none), capacity=9, n_bootstrap=9, seed=0
    )
    assert judged.table is None
    assert "can't be compared" in judged.verdict


def test_a_champion_of_another_horizon_answers_another_question(champion, result) -> None:
    assert not unseen_by(champion, result.out_of_fold.rows, horizon_days=14).any()
