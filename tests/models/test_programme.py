"""Programme metrics: counts by hand, times with open ones taken into account."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, to_us
from models.judging.curves import wilson
from models.monitoring.programme import NEVER_US, Metrics, People, programme
from models.monitoring.survival import kaplan_meier, mostly_known_until

JUNE = to_us("2024-06-01")


def people_of(table: str, *, now: int = 30, known_until: int | None = None) -> People:
    """Days after 1 June: first scored, PQL, opportunity, won, lost (. for never), then tier, money.

    Each row is an account of its own.
    """
    rows = [line.split() for line in table.strip().splitlines()]

    def days(column: int) -> np.ndarray:
        return np.array(
            [NEVER_US if r[column] == "." else JUNE + int(r[column]) * DAY_US for r in rows]
        )

    first, flagged = days(0), days(1)
    months = np.arange("2024-06", "2024-08", dtype="datetime64[M]")
    begin = months.astype("datetime64[us]").astype(np.int64)
    # Scored every night from the first on until it is a PQL or the end is there.
    last = np.minimum(flagged, JUNE + (now - 1) * DAY_US)
    return People(
        months=months,
        scored_in=(last[:, None] >= begin) & (first[:, None] < np.r_[begin[1:], NEVER_US]),
        first_pql=flagged,
        opportunity=days(2),
        won=days(3),
        lost=days(4),
        tier=np.array([None if r[5] == "." else r[5] for r in rows], object),
        revenue=np.array([float(r[6]) for r in rows]),
        cluster=np.arange(len(rows)),
        now=JUNE + now * DAY_US,
        known_until=JUNE + (now if known_until is None else known_until) * DAY_US,
    )


PEOPLE = """
 0   0   2   4   .  critical  100
 0   3   5   .   9  hot         0
 1   1   .   .   .  hot         0
 2   .   .   .   .  .           0
