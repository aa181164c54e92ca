"""Learnt points: what a planted truth gives back, what is never allowed, and how it is judged."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import minimize

from features.clock import DAY_US, to_us
from features.errors import NotEnoughHistory, SettingsError
from features.matrix import FeatureMatrix, Snapshots
from features.naming import define
from models.dataset import Dataset
from models.scorecard import Scorecard, ScorecardSpec, fit_points
from models.scorecard.evidence import Evidence
from models.scorecard.signed import fit_signed, kept_thresholds

TRUTH = {"strong": 1.6, "weak": 0.7, "harmful": -1.2, "useless": 0.0, "repels": -0.9}
OLD = {"strong": 10, "weak": 30, "harmful": 30, "useless": 15, "repels": -10}
NAMES = tuple(TRUTH)


def _world(n_entities: int, seed: int, n_weeks: int = 10) -> Dataset:
    """Facts that come and go from week to week; whoever converts leaves."""
    rng = np.random.default_rng(seed)
    fired = rng.random((n_entities, n_weeks, len(NAMES))) < [0.2, 0.3, 0.3, 0.4, 0.3]
    logit = -4.2 + fired @ np.array([*TRUTH.values()])
    converts = rng.random((n_entities, n_weeks)) < 1 / (1 + np.exp(-logit))
    alive = np.cumsum(converts, axis=1) - converts == 0
    entity, week = np.nonzero(alive)
    ids = np.array([f"acc {code:05d}" for code in range(n_entities)], object)
    as_of = to_us("2024-01-01") + week * 7 * DAY_US
    features = tuple(define("count", "value", "entity", name, (name,), 28) for name in NAMES)
    columns = fired[entity, week].astype(np.float32).T
    table = pa.table([pa.array(one) for one in columns], names=[one.name for one in features])
    snapshots = Snapshots("account", entity.astype(np.int32), as_of, ids[entity])
    return Dataset(
        FeatureMatrix(snapshots, features, table),
        converts[entity, week],
        np.ones(len(entity), bool),
        ids[entity],
        np.full(len(entity), None, object),
    )


def _spec(old: dict[str, int]) -> ScorecardSpec:
    lines = [
        f"{name} | {points:+d} value: feature {name}_count_28d >= 1" for name, points in old.items()
    ]
    return ScorecardSpec.model_validate_json(json.dumps({"rules": lines}))


@pytest.fixture(scope="module")
def worlds():
    return _world(2500, 1), _world(2000, 2)


@pytest.fixture(scope="module")
def fit(worlds):
    return fit_points(*worlds, _spec(OLD), n_bootstrap=60, seed=3)


def _points(fit) -> dict[str, int]:
    return {one.rule.name: one.points for one in fit.rules}


def test_a_harmful_rule_in_favour_gets_0_and_is_dropped_not_turned_round(fit):
    assert _points(fit)["harmful"] == 0
    assert "harmful" not in {rule.name for rule in fit.spec.rules}
    harmful = next(one for one in fit.rules if one.rule.name == "harmful")
    assert (harmful.low, harmful.high, harmful.verdict) == (0, 0, "dropped")


def test_a_strong_rule_overtakes_a_weak_one_and_a_rule_against_stays_against(fit):
    points = _points(fit)
    assert points["strong"] > points["weak"] > 0 > points["repels"]


def test_points_follow_the_planted_log_odds(fit):
    ratio = _points(fit)["strong"] / _points(fit)["weak"]
    assert ratio == pytest.approx(TRUTH["strong"] / TRUTH["weak"], rel=0.3)


def test_points_are_multiples_of_five_within_100(fit):
    assert all(one.points % 5 == 0 and abs(one.points) <= 100 for one in fit.rules)


def test_the_learnt_points_are_better_on_later_rows_and_the_verdict_says_so(fit):
    assert fit.verdict.startswith("The learnt points are better on later rows (PR-AUC difference +")
    (row,) = [row for row in fit.compared() if row["metric"] == "roc_auc"]
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["new"] - row["old"] == pytest.approx(row["difference"])


def test_the_table_is_what_the_learnt_scorecard_earns_on_later_rows(fit, worlds):
    """An oracle that goes the long way: score the rows, count the pairs."""
    later = worlds[1]
    points = Scorecard(fit.spec).score(later.matrix).points
    yes, no = points[later.label], points[~later.label]
    pairs = (yes[:, None] > no).mean() + (yes[:, None] == no).mean() / 2
    (row,) = [row for row in fit.compared() if row["metric"] == "roc_auc"]
    assert row["new"] == pytest.approx(pairs)


def test_true_points_are_kept_about_as_they_are(worlds):
    true = {"strong": 40, "weak": 20, "repels": -20}
    found = fit_points(*worlds, _spec(true), n_bootstrap=20)
    off = {name: points - true[name] for name, points in _points(found).items()}
    assert all(abs(points) <= 5 for points in off.values()), off
    assert found.verdict.startswith("No difference")


def test_new_thresholds_leave_each_tier_about_as_many_rows(worlds):
    spec = _spec(OLD).model_copy(update={"thresholds": _thresholds(20, 45, 60)})
    found = fit_points(*worlds, spec, n_bootstrap=5)
    data = worlds[0]
    old, new = Scorecard(spec).score(data.matrix).points, Scorecard(found.spec).score(data.matrix)
    shares = np.unique(new.points, return_counts=True)[1] / len(data)
    for tier in ("warm", "hot"):
        before = (old >= getattr(spec.thresholds, tier)).mean()
        after = (new.points >= getattr(found.thresholds, tier)).mean()
        # A tier can't be cut finer than the points that rows share.
        assert abs(before - after) <= shares.max() / 2 + 1e-9


def test_new_thresholds_rise_and_somebody_reaches_each(worlds):
    """Of the old points nobody has enough for hot, and one sum alone would be warm."""
    spec = _spec(OLD).model_copy(update={"thresholds": _thresholds(80, 90, 200)})
    found = fit_points(*worlds, spec, n_bootstrap=5)
    points = Scorecard(found.spec).score(worlds[0].matrix).points
    limits = found.thresholds
    assert min(points) < limits.warm < limits.hot < limits.critical <= max(points)
    assert found.reached == {
        tier: (points >= edge).mean() for tier, edge in limits.model_dump().items()
    }
    assert found.old_reached["critical"] == 0
    assert "nobody is" not in found.tiers_told
    assert found.tiers_told.endswith(", none).")


def test_tiers_that_too_few_sums_leave_empty_are_named(worlds):
    """One rule has two sums: its points or none."""
    found = fit_points(*worlds, _spec({"strong": 60}), n_bootstrap=5)
    (points,) = _points(found).values()
    limits = found.thresholds
    assert [*limits.model_dump().values()] == [points, points + 5, points + 10]
    assert found.tiers_told.endswith("nobody is hot or critical.")
    assert "Too few sums" in found._repr_html_()


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ([0, 60, 80, 110], [0, 20, 30, 40], (20, 30, 40)),
        ([0, 0, 0, 0, 60], [0, 5, 75, 75, 80], (5, 75, 80)),
        ([0, 0, 0, 0, 60], [0, 55, 55, 55, 55], (55, 60, 65)),
        # Nobody was warm: the highest sums, which fewest have.
        ([0, 0, 0, 0, 0], [0, 10, 20, 30, 40], (20, 30, 40)),
        # Everybody was: so it stays.
        ([60, 60, 80, 110], [10, 10, 20, 30], (10, 20, 30)),
        ([60, 0, 0, 0], [-20, -15, -10, 0], (-15, -10, 0)),
        ([0, 0], [5, 5], (10, 15, 20)),
    ],
)
def test_thresholds_by_hand(old, new, kept):
    assert kept_thresholds(np.array(old), np.array(new), (51, 76, 101)) == kept


def _thresholds(warm: float, hot: float, critical: float):
    return ScorecardSpec.model_validate_json(
        json.dumps({"thresholds": {"warm": warm, "hot": hot, "critical": critical}})
    ).thresholds


def test_labels_that_are_not_mature_are_never_read(worlds, fit):
    data, later = worlds

    def spoilt(rows: Dataset) -> Dataset:
        recent = rows.as_of >= np.quantile(rows.as_of, 0.8)
        flipped = np.where(recent, ~rows.label, rows.label)
        return replace(rows, label=flipped, mature=~recent)

    honest = [rows.take(rows.as_of < np.quantile(rows.as_of, 0.8)) for rows in (data, later)]
    how = {"n_bootstrap": 5, "seed": 1}
    expected = fit_points(*honest, _spec(OLD), **how)
    assert fit_points(spoilt(data), spoilt(later), _spec(OLD), **how).as_dict() == (
        expected.as_dict()
    )


def test_the_same_rows_and_seed_give_the_same_points_and_intervals(worlds, fit):
    again = fit_points(*worlds, _spec(OLD), n_bootstrap=60, seed=3)
    assert json.dumps(again.as_dict()) == json.dumps(fit.as_dict())


def test_learning_never_looks_at_the_later_rows(worlds, fit):
    other = fit_points(worlds[0], _world(800, 9), _spec(OLD), n_bootstrap=5, seed=3)
    assert _points(other) == _points(fit)
    assert other.thresholds == fit.thresholds


def test_a_rule_without_data_keeps_its_points_and_says_so(worlds):
    spec = _spec(OLD | {"gone": 25})
    found = fit_points(*worlds, spec, n_bootstrap=5)
    gone = found.rules[-1]
    assert (gone.rule.points, gone.has_data, gone.verdict) == (25, False, "no data")
    assert next(rule for rule in found.spec.rules if rule.name == "gone").points == 25


def test_of_a_rule_that_nobody_earns_nothing_is_learnt_and_its_points_stay(worlds, fit):
    never = "unheard of | +35 value: feature strong_count_28d >= 99"
    rules = [rule.line for rule in _spec(OLD).rules]
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": [*rules, never]}))
    found = fit_points(*worlds, spec, n_bootstrap=60, seed=3)
    last = found.rules[-1]
    assert (last.points, last.share, last.verdict) == (35, 0, "never earned")
    assert np.isnan([last.learnt, last.low, last.high]).all()
    assert [one.points for one in found.rules[:-1]] == [one.points for one in fit.rules]
    assert found.spec.rules[-1].points == 35


def test_no_interval_leaves_the_scale_of_points(worlds):
    """Of a card of one rule all points are its own."""
    found = fit_points(*worlds, _spec({"strong": 90}), n_bootstrap=60, seed=3)
    assert all(-100 <= one.low <= one.high <= 100 for one in found.rules)


def test_too_few_conversions_are_refused_and_so_is_a_card_without_data(worlds):
    data, later = worlds
    with pytest.raises(NotEnoughHistory, match="accounts convert on the rows to learn from"):
        fit_points(_world(40, 4), later, _spec(OLD), n_bootstrap=5)
    with pytest.raises(SettingsError, match="None of the scorecard's 1 rules has data"):
        fit_points(data, later, _spec({"gone": 5}), n_bootstrap=5)


def test_rules_that_all_point_the_wrong_way_are_refused(worlds):
    with pytest.raises(NotEnoughHistory, match="in its own direction"):
        fit_points(*worlds, _spec({"harmful": 30}), n_bootstrap=5)


@pytest.mark.parametrize("seed", range(5))
def test_the_bounded_fit_finds_what_a_general_optimiser_finds(seed):
    rng = np.random.default_rng(seed)
    fired = rng.random((1500, 8)) < rng.random(8)
    label = rng.random(1500) < 1 / (1 + np.exp(3 - fired @ rng.normal(0, 0.8, 8)))
    patterns = Evidence.of(fired, label, np.arange(1500), np.ones(8)).patterns()
    sign = np.where(rng.random(8) < 0.7, 1.0, -1.0)
    prior = sign * np.abs(rng.normal(0, 0.5, 8))

    def loss(both: np.ndarray) -> float:
        logit = fired @ both[:-1] + both[-1]
        away = both[:-1] - prior
        return np.logaddexp(0, np.where(label, -logit, logit)).sum() + 1.5 * (away @ away)

    bounds = [(0, None) if one > 0 else (None, 0) for one in sign] + [(None, None)]
    other = minimize(loss, np.zeros(9), method="SLSQP", bounds=bounds, options={"ftol": 1e-12})
    weights, constant = fit_signed(patterns, prior, sign, penalty=3.0)
    assert (weights * sign >= 0).all()
    assert loss(np.r_[weights, constant]) <= other.fun + 1e-4
    assert weights == pytest.approx(other.x[:-1], abs=2e-3)


def test_a_card_of_few_points_still_has_room_for_what_is_learnt(worlds):
    few = {name: 1 if points > 0 else -1 for name, points in OLD.items()}
    points = _points(fit_points(*worlds, _spec(few), n_bootstrap=5))
    assert 50 <= sum(map(abs, points.values())) <= 100
    assert points["strong"] > points["weak"] > 0


def test_a_fit_in_a_notebook_shows_old_and_new_and_no_markup_of_names(worlds):
    spec = _spec(OLD)
    named = spec.rules[0].model_copy(update={"name": "<script>x</script>"})
    found = fit_points(*worlds, spec.model_copy(update={"rules": (named, *spec.rules[1:])}),
                       n_bootstrap=5)  # fmt: skip
    html = found._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "PR-AUC" in html
