"""Programme metrics: counts by hand, times with open ones taken into account."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US, to_us
from models.monitoring.programme import NEVER_US, Metrics, People, programme
from models.monitoring.survival import kaplan_meier

JUNE = to_us("2024-06-01")


def people_of(table: str, *, now: int = 30) -> People:
    """Days after 1 June: first scored, PQL, opportunity, won, lost (. for never), then tier, money.

    Each row is an account of its own.
    """
    rows = [line.split() for line in table.strip().splitlines()]

    def days(column: int) -> np.ndarray:
        return np.array(
            [NEVER_US if r[column] == "." else JUNE + int(r[column]) * DAY_US for r in rows]
        )

    return People(
        first_scored=days(0),
        first_pql=days(1),
        opportunity=days(2),
        won=days(3),
        lost=days(4),
        tier=np.array([None if r[5] == "." else r[5] for r in rows], object),
        revenue=np.array([float(r[6]) for r in rows]),
        cluster=np.arange(len(rows)),
        now=JUNE + now * DAY_US,
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
    assert one.revenue_low <= 25 <= one.revenue_high
    assert one.mean_days == 4


def test_a_tier_is_that_of_the_first_flag_and_has_no_rate_of_its_own():
    found = measure(people_of(PEOPLE, now=40))
    assert found["tier", "hot"].pqls == 3
    assert found["tier", "hot"].pql_rate is None
    assert found["tier", "critical"].to_won is not None
    assert found["tier", "critical"].to_won.value == 1


def test_months_and_groups_count_everybody_once():
    people = people_of(PEOPLE, now=40)
    channel = np.array(["ads", "ads", None, "mail", "mail"], object)
    found = measure(people, {"channel": channel})
    for by in ("month", "channel"):
        parts = [one for (name, _), one in found.items() if name == by]
        assert sum(one.scored for one in parts) == 5
        assert sum(one.pqls for one in parts) == 4
    assert found["month", "2024-06"].pqls == 3
    assert found["month", "2024-07"].scored == 1
    assert found["channel", "unknown"].scored == 1


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
