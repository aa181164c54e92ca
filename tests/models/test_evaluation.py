"""Judging: paired, clustered, and able to say that the scorecard wins or that nothing is shown."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.calibration import CalibrationSpec
from models.dataset import Dataset
from models.judging.bootstrap import METRICS, Contender, evaluate
from models.judging.evaluation import calibration_verdict, judge, verdict
from models.metrics import brier, calibration_error, log_loss, pr_auc, roc_auc
from models.scorecard import Rule, Scorecard, ScorecardSpec


def _truth_card(calibrate: Dataset) -> Scorecard:
    """Rules close to the true law of the small world."""
    reports = [
        Rule(dimension="value", points=16, name=f"r{n}", feature="reports_count_7d", at_least=n)
        for n in (1, 2, 4, 8)
    ]
    invites = [
        Rule(dimension="team", points=14, name=f"i{n}", feature="invites_count_28d", at_least=n)
        for n in (1, 2, 4)
    ]
    plan = Rule(dimension="fit", points=22, name="trial", feature="plan", equals="trial")
    spec = ScorecardSpec(rules=(*reports, *invites, plan))
    return Scorecard(spec).fit(calibrate, CalibrationSpec(), horizon_days=7, seed=0)


def _useless_card(calibrate: Dataset) -> Scorecard:
    rule = Rule(dimension="value", points=60, name="n", feature="noise_count_28d", at_least=4)
    return Scorecard(ScorecardSpec(rules=(rule,))).fit(
        calibrate, CalibrationSpec(), horizon_days=7, seed=0
    )


@pytest.fixture(scope="module")
def large(make_world: Callable, fit: Callable) -> object:
    return fit(make_world(n_entities=2_000, n_weeks=12, seed=9))


@pytest.fixture(scope="module")
def judged(large: object) -> object:
    card = _useless_card(large.calibrate)
    return judge(large.model, card, large.test, capacity=30, n_bootstrap=100, seed=0)


def _row(table: pd.DataFrame, metric: str, contender: str) -> pd.Series:
    return table[(table["metric"] == metric) & (table["contender"] == contender)].iloc[0]


def test_a_model_that_knows_more_is_said_to_be_better(judged: object) -> None:
    assert judged.verdict.startswith("The model is better than the scorecard")


def test_the_scorecard_can_win_and_is_said_to(large: object, fit: Callable) -> None:
    data = large.world.data
    mixed = np.random.default_rng(0).permutation(data.label)
    lost = Dataset(data.matrix, mixed, data.mature, data.account, data.domain)
    model = fit(type(large.world)(lost, large.world.customers, large.world.truth)).model
    card = _truth_card(large.calibrate)
    result = judge(model, card, large.test, capacity=30, n_bootstrap=100, seed=0)
    assert result.verdict.startswith("The scorecard is better than the model: use the scorecard")


def test_against_equal_knowledge_no_difference_is_shown_and_few_conversions_decide_nothing(
    fitted: object,
) -> None:
    card = _truth_card(fitted.calibrate)
    result = judge(fitted.model, card, fitted.test, capacity=10, n_bootstrap=100, seed=0)
    assert result.converting < 30
    assert result.verdict.startswith("Too few conversions to compare")
    assert verdict(result.table, 30).startswith(
        "No difference between model and scorecard is shown"
    )


def test_the_table_has_every_metric_of_both_with_the_value_inside_its_interval(
    judged: object,
) -> None:
    table = judged.table
    assert list(table["metric"].unique()) == list(METRICS)
    assert set(table["contender"]) == {"model", "scorecard"}
    # A calibration error is a sum of absolute gaps, which resampling can only inflate.
    smooth = table[table["metric"] != "calibration_error"]
    assert ((smooth["low"] <= smooth["value"]) & (smooth["value"] <= smooth["high"])).all()
    cards = table[table["contender"] == "scorecard"]
    models = table[table["contender"] == "model"]
    np.testing.assert_allclose(
        cards["difference"].to_numpy(), models["value"].to_numpy() - cards["value"].to_numpy()
    )


def test_the_nulls_stand_beside_the_headline(judged: object, large: object) -> None:
    assert judged.base_rate == large.test.label.mean()
    assert judged.permuted_pr_auc == pytest.approx(judged.base_rate, rel=0.35)
    assert _row(judged.table, "pr_auc", "model")["value"] > 1.5 * judged.permuted_pr_auc


def test_reliability_and_tiers_count_every_row_once(judged: object, large: object) -> None:
    for rows in (*judged.reliability.values(), *judged.tiers.values()):
        assert sum(row.rows for row in rows) == len(large.test)
    assert set(judged.gain) == {"model", "scorecard"}


def test_both_are_calibrated_in_the_large_in_a_steady_world(judged: object) -> None:
    for name in ("model", "scorecard"):
        row = _row(judged.table, "calibration_in_the_large", name)
        assert row["low"] <= 0 <= row["high"]


def _two(n_entities: int, repeats: int, seed: int) -> tuple[np.ndarray, dict, np.ndarray]:
    """The same entity `repeats` times: repeats carry no further knowledge."""
    rng = np.random.default_rng(seed)
    probability = rng.random(n_entities)
    label = rng.random(n_entities) < probability
    who = {
        "knows": Contender(probability, probability),
        "blurs": Contender(*[0.5 * probability + 0.5 * rng.random(n_entities)] * 2),
    }
    again = np.repeat(np.arange(n_entities), repeats)
    taken = {name: Contender(one.score[again], one.probability[again]) for name, one in who.items()}
    return label[again], taken, again


def _width(table: pd.DataFrame) -> float:
    row = _row(table, "roc_auc", "knows")
    return row["high"] - row["low"]


def test_repeating_rows_of_an_entity_does_not_narrow_the_interval() -> None:
    widths = []
    for repeats in (1, 6):
        label, who, entity = _two(150, repeats, seed=1)
        table = evaluate(
            label, who, entity, np.zeros(len(label)), capacity=20, n_bootstrap=200, seed=0
        )
        widths.append(_width(table))
    assert widths[1] == pytest.approx(widths[0], rel=0.02)


def test_paired_differences_are_tighter_than_unpaired_ones() -> None:
    label, who, entity = _two(300, 1, seed=2)
    table = evaluate(label, who, entity, np.zeros(len(label)), capacity=20, n_bootstrap=200, seed=0)
    knows, blurs = _row(table, "roc_auc", "knows"), _row(table, "roc_auc", "blurs")
    paired = blurs["difference_high"] - blurs["difference_low"]
    assert paired < (knows["high"] - knows["low"]) + (blurs["high"] - blurs["low"])
    assert blurs["difference_low"] > 0


def test_values_are_those_of_the_plain_metrics_and_a_seed_repeats_the_intervals() -> None:
    label, who, entity = _two(80, 2, seed=3)
    tables = [
        evaluate(label, who, entity, entity % 4, capacity=5, n_bootstrap=20, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
    for name, one in who.items():
        expected = {
            "roc_auc": roc_auc(label, one.score),
            "pr_auc": pr_auc(label, one.score),
            "brier": brier(label, one.probability),
            "log_loss": log_loss(label, one.probability),
            "calibration_error": calibration_error(label, one.probability),
            "calibration_in_the_large": one.probability.mean() - label.mean(),
        }
        for metric, value in expected.items():
            assert _row(tables[0], metric, name)["value"] == pytest.approx(value)


def test_the_interval_of_an_auc_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = []
    for seed in range(60):
        label, who, entity = _two(200, 2, seed)
        table = evaluate(
            label, {"knows": who["knows"]}, entity, np.zeros(len(label)),
            capacity=10, n_bootstrap=60, seed=seed,
        )  # fmt: skip
        row = _row(table, "roc_auc", "knows")
        # A uniform probability that is true: AUC = 5/6, by integrating p (1 - q) over p > q.
        covered.append(row["low"] <= 5 / 6 <= row["high"])
    assert np.mean(covered) >= 0.85


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ((0.019, 0.0096, 0.028), "too high (10.2 % expected, 8.3 % came"),
        ((-0.02, -0.03, -0.01), "too low"),
        ((0.001, -0.004, 0.006), "The probabilities add up"),
        ((0.001, -0.04, 0.042), "No gap between the probabilities and what came is shown"),
    ],
)
def test_probabilities_are_said_to_be_off_only_where_the_interval_leaves_out_zero(
    gap: tuple[float, float, float], said: str
) -> None:
    row = {"metric": "calibration_in_the_large", "contender": "model"}
    table = pd.DataFrame([row | dict(zip(("value", "low", "high"), gap, strict=True))])
    assert said in calibration_verdict(table, 0.083, 30)
    assert calibration_verdict(table, 0.083, 29).startswith("Too few conversions to tell whether")


def test_calibration_of_the_test_rows_stands_in_the_evaluation(judged: object) -> None:
    row = _row(judged.table, "calibration_in_the_large", "model")
    off = row["low"] > 0 or row["high"] < 0
    assert ("add up" in judged.calibration) is not off
    assert 0 < judged.if_perfect.low < judged.if_perfect.mean < judged.if_perfect.high
