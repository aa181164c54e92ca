"""A sample of a log has the features of the whole; a feature that sees the future is caught."""

from dataclasses import replace

import numpy as np
import pytest

from features.clock import DAY_US
from features.engine import build_features
from features.matrix import Snapshots
from features.scramble import moved_by, sample_of
from features.statistics import STATISTICS
from features.statistics.base import Statistic
from models.leakage.scrambled import check_scrambled_future
from tests.leaks.cases import START, Company, case_of, count_of

FEATURES = (count_of("login", 7), count_of("login", 28))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Company().log(tmp_path_factory.mktemp("log"))


def rows(log, codes, day):
    return Snapshots.of(
        "account", codes, np.full(len(codes), START + day * DAY_US), log.ids("account")
    )


def test_a_sample_has_the_features_of_the_whole(log):
    part = sample_of(log, "account", START + 30 * DAY_US, 25)
    names = part.ids("account").tolist()
    assert len(names) == 25
    codes = np.flatnonzero(np.isin(log.ids("account"), names))
    whole = build_features(log, rows(log, codes, 30), FEATURES)
    sampled = build_features(part, rows(part, np.arange(25), 30), FEATURES)
    assert whole.table.equals(sampled.table)


def test_who_has_a_past_and_a_future_comes_first(tmp_path):
    company = Company(n_buyers=1, n_others=30)
    company.events = [(f"z{number}", "login", START + number) for number in range(30)]
    log = company.log(tmp_path)
    part = sample_of(log, "account", START + 30 * DAY_US, 31)
    assert set(part.ids("account")) == set(company.names)
    assert len(sample_of(log, "account", START + 30 * DAY_US, 40).ids("account")) == 40


def test_a_later_look_moves_what_counts_and_not_what_stands_still(log):
    part = sample_of(log, "account", START + 30 * DAY_US, 25)
    ever, never = replace(FEATURES[0], days=None), count_of("paid", 1)
    early, late = START + 10 * DAY_US, START + 12 * DAY_US
    assert moved_by(part, "account", (ever,), early, late) == 1
    assert moved_by(part, "account", (never,), early, late) == 0


def test_honest_features_pass_and_the_planted_one_is_caught(log):
    check = check_scrambled_future(case_of(log, dict.fromkeys(FEATURES)))
    assert check.findings == ()
    assert [one.caught for one in check.planted] == [True]
    assert not check.blind


def test_a_feature_that_reads_on_beyond_as_of_is_caught(log):
    """A statistic of one's own: all events of the row's entity, whenever."""
    STATISTICS["leak"] = Statistic(
        lambda s, f: np.diff(s.view.all().start)[s.rows.entity], "events", 0
    )
    try:
        sees_all = replace(FEATURES[0], name="sees_all", statistic="leak")
        check = check_scrambled_future(case_of(log, dict.fromkeys((*FEATURES, sees_all))))
    finally:
        del STATISTICS["leak"]
    assert [one.severity for one in check.findings] == ["fail"]
    assert "1 of 3 features are not point-in-time" in check.findings[0].evidence
    assert "sees_all" in check.findings[0].evidence
    assert "features.custom" in check.findings[0].remedy


def test_where_nothing_follows_the_check_says_so(log):
    """Rows long after the last event: there is no future to scramble."""
    case = case_of(log, dict.fromkeys(FEATURES))
    late = replace(case.rows.matrix.snapshots, as_of=case.rows.as_of + 90 * DAY_US)
    matrix = replace(case.rows.matrix, snapshots=late)
    check = check_scrambled_future(replace(case, rows=replace(case.rows, matrix=matrix)))
    assert "horizon after as_of" in check.blind
