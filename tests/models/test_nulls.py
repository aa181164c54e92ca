"""Nulls: they know what they are said to know, and the model must be above the nearest."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US
from features.definitions import Condition, Feature
from models.calibration import CalibrationSpec
from models.dataset import Customers, Dataset
from models.judging.bootstrap import Contender
from models.judging.nulls import (
    Null,
    beside_nulls,
    contender_of,
    mixed_within,
    nearest_null,
    nulls,
    with_permuted_labels,
)
from models.learners.rungs import ModelSpec
from models.metrics import pr_auc, roc_auc
from models.presence import age_days, recent_events
from models.propensity import PropensityModel

SPEC = ModelSpec.model_validate(
    {
        "learner": "booster",
        "similarity": {"enabled": False},
        "fit_usage": {"enabled": False},
        "booster": {"max_rounds": 40, "seeds": 1},
    }
)


def _fit(train: Dataset, calibrate: Dataset, customers: Customers) -> PropensityModel:
    return PropensityModel.fit(train, calibrate, customers, SPEC, horizon_days=7, seed=3)


@pytest.fixture(scope="module")
def found(fitted: object) -> tuple[Null, ...]:
    one = fitted
    return nulls(
        _fit,
        one.model,
        one.train,
        one.calibrate,
        one.test,
        one.world.customers,
        CalibrationSpec(),
        permutations=2,
    )


def _by_name(found: tuple[Null, ...]) -> dict[str, Null]:
    return {null.name: null for null in found}


def test_the_nulls_are_these(found: tuple[Null, ...]) -> None:
    assert list(_by_name(found)) == [
        "permuted labels 1",
        "permuted labels 2",
        "scrambled features",
        "newest first",
        "most active first",
    ]


def test_one_permutation_says_little_about_the_next(found: tuple[Null, ...]) -> None:
    one, two = (_by_name(found)[f"permuted labels {n}"].contender.score for n in (1, 2))
    assert not np.allclose(one, two)


def test_what_is_permuted_or_scrambled_knows_next_to_nothing(
    found: tuple[Null, ...], fitted: object
) -> None:
    own = contender_of(fitted.model, fitted.test)
    blind = [_by_name(found)[name].contender for name in list(_by_name(found))[:3]]
    worth = [roc_auc(fitted.test.label, who.score) for who in (own, *blind)]
    assert worth[0] > max(worth[1:])
    # Permuted labels teach the base rate and nothing else, scrambled features not even that.
    assert max(np.ptp(who.probability) for who in blind[:2]) < np.ptp(own.probability) / 2
    assert abs(worth[3] - 0.5) < 0.15


def test_scrambled_features_are_those_of_another_row_of_the_date(
    found: tuple[Null, ...], fitted: object
) -> None:
    own, other = contender_of(fitted.model, fitted.test), _by_name(found)["scrambled features"]
    for date in np.unique(fitted.test.as_of):
        rows = fitted.test.as_of == date
        assert sorted(own.score[rows]) == sorted(other.contender.score[rows])
    assert not np.array_equal(own.score, other.contender.score)


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 5))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_rows_are_mixed_within_their_group_each_once(group: list[int], seed: int) -> None:
    dates = np.array(group, np.int64)
    index = mixed_within(dates, np.random.default_rng(seed))
    assert sorted(index.tolist()) == list(range(len(group)))
    assert np.array_equal(dates[index], dates)


def test_permuted_labels_keep_the_base_rate_of_every_date(fitted: object) -> None:
    rows = fitted.train
    mixed = with_permuted_labels(rows, np.random.default_rng(0))
    assert not np.array_equal(mixed.label, rows.label)
    for date in np.unique(rows.as_of):
        assert mixed.label[rows.as_of == date].sum() == rows.label[rows.as_of == date].sum()


def test_one_number_ranks_as_it_is_and_claims_the_base_rate_it_was_mapped_on(
    found: tuple[Null, ...], fitted: object
) -> None:
    active = _by_name(found)["most active first"].contender
    events = recent_events(fitted.test).values
    assert np.array_equal(active.score, events)
    more = np.argsort(events, kind="stable")
    assert (np.diff(active.probability[more]) >= 0).all()
    assert active.probability.mean() == pytest.approx(fitted.calibrate.label.mean(), rel=0.5)


def test_the_same_seed_gives_the_same_nulls(found: tuple[Null, ...], fitted: object) -> None:
    one = fitted
    again = nulls(
        _fit, one.model, one.train, one.calibrate, one.test, one.world.customers, CalibrationSpec(),
        permutations=2,
    )  # fmt: skip
    for null, other in zip(found, again, strict=True):
        assert null.contender.score.tobytes() == other.contender.score.tobytes()
        assert null.contender.probability.tobytes() == other.contender.probability.tobytes()


def _table(rows: Dataset, who: Contender, found: tuple[Null, ...]) -> pd.DataFrame:
    return beside_nulls(who, found, rows, capacity=10, n_bootstrap=60, seed=0)


@pytest.fixture(scope="module")
def large(make_world: Callable) -> Dataset:
    return make_world(n_entities=900, n_weeks=10, seed=4).data


def test_the_truth_is_above_its_nearest_null_and_noise_is_not(make_world: Callable) -> None:
    world = make_world(n_entities=900, n_weeks=10, seed=4)
    rows, truth = world.data, world.truth
    invites = rows.matrix.column("invites_count_28d").astype(float)
    noise = np.random.default_rng(0).random(len(rows))
    half = truth.mean() + 0 * truth
    known = (
        Null("invites", "", Contender(invites, half)),
        Null("noise", "", Contender(noise, half)),
    )
    converting = len(np.unique(rows.cluster[rows.label]))
    told = nearest_null(_table(rows, Contender(truth, truth), known), converting)
    assert told.startswith(
        "The null that comes nearest is 'invites'; the model is above it (PR-AUC"
    )
    lost = nearest_null(_table(rows, Contender(noise[::-1], half), known), converting)
    assert lost.startswith("The null 'invites' is better than the model")
    close = Contender(invites + 0.01 * noise, half)
    equal = nearest_null(_table(rows, close, known), converting)
    assert equal.startswith("The model is not shown to be above the null 'invites'")
    few = nearest_null(_table(rows, Contender(noise[::-1], half), known), 29)
    assert "'invites' ranks better on these rows" in few
    assert "take the list as a trial" in few
    few = nearest_null(_table(rows, Contender(truth, truth), known), 29)
    assert few.startswith("Too few conversions to tell the model from its nulls; 'invites'")


def test_differences_are_model_minus_null(large: Dataset) -> None:
    who = Contender(large.matrix.column("reports_count_7d").astype(float), np.full(len(large), 0.1))
    null = Contender(np.zeros(len(large)), np.full(len(large), 0.1))
    table = _table(large, who, (Null("flat", "", null),))
    row = table[(table["metric"] == "pr_auc") & (table["contender"] == "flat")].iloc[0]
    gap = pr_auc(large.label, who.score) - pr_auc(large.label, null.score)
    assert row["difference"] == pytest.approx(gap)
    assert row["difference_low"] <= gap <= row["difference_high"]


def _with(rows: Dataset, *added: tuple[Feature, list[float]]) -> Dataset:
    table, features = rows.matrix.table, rows.matrix.features
    for feature, values in added:
        table = table.append_column(feature.name, pa.array(values, pa.float32()))
        features = (*features, feature)
    return replace(rows, matrix=replace(rows.matrix, table=table, features=features))


def _feature(name: str, statistic: str, **more: object) -> Feature:
    fixed = {"events": (), "property": None, "days": None, "scope": "entity", "dtype": "number"}
    about = {"dimension": "engagement", "unit": "", "meaning": "told"}
    return Feature(**{"name": name, "statistic": statistic, **fixed, **about, **more})


def test_the_age_is_found_by_what_a_feature_is_and_never_by_its_name(large: Dataset) -> None:
    n = np.arange(len(large), dtype=float)
    impostors = [
        (_feature("any_event_days_since_first", "days_since_first", events=("paid",)), n),
        (_feature("b", "days_since_first", scope="account"), n),
        (_feature("c", "days_since_first", where=(Condition("x", one_of=("y",)),)), n),
    ]
    rows = _with(large, *impostors, (_feature("zzz", "days_since_first"), 2 * n))
    age = age_days(rows, ())
    assert (age.feature, age.values.tolist()) == ("zzz", (2 * n).tolist())
    assert age.source == "`zzz`: told"


def test_without_such_a_feature_the_age_is_that_of_the_first_row_seen(large: Dataset) -> None:
    late = large.take(large.as_of > np.median(large.as_of))
    age = age_days(late, (large,))
    first: dict[str, int] = {}
    for name, at in zip(large.matrix.snapshots.ids, large.as_of, strict=True):
        first[name] = min(at, first.get(name, at))
    wanted = [
        (at - first[name]) / DAY_US
        for name, at in zip(late.matrix.snapshots.ids, late.as_of, strict=True)
    ]
    assert age.values.tolist() == wanted
    assert age.feature is None


@pytest.mark.parametrize(
    ("windows", "chosen"),
    [((1, 7, 28, 90, None), 28), ((1, 14, 29), 14), ((29, 90, None), 29), ((None,), None)],
)
def test_activity_is_the_widest_window_of_at_most_28_days_else_the_narrowest(
    large: Dataset, windows: tuple[int | None, ...], chosen: int | None
) -> None:
    counts = [
        (_feature(f"f{days}", "count", days=days), [days or 0.0] * len(large)) for days in windows
    ]
    events = recent_events(_with(large, *counts))
    assert events.feature == f"f{chosen}"
    assert set(events.values) == {chosen or 0.0}


def test_without_a_count_of_any_event_single_ones_are_added_up(large: Dataset) -> None:
    names = ("reports_count_28d", "invites_count_28d", "noise_count_28d")
    wanted = sum(large.matrix.column(name).astype(float) for name in names)
    events = recent_events(large)
    assert np.array_equal(events.values, wanted)
    assert events.source == "the sum of 3 counts of single events in the last 28 days"


def test_without_any_count_there_is_no_activity(large: Dataset) -> None:
    plan = large.matrix.features[-1:]
    only = replace(large.matrix, features=plan, table=large.matrix.table.select([plan[0].name]))
    assert recent_events(replace(large, matrix=only)) is None
