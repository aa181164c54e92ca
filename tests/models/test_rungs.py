"""The rungs below the trees: sums of terms that agree with the scorecard and can be added up."""

import numpy as np
import pytest

from models.choosing.ladder import LEAST_CONVERTING, climb
from models.learners.encoding import values_of
from models.metrics import pr_auc
from models.propensity import ModelSpec, PropensityModel
from models.scorecard import Scorecard, ScorecardSpec
from models.scorecard.rules import Rule

RULES = (
    Rule(dimension="value", points=30, name="reports", feature="reports_count_7d", at_least=5),
    Rule(dimension="team", points=20, name="invites", feature="invites_count_28d", at_least=2),
    Rule(dimension="fit", points=15, name="trial", feature="plan", one_of=("trial",)),
    Rule(dimension="fit", points=-10, name="some", feature="reports_count_28d", between=(1, 3)),
    Rule(dimension="upgrade", points=25, name="limits"),
)


def refit(fitted, rules=RULES, **settings):
    spec = ModelSpec.model_validate({"similarity": {"enabled": False}, **settings})
    return PropensityModel.fit(
        fitted.train,
        fitted.calibrate,
        fitted.world.customers,
        spec,
        horizon_days=7,
        seed=3,
        rules=rules,
    )


def raw(model, rows):
    return model.predict(rows.matrix, rows.account, rows.domain)["raw_score"].to_numpy()


def test_the_scorecard_rung_ranks_as_the_scorecard_to_the_last_tie(fitted):
    points = Scorecard(ScorecardSpec(rules=RULES)).score(fitted.test.matrix).points
    score = raw(refit(fitted, learner="scorecard"), fitted.test)
    assert len(np.unique(score)) == len(np.unique(points))
    order = np.argsort(points, kind="stable")
    assert (np.diff(score[order]) >= 0).all()


def test_a_scorecard_that_points_the_wrong_way_is_not_turned_around(fitted):
    wrong = tuple(rule.model_copy(update={"points": -rule.points}) for rule in RULES)
    assert len(np.unique(raw(refit(fitted, wrong, learner="scorecard"), fitted.test))) == 1


def test_learnt_points_are_whole_and_add_up_to_the_raw_score(fitted):
    model = refit(fitted, learner="points")
    learner = model.scorer.learner
    steps = np.concatenate([t.get("steps", t.get("codes")) for t in learner.terms])
    assert (steps % 5 == 0).all()
    total = (raw(model, fitted.test) - learner.intercept) / learner.unit
    np.testing.assert_allclose(total, np.round(total), atol=1e-9)


@pytest.fixture(scope="module")
def larger(make_world, fit):
    """About 600 conversions before the test."""
    return fit(make_world(n_entities=2_000, n_weeks=12, seed=2), booster={"max_rounds": 5})


def test_learnt_points_find_what_the_scorecard_overlooked(larger):
    """The rules know only the plan; the rows say that reports matter too."""
    fitted = larger
    blind = RULES[2:3]
    card, learnt = (refit(fitted, blind, learner=name) for name in ("scorecard", "points"))
    columns = {term["column"] for term in learnt.scorer.learner.terms}
    assert columns & {"reports_count_7d", "reports_count_28d"}
    assert "noise_count_28d" not in columns
    label = fitted.test.label
    assert pr_auc(label, raw(learnt, fitted.test)) > pr_auc(label, raw(card, fitted.test)) + 0.02


@pytest.mark.parametrize("rung", ["scorecard", "points", "logistic", "booster"])
def test_contributions_of_every_rung_add_up_to_its_raw_score(fitted, rung):
    model = refit(fitted, learner=rung, booster={"max_rounds": 20})
    values = values_of(fitted.test.matrix, fitted.test.account, fitted.test.domain)
    parts = model.scorer.contributions(values)
    np.testing.assert_allclose(sum(parts.values()), raw(model, fitted.test), atol=1e-9)
    assert sum(share for _, share in model.importance()) == pytest.approx(1)


def test_negatives_left_out_change_the_scores_little_and_their_mean_not(fitted):
    trees = {"weight": 1.0, "seeds": 5}
    whole, half = (
        raw(refit(fitted, booster=trees | {"negative_share": share}), fitted.test)
        for share in (1.0, 0.4)
    )
    chance = [1 / (1 + np.exp(-score)) for score in (whole, half)]
    assert chance[1].mean() == pytest.approx(chance[0].mean(), rel=0.15)
    assert np.corrcoef(whole, half)[0, 1] > 0.9


def test_monotone_columns_stay_monotone_in_the_mean_with_the_regression(fitted):
    constrained = {"monotone": {"reports_count_7d": -1, "invites_count_28d": 1}}
    model = refit(fitted, booster=constrained)
    values = values_of(fitted.test.matrix.take(np.arange(60)))
    for name, sign in constrained["monotone"].items():
        swept = [
            model.scorer.raw(values | {name: np.full(60, level, np.float32)})
            for level in (0, 1, 2, 4, 8, 16, 32)
        ]
        assert (sign * np.diff(np.array(swept), axis=0) >= -1e-9).all()


