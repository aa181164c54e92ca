"""The promotion gate: every rule asks for proof, and none is judged on too little."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.base_rate import shift_to_rate, with_shift
from models.judging.bootstrap import Contender
from models.judging.champion import unseen_by
from models.judging.gate import (
    GateSpec,
    Ruling,
    judge_audit,
    judge_days,
    judge_question,
    judge_tiers,
    passes,
)
from models.judging.gate_evidence import (
    ANCHOR,
    CHALLENGER,
    CHAMPION,
    SCORECARD,
    Evidence,
    as_fitted,
    confidence,
    gather,
    judge_evidence,
    moved_only,
    stretch,
)
from models.metrics import calibration_error
from models.propensity import PropensityModel
from models.scoring import move_odds

N_BOOTSTRAP = 60
ON_OUTCOMES = {
    "PR-AUC, champion": "pr_auc_margin",
    "log loss, champion": "log_loss_margin",
    "PR-AUC, scorecard": "scorecard_pr_auc_margin",
    "log loss, scorecard": "scorecard_log_loss_margin",
    "calibration in the large": "calibration_factor",
    "calibration error": "calibration_error",
}


@pytest.fixture(scope="module")
def noisy(world):
    """A function that gives a contender who sees the true log-odds through noise."""
    truth = np.log(world.truth / (1 - world.truth))

    def build(noise: float, seed: int, shift: float = 0.0) -> Contender:
        rng = np.random.default_rng(seed)
        seen = truth + noise * rng.normal(size=len(truth))
        return Contender(seen, move_odds(world.truth, shift))

    return build


@pytest.fixture(scope="module")
def weighed(world, noisy):
    """A function that gathers evidence on a challenger against a good champion."""

    def build(challenger: Contender, rows=None) -> Evidence:
        return gather(
            rows or world.data,
            {CHALLENGER: challenger, CHAMPION: noisy(0.1, 1), SCORECARD: noisy(1.5, 2)},
            capacity=20,
            n_bootstrap=N_BOOTSTRAP,
            seed=4,
        )

    return build


@pytest.fixture(scope="module")
def equal(weighed, noisy) -> Evidence:
    """The champion itself as the challenger."""
    return weighed(noisy(0.1, 1))


def verdicts(found: Evidence, spec: GateSpec | None = None, **how: bool) -> dict[str, str]:
    return {one.rule: one.verdict for one in judge_evidence(found, spec or GateSpec(), **how)}


def test_the_champion_itself_passes_every_rule_against_itself(equal):
    assert set(verdicts(equal).values()) == {"pass"}
    strictest = GateSpec(pr_auc_margin=0.0, log_loss_margin=0.0)
    assert set(verdicts(equal, strictest).values()) == {"pass"}


def test_a_worse_order_fails_by_pr_auc_and_a_worse_level_by_log_loss(weighed, noisy):
    order = verdicts(weighed(noisy(3.0, 5)))
    assert (order["PR-AUC, champion"], order["log loss, champion"]) == ("fail", "pass")
    level = verdicts(weighed(noisy(0.1, 1, shift=1.5)))
    assert (level["PR-AUC, champion"], level["log loss, champion"]) == ("pass", "fail")
    assert level["calibration in the large"] == level["calibration error"] == "fail"


def test_a_challenger_that_only_might_be_as_good_is_refused(weighed, noisy):
    """The point estimate lies within the margin, the interval does not."""
    found = weighed(noisy(0.9, 6))
    table = found.table
    row = table[(table["metric"] == "pr_auc") & (table["contender"] == CHAMPION)].iloc[0]
    between = -(row["difference"] + row["difference_low"]) / 2 / row["value"]
    assert between > 0
    spec = GateSpec(pr_auc_margin=between)
    assert row["difference"] > -between * row["value"]
    assert verdicts(found, spec)["PR-AUC, champion"] == "fail"
    wide = GateSpec(pr_auc_margin=-row["difference_low"] / row["value"] + 1e-9)
    assert verdicts(found, wide)["PR-AUC, champion"] == "pass"


def test_the_interval_of_what_came_is_that_of_resampled_accounts(world, weighed, noisy):
    """Drawn again account by account, with rows repeated instead of weighted."""
    found = weighed(noisy(0.1, 1, shift=0.4))
    told = {one.rule: one for one in judge_evidence(found, GateSpec())}
    probability, data = move_odds(world.truth, 0.4), world.data
    members = [np.flatnonzero(data.cluster == code) for code in np.unique(data.cluster)]
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(400):
        drawn = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        ratios.append(data.label[drawn].sum() / probability[drawn].sum())
    low, high = np.percentile(ratios, [2.5, 97.5])
    farthest = told["calibration in the large"].value
    assert farthest == pytest.approx(max(high, 1 / low), rel=0.1)
    assert told["calibration in the large"].found.startswith(
        f"{data.label.sum() / probability.sum():.2f} "
    )


@pytest.mark.parametrize(("rule", "field"), ON_OUTCOMES.items())
def test_null_switches_a_rule_off_and_no_other(weighed, noisy, rule, field):
    found = weighed(noisy(3.0, 5, shift=2.0))
    before, after = verdicts(found), verdicts(found, GateSpec.model_validate({field: None}))
    assert after[rule] == "off"
    assert {**before, rule: "off"} == after


def test_with_too_few_conversions_nothing_is_judged_and_the_lack_is_counted(equal):
    spec = GateSpec(min_converting=equal.converting + 7)
    found = {one.rule: one for one in judge_evidence(equal, spec)}
    assert {found[rule].verdict for rule in ON_OUTCOMES} == {"not judged"}
    assert found["enough evidence"].verdict == "fail"
    assert "7 more needed" in found["enough evidence"].found
    assert verdicts(equal, GateSpec(min_converting=equal.converting))["enough evidence"] == "pass"


def test_rows_without_a_conversion_promote_nobody_even_without_a_minimum(world, weighed, noisy):
    quiet = replace(world.data, label=np.zeros(len(world.data), bool))
    rulings = judge_evidence(weighed(noisy(0.1, 1), quiet), GateSpec(min_converting=None))
    assert {one.verdict for one in rulings} == {"off", "not judged"}
    assert not passes(rulings)


def test_without_a_champion_only_the_scorecard_is_compared_with(equal):
    told = verdicts(equal, against_champion=False)
    assert [rule for rule in told if "champion" in rule] == []
    assert told["PR-AUC, scorecard"] == "pass"


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    margins=st.tuples(*[st.floats(0, 0.5)] * 4),
    factor=st.floats(1.01, 4),
    error=st.floats(0.01, 2),
    wider=st.floats(1, 3),
)
def test_a_wider_limit_never_turns_a_pass_into_a_fail(unsure, margins, factor, error, wider):
    def spec(times: float) -> GateSpec:
        fields = list(ON_OUTCOMES.values())
        values = dict(zip(fields, [min(0.99, m * times) for m in margins], strict=False))
        return GateSpec(
            **values, calibration_factor=factor * times, calibration_error=error * times
        )

    narrow, wide = verdicts(unsure, spec(1.0)), verdicts(unsure, spec(wider))
    assert all(wide[rule] == "pass" for rule in narrow if narrow[rule] == "pass")


@pytest.fixture(scope="module")
def unsure(weighed, noisy) -> Evidence:
    return weighed(noisy(0.7, 8, shift=0.2))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["pass", "fail", "not judged", "off"]), max_size=5))
def test_only_rules_that_pass_or_are_off_let_a_challenger_through(found):
    rulings = [Ruling("a rule", verdict, "", "", "") for verdict in found]
    assert passes(rulings) == (not {"fail", "not judged"} & set(found))


PQLS = ("critical", "hot")


def test_pqls_are_compared_entity_by_entity():
    before = np.array(["cold", "warm", "hot", "critical", "hot", "critical"], object)
    after = np.array(["hot", "cold", "critical", "critical", "warm", "cold"], object)
    ruling = judge_tiers(before, after, PQLS, GateSpec(most_pql_churn=0.49))
    assert (ruling.verdict, ruling.value) == ("fail", 0.5)
    assert ruling.found == "50.0 %: of 4 PQLs 2 lost, 1 new"
    assert judge_tiers(before, after, PQLS, GateSpec(most_pql_churn=0.5)).verdict == "pass"
    assert judge_tiers(before[:0], after[:0], PQLS, GateSpec()).verdict == "not judged"
    assert judge_tiers(before, after, PQLS, GateSpec(most_pql_churn=None)).verdict == "off"
    assert judge_tiers(before, after, ("warm",), GateSpec()).value == 1


def test_no_pqls_by_either_are_no_change_and_a_flood_of_new_ones_is_one():
    cold, hot = np.full(10, "cold", object), np.full(10, "hot", object)
    few = np.r_[hot[:2], cold[:8]]
    assert judge_tiers(cold, cold, PQLS, GateSpec()).verdict == "pass"
    for one, other in ((few, hot), (hot, few)):
        assert judge_tiers(one, other, PQLS, GateSpec()).value == pytest.approx(0.8)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_an_unrelated_order_is_refused_however_few_the_pqls_are(share):
    """Of all accounts, mostly cold by any model, hardly any would change tier."""
    rng = np.random.default_rng(0)
    tiers = np.where(np.arange(4000) < share * 4000, "hot", "cold").astype(object)
    one, other = rng.permutation(tiers), rng.permutation(tiers)
    assert judge_tiers(one, other, PQLS, GateSpec()).verdict == "fail"
    kept = one.copy()
    kept[rng.choice(np.flatnonzero(one == "hot"), round(share * 1000), replace=False)] = "cold"
    assert judge_tiers(one, kept, PQLS, GateSpec()).verdict == "pass"


def test_all_askings_together_err_no_more_than_one_of_a_ninety_percent_interval():
    errors = [(1 - confidence(k)) / 2 for k in range(1, 5000)]
    assert errors[0] == pytest.approx(0.025)
    assert 0.0499 < sum(errors) < 0.05
    # The share of a normal beyond the stretched end, drawn.
    beyond = np.random.default_rng(1).normal(size=2_000_000) > 1.959964 * stretch(4)
    assert beyond.mean() == pytest.approx(errors[3], rel=0.05)


def test_each_asking_is_harder_and_the_level_is_told(weighed, noisy):
    found = weighed(noisy(0.7, 8, shift=0.2))
    told = [{one.rule: one for one in judge_evidence(found, GateSpec(), asked=k)} for k in (1, 9)]
    for rule in ON_OUTCOMES:
        first, later = (one[rule] for one in told)
        assert not (first.verdict == "fail" and later.verdict == "pass")
        worse = -1 if rule.startswith("PR-AUC") else 1
        assert worse * later.value > worse * first.value
        assert "95 %" in first.found
        assert "99.889 %" in later.found
    low, later_low = (one["PR-AUC, champion"].value for one in told)
    table = found.table
    row = table[(table["metric"] == "pr_auc") & (table["contender"] == CHAMPION)].iloc[0]
    widened = (row["difference"] - later_low) / (row["difference"] - low)
    assert widened == pytest.approx(stretch(9))


def test_the_calibration_error_is_held_at_the_upper_end_of_its_interval(world, noisy):
    """Drawn again account by account, with rows repeated instead of weighted."""
    challenger = noisy(0.1, 1, shift=0.5)
    found = gather(
        world.data,
        dict.fromkeys((CHALLENGER, SCORECARD), challenger),
        capacity=20,
        n_bootstrap=300,
        seed=4,
    )
    rulings = judge_evidence(found, GateSpec(), against_champion=False)
    rule = {one.rule: one for one in rulings}
    label, probability = world.data.label, challenger.probability
    members = [np.flatnonzero(world.data.cluster == code) for code in np.unique(world.data.cluster)]
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(300):
        drawn = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        errors.append(calibration_error(label[drawn], probability[drawn]))
    shown = calibration_error(label, probability)
    upper = (2 * shown - np.percentile(errors, 2.5)) / label.mean()
    assert rule["calibration error"].value == pytest.approx(upper, rel=0.05)
    assert rule["calibration error"].value > shown / label.mean()


def test_an_error_that_only_might_be_within_the_limit_is_refused(weighed, noisy):
    found = weighed(noisy(0.1, 1, shift=0.35))
    table = found.table
    row = table[(table["metric"] == "calibration_error") & (table["contender"] == CHALLENGER)]
    shown = float(row["value"].iloc[0]) * found.rows / found.positives
    assert verdicts(found, GateSpec(calibration_error=shown * 1.01))["calibration error"] == "fail"


def test_an_anchor_is_compared_with_in_order_alone(world, noisy):
    rivals = {CHAMPION: noisy(3.0, 5), SCORECARD: noisy(3.0, 6), ANCHOR: noisy(0.1, 1)}
    found = gather(
        world.data,
        {CHALLENGER: noisy(3.0, 7), **rivals},
        capacity=20,
        n_bootstrap=N_BOOTSTRAP,
        seed=4,
    )
    told = verdicts(found, anchored=True)
    assert told["PR-AUC, anchor"] == "fail"
    assert "log loss, anchor" not in told
    assert verdicts(found, GateSpec(anchor_margin=None), anchored=True)["PR-AUC, anchor"] == "off"
    assert "PR-AUC, anchor" not in verdicts(found)


def test_days_count_from_the_last_change_and_a_first_one_is_free():
    spec = GateSpec(min_days_between=7.0)
    found = [judge_days(days, spec).verdict for days in (None, 6.99, 7.0, -3.0)]
    assert found == ["pass", "fail", "pass", "fail"]
    assert judge_days(1.0, GateSpec(min_days_between=None)).verdict == "off"


def test_an_audit_must_have_been_made_recorded_and_passed():
    clean, leaky = ({"passed": ok, "verdict": "So it is."} for ok in (True, False))
    spec = GateSpec()
    assert judge_audit(clean, True, spec).verdict == "pass"
    assert judge_audit(leaky, True, spec).verdict == "fail"
    assert "switched off" in judge_audit(None, True, spec).found
    assert "train again" in judge_audit(None, False, spec).found
    assert judge_audit(leaky, True, GateSpec(clean_audit=False)).verdict == "off"


def test_another_question_fails_and_is_named():
    assert judge_question([]).verdict == "pass"
    ruling = judge_question(["horizon_days is 14, the champion's 7"])
    assert (ruling.verdict, ruling.found) == ("fail", "horizon_days is 14, the champion's 7")


def moved(model: PropensityModel, rate: float, last_as_of: int | None) -> PropensityModel:
    scorer = copy.copy(model.scorer)
    shift = replace(shift_to_rate(np.array([0.1, 0.2]), rate), last_as_of=last_as_of)
    scorer.calibration = with_shift(model.scorer.calibration, shift)
    return PropensityModel(scorer, model.features, model.training)


def test_a_move_of_the_odds_is_told_from_another_model(fitted, fit, world):
    last = int(fitted.test.as_of.max())
    other = moved(fitted.model, 0.3, last)
    assert moved_only(other, fitted.model)
    retrained = fit(world, learner="booster", booster={"max_rounds": 5})
    assert not moved_only(retrained.model, fitted.model)
    assert not unseen_by(other, fitted.test, 7).any()
    assert unseen_by(as_fitted(other), fitted.test, 7).all()
