"""The parts of the milestone search, each against an oracle written differently."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from sklearn.linear_model import LogisticRegression

from features.clock import DAY_US
from features.labels import NEVER_US
from models.milestones import Eligible, Journeys
from models.milestones.candidates import THRESHOLDS, Candidate, candidates_of
from models.milestones.controls import controls_of, standardised
from models.milestones.experiment import experiment_for, sample_size
from models.milestones.figures import shares_of
from models.milestones.landmarks import landmarks
from models.milestones.moments import draw_moments
from models.milestones.score_test import Null, fit_logistic, q_values
from models.milestones.steps import Steps, steps_of_one

FEW = settings(deadline=None, derandomize=True, max_examples=40)
EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2), st.integers(0, 30)), max_size=40)
ASKED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 31)), min_size=1, max_size=10)


def columns(rows, n):
    return (
        np.array(column, np.int64) for column in (zip(*rows, strict=True) if rows else [()] * n)
    )


def journeys_of(events, entered, converted, data_end, level="account"):
    """From (entity, member, event, at) rows in days."""
    frame = pd.DataFrame(events, columns=["entity", "member", "event", "at"])
    frame = frame.sort_values(["entity", "at"], kind="stable")
    names = tuple(sorted(set(frame["event"])))

    def days(values):
        return np.array([NEVER_US if day is None else round(day * DAY_US) for day in values])

    return Journeys(
        level,
        names,
        frame["entity"].to_numpy(np.int32),
        frame["member"].to_numpy(np.int32),
        frame["event"].map(names.index).to_numpy(np.int32),
        days(frame["at"]),
        days(entered),
        days(converted),
        np.arange(len(entered)),
        data_end * DAY_US,
    )


@FEW
@given(EVENTS, ASKED)
def test_counts_of_steps_are_those_of_a_loop(rows, asked):
    rows = sorted((entity, at) for entity, _, at in rows)
    entity, at = columns(rows, 2)
    steps = Steps.of(entity, at, 4)
    who, limit = columns(asked, 2)
    assert steps.before(who, limit).tolist() == [
        sum(one == entity and time < until for one, time in rows) for entity, until in asked
    ]


@FEW
@given(EVENTS, ASKED)
def test_the_furthest_member_is_the_one_a_loop_finds(rows, asked):
    entity, member, at = columns(rows, 3)
    steps = steps_of_one(entity, member, at, 4)
    who, limit = columns(asked, 2)
    expected = [
        max(
            sum(row[0] == entity and row[1] == one and row[2] < until for row in rows)
            for one in range(3)
        )
        for entity, until in asked
    ]
    assert steps.before(who, limit).tolist() == expected


def test_q_values_are_those_of_scipy():
    p_values = np.random.default_rng(2).random(30) ** 2
    assert q_values(p_values) == pytest.approx(false_discovery_control(p_values))


def test_the_regression_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 3))
    y = rng.random(600) < 1 / (1 + np.exp(2 - x @ [1.0, -0.5, 0.0]))
    other = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
    mine = fit_logistic(np.column_stack([np.ones(600), x]), y)
    assert mine == pytest.approx(np.r_[other.intercept_, other.coef_[0]], abs=1e-3)


def test_the_regression_stands_where_a_column_rules_conversions_out():
    """Nobody of a rare group converts: at the top, whatever is expected sums to what was."""
    rng = np.random.default_rng(10)
    group = rng.permutation(np.repeat(np.arange(14), 600))
    rate = np.where(group == 4, 0.7, 0.004)
    y = (rng.random(8400) < rate) & (group > 2)
    columns = np.column_stack([np.ones(8400), standardised(group[:, None] == np.arange(13))[:, 1:]])
    weights = fit_logistic(columns, y)
    expected = 1 / (1 + np.exp(-columns @ weights))
    assert np.abs(columns.T @ (y - expected)).max() < 0.05


@pytest.fixture(scope="module")
def null_p_values():
    """P values of families of nested thresholds that mean nothing, confounded by activity."""
    rng, found = np.random.default_rng(4), []
    cluster = np.repeat(np.arange(500), 3)
    for _ in range(120):
        activity = np.repeat(rng.normal(size=500), 3) + rng.normal(0, 0.5, 1500)
        converts = rng.random(1500) < 1 / (1 + np.exp(2.5 - activity))
        count = rng.poisson(np.exp(1 + 0.5 * activity))
        reached = count[:, None] >= np.arange(1, 9)
        null = Null.fit(np.column_stack([np.ones(1500), activity]), converts, cluster)
        found.append(null.scores(reached).p_value(400, rng))
    return np.array(found)


def test_where_nothing_is_p_values_below_a_level_are_as_rare_as_it_says(null_p_values):
    """Of 120 draws 5 % are 6; 13 or more happen once in a hundred times."""
    assert (null_p_values <= 0.05).sum() < 13
    assert 10 < (null_p_values <= 0.25).sum() < 48


def test_the_p_value_pays_for_all_thresholds_but_not_twice(null_p_values):
    """Unpaid, the best of eight would pass a level of 5 % in far more draws than it says."""
    rng = np.random.default_rng(5)
    x = rng.random((4000, 1)) < 0.3
    copies = np.repeat(x, 6, axis=1)
    converts = rng.random(4000) < np.where(x[:, 0], 0.13, 0.1)
    null = Null.fit(np.ones((4000, 1)), converts, np.arange(4000))
    one, six = (null.scores(each).p_value(4000, np.random.default_rng(6)) for each in (x, copies))
    assert six == pytest.approx(one, rel=0.3)
    assert one < 0.05


def test_the_sample_size_has_the_power_it_claims():
    n = sample_size(0.10, 0.13)
    power = [_power(0.10, 0.13, size) for size in (n - 20, n, n + 20)]
    assert power[0] < 0.8 < power[2]
    assert power[1] == pytest.approx(0.8, abs=0.002)


def _power(control, treated, n):
    """Of the two-sided 5 % test of two shares, by simulation of its normal approximation."""
    mean = (control + treated) / 2
    critical = 1.959964 * np.sqrt(2 * mean * (1 - mean) / n)
    spread = np.sqrt((control * (1 - control) + treated * (1 - treated)) / n)
    return 1 - NormalDist(treated - control, spread).cdf(critical)


def test_an_experiment_moves_a_tenth_of_the_adjusted_effect():
    made = experiment_for(base_rate=0.05, not_reached_rate=0.04, ratio=2.0)
    assert made.encouraged == pytest.approx(0.05 + 0.1 * (1 - 0.96**2 - 0.04))
    assert made.per_arm == sample_size(0.05, made.encouraged)
    assert experiment_for(0.05, 0.04, ratio=0.9) is None


def test_shares_and_their_intervals_are_those_of_a_plain_bootstrap():
    rng = np.random.default_rng(7)
    cluster = rng.integers(0, 80, 400)
    reached, converts = rng.random(400) < 0.4, rng.random(400) < 0.3
    got = shares_of(reached, converts, cluster, 800, np.random.default_rng(8))
    assert got.lift.value == pytest.approx(converts[reached].mean() / converts.mean())
    drawn = []
    for _ in range(800):
        rows = np.concatenate([np.flatnonzero(cluster == c) for c in rng.integers(0, 80, 80)])
        drawn.append(converts[rows][reached[rows]].mean())
    low, high = np.percentile(drawn, (2.5, 97.5))
    assert (got.precision.low, got.precision.high) == pytest.approx((low, high), abs=0.02)


def test_of_nobody_there_are_no_shares():
    nobody = np.zeros(0, bool)
    assert np.isnan(shares_of(nobody, nobody, np.zeros(0), 10, np.random.default_rng(0)).lift.value)


def test_a_landmark_ends_at_the_conversion_and_its_follow_up_before_the_data():
    """Entered on day 0, midnights on day 7 and 14; conversions at day 7, at 14, and never."""
    events = [(who, who, "work", day) for who in range(3) for day in range(40)]
    world = journeys_of(events, [0, 0, 0], [7, 14, None], data_end=21)
    found = landmarks(world, Eligible(28), None, 0, follow_up_days=7)
    rows = list(
        zip(found.entity.tolist(), (found.at / DAY_US).tolist(), found.converts, strict=True)
    )
    assert rows == [(0, 7, True), (1, 7, False), (1, 14, True), (2, 7, False), (2, 14, False)]


def test_at_the_age_of_a_window_only_those_who_are_still_there_are_asked():
    events = [(who, who, "work", day) for who in range(3) for day in (0, 1, 2)]
    world = journeys_of(events, [0, 0, 40], [2, 6, None], data_end=60)
    found = landmarks(world, Eligible(28), 3, 0, follow_up_days=5)
    assert (found.entity.tolist(), found.converts.tolist()) == ([1], [True])


def test_a_window_ends_with_its_last_day():
    events = [(0, 0, "work", 6.999), (1, 1, "work", 7.0)]
    world = journeys_of(events, [0, 0], [None, None], data_end=20)
    within = Candidate(0, "work", 1, "account", 7)
    at = within.reached_at(world, within.steps(world), np.arange(2))
    assert (at < NEVER_US).tolist() == [True, False]


@pytest.fixture(scope="module")
def busy():
    rng = np.random.default_rng(9)
    rows = [
        (who, who * 2 + int(rng.integers(2)), name, day + rng.random())
        for who in range(300)
        for day in np.flatnonzero(rng.random(90) < 0.3)
        for name in ("work", "read")
    ]
    converted = [float(rng.uniform(5, 120)) for _ in range(300)]
    bought = [day if day < 90 else None for day in converted]
    return journeys_of(rows, rng.uniform(0, 10, 300), bought, data_end=90)


def test_nobody_is_compared_after_they_converted_or_before_they_entered(busy):
    gap = DAY_US
    moments = draw_moments(busy, Eligible(28), gap, np.random.default_rng(0))
    base = moments.take(~moments.converts)
    assert (base.at + gap <= np.minimum(busy.converted_at, busy.data_end)[base.entity]).all()
    assert (moments.at > busy.entered_at[moments.entity]).all()
    case = moments.take(moments.converts)
    assert (case.at + gap == busy.converted_at[case.entity]).all()
    assert len(base) > 20 * len(case)


def test_moments_are_spread_over_everyones_time_evenly(busy):
    """Those who stay twice as long are asked twice as often."""
    moments = draw_moments(busy, Eligible(400), 0, np.random.default_rng(0))
    asked = np.bincount(moments.entity[~moments.converts], minlength=300)
    stayed = np.minimum(busy.converted_at, busy.data_end) - busy.entered_at
    kept = stayed > 20 * DAY_US
    share = asked[kept] / asked[kept].sum(), stayed[kept] / stayed[kept].sum()
    assert np.abs(share[0] - share[1]).max() < 0.0015


def test_controls_know_nothing_of_what_comes_at_or_after_their_moment(busy):
    moments = draw_moments(busy, Eligible(28), DAY_US, np.random.default_rng(0))
    some = moments.take(moments.at < 45 * DAY_US)
    early = busy.at < some.at.max()
    cut = Journeys(
        *(busy.level, busy.names, busy.entity[early], busy.member[early], busy.event[early]),
        *(busy.at[early], busy.entered_at, busy.converted_at, busy.cluster, busy.data_end),
    )
    assert np.array_equal(controls_of(busy, some).activity, controls_of(cut, some).activity)


def test_every_threshold_tried_is_that_of_a_plain_count(busy):
    moments = draw_moments(busy, Eligible(28), DAY_US, np.random.default_rng(0))
    tried = list(candidates_of(busy, moments, busy.names.index("work"), (7, None)))
    assert {one.scope for one, _ in tried} == {"account", "member"}
    work = busy.event == busy.names.index("work")
    rng = np.random.default_rng(1)
    for at in rng.integers(len(tried), size=12):
        candidate, reached = tried[at]
        for row in rng.integers(len(moments), size=5):
            entity, limit = moments.entity[row], moments.at[row]
            if candidate.within_days is not None:
                limit = min(limit, busy.entered_at[entity] + candidate.within_days * DAY_US)
            mine = work & (busy.entity == entity) & (busy.at < limit)
            counts = np.unique(busy.member[mine], return_counts=True)[1]
            count = mine.sum() if candidate.scope == "account" else max(counts, default=0)
            assert reached[row] == (count >= candidate.at_least)


def test_no_true_threshold_lies_more_than_a_fifth_from_one_that_is_tried():
    tried = np.array(THRESHOLDS)
    assert all(np.abs(tried - true).min() <= 0.2 * true for true in range(1, 1000))