def log_odds_apart(score, other):
    """Standard deviation of the difference: a constant is the calibration's to set."""
    return float(np.std(score - other))


@pytest.mark.parametrize("rung", ["logistic", "booster"])
def test_what_is_learnt_is_believed_by_the_accounts_that_convert(larger, rung):
    """n of them against k of the scorecard: the raw score is their weighted mean, row by row."""
    trees = {"booster": {"max_rounds": 20}}
    n = len(np.unique(larger.train.cluster[larger.train.label]))
    card, alone, even, much = (
        raw(refit(larger, **trees, **given), larger.test)
        for given in (
            {"learner": "scorecard"},
            {"learner": rung, "scorecard_counts_for": 0},
            {"learner": rung, "scorecard_counts_for": n},
            {"learner": rung, "scorecard_counts_for": 1e6 * n},
        )
    )
    assert log_odds_apart(alone, card) > 0.1
    assert log_odds_apart(even, (alone + card) / 2) < 1e-9
    assert log_odds_apart(much, card) < 1e-4
    model = refit(larger, **trees, learner=rung, scorecard_counts_for=3 * n)
    assert model.scorer.learner.learnt == pytest.approx(0.25)


@pytest.mark.parametrize("rung", ["points", "logistic", "booster"])
def test_a_scorecard_that_says_nothing_takes_no_part(fitted, rung):
    wrong = tuple(rule.model_copy(update={"points": -rule.points}) for rule in RULES)
    model = {"learner": rung, "booster": {"max_rounds": 20}}
    for rules in ((), wrong):
        alone, believed = (
            raw(refit(fitted, rules, **model, scorecard_counts_for=worth), fitted.test)
            for worth in (0, 10_000)
        )
        np.testing.assert_array_equal(alone, believed)


def test_learnt_points_keep_to_the_scorecards_while_few_convert(larger):
    own, much = (
        refit(larger, learner="points", scorecard_counts_for=worth).scorer.learner
        for worth in (0, 1e9)
    )
    card = refit(larger, learner="scorecard").scorer.learner

    def of(learner, column):
        terms = [t for t in learner.terms if t["column"] == column]
        return sum(max(map(abs, t.get("steps", t.get("codes")))) for t in terms) * learner.unit

    names = ("reports_count_7d", "invites_count_28d")
    half = 2.5 * much.unit + 1e-9
    assert all(abs(of(much, name) - of(card, name)) <= half for name in names)
    assert any(abs(of(own, name) - of(card, name)) > half for name in names)


def before_test(fitted):
    world = fitted.world.data
    return world.take(world.as_of < fitted.test.as_of.min() - 7 * 86_400_000_000)


def test_held_out_evidence_leaves_a_blind_scorecard_behind(larger):
    ladder = climb(
        before_test(larger),
        larger.world.customers,
        ModelSpec(similarity={"enabled": False}),
        RULES[4:],
        horizon_days=7,
        seed=3,
    )
    assert ladder.chosen != "scorecard"
    assert ladder.rungs[0].name == "scorecard"
    losses = [rung.log_loss for rung in ladder.rungs]
    best = ladder.rungs[int(np.argmin(losses))]
    assert best.behind == 0


def test_a_scorecard_that_knows_the_truth_is_kept(fitted):
    """Rules as fine as the truth: nothing flexible can gain more than a standard error."""
    rules = [
        Rule(dimension="value", points=4, name=f"r{n}", feature="reports_count_7d", at_least=n)
        for n in (1, 2, 3, 4, 6, 9, 13, 18)
    ] + [
        Rule(dimension="team", points=4, name=f"i{n}", feature="invites_count_28d", at_least=n)
        for n in (1, 2, 3, 5)
    ]
    rules.append(RULES[2].model_copy(update={"points": 14}))
    ladder = climb(
        before_test(fitted), fitted.world.customers, ModelSpec(), rules, horizon_days=7, seed=3
    )
    assert ladder.chosen == "scorecard"
    assert "would be needed" in ladder.verdict or "is the best" in ladder.verdict


def test_below_the_minimum_the_scorecard_scores_and_it_is_said_what_is_known(fitted):
    rows = before_test(fitted)
    few = np.unique(rows.cluster[rows.label])[: LEAST_CONVERTING - 5]
    kept = ~rows.label | np.isin(rows.cluster, few)
    ladder = climb(
        rows.take(kept), fitted.world.customers, ModelSpec(), RULES, horizon_days=7, seed=3
    )
    assert ladder.chosen == "scorecard"
    assert ladder.rungs == ()
    assert "15 converting accounts" in ladder.verdict
    assert "within 0.1" in ladder.verdict


def test_a_rung_named_in_the_settings_is_taken_without_asking(fitted):
    ladder = climb(
        before_test(fitted),
        fitted.world.customers,
        ModelSpec(learner="points"),
        RULES,
        horizon_days=7,
        seed=3,
    )
    assert (ladder.chosen, ladder.rungs) == ("points", ())
