"""What became of scores: shares, ratios and lifts by tier and month, and what they decide."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from features.clock import DAY_US
from models.monitoring.delays import MOST, share_known, still_to_come, still_to_come_error
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
    assert (hot.rows, hot.accounts, hot.conversions, hot.converting) == (2, 2, 1, 1)
    assert (hot.expected, whole.expected) == pytest.approx((0.8, 1.1))
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


def pareto_rows(accounts: int, base: float, most: int, seed: int) -> Outcomes:
    """Few accounts hold most rows; all rows of one convert together, as often as promised."""
    rng = np.random.default_rng(seed)
    size = np.minimum(most, np.ceil(1 / (1 - rng.random(accounts)))).astype(int)
    probability = rng.beta(1, 1 / base - 1, accounts)
    label = rng.random(accounts) < probability
    at = np.repeat(np.arange(accounts), 4 * size)
    named = np.full(len(at), "cold", object)
    return Outcomes(probability[at], named, named, label[at], np.zeros(len(at)), at)


@pytest.mark.parametrize(
    ("accounts", "base", "most"), [(300, 0.05, 200), (100, 0.1, 200), (300, 0.1, 50)]
)
def test_a_ratio_interval_holds_the_truth_where_few_accounts_have_most_rows(accounts, base, most):
    found = [measure(pareto_rows(accounts, base, most, seed), 2)[ALL, ALL] for seed in range(80)]
    assert sum(one.ratio_low <= 1 <= one.ratio_high for one in found) >= 70
    # Large accounts that just have not converted were what made ratios look too low.
    assert sum(one.ratio_high < 1 for one in found) <= 6


def test_equal_and_independent_rows_have_the_textbook_interval():
    n, hits, promised = 4000, 200, 0.04
    label = np.arange(n) < hits
    named = np.full(n, "cold", object)
    rows = Outcomes(np.full(n, promised), named, named, label, np.zeros(n), np.arange(n))
    one = measure(rows, 2)[ALL, ALL]
    error = np.sqrt(hits * (1 - hits / n)) / (n * promised)
    assert one.ratio == pytest.approx(1.25)
    assert one.ratio_high - one.ratio_low == pytest.approx(2 * 1.96 * error, rel=0.01)


def test_who_is_scored_less_often_because_it_converted_is_not_small():
    rng = np.random.default_rng(3)
    enters, converts = rng.integers(0, 28, 400), rng.exponential(200, 400)
    account, night = np.nonzero(np.arange(28) >= enters[:, None])
    open_ = night < enters[account] + converts[account]
    account, night = account[open_], night[open_]
    label = enters[account] + converts[account] < night + 14
    named = np.full(len(account), "cold", object)
    promised = np.full(len(account), 1 - np.exp(-14 / 200))
    rows = Outcomes(promised, named, named, label, np.zeros(len(account)), account, None, night)
    one = measure(rows, 2)[ALL, ALL]
    # Oracle: accounts drawn with replacement, here without few or unequal ones to trouble it.
    hits, told = np.bincount(account, label, 400), np.bincount(account, promised, 400)
    drawn = rng.integers(0, 400, (2000, 400))
    low, high = np.percentile(hits[drawn].sum(1) / told[drawn].sum(1), (2.5, 97.5))
    assert one.ratio_high - one.ratio_low == pytest.approx(high - low, rel=0.1)
    assert one.ratio_low == pytest.approx(low, rel=0.15)


def test_what_is_not_known_of_delays_widens_the_ratio_and_nothing_else():
    rows = rows_of(300, 7)
    one = measure(rows)[ALL, ALL]
    error = np.where(rows.label, 0.5, 0.0)
    other = measure(replace(rows, to_come_error=error))[ALL, ALL]
    assert other.ratio_low < one.ratio_low
    assert one.ratio_high < other.ratio_high
    same = {"ratio_low": one.ratio_low, "ratio_high": one.ratio_high}
    assert astuple(replace(other, **same)) == pytest.approx(astuple(one))


def test_repeating_every_row_hardly_changes_an_interval():
    once, often = measure(rows_of(300, 7)), measure(rows_of(300, 7, repeats=5))
    for key, one in once.items():
        assert often[key].accounts == one.accounts
        assert (often[key].low, often[key].high) == pytest.approx((one.low, one.high), rel=0.02)
        assert often[key].ratio_high == pytest.approx(one.ratio_high, rel=0.06)


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


def test_two_accounts_are_no_evidence_on_however_many_nights_they_were_scored():
    hit = np.arange(12) < 2
    rows = Outcomes(
        probability=np.full(12, 0.01),
        tier=np.full(12, "cold", object),
        month=np.full(12, "2024-05", object),
        label=hit,
        to_come=np.zeros(12),
        cluster=np.arange(12),
    ).take(np.repeat(np.arange(12), 14))
    assert rows.label.sum() > SPEC.min_conversions
    verdict = judge(None, [], [], [], recent(rows), SPEC)
    assert verdict.crossed == ()
    assert "not judged: 2 of the 20 converting accounts" in verdict.line


def test_no_conversion_where_many_were_promised_is_judged():
    rows = rows_of(2000, 1)
    assert decided(replace(rows, label=np.zeros(len(rows), bool))) == (
        "recalibrate",
        ["calibration_ratio"],
    )


def test_while_outcomes_may_still_come_only_too_many_are_an_alarm():
    few, many = (recent(rows_of(4000, 1, factor=factor)) for factor in (0.4, 2.5))
    quiet = judge(None, [], [], [], few, SPEC, quiet_days=29)
    assert quiet.crossed == ()
    assert "became known 29 days ago" in quiet.line
    assert judge(None, [], [], [], few, SPEC).action == "recalibrate"
    assert judge(None, [], [], [], many, SPEC, quiet_days=29).action == "recalibrate"


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


NOW = 400 * DAY_US


def to_come(happened: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """Expected, its standard error, and true number still to come; days."""
    occurred, known = ((days * DAY_US).astype(np.int64) for days in (happened, happened + delay))
    seen = known < NOW
    history = occurred[seen], known[seen], NOW
    expected = still_to_come(share_known(*history)).sum()
    return np.array([expected, still_to_come_error(*history).sum(), (~seen).sum()])


def test_old_history_imported_at_once_is_no_delay():
    happened = np.arange(0, 400, 0.5)
    assert to_come(happened, np.where(happened < 60, 380 - happened, 0)).tolist() == [0, 0, 0]


def test_delays_that_are_over_for_three_months_count_no_more():
    rng = np.random.default_rng(4)
    happened = np.sort(rng.uniform(0, 400, 800))
    late = np.where(happened < 309, rng.exponential(20, 800), 0)
    expected, _, missing = to_come(happened, late)
    assert missing <= 3
    assert expected < 1


def test_what_became_known_before_the_first_score_tells_nothing_of_delays():
    happened = np.arange(320, 400, 0.5)
    known = np.where(happened < 370, 370, happened)
    history = ((days * DAY_US).astype(np.int64) for days in (happened, known))
    occurred, at = history
    assert share_known(occurred, at, NOW).min() < 0.9
    assert share_known(occurred, at, NOW, happened_from=370 * DAY_US).min() == 1


def test_the_error_of_what_is_to_come_is_as_large_as_it_says():
    rng = np.random.default_rng(9)
    found = []
    for _ in range(200):
        happened = np.sort(rng.uniform(300, 400, 150))
        # Which conversions are known yet is chance beside the estimate (Horvitz-Thompson).
        known = 1 - np.exp(-(400 - happened) / 6)
        chance = np.minimum(1 / known - 1, MOST - 1).sum()
        found.append([*to_come(happened, rng.exponential(6, 150)), chance])
    expected, error, missing, chance = np.array(found).T
    off = (expected - missing) / np.sqrt(error**2 + chance)
    assert abs(expected.mean() / missing.mean() - 1) < 0.2
    assert 0.9 < (np.abs(off) < 1.96).mean() < 1


def test_one_conversion_never_stands_for_many():
    happened = np.array([330.0, 399.5])
    delay = np.array([60.0, 0.0])
    expected, error, _ = to_come(happened, delay)
    assert expected <= MOST - 1
    assert error > 0
