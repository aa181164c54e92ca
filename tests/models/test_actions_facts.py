"""What is known before as_of: every count and moment against plain pandas, and the boundary."""

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US, to_us
from features.errors import EventLogError
from features.matrix import Snapshots
from features.signals import FirstValue, SignalSpec
from models.actions.facts import NEVER, read_facts
from models.actions.triggers import find_triggers
from pipeline.importer.frame import import_frame

JUNE = to_us("2024-06-03")
NAMES = ("limit", "pricing", "made")
THIRD, FIRST = FirstValue(event="made", at_least=3), FirstValue(event="limit")


def at(log, level, as_of=JUNE):
    entity = np.arange(len(log.entities(level)))
    return Snapshots.of(level, entity, np.full(len(entity), as_of), log.ids(level))


def facts_of(log, level="account", **more):
    how = {"names": NAMES, "milestones": (THIRD, FIRST), "recent_days": 7}
    return read_facts(log, at(log, level), **{**how, **more})


def events(seed=3, n=4000):
    """A crowd of users in accounts, with events on both sides of every boundary."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 150, n)
    # Whole days and half days, so that many lie exactly at as_of or at the edge of a window.
    when = JUNE + rng.integers(-60, 8, n) * (DAY_US // 2)
    return pd.DataFrame(
        {
            "event": rng.choice(["limit", "pricing", "made", "opened", "closed"], n),
            "user_id": [f"u{one:03d}" for one in user],
            "account_id": [f"a{one // 4:02d}" for one in user],
            "time": pd.to_datetime(when, unit="us"),
        }
    )


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    frame = events().drop_duplicates()
    folder = tmp_path_factory.mktemp("crowd")
    logs = {level: import_frame(frame, folder / level, level) for level in ("account", "user")}
    frame["at"] = frame["time"].astype("datetime64[us]").astype(np.int64)
    return frame, logs


@pytest.mark.parametrize("level", ["account", "user"])
def test_counts_and_moments_equal_those_of_pandas(crowd, level):
    frame, logs = crowd
    found = facts_of(logs[level], level)
    known = frame[frame["at"] < JUNE]
    for row, name in enumerate(logs[level].ids(level)):
        mine = known[known[f"{level}_id"] == name].sort_values("at")
        for event in NAMES:
            times = mine.loc[mine["event"] == event, "at"]
            assert found.count[event][row] == (times >= JUNE - 7 * DAY_US).sum()
            assert found.last[event][row] == (times.max() if len(times) else NEVER)
        made = mine.loc[mine["event"] == "made", "at"].tolist()
        assert found.reached[THIRD][row] == (made[2] if len(made) > 2 else NEVER)
        assert found.week[row] == (mine["at"] >= JUNE - 7 * DAY_US).sum()
        both = (mine["at"] >= JUNE - 14 * DAY_US).sum()
        assert found.week_before[row] == both - found.week[row]
        assert found.first_at[row] == (mine["at"].min() if len(mine) else NEVER)
        assert found.last_at[row] == (mine["at"].max() if len(mine) else NEVER)


@pytest.mark.parametrize("level", ["account", "user"])
def test_teams_equal_those_of_pandas(crowd, level):
    frame, logs = crowd
    found = facts_of(logs[level], level)
    known = frame[frame["at"] < JUNE]
    since = known.groupby("user_id")["at"].min()
    for row, name in enumerate(logs[level].ids(level)):
        team = known.loc[known[f"{level}_id"] == name, "account_id"].iloc[-1]
        users = known.loc[known["account_id"] == team, "user_id"].unique()
        new = since[users][since[users] >= JUNE - 7 * DAY_US]
        assert found.members[row] == len(users)
        assert found.new_members[row] == len(new)
        assert found.joined_at[row] == (new.max() if len(new) else NEVER)


def test_the_trigger_of_an_account_equals_that_of_pandas(crowd):
    frame, logs = crowd
    log = logs["account"]
    signals = SignalSpec(limit=("limit",), pricing=("pricing",), success=("closed",))
    facts = facts_of(log, names=(*NAMES, "closed"), milestones=(THIRD,), recent_days=2)
    n = len(log.accounts)
    crossed = find_triggers(
        facts,
        signals,
        [THIRD],
        alike=np.zeros(n, bool),
        new_members=9,
        asked_at=np.full(n, NEVER),
        asked=np.full(n, -1),
    )
    recent = frame[(frame["at"] < JUNE) & (frame["at"] >= JUNE - 2 * DAY_US)]
    kinds = set()
    for row, name in enumerate(log.ids("account")):
        mine = recent[recent["account_id"] == name]
        last = mine.groupby("event")["at"].max().to_dict()
        made = frame[(frame["account_id"] == name) & (frame["event"] == "made")]
        third = sorted(made["at"])[2] if len(made) > 2 else JUNE
        expected = ("score", NEVER)
        for trigger, when in (
            ("success", last.get("closed")),
            ("milestone reached", third if JUNE - 2 * DAY_US <= third < JUNE else None),
            ("pricing view", last.get("pricing")),
            ("limit reached", last.get("limit")),
        ):
            expected = (trigger, when) if when else expected
        assert (crossed.name(row), crossed.at[row]) == expected
        kinds.add(expected[0])
    assert len(kinds) > 2


def test_an_event_a_moment_before_as_of_counts_and_one_at_as_of_is_the_future(log_of):
    log = log_of(
        """
        who | event | time
        ann | limit | 2024-06-02T23:59:59.999999
        bob | limit | 2024-06-03
        bob | made  | 2024-06-02
        cem | limit | 2024-05-27
        dan | limit | 2024-05-26T23:59:59.999999
        """
    )
    found = facts_of(log)
    assert found.count["limit"].tolist() == [1, 0, 1, 0]
    assert found.last["limit"].tolist() == [JUNE - 1, NEVER, JUNE - 7 * DAY_US, found.last_at[3]]
    assert found.reached[FIRST].tolist() == found.last["limit"].tolist()
    assert found.last_at[1] == JUNE - DAY_US


def test_an_event_counts_from_when_it_was_known(log_of):
    log = log_of(
        """
        who | event | time       | known
        ann | limit | 2024-06-01 | 2024-06-03
        ann | made  | 2024-06-01 | 2024-06-02
        """
    )
    found = facts_of(log)
    assert found.count["limit"].tolist() == [0]
    assert found.last_at.tolist() == [JUNE - 2 * DAY_US]
    assert found.known["made"].tolist() == [JUNE - DAY_US]


def test_a_batch_of_late_events_is_counted_and_dated_by_when_it_happened(log_of):
    log = log_of(
        """
        who  | user_id | event | time       | known
        acme | ann     | limit | 2024-05-10 | 2024-06-02
        acme | ann     | limit | 2024-06-01 | 2024-06-01T12:00
        acme | ann     | made  | 2024-05-22 | 2024-06-02T01:00
        acme | ann     | made  | 2024-05-11 | 2024-06-02T02:00
        acme | ann     | made  | 2024-05-12 | 2024-06-01T00:00
        acme | bob     | made  | 2024-05-30 | 2024-06-02
        acme | cem     | made  | 2024-05-01 | 2024-06-02
        """
    )
    found = facts_of(log)
    assert (found.count["limit"][0], found.count["made"][0]) == (1, 1)
    assert (found.week[0], found.week_before[0]) == (2, 1)
    assert found.last["limit"][0] == to_us("2024-06-01")
    assert found.known["limit"][0] == to_us("2024-06-02")
    # The third was made on the 12th, and three were known of only on June 2.
    assert found.reached[THIRD][0] == to_us("2024-05-12")
    assert found.known[THIRD][0] == to_us("2024-06-02")
    assert found.first_at[0] == to_us("2024-05-01")
    assert (found.members[0], found.new_members[0]) == (3, 1)
    assert found.joined_at[0] == to_us("2024-05-30")
    assert found.joined_known[0] == to_us("2024-06-02")


def test_whom_to_write_to_is_the_most_active_member_that_can_be_reached(log_of):
    log = log_of(
        """
        who | user_id | event | time
        acme | ann | made | 2024-06-01
        acme | bob | made | 2024-06-01
        acme | bob | made | 2024-06-02
        acme | cem | made | 2024-04-01
        acme | cem | made | 2024-04-02
        acme | cem | made | 2024-04-03
        zeta | dan | made | 2024-06-04
        """
    )
    users = log.ids("user").tolist()
    everybody = facts_of(log, reachable=np.ones(4, bool)).contact
    assert [users[everybody[0]], everybody[1]] == ["bob", -1]
    without_bob = facts_of(log, reachable=np.array([name != "bob" for name in users])).contact
    assert users[without_bob[0]] == "ann"
    assert facts_of(log).contact.tolist() == [-1, -1]


def test_what_the_log_does_not_have_never_happened(log_of):
    log = log_of("who | event | time\nann | made | 2024-06-01")
    never = FirstValue(event="danced")
    found = facts_of(log, names=("danced",), milestones=(never,))
    assert (found.count["danced"][0], found.last["danced"][0]) == (0, NEVER)
    assert found.reached[never][0] == NEVER


def test_facts_are_of_one_date(log_of):
    log = log_of("who | event | time\nann | made | 2024-06-01")
    rows = Snapshots.of("account", np.zeros(2), np.array([JUNE, JUNE + 1]), log.ids("account"))
    with pytest.raises(EventLogError, match="one as_of, but the rows have 2"):
        read_facts(log, rows, names=(), milestones=(), recent_days=7)


def test_nobody_has_no_facts(log_of):
    log = log_of("who | event | time\nann | made | 2024-06-01")
    rows = at(log, "account").take(np.zeros(1, bool))
    found = read_facts(log, rows, names=NAMES, milestones=(), recent_days=7)
    assert len(found.week) == len(found.count["limit"]) == len(found.contact) == 0
