"""Accounts from their members: against brute force, and against a world with known chances."""

import itertools
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US
from features.errors import NotEnoughHistory
from features.labels import NEVER_US
from models.calibration import CalibrationSpec
from models.heads.aggregation import AccountSpec, Outcomes, aggregate, fit_account_scores
from models.metrics import row_log_loss

HORIZON = 7
LINE = CalibrationSpec(method="sigmoid")
MEMBERS = st.lists(
    st.tuples(
        st.floats(0.001, 0.999),
        st.integers(-1, 3),
        st.integers(0, 2),
    ),
    max_size=30,
)
WAYS = {"noisy_or": 99, "top3": 3, "max": 1}


@settings(deadline=None, derandomize=True, max_examples=60)
@given(MEMBERS, st.sampled_from(sorted(WAYS)))
def test_any_table_aggregates_as_by_hand(rows, how):
    probability, account, as_of = (np.array([row[at] for row in rows]) for at in range(3))
    found = aggregate(probability, account.astype(int), as_of.astype(int), how)
    expected = {}
    for key, members in itertools.groupby(sorted(rows, key=lambda r: r[1:]), key=lambda r: r[1:]):
        if key[0] >= 0:
            chances = sorted((row[0] for row in members), reverse=True)
            counted = chances[: WAYS[how]]
            expected[key] = (1 - prod(1 - p for p in counted), len(chances), counted[:3])
    keys = list(zip(found.account.tolist(), found.as_of.tolist(), strict=True))
    assert keys == sorted(expected)
    for at, key in enumerate(keys):
        chance, members, likeliest = expected[key]
        assert found.probability[at] == pytest.approx(chance, rel=1e-9)
        assert found.members[at] == members
        carried = found.carriers[at]
        assert [probability[row] for row, _ in carried] == likeliest
        assert {(account[row], as_of[row]) for row, _ in carried} == {key}
        if members <= 3:
            assert sum(share for _, share in carried) == pytest.approx(1)


def test_the_order_of_rows_changes_no_bit():
    rng = np.random.default_rng(1)
    probability, account = rng.random(500), rng.integers(-1, 40, 500)
    as_of, shuffled = rng.integers(0, 3, 500), rng.permutation(500)
    one = aggregate(probability, account, as_of, "noisy_or")
    other = aggregate(probability[shuffled], account[shuffled], as_of[shuffled], "noisy_or")
    np.testing.assert_array_equal(one.probability, other.probability)


def test_certain_members_leave_finite_log_odds():
    rows = aggregate(np.array([1.0, 0.0]), np.array([0, 1]), np.zeros(2, int), "noisy_or")
    assert np.isfinite(rows.raw).all()


def test_an_account_converts_from_as_of_on_until_before_the_end_of_the_horizon():
    as_of = np.full(5, 100 * DAY_US)
    account, nobody = np.arange(5), np.zeros(5, bool)
    delay = np.array([-1, 0, HORIZON * DAY_US - 1, HORIZON * DAY_US, 0])
    when = np.where(account < 4, as_of + delay, NEVER_US)
    rows = aggregate(np.full(5, 0.1), account, as_of, "max")
    outcomes = Outcomes(when, nobody, HORIZON)
    assert outcomes.label(rows, account, as_of).tolist() == [False, True, True, False, False]
    assert outcomes.leads(rows).tolist() == [False, True, True, True, True]


def test_a_member_that_converts_converts_its_account_on_that_date_alone():
    account, as_of = np.array([0, 0, 0, -1]), np.array([1, 1, 2, 1])
    label = np.array([False, True, False, True])
    rows = aggregate(np.full(4, 0.1), account, as_of, "max")
    assert Outcomes(np.array([NEVER_US]), label, HORIZON).label(rows, account, as_of).tolist() == [
        True,
        False,
    ]