28  31   .   .   .  hot         0
"""


def measure(people: People, groups=None, **changes) -> dict[tuple[str, str], Metrics]:
    given = {"horizon_days": 14, "with_opportunities": True, "n_bootstrap": 50, "seed": 1}
    found = programme(people, groups or {}, ("critical", "hot"), **(given | changes))
    return {(one.by, one.group): one for one in found}


def test_every_count_is_what_counting_by_hand_gives():
    one = measure(people_of(PEOPLE, now=40))["all", "all"]
    assert (one.scored, one.pqls, one.still_open, one.lost) == (5, 4, 2, 1)
    assert one.pql_rate is not None
    assert (one.pql_rate.n, one.pql_rate.of) == (4, 5)
    assert one.to_opportunity is not None
    assert one.to_opportunity.value == 0.5
    assert one.to_won is not None
    assert one.to_won.value == 0.25
    assert one.to_won.low < 0.25 < one.to_won.high
    assert (one.revenue, one.revenue_per_pql) == (100, 25)
    assert np.isnan([one.revenue_low, one.revenue_high]).all()
    assert one.mean_days == 4


def test_a_tier_is_that_of_the_first_flag_and_has_no_rate_of_its_own():
    found = measure(people_of(PEOPLE, now=40))
    assert found["tier", "hot"].pqls == 3
    assert found["tier", "hot"].pql_rate is None
    assert found["tier", "critical"].to_won is not None
    assert found["tier", "critical"].to_won.value == 1


def test_groups_count_everybody_once():
    people = people_of(PEOPLE, now=40)
    channel = np.array(["ads", "ads", None, "mail", "mail"], object)
    found = measure(people, {"channel": channel})
    parts = [one for (name, _), one in found.items() if name == "channel"]
    assert sum(one.scored for one in parts) == 5
    assert sum(one.pqls for one in parts) == 4
    assert found["channel", "unknown"].scored == 1


def test_a_months_new_pqls_are_divided_by_those_scored_in_it_who_were_none_before():
    found = measure(people_of(PEOPLE, now=40))
    june, july = found["month", "2024-06"], found["month", "2024-07"]
    # In June all five are scored; of July's two the one has never been a PQL.
    assert (june.scored, june.pqls, june.pql_rate.n, june.pql_rate.of) == (5, 3, 3, 5)
    assert (july.scored, july.pqls, july.pql_rate.n, july.pql_rate.of) == (2, 1, 1, 2)
    assert (june.to_won.n, july.to_won.n, july.to_won.of) == (1, 0, 1)


def test_a_constant_chance_of_becoming_a_pql_is_the_rate_of_every_month():
    rng = np.random.default_rng(4)
    day = np.floor(rng.exponential(30 / 0.05, 4000)).astype(int)
    months = np.arange("2024-06", "2024-12", dtype="datetime64[M]")
    first_day = (months - months[0].astype("datetime64[D]")).astype(int)
    flagged = np.where(day < 183, JUNE + day.astype(np.int64) * DAY_US, NEVER_US)
    n, never = len(day), np.full(len(day), NEVER_US)
    people = replace(
        people_of(PEOPLE),
        months=months,
        scored_in=np.ones((n, 6), bool) & (day[:, None] >= first_day),
        first_pql=flagged,
        tier=np.full(n, "hot", object),
        opportunity=never,
        won=never,
        lost=never,
        revenue=np.zeros(n),
        cluster=np.arange(n),
        now=JUNE + 183 * DAY_US,
    )
    rates = [one.pql_rate for (by, _), one in measure(people).items() if by == "month"]
    assert len(rates) == 6
    for rate, days in zip(rates, (30, 31, 31, 30, 31, 30), strict=True):
        true = 1 - np.exp(-0.05 * days / 30)
        assert rate.value == pytest.approx(true, abs=0.012)
        assert rate.low - 0.005 < true < rate.high + 0.005


def late_people(rng, *, mean_delay: float, per_month: int = 500) -> tuple[People, np.ndarray]:
    """Four months of PQLs; 30 % buy, after 14 days on average, known some days later."""
    n = 4 * per_month
    start = np.sort(rng.uniform(0, 120, n))
    buys = np.where(rng.random(n) < 0.3, rng.exponential(14, n), 1e6)
    delay = rng.exponential(mean_delay, n)
    first = JUNE + (start * DAY_US).astype(np.int64)
    when = first + (buys * DAY_US).astype(np.int64)
    known_at, now = when + (delay * DAY_US).astype(np.int64), JUNE + 120 * DAY_US
    known = known_at < now
    people = replace(
        people_of(PEOPLE),
        months=np.arange("2024-06", "2024-07", dtype="datetime64[M]"),
        scored_in=np.ones((n, 1), bool),
        first_pql=first,
        tier=np.full(n, "hot", object),
        opportunity=np.full(n, NEVER_US),
        won=np.where(known, when, NEVER_US),
        lost=np.full(n, NEVER_US),
        revenue=np.zeros(n),
        cluster=np.arange(n),
        now=now,
        known_until=mostly_known_until(when[known], known_at[known], now),
    )
    return people, start


@pytest.mark.parametrize("mean_delay", [0.0, 3.0, 7.0])
def test_late_knowledge_does_not_pull_the_share_won_within_the_horizon_down(mean_delay):
    true, found, recent = 0.3 * (1 - np.exp(-1)), [], []
    for seed in range(12):
        people, start = late_people(np.random.default_rng(seed), mean_delay=mean_delay)
        one = measure(people)["all", "all"]
        found.append((one.won_within, one.won_within_low <= true <= one.won_within_high))
        recent.append(measure(people.take(start > 60))["all", "all"].won_within)
    assert np.mean([value for value, _ in found]) == pytest.approx(true, abs=0.008)
    assert np.mean(recent) == pytest.approx(true, abs=0.015)
    assert sum(inside for _, inside in found) >= 10


def test_a_share_of_the_horizon_needs_ten_who_were_watched_for_all_of_it():
    def within(old: int, known_until: int = 30) -> Metrics:
        rows = [f"0 {16 - at % 2} . {'20' if at % 4 == 0 else '.'} . hot 0" for at in range(old)]
        young = ["0 25 . 26 . hot 0"] * 3
        return measure(people_of("\n".join(rows + young), known_until=known_until))["all", "all"]

    assert np.isnan([within(9).won_within, within(9).won_within_low]).all()
    one = within(10)
    assert 0 < one.won_within_low < one.won_within < one.won_within_high < 1
    # Watched one day less, those of the 16th have not been watched for 14 days.
    assert np.isnan(within(10, known_until=29).won_within)
    none = measure(people_of("\n".join(["0 1 . . . hot 0"] * 10)))["all", "all"]
    assert (none.won_within, none.won_within_low) == (0, 0)
    assert none.won_within_high == pytest.approx(0.278, abs=0.001)
    every = measure(people_of("\n".join(["0 1 . 2 . hot 0"] * 10)))["all", "all"]
    assert (every.won_within, every.won_within_high) == pytest.approx((1, 1))


def test_the_interval_of_the_curve_is_wilsons_when_all_were_watched_as_long():
    converted = np.arange(40) < 12
    curve = kaplan_meier(np.where(converted, np.arange(40) / 4, 30.0), converted)
    assert curve.converted_by(20) == pytest.approx(0.3)
    assert curve.interval(20) == pytest.approx(wilson(12, 40))
    low, high = curve.interval(20, design=4)
    assert (low, high) == pytest.approx(wilson(3, 10))


def test_the_interval_of_revenue_begins_with_thirty_winning_accounts_and_holds_the_mean():
    def of(winners: int) -> Metrics:
        rows = [f"0 1 . 5 . hot {100 + at}" for at in range(winners)] + ["0 1 . . . hot 0"] * 70
        return measure(people_of("\n".join(rows)), n_bootstrap=200)["all", "all"]

    assert np.isnan([of(29).revenue_low, of(29).revenue_high]).all()
    assert of(29).revenue_per_pql > 0
    one = of(30)
    assert one.revenue_low < one.revenue_per_pql < one.revenue_high


instants = st.lists(st.tuples(st.integers(0, 95), st.integers(0, 20)), min_size=1, max_size=25)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(instants)
def test_what_happened_is_known_until_now_less_a_delay_that_was_seen(rows):
    rows = [(when, delay) for when, delay in rows if when + delay < 100] or [(0, 0)]
    when = np.array([JUNE + day * DAY_US for day, _ in rows])
    delay = np.array([days * DAY_US for _, days in rows])
    now = JUNE + 100 * DAY_US
    until = mostly_known_until(when, when + delay, now)
    recent = {days for day, days in rows if day >= 10}
    assert (now - until) // DAY_US in (recent or {0})
    punctual = mostly_known_until(when, when, now)
    assert punctual == now


def test_without_a_table_of_opportunities_nothing_is_said_of_them():
    one = measure(people_of(PEOPLE), with_opportunities=False)["all", "all"]
    assert one.to_opportunity is None


def test_nobody_flagged_has_no_shares():
    one = measure(people_of(" 0 . . . . . 0\n 1 . . . . . 0"))["all", "all"]
    assert (one.pqls, one.to_won, one.to_opportunity) == (0, None, None)
    assert np.isnan(one.mean_days)
    assert np.isnan(one.median_days)


times = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(times)
def test_the_curve_is_the_product_over_days(rows):
    days = np.array([float(day) for day, _ in rows])
    converted = np.array([ended for _, ended in rows])
    curve = kaplan_meier(days, converted)
    left, expected = 1.0, {}
    for day in sorted({day for day, ended in rows if ended}):
        at_risk = sum(1 for other, _ in rows if other >= day)
        left *= 1 - sum(1 for other, ended in rows if ended and other == day) / at_risk
        expected[float(day)] = left
    assert dict(zip(curve.time, curve.open, strict=True)) == pytest.approx(expected)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_when_nobody_is_open_the_curve_is_the_plain_share(days):
    curve = kaplan_meier(np.array(days, float), np.ones(len(days), bool))
    assert curve.converted_by(5) == pytest.approx(np.mean(np.array(days) <= 5)) or max(days) < 5
    assert curve.mean_of_converting() == pytest.approx(np.mean(days))
    assert curve.median == np.sort(days)[(len(days) - 1) // 2]


def test_recent_ones_do_not_pull_the_mean_down():
    rng = np.random.default_rng(1)
    true = rng.exponential(20, 4000)
    watched = rng.uniform(0, 100, 4000)
    converted = true <= watched
    curve = kaplan_meier(np.minimum(true, watched), converted)
    assert true[converted].mean() < 17
    assert curve.mean_of_converting() == pytest.approx(20, rel=0.1)
    assert curve.converted_by(14) == pytest.approx(1 - np.exp(-14 / 20), abs=0.02)
    assert np.isnan(curve.converted_by(101))
