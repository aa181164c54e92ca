"""The search: folds that look forward, trials that can be repeated, a winner that must prove it."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize_scalar

from features.clock import DAY_US
from features.errors import NotEnoughHistory, SettingsError
from models.choosing.search import Trial, best_of, search, spec_of
from models.choosing.tuning import (
    Judged,
    Tuning,
    TuningSpec,
    judge_tuning,
    read_budget,
    study_key,
    tuning_parts,
)
from models.choosing.walk_forward import (
    Preparation,
    paired_gain,
    sample_accounts,
    shifted_log_loss,
    walk_forward,
)
from models.learners.booster import BoosterSpec
from models.learners.rungs import ModelSpec
from models.metrics import log_loss
from models.propensity import PropensityModel
from models.scorecard import DEFAULT_RULES
from models.scoring import sigmoid

SHORT = BoosterSpec(max_rounds=25, patience_rounds=5)


@pytest.fixture(scope="module")
def prepared(world):
    return Preparation(world.customers, ModelSpec(booster=SHORT), 7, seed=5, threads=1)


@pytest.fixture(scope="module")
def parts(prepared, fitted):
    return tuning_parts(prepared, fitted.train, TuningSpec(folds=2))


def _record(trials=()) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    study.add_trials(trials)
    return study


def _search(parts, most, record=None, seed=5, default=SHORT, **more):
    quiet = {"expired": lambda: False, "on_trial": lambda _: None} | more
    record = _record() if record is None else record
    return search(parts, default, record, most=most, seed=seed, threads=1, **quiet)


def _plain(trials) -> list[Trial]:
    return [replace(trial, seconds=0.0) for trial in trials]


@given(
    st.lists(st.tuples(st.integers(0, 90), st.booleans()), min_size=1, max_size=300),
    st.integers(1, 20),
    st.integers(1, 5),
    st.integers(1, 4),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_fold_is_fitted_on_outcomes_that_were_known_when_its_rows_began(
    rows, horizon_days, folds, min_positives
):
    as_of = np.array([day for day, _ in rows]) * DAY_US
    label = np.array([converts for _, converts in rows])
    found = walk_forward(as_of, label, np.arange(len(label)), horizon_days, folds, min_positives)
    assert len(found) <= folds
    assert (np.sum([later for _, later in found], axis=0) <= 1).all()
    for train, later in found:
        assert as_of[train].max() + horizon_days * DAY_US <= as_of[later].min()
        assert label[train].sum() >= 10
        assert label[later].sum() >= min_positives
    ends = [(as_of[later].min(), as_of[later].max()) for _, later in found]
    assert ends == sorted(ends)


def test_folds_are_as_many_as_asked_and_share_the_conversions(world):
    found = walk_forward(
        world.data.as_of, world.data.label, world.data.cluster, 7, folds=3, min_positives=5
    )
    judged = [int(world.data.label[later].sum()) for _, later in found]
    assert len(found) == 3
    assert max(judged) < 2 * min(judged)
    assert found[-1][1][world.data.as_of == world.data.as_of.max()].all()


def test_with_few_conversions_there_are_fewer_folds_and_then_none(world):
    as_of, label, cluster = world.data.as_of, world.data.label, world.data.cluster
    many = len(np.unique(cluster[label]))
    numbers = [
        len(walk_forward(as_of, label, cluster, 7, 5, least)) for least in (1, many // 4, many + 1)
    ]
    assert numbers[0] == 5
    assert 0 < numbers[1] < 5
    assert numbers[2] == 0


def test_too_few_conversions_to_tune_on_say_so(prepared, fitted):
    with pytest.raises(NotEnoughHistory, match="too few to tune on"):
        tuning_parts(prepared, fitted.train, TuningSpec(min_positives=5_000))


def test_a_sample_holds_whole_accounts_and_no_more_rows_than_asked(world):
    sample = sample_accounts(world.data, 1_000, seed=1)
    assert 900 < len(sample) <= 1_000
    rows = {name: int((world.data.account == name).sum()) for name in sample.account}
    assert rows == {name: int((sample.account == name).sum()) for name in sample.account}
    assert sample_accounts(world.data, len(world.data), seed=1) is world.data
    assert set(sample_accounts(world.data, 1_000, seed=2).account) != set(sample.account)


@given(st.integers(0, 1_000), st.floats(-30, 30))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_loss_is_that_of_the_best_shift_whatever_the_base_rate_was(seed, moved):
    rng = np.random.default_rng(seed)
    raw = rng.normal(-3, 2, size=200)
    label = rng.random(200) < sigmoid(raw)
    label[:2] = True, False
    loss = shifted_log_loss(raw, label).mean()
    best = minimize_scalar(lambda by: log_loss(label, sigmoid(raw + by)), bounds=(-20, 20)).fun
    assert loss == pytest.approx(best, rel=1e-6)
    assert shifted_log_loss(raw + moved, label).mean() == pytest.approx(loss, rel=1e-9)


def test_the_standard_error_agrees_with_resampled_accounts():
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(300), rng.integers(1, 9, size=300))
    gain = rng.normal(size=300)[cluster] + rng.normal(size=len(cluster)) + 0.2
    mean, error = paired_gain(gain + 1, np.ones(len(gain)), cluster)
    rows = [np.flatnonzero(cluster == one) for one in range(300)]
    draws = []
    for _ in range(1_000):
        drawn = np.concatenate([rows[one] for one in rng.integers(300, size=300)])
        draws.append(gain[drawn].mean())
    assert mean == pytest.approx(gain.mean())
    assert error == pytest.approx(np.std(draws), rel=0.1)
    assert error > 1.5 * gain.std() / np.sqrt(len(gain))


def test_trial_0_is_the_default_as_it_is(parts):
    (trial,) = _search(parts, 1)
    losses = [part.losses(SHORT, seed=5 + at, threads=1) for at, part in enumerate(parts)]
    assert trial.losses == tuple(float(loss.mean()) for loss in losses)
    assert trial.value == pytest.approx(np.concatenate(losses).mean())
    assert trial.params["num_leaves"] == SHORT.num_leaves


def test_a_default_beyond_the_space_is_still_trial_0(parts):
    far = SHORT.model_copy(update={"num_leaves": 90, "lambda_l2": 0.0, "min_child_samples": 3})
    (trial,) = _search(parts, 1, default=far)
    losses = [part.losses(far, seed=5 + at, threads=1).mean() for at, part in enumerate(parts)]
    assert trial.losses == tuple(losses)
    assert trial.params["num_leaves"] == 90


def test_trees_are_tuned_as_the_partner_of_the_regression(world, fitted):
    train, calibrate = fitted.train, fitted.calibrate
    spec = ModelSpec(
        learner="booster", booster=SHORT.model_copy(update={"seeds": 1, "weight": 0.3})
    )
    model = PropensityModel.fit(
        train, calibrate, world.customers, spec, horizon_days=7, seed=5, rules=DEFAULT_RULES
    )
    raw = model.predict(calibrate.matrix, calibrate.account, calibrate.domain)["raw_score"]
    prepared = Preparation(world.customers, spec, 7, 5, 1, DEFAULT_RULES)
    losses = prepared.part(train, calibrate).losses(spec.booster, seed=5, threads=1)
    assert np.allclose(losses, shifted_log_loss(raw.to_numpy(), calibrate.label))


def test_a_search_that_was_interrupted_finds_what_an_uninterrupted_one_finds(parts):
    whole = _record()
    trials = _search(parts, 16, whole)
    assert any(trial.value is None for trial in trials), "no trial was pruned"
    for done in (1, 7, 13):
        again = _record(whole.get_trials()[:done])
        assert _plain(_search(parts, 16, again)) == _plain(trials)
        assert len(again.trials) == 16
    assert _plain(_search(parts, 16, whole)) == _plain(trials)
    assert _plain(_search(parts, 4, whole)) == _plain(trials[:4])


def test_another_seed_proposes_other_parameters(parts):
    first, other = _search(parts, 3), _search(parts, 3, seed=6)
    assert first[0].params == other[0].params
    proposed = [trial.params for trial in (*first[1:], *other[1:])]
    assert len({str(params) for params in proposed}) == 4


def test_without_a_number_trials_are_made_until_time_is_up_and_at_least_one(parts):
    told: list[Trial] = []
    trials = _search(parts, None, expired=lambda: len(told) >= 2, on_trial=told.append)
    assert tuple(told) == trials
    assert len(trials) == 2
    assert len(_search(parts, None, expired=lambda: True)) == 1


def test_the_best_trial_is_complete_and_the_first_of_equals():
    def trial(number: int, value: float | None) -> Trial:
        return Trial(number, {}, (0.1,), value, 0.0)

    tried = [trial(0, 0.3), trial(1, None), trial(2, 0.2), trial(3, 0.2)]
    assert best_of(tried).number == 2
    tuning = Tuning(tuple(tried), SHORT, SHORT, None)
    assert [trial.number for trial in tuning.leaders(2)] == [2, 3]
    assert [trial.number for trial in tuning.leaders(9)] == [2, 3, 0]


@given(st.floats(0.0005, 0.02), st.integers(200, 10**6))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_leaves_grow_with_the_rows(share, rows):
    spec = spec_of({"leaf_share": share}, SHORT, rows)
    assert spec.min_child_samples is not None
    assert abs(spec.min_child_samples - share * rows) <= 1
    assert BoosterSpec.model_validate(spec.model_dump()) == spec


def _tuning(gain: float, error: float) -> Tuning:
    trials = (Trial(0, {}, (0.2,), 0.2, 0.0), Trial(1, {}, (0.1,), 0.1, 0.0))
    found = SHORT.model_copy(update={"num_leaves": 4})
    return Tuning(trials, SHORT, found, Judged(0.2, gain, error))


@pytest.mark.parametrize(
    ("tuning", "kept"),
    [(_tuning(0.02, 0.01), True), (_tuning(0.01, 0.01), False), (_tuning(-0.02, 0.01), False)],
    ids=["above one error", "at one error", "worse"],
)
def test_a_winner_is_kept_only_if_it_gains_more_than_one_error_on_later_rows(tuning, kept):
    assert tuning.kept is kept
    assert tuning.spec == (tuning.found if kept else tuning.default)
    assert ("is kept" in tuning.verdict) is kept


def test_a_bad_default_is_replaced_and_the_gain_is_real_on_rows_after_all_of_them(world, fitted):
    bad = SHORT.model_copy(
        update={
            "weight": 1.0,
            "learning_rate": 1.0,
            "num_leaves": 100,
            "min_child_samples": 1,
            "lambda_l1": 0.0,
            "lambda_l2": 0.0,
        }
    )
    prepared = Preparation(world.customers, ModelSpec(booster=bad), 7, seed=5, threads=1)
    trials = _search(tuning_parts(prepared, fitted.train, TuningSpec()), 6, default=bad)
    tuning = judge_tuning(trials, prepared, fitted.train, fitted.calibrate)
    assert tuning.kept
    last = prepared.part(fitted.train, fitted.test)
    before, after = (last.losses(s, seed=9, threads=1).mean() for s in (bad, tuning.spec))
    assert after < before


def test_judged_is_the_mean_gain_of_three_seeds_and_their_luck_is_in_the_error(
    prepared, parts, fitted
):
    trials = _search(parts, 1)
    other = Trial(1, trials[0].params | {"num_leaves": 4}, (0.0,), 0.0, 0.0)
    tuning = judge_tuning([*trials, other], prepared, fitted.train, fitted.calibrate)
    part = prepared.part(fitted.train, fitted.calibrate)
    assert tuning.found.num_leaves == 4
    before, after = (
        np.array([part.losses(spec, seed=seed, threads=1) for seed in (5, 6, 7)])
        for spec in (SHORT, tuning.found)
    )
    assert tuning.judged is not None
    assert tuning.judged.standing_loss == pytest.approx(before.mean())
    assert tuning.judged.gain == pytest.approx(before.mean() - after.mean())
    luck = np.std((before - after).mean(axis=1), ddof=1) / np.sqrt(3)
    _, accounts = paired_gain(before.mean(axis=0), after.mean(axis=0), part.held_cluster)
    assert tuning.judged.error == pytest.approx(np.hypot(luck, accounts))
    assert luck > 0


def test_the_winner_must_beat_the_rung_that_the_ladder_chose(prepared, parts, fitted):
    trials = _search(parts, 1)
    other = Trial(1, trials[0].params | {"num_leaves": 4}, (0.0,), 0.0, 0.0)
    tuning = judge_tuning(
        [*trials, other], prepared, fitted.train, fitted.calibrate, standing="logistic"
    )
    spec = ModelSpec(learner="logistic", booster=SHORT).without_views()
    model = PropensityModel.fit(
        fitted.train, fitted.calibrate, prepared.customers, spec, horizon_days=7, seed=5
    )
    rows = fitted.calibrate
    raw = model.predict(rows.matrix, rows.account, rows.domain)["raw_score"].to_numpy()
    assert tuning.judged is not None
    assert tuning.judged.standing_loss == pytest.approx(shifted_log_loss(raw, rows.label).mean())
    assert tuning.rung == ("booster" if tuning.kept else "logistic")
    assert "of the logistic" in tuning.verdict


def test_when_the_default_is_the_best_there_is_nothing_to_judge(prepared, parts, fitted):
    tuning = judge_tuning(_search(parts, 1), prepared, fitted.train, fitted.calibrate)
    assert tuning.spec == SHORT
    assert "none of 1 trial is better than the default" in tuning.verdict
    assert tuning.describe()[0].keys() >= {"number", "value", "losses", "learning_rate"}


@pytest.mark.parametrize("budget", ["ten", "10 m", "-3", "0", "1.5h", "10d", ""])
def test_a_budget_that_is_neither_trials_nor_time_is_refused(budget):
    with pytest.raises(SettingsError, match="neither a number of trials nor a time"):
        read_budget(budget)
    with pytest.raises(ValidationError, match="neither a number of trials nor a time"):
        TuningSpec(budget=budget)


def test_the_key_changes_with_all_that_changes_a_trial_and_not_with_the_budget(prepared, fitted):
    train, spec = fitted.train, TuningSpec()
    key = study_key(prepared, train, spec)
    assert key == study_key(prepared, train, TuningSpec(budget="10m"))
    assert key == study_key(replace(prepared, threads=2), train, spec)

    def with_model(**settings: object) -> Preparation:
        return replace(prepared, spec=ModelSpec.model_validate({"booster": SHORT, **settings}))

    flipped = train.label.copy()
    flipped[0] = ~flipped[0]
    others = [
        study_key(prepared, replace(train, label=flipped), spec),
        study_key(prepared, fitted.calibrate, spec),
        study_key(prepared, train, TuningSpec(folds=2)),
        study_key(replace(prepared, seed=6), train, spec),
        study_key(replace(prepared, horizon_days=8), train, spec),
        study_key(with_model(booster=BoosterSpec()), train, spec),
        study_key(with_model(similarity={"enabled": False}), train, spec),
        study_key(replace(prepared, rules=DEFAULT_RULES), train, spec),
        study_key(with_model(columns={"drop_duplicates": False}), train, spec),
        study_key(with_model(scorecard_counts_for=0), train, spec),
        study_key(
            replace(prepared, customers=fitted.world.customers.take(np.arange(50))), train, spec
        ),
    ]
    assert len({key, *others}) == len(others) + 1