class Teams:
    """Accounts whose members' chances are known; what the account does is up to the test."""

    def __init__(self, n: int, seed: int):
        rng = np.random.default_rng(seed)
        size = 1 + rng.geometric(0.25, n)
        self.account = np.repeat(np.arange(n), size)
        self.as_of = np.full(len(self.account), 50 * DAY_US)
        self.probability = 1 / (1 + np.exp(-rng.normal(-3, 1.2, len(self.account))))
        self.uniform, self.shared = rng.random(len(self.account)), rng.random(n)

    def fit(self, converts: np.ndarray, how: str = "auto"):
        """Scores of half the accounts, judged on the others."""
        n = len(self.shared)
        when = np.where(converts, 51 * DAY_US, NEVER_US)
        half = self.account < n // 2
        parts = self.probability[half], self.account[half], self.as_of[half]
        outcomes = Outcomes(when, np.zeros(half.sum(), bool), HORIZON)
        fitted = fit_account_scores(*parts, outcomes, AccountSpec(how=how), LINE, seed=1)
        rows = fitted.score(self.probability[~half], self.account[~half], self.as_of[~half])
        return fitted, rows, converts[rows.account]


def independent(teams: Teams) -> np.ndarray:
    """Each member decides alone."""
    acts = teams.uniform < teams.probability
    return np.bincount(teams.account, acts) > 0


def led(teams: Teams) -> np.ndarray:
    """The likeliest member decides for all."""
    return (
        teams.shared < aggregate(teams.probability, teams.account, teams.as_of, "max").probability
    )


@pytest.mark.parametrize(("rule", "how"), [(independent, "noisy_or"), (led, "max")])
def test_evidence_finds_how_accounts_decide(rule, how):
    teams = Teams(3000, seed=3)
    fitted, rows, label = teams.fit(rule(teams))
    assert fitted.how == how
    assert set(fitted.losses) == set(WAYS)
    assert rows.probability.mean() == pytest.approx(label.mean(), rel=0.1)
    right = row_log_loss(label, rows.probability).mean()
    for other in set(WAYS) - {how}:
        _, wrong, same = teams.fit(rule(teams), other)
        assert right < row_log_loss(same, wrong.probability).mean()


def test_members_who_never_decide_alone_are_not_counted_as_if_they_did():
    """Noisy-or of members who all follow one another says far too much until it is calibrated."""
    teams = Teams(2500, seed=5)
    bare = aggregate(teams.probability, teams.account, teams.as_of, "noisy_or")
    converts = led(teams)
    assert bare.probability.mean() > 1.3 * converts.mean()
    _, rows, label = teams.fit(converts, "noisy_or")
    order = np.argsort(rows.probability)
    for part in np.array_split(order, 4):
        assert rows.probability[part].mean() == pytest.approx(label[part].mean(), abs=0.04)


def test_with_few_converting_accounts_nothing_is_chosen():
    teams = Teams(200, seed=7)
    converts = np.zeros(200, bool)
    converts[:19] = True
    fitted, _, _ = teams.fit(converts)
    assert (fitted.how, fitted.losses, fitted.converting) == ("noisy_or", {}, 19)


def test_accounts_that_had_converted_are_not_learnt_from():
    teams = Teams(400, seed=9)
    converts = independent(teams)
    when = np.where(converts, 51 * DAY_US, NEVER_US)
    nobody = np.zeros(len(teams.account), bool)
    parts = teams.probability, teams.account, teams.as_of
    arguments = AccountSpec(), LINE, 1
    one = fit_account_scores(*parts, Outcomes(when, nobody, HORIZON), *arguments)
    customers = np.arange(400) % 10 == 0
    old = np.where(customers, 49 * DAY_US, when)
    other = fit_account_scores(*parts, Outcomes(old, nobody, HORIZON), *arguments)
    assert other.rows == one.rows - customers.sum()
    assert other.converting == one.converting - (converts & customers).sum()


def test_an_account_needs_as_many_members_as_asked():
    teams = Teams(400, seed=9)
    when = np.where(independent(teams), 51 * DAY_US, NEVER_US)
    outcomes = Outcomes(when, np.zeros(len(teams.account), bool), HORIZON)
    parts = teams.probability, teams.account, teams.as_of
    fitted = fit_account_scores(*parts, outcomes, AccountSpec(min_members=3), LINE, seed=1)
    assert fitted.score(*parts).members.min() == 3
    assert fitted.rows == (np.bincount(teams.account) >= 3).sum()


def test_without_a_converting_account_there_is_nothing_to_calibrate():
    with pytest.raises(NotEnoughHistory, match="0 of 20 calibrate rows of accounts convert"):
        Teams(40, seed=1).fit(np.zeros(40, bool))
