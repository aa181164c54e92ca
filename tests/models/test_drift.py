"""Drift against a pinned reference: quiet on a healthy company, loud on a broken one."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact

from features.clock import DAY_US, to_us
from features.definitions import Feature
from features.matrix import FeatureMatrix, Snapshots
from models.monitoring.bins import (
    benjamini_hochberg,
    bins_of,
    filled,
    n_bins,
    no_change,
    place,
    stability_index,
)
from models.monitoring.delays import share_known, still_to_come
from models.monitoring.drift import feature_drift, new_values, newcomer_drift, score_drift
from models.monitoring.event_volumes import event_reference, new_events, vanished
from models.monitoring.reference import NIGHTS, reference, reference_nights, weekday
from models.monitoring.rows import newcomers, thinned
from models.monitoring.spec import MonitorSpec
from models.monitoring.verdict import judge

NEWEST = to_us("2024-06-03")
SPEC = MonitorSpec()


def _feature(name: str, dimension: str = "value", dtype: str = "number") -> Feature:
    return Feature(name, dimension, "count", (name,), None, 7, "entity", dtype, "", meaning="")


FEATURES = (
    _feature("reports"),
    _feature("weekend"),
    _feature("tenure", "engagement"),
    _feature("industry", "fit", "category"),
)


def company(nights: np.ndarray, seed: int, *, entities: int = 400, industry=("it", "law")):
    """A cohort whose tenure grows, and who work less at weekends; one cluster per entity."""
    rng = np.random.default_rng(seed)
    entity = np.tile(np.arange(entities), len(nights))
    as_of = np.repeat(nights, entities)
    keen = np.random.default_rng(1).gamma(2.0, size=entities)
    weekend = np.isin(weekday(as_of), (0, 1))
    table = {
        "reports": rng.poisson(keen[entity]).astype(np.float32),
        "weekend": np.where(weekend, 0, 1 + rng.poisson(3, len(entity))).astype(np.float32),
        "tenure": ((as_of - to_us("2024-01-01")) / DAY_US + 9 * keen[entity]).astype(np.float32),
        "industry": np.array(industry)[rng.integers(len(industry), size=len(entity))],
    }
    ids = np.array([f"e{number}" for number in range(entities)], object)
    order = np.lexsort((as_of, entity))
    rows = Snapshots("account", entity[order], as_of[order], ids[entity[order]])
    columns = {name: pa.array(values[order]) for name, values in table.items()}
    return FeatureMatrix(rows, FEATURES, pa.table(columns)), entity[order]


def probability(matrix: FeatureMatrix) -> np.ndarray:
    reports = matrix.column("reports").astype(float)
    return 1 / (1 + np.exp(4 - reports))


@pytest.fixture(scope="module")
def pinned() -> dict:
    matrix, cluster = company(reference_nights(NEWEST), seed=2)
    newcomer = cluster % 10 == 0
    made = reference(matrix, probability(matrix), cluster, newcomer, {})
    return json.loads(json.dumps(made, allow_nan=False))


def one_night(day: int, **changes):
    as_of = NEWEST + day * DAY_US
    return *company(np.array([as_of]), seed=day, **changes), as_of


def test_a_healthy_company_that_grows_and_rests_at_weekends_does_not_drift(pinned):
    for day in range(1, 30):
        matrix, cluster, as_of = one_night(day)
        found = feature_drift(pinned, matrix, cluster, as_of, SPEC)
        assert [one.name for one in found if one.drifted] == [], f"night {day}"
        scores = score_drift(pinned, probability(matrix), cluster, as_of, SPEC)
        assert not scores.drifted


def test_without_its_own_weekday_the_weekend_would_be_drift(pinned):
    column = pinned["columns"]["weekend"]
    day = next(day for day in range(1, 8) if weekday(NEWEST + day * DAY_US) == 0)
    matrix, _, _ = one_night(day)
    now = filled(column, matrix.column("weekend"))
    assert stability_index(np.array(column["shares"]), 400, now, 400) > SPEC.psi


def test_one_broken_night_before_the_reference_hides_no_change_after_it():
    nights = reference_nights(NEWEST)
    matrix, cluster = company(nights, seed=2)
    whole, broken = matrix.column("reports"), matrix.column("reports").copy()
    broken[matrix.snapshots.as_of == nights[3]] = 50
    made = [
        reference(
            FeatureMatrix(
                matrix.snapshots, FEATURES, matrix.table.set_column(0, "reports", pa.array(values))
            ),
            probability(matrix),
            cluster,
            cluster < 0,
            {},
        )["columns"]["reports"]["usual"]
        for values in (whole, broken)
    ]
    assert made[1] < 0.1, "the worst night alone would say 9"
    assert made[0] <= made[1]


def test_a_feature_that_stops_is_drift_and_the_others_are_not(pinned):
    matrix, cluster, as_of = one_night(1)
    gone = matrix.table.set_column(0, "reports", pa.array(np.zeros(len(matrix), np.float32)))
    broken = FeatureMatrix(matrix.snapshots, FEATURES, gone)
    found = feature_drift(pinned, broken, cluster, as_of, SPEC)
    assert [one.name for one in found if one.drifted] == ["reports"]
    assert found[0].name == "reports"
    scores = score_drift(pinned, probability(broken), cluster, as_of, SPEC)
    assert scores.drifted


def test_values_that_become_unknown_are_drift_and_are_told(pinned):
    matrix, cluster, as_of = one_night(1)
    values = matrix.column("reports").copy()
    values[::2] = np.nan
    table = matrix.table.set_column(0, "reports", pa.array(values))
    (found,) = [
        one
        for one in feature_drift(
            pinned, FeatureMatrix(matrix.snapshots, FEATURES, table), cluster, as_of, SPEC
        )
        if one.name == "reports"
    ]
    assert found.drifted
    assert (found.unknown_before, found.unknown) == (0.0, 0.5)


def test_a_new_category_is_named_and_its_share_told(pinned):
    matrix, cluster, as_of = one_night(1, industry=("it", "law", "school", "school"))
    found = {one.name: one for one in feature_drift(pinned, matrix, cluster, as_of, SPEC)}[
        "industry"
    ]
    assert found.drifted
    assert found.unseen == pytest.approx((matrix.column("industry") == "school").mean(), abs=1e-9)
    assert new_values(pinned["columns"]["industry"], matrix.column("industry")) == ["school"]


def test_another_mix_of_sign_ups_shows_among_the_newcomers_alone(pinned):
    matrix, cluster, as_of = one_night(1)
    newcomer = cluster % 20 == 0
    assert not any(
        one.drifted for one in newcomer_drift(pinned, matrix, cluster, newcomer, as_of, SPEC)
    )
    industry = matrix.column("industry").copy()
    industry[newcomer] = "law"
    table = matrix.table.set_column(3, "industry", pa.array(industry))
    mixed = FeatureMatrix(matrix.snapshots, FEATURES, table)
    found = newcomer_drift(pinned, mixed, cluster, newcomer, as_of, SPEC)
    assert [one.name for one in found if one.drifted] == ["industry"]
    assert not any(one.drifted for one in feature_drift(pinned, mixed, cluster, as_of, SPEC))


def test_rows_of_one_account_count_once(pinned):
    matrix, cluster, as_of = one_night(1, industry=("it", "it", "it", "law"))
    apart = {o.name: o for o in feature_drift(pinned, matrix, cluster, as_of, SPEC)}["industry"]
    together = {o.name: o for o in feature_drift(pinned, matrix, cluster // 40, as_of, SPEC)}[
        "industry"
    ]
    assert apart.q < 1e-6
    assert together.q > 0.01


def test_equal_rows_pin_equal_references():
    matrix, cluster = company(reference_nights(NEWEST)[-9:], seed=2, entities=50)
    nobody = np.zeros(len(matrix), bool)
    texts = [
        json.dumps(reference(matrix, probability(matrix), cluster, nobody, {})) for _ in range(2)
    ]
    assert texts[0] == texts[1]


def test_the_nights_of_a_reference_meet_every_weekday():
    nights = reference_nights(NEWEST)
    pooled, earlier = nights[nights > NEWEST - NIGHTS * DAY_US], nights[:8]
    assert np.bincount(weekday(pooled)).tolist() == [4] * 7
    assert set(weekday(earlier)) == set(range(7))
    assert (np.diff(nights) > 0).all()


numbers = st.lists(
    st.one_of(st.floats(-5, 5, width=32), st.just(float("nan"))), min_size=1, max_size=40
)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(numbers, numbers)
def test_every_value_has_one_bin_and_bins_keep_the_order(before, now):
    bins = bins_of(np.array(before))
    values = np.array(now)
    found = place(bins, values)
    last = n_bins(bins) - 1
    assert ((found == last) == np.isnan(values)).all()
    known = np.argsort(values[~np.isnan(values)], kind="stable")
    assert (np.diff(found[~np.isnan(values)][known]) >= 0).all()
    assert filled(bins, values).sum() == pytest.approx(1)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=6).filter(any))
def test_nothing_moved_is_no_drift(counts):
    shares = np.array(counts) / sum(counts)
    assert stability_index(shares, 300, shares, 300) == 0
    assert no_change(shares, 300, shares, 300) == 1


def test_chance_alone_gives_no_stability_index_on_average():
    rng = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    drawn = [(rng.multinomial(500, shares), rng.multinomial(80, shares)) for _ in range(300)]
    raw = [stability_index(old / 500, 500, new / 80, 80) for old, new in drawn]
    # Untaken, the mean would be 9 x (1 / 500 + 1 / 80) = 0.13; what is left is that it stops at 0.
    assert 0 < np.mean(raw) < 0.04
    assert (np.array(raw) >= 0).all()


def test_the_test_is_fishers_for_two_bins():
    before, now = np.array([0.7, 0.3]), np.array([0.45, 0.55])
    counts = np.array([[70, 30], [9, 11]])
    one_sided = fisher_exact(counts[:, ::-1], alternative="less").pvalue
    assert no_change(before, 100, now, 20) == pytest.approx(4 * one_sided)


def test_the_test_keeps_its_level_and_agrees_with_a_chi_square():
    rng = np.random.default_rng(4)
    shares = np.array([0.5, 0.3, 0.15, 0.05])
    p = []
    for _ in range(400):
        old, new = rng.multinomial(400, shares), rng.multinomial(60, shares)
        p.append(no_change(old / 400, 400, new / 60, 60))
    assert np.mean(np.array(p) <= 0.05) <= 0.05
    old, new = np.array([200, 120, 60, 20]), np.array([10, 20, 15, 15])
    assert no_change(old / 400, 400, new / 60, 60) < 1e-3
    assert chi2_contingency(np.array([old, new])).pvalue < 1e-3


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from([0.01, 0.05, 0.2]))
def test_discoveries_are_those_of_the_step_up_rule(p, rate):
    ordered = sorted(p)
    passing = [k for k in range(1, len(p) + 1) if ordered[k - 1] * len(p) / k <= rate]
    limit = ordered[passing[-1] - 1] if passing else -1
    found = benjamini_hochberg(np.array(p)) <= rate
    assert found.tolist() == [value <= limit for value in p]


def test_a_vanished_event_is_measured_against_its_own_weekday():
    rng = np.random.default_rng(5)
    as_of = to_us("2024-05-06")
    ends = as_of - np.arange(28)[::-1] * DAY_US
    weekend = np.isin(weekday(ends), (weekday(as_of), weekday(as_of - DAY_US)))
    busy = np.where(weekend, 0, rng.poisson(60, 28))
    counts = {"work": busy, "daily": rng.poisson(50, 28), "rare": np.tile([0, 1], 14)}
    usual = event_reference(counts, as_of)
    assert vanished(usual, counts, as_of + 7 * DAY_US, 0.1) == []
    stopped = {name: np.append(days[:-1], 0) for name, days in counts.items()}
    assert [one.name for one in vanished(usual, stopped, as_of, 0.1)] == ["daily"]
    silent = {name: np.zeros(28, int) for name in ("work", "rare")} | {"daily": counts["daily"]}
    found = vanished(usual, silent, as_of, 0.1)
    assert [(one.name, one.days) for one in found] == [("work", 7)]


def alarms(days: np.ndarray, holidays=()) -> list[int]:
    """Nights on which an event is said to have vanished, of those after a reference of 28."""
    usual = event_reference({"e": days[:28]}, NEWEST, holidays)
    return [
        night
        for night in range(1, len(days) - 27)
        if vanished(
            usual, {"e": days[night : night + 28]}, NEWEST + night * DAY_US, 0.1, holidays
        )
    ]  # fmt: skip


@pytest.mark.parametrize("first", range(0, 28, 3))
def test_what_comes_once_a_month_has_not_vanished_in_between(first):
    monthly = np.zeros(88, np.int64)
    monthly[first::30] = 300
    assert alarms(monthly) == []
    known = event_reference({"e": monthly[:28]}, NEWEST)
    assert new_events(known, {"e": np.ones(28)}) == []


def test_a_bulk_import_in_the_reference_is_not_what_to_expect():
    days = np.random.default_rng(7).poisson(20, 88)
    days[18] = 10_000
    assert alarms(days) == []
    days[60] = 0
    assert alarms(days) == [60 - 27]


def test_named_holidays_neither_vanish_nor_count_in_the_reference():
    rng = np.random.default_rng(8)
    work = np.where(np.isin(np.arange(88) % 7, (2, 3)), 20, 200)
    days = rng.poisson(work)
    # Day 28 begins at NEWEST, 3 June; ten days are named in the reference, and eleven after it.
    quiet = [*range(15, 25), *range(40, 51)]
    days[quiet] = rng.poisson(work[quiet] * 0.05)
    named = [date.fromordinal(date(2024, 5, 6).toordinal() + day) for day in quiet]
    assert alarms(days)
    assert alarms(days, named) == []
    days[55] = 0
    assert alarms(days, named) == [55 - 27]


def test_an_event_that_is_lost_is_noticed_on_its_first_night():
    rng = np.random.default_rng(9)
    for lost in range(28, 42):
        days = rng.poisson(np.where(np.isin(np.arange(60) % 7, (2, 3)), 60, 150))
        days[lost:] = 0
        assert alarms(days)[0] == lost - 27


def test_events_that_the_reference_does_not_know_are_new():
    counts = {"old": np.ones(28), "made": np.arange(28), "never": np.zeros(28)}
    found = new_events({"old": [1.0] * 7}, counts)
    assert [(one.name, one.count) for one in found] == [("made", sum(range(21, 28)))]


def test_the_share_still_to_come_is_found_from_the_delays_so_far():
    rng = np.random.default_rng(6)
    occurred = np.sort(rng.integers(0, 100 * DAY_US, 4000))
    delay = (rng.exponential(5, 4000) * DAY_US).astype(np.int64)
    now = 100 * DAY_US
    seen = occurred + delay < now
    assert (~seen).sum() > 100
    known = share_known(occurred[seen], (occurred + delay)[seen], now)
    estimate = still_to_come(known).sum()
    assert estimate == pytest.approx((~seen).sum(), rel=0.25)
    truth = 1 - np.exp(-(now - occurred[seen]) / (5 * DAY_US))
    old = now - occurred[seen] > 2 * DAY_US
    assert np.abs(known - truth)[old].max() < 0.06


def test_conversions_known_at_once_leave_nothing_to_come():
    at = np.array([1, 5, 9])
    assert share_known(at, at, 10).tolist() == [1, 1, 1]


def test_a_sample_keeps_or_leaves_whole_entities():
    entity = np.repeat(np.arange(1000), 5)
    kept = thinned(entity, 500, seed=1)
    assert 300 < kept.sum() < 700
    assert (kept.reshape(1000, 5) == kept.reshape(1000, 5)[:, :1]).all()
    assert (kept == thinned(entity, 500, seed=1)).all()


def test_who_enters_at_the_as_of_is_no_newcomer_yet():
    as_of = np.array([10 * DAY_US] * 3)
    entered = as_of - np.array([0, 3 * DAY_US, 3 * DAY_US + 1])
    assert newcomers(entered, as_of, 3).tolist() == [False, True, False]


def test_the_verdict_says_what_was_crossed(pinned):
    matrix, cluster, as_of = one_night(1)
    table = matrix.table.set_column(0, "reports", pa.array(np.zeros(len(matrix), np.float32)))
    found = feature_drift(
        pinned, FeatureMatrix(matrix.snapshots, FEATURES, table), cluster, as_of, SPEC
    )
    verdict = judge(None, found, [], [], [], SPEC)
    assert verdict.action == "retrain"
    assert [one.limit for one in verdict.crossed] == ["drifted_share"]
    assert "1 of 4 features" in verdict.line
    patient = MonitorSpec(drifted_share=0.5)
    assert judge(None, found, [], [], [], patient).line == "Do nothing: no limit is crossed."
