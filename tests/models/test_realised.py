"""What became of scores: shares, ratios and lifts by tier and month, and what they decide."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from models.monitoring.realised import ALL, Outcomes, Realised, realised
from models.monitoring.spec import MonitorSpec
from models.monitoring.verdict import judge

TIERS = ("hot", "cold")
SPEC = MonitorSpec()


def rows_of(n: int, seed: int, *, factor: float = 1.0, repeats: int = 1) -> Outcomes:
    """`n` accounts with `repeats` equal rows each; they convert `factor` times as promised."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 15, n)
    label = rng.random(n) < np.minimum(1, factor * probability)
    month = np.where(rng.random(n) < 0.5, "2024-05", "2024-06").astype(object)
    tier = np.where(probability > 0.15, "hot", "cold").astype(object)
    again = np.repeat(np.arange(n), repeats)
    return Outcomes(
        probability[again], tier[again], month[again], label[again], np.zeros(len(again)), again
    )


def measure(rows: Outcomes, n_bootstrap: int = 200) -> dict[tuple[str, str], Realised]:
    found = realised(rows, TIERS, n_bootstrap=n_bootstrap, seed=1)
    return {(one.month, one.tier): one for one in found}


def test_every_number_is_what_counting_by_hand_gives():
    rows = Outcomes(
        probability=np.array([0.5, 0.3, 0.1, 0.1, 0.2]),
        tier=np.array(["hot", "hot", "cold", "cold", "cold"], object),
        month=np.array(["2024-05", "2024-05", "2024-05", "2024-06", "2024-06"], object),
        label=np.array([True, False, True, False, True]),
        to_come=np.array([0, 0, 0.5, 0, 0]),
        cluster=np.array([0, 1, 2, 2, 3]),
    )
    found = measure(rows)
    assert list(found) == [
        *(("2024-05", tier) for tier in ("hot", "cold", ALL)),
        *(("2024-06", tier) for tier in ("cold", ALL)),
        *((ALL, tier) for tier in ("hot", "cold", ALL)),
    ]
    hot, whole = found["2024-05", "hot"], found[ALL, ALL]
    assert (hot.rows, hot.accounts, hot.conversions) == (2, 2, 1)
    assert hot.promised == pytest.approx(0.4)
    assert hot.converted == 0.5
    assert hot.ratio == pytest.approx(1 / 0.8)
    assert hot.lift == pytest.approx(0.5 / (2 / 3))
    assert (whole.rows, whole.accounts, whole.to_come) == (5, 4, 0.5)
    assert whole.ratio == pytest.approx(3.5 / 1.2)
    assert whole.lift == 1


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    hits = [
        (one := measure(rows_of(300, seed), 100)[ALL, ALL]).ratio_low <= 1 <= one.ratio_high
        for seed in range(60)
    ]
    assert 50 <= sum(hits) < 60


def test_repeating_every_row_makes_no_interval_narrower():
    once, often = measure(rows_of(300, 7)), measure(rows_of(300, 7, repeats=5))
    for key, one in once.items():
        assert often[key].accounts == one.accounts
        assert (often[key].low, often[key].high) == pytest.approx((one.low, one.high), rel=0.02)
        assert often[key].ratio_high == pytest.approx(one.ratio_high)


def test_the_same_rows_in_another_order_say_the_same():
    rows = rows_of(200, 3)
    order = np.random.default_rng(0).permutation(len(rows))
    one, other = measure(rows), measure(rows.take(order))
    assert list(one) == list(other)
    for key, line in one.items():
        assert astuple(line)[2:] == pytest.approx(astuple(other[key])[2:], nan_ok=True)


def test_no_row_is_no_line():
    assert realised(rows_of(0, 1), TIERS, n_bootstrap=10, seed=1) == []


def recent(rows: Outcomes) -> list[Realised]:
    named = replace(rows, tier=np.where(rows.tier == "hot", "pql", "other").astype(object))
    found = realised(named, ("pql",), n_bootstrap=200, seed=1)
    return [one for one in found if one.month == ALL]


def decided(rows: Outcomes, spec: MonitorSpec = SPEC) -> tuple[str, list[str]]:
    verdict = judge(None, [], [], [], recent(rows), spec)
    return verdict.action, [one.limit for one in verdict.crossed]


def test_what_comes_true_asks_for_nothing():
    assert decided(rows_of(2000, 1)) == ("do nothing", [])


def test_twice_as_many_conversions_ask_for_recalibration():
    assert decided(rows_of(2000, 1, factor=2)) == ("recalibrate", ["calibration_ratio"])


def test_half_as_many_conversions_ask_for_recalibration():
    assert decided(rows_of(4000, 1, factor=0.5)) == ("recalibrate", ["calibration_ratio"])


def test_few_conversions_decide_nothing():
    assert decided(rows_of(2000, 1, factor=2), MonitorSpec(min_conversions=10_000)) == (
        "do nothing",
        [],
    )


def test_tiers_that_say_the_opposite_ask_for_retraining():
    rows = rows_of(3000, 1)
    rng = np.random.default_rng(2)
    wrong = np.where(rows.tier == "hot", 0.01, 0.08)
    action, limits = decided(replace(rows, label=rng.random(len(rows)) < wrong))
    assert action == "retrain"
    assert "lift" in limits


def test_a_few_pqls_without_a_conversion_are_no_reason_to_retrain():
    rows = rows_of(2000, 1)
    hot = np.flatnonzero(rows.tier == "hot")
    few = rows.take(np.isin(np.arange(len(rows)), hot[:5]) | (rows.tier == "cold"))
    few = replace(few, label=few.label & (few.tier == "cold"))
    (lift,) = [one for one in recent(few) if one.tier == "pql"]
    assert (lift.conversions, lift.lift, lift.lift_low) == (0, 0, 0)
    assert lift.lift_high > 1
    assert "lift" not in decided(few)[1]


def test_what_is_still_to_come_counts_for_calibration():
    rows = rows_of(2000, 1, factor=0.5)
    late = replace(rows, to_come=rows.label.astype(float))
    assert decided(rows)[0] == "recalibrate"
    assert decided(late)[0] == "do nothing"
