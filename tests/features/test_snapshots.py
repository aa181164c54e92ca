"""Who is asked about, when: every edge of the cohort, and against a slower reading of its rules."""

import numpy as np
import pandas as pd
import pytest

from features.clock import DAY_US, to_text, to_us
from features.engine import build_features
from features.errors import EventLogError, NotEnoughHistory, SettingsError
from features.labels import NEVER_US, Conversions, ConversionSpec, find_conversions
from features.naming import define
from features.snapshots import CohortSpec, calendar, eligible, own_rows

PAID = ConversionSpec(events=("paid",))


def cohort_at(log, as_of: str, spec: CohortSpec | None = None, level="account") -> list[str]:
    """Ids that are eligible at one time."""
    times = np.array([to_us(as_of)])
    if "paid" in log.event_codes:
        conversions = find_conversions(log, level, PAID)
    else:
        never = np.full(len(log.ids(level)), NEVER_US)
        conversions = Conversions(never, never)
    return list(eligible(log, level, spec or CohortSpec(), times, conversions).snapshots.ids)


@pytest.mark.parametrize("level", ["account", "user"])
@pytest.mark.parametrize(
    ("converts", "asked"),
    [("2024-03-10", True), ("2024-03-09T23:59:59.999999", False)],
)
def test_an_entity_leaves_the_cohort_at_its_conversion(log_of, level, converts, asked):
    log = log_of(
        f"""
        who | event | time
        ann | login | 2024-03-01
        ann | paid  | {converts}
        zed | login | 2024-03-20
        """,
        level,
    )
    assert ("ann" in cohort_at(log, "2024-03-10", level=level)) == asked


@pytest.mark.parametrize(
    ("as_of", "asked"),
    [
        ("2024-03-01", False),  # an event exactly at as_of is the future
        ("2024-03-01T00:00:00.000001", True),
        ("2024-03-11", True),  # exactly ten days later is still inside the window
        ("2024-03-11T00:00:00.000001", False),
    ],
)
def test_activity_counts_in_a_window_that_is_closed_at_its_start(log_of, as_of, asked):
    log = log_of("who|event|time\nann|login|2024-03-01\nzed|login|2024-04-20")
    assert ("ann" in cohort_at(log, as_of, CohortSpec(active_within_days=10))) == asked


@pytest.mark.parametrize(("least", "asked"), [(2, True), (3, False)])
def test_too_few_events_in_the_window_are_not_enough(log_of, least, asked):
    log = log_of(
        """
        who | event | time
        ann | login | 2024-02-01
        ann | login | 2024-03-08
        ann | login | 2024-03-09
        """
    )
    spec = CohortSpec(active_within_days=7, min_events=least)
    assert (cohort_at(log, "2024-03-10", spec) == ["ann"]) == asked


@pytest.mark.parametrize(
    ("entered", "asked"),
    [
        ("2024-03-04T23:59:59.999999", False),  # a microsecond older than the oldest allowed
        ("2024-03-05", True),
        ("2024-03-08", True),
        ("2024-03-08T00:00:00.000001", False),  # a microsecond younger than the youngest
    ],
)
def test_age_is_counted_from_the_entry_and_both_limits_are_allowed(log_of, entered, asked):
    log = log_of(
        f"""
        who | event  | time
        ann | visit  | 2024-02-20
        ann | signup | {entered}
        ann | login  | 2024-03-09
        """
    )
    spec = CohortSpec(min_age_days=2, max_age_days=5, entered_by=("signup",))
    assert (cohort_at(log, "2024-03-10", spec) == ["ann"]) == asked


def test_who_has_not_entered_is_not_asked_about(log_of):
    log = log_of(
        """
        who | event  | time
        ann | visit  | 2024-03-01
        bob | signup | 2024-03-01
        cyd | visit  | 2024-03-01
        cyd | signup | 2024-03-10
        """
    )
    assert cohort_at(log, "2024-03-10", CohortSpec(entered_by=("signup",))) == ["bob"]


def test_an_unknown_event_in_entered_by_is_an_error(log_of):
    log = log_of("who|event|time\nann|login|2024-03-01")
    with pytest.raises(SettingsError, match=r"cohort\.entered_by names 'signup'"):
        cohort_at(log, "2024-03-10", CohortSpec(entered_by=("signup",)))


def test_entities_that_convert_before_their_first_snapshot_are_counted(log_of):
    log = log_of(
        """
        who | event | time
        ann | login | 2024-03-01T08:00
        ann | paid  | 2024-03-01T09:00
        bob | login | 2024-03-01T08:00
        bob | paid  | 2024-03-12
        cyd | login | 2024-03-01T08:00
        zed | login | 2024-03-30
        """
    )
    conversions = find_conversions(log, "account", PAID)
    cohort = eligible(log, "account", CohortSpec(), calendar(log, 7), conversions)
    assert cohort.n_converted_before == 1
    assert "ann" not in cohort.snapshots.ids
    assert cohort.n_entities == len(set(cohort.snapshots.ids)) == 2


def test_the_calendar_steps_back_from_the_newest_midnight(log_of):
    log = log_of("who|event|time\nann|login|2024-03-01T12:00\nann|login|2024-03-23T06:00")
    assert [to_text(at) for at in calendar(log, 7)] == ["2024-03-09", "2024-03-16", "2024-03-23"]


def test_a_history_shorter_than_one_step_has_no_calendar(log_of):
    log = log_of("who|event|time\nann|login|2024-03-01\nann|login|2024-03-05")
    with pytest.raises(NotEnoughHistory, match=r"less than one step of cohort\.every_days = 7"):
        calendar(log, 7)


@pytest.mark.parametrize("level", ["account", "user"])
def test_own_rows_are_sorted_and_unique_and_may_lie_inside_a_day(log_of, level):
    log = log_of("who|event|time\nann|login|2024-03-01\nbob|login|2024-03-01", level)
    noon = to_us("2024-03-05T12:00")
    rows = own_rows(
        log,
        level,
        np.array(["bob", "ann", "bob", "bob"], object),
        np.array([noon, noon + 1, noon, noon - DAY_US]),
    )
    assert list(zip(rows.ids, rows.as_of - noon, strict=True)) == [
        ("ann", 1),
        ("bob", -DAY_US),
        ("bob", 0),
    ]


def test_own_rows_with_an_id_that_is_not_in_the_log_are_an_error(log_of):
    log = log_of("who|event|time\nann|login|2024-03-01")
    ids = np.array(["ann", "eve"], object)
    with pytest.raises(EventLogError, match="1 of 2 rows name no account of the log: 'eve'"):
        own_rows(log, "account", ids, np.array([0, 0]))


@pytest.fixture(scope="module")
def spec() -> CohortSpec:
    return CohortSpec(
        active_within_days=10, min_events=2, min_age_days=3, max_age_days=45, entered_by=("invite",)
    )


@pytest.fixture(scope="module")
def conversions(log, level):
    """Every third entity converts, at a midnight of the calendar."""
    when = np.full(len(log.ids(level)), NEVER_US)
    when[::3] = calendar(log, 5)[6]
    return Conversions(when, when)


def test_one_date_alone_is_that_date_in_the_calendar(log, level, spec, conversions):
    every = eligible(log, level, spec, calendar(log, 5), conversions).snapshots
    assert len(every) > 20
    for as_of in calendar(log, 5):
        alone = eligible(log, level, spec, np.array([as_of]), conversions).snapshots
        assert list(alone.ids) == list(every.ids[every.as_of == as_of])


def test_the_cohort_is_what_its_rules_say_of_every_event(log, level, spec, conversions):
    """An oracle that reads the rules one entity and one date at a time, in whole microseconds."""
    events = pd.concat([log.shard(at).to_pandas() for at in range(log.n_shards)])
    names = [item.name for item in log.event_names]
    expected = []
    times = np.r_[calendar(log, 5), calendar(log, 5)[:-1] + 1]
    for entity, mine in events[events[level] >= 0].groupby(level):
        for as_of in np.sort(times):
            past = mine[mine["at"] < as_of]
            entries = past["at"][past["event"] == names.index("invite")]
            recent = past["at"] >= as_of - 10 * DAY_US
            age = as_of - entries.min() if len(entries) else -1
            if (
                3 * DAY_US <= age <= 45 * DAY_US
                and recent.sum() >= 2
                and conversions.occurred_at[entity] >= as_of
            ):
                expected.append((entity, as_of))
    found = eligible(log, level, spec, times, conversions).snapshots
    assert list(zip(found.entity, found.as_of, strict=True)) == expected


TIMES = ["2024-03-05 12:30", "2024-03-07", "2024-03-01"]


@pytest.mark.parametrize(
    "as_of",
    [
        pd.to_datetime(pd.Series(TIMES), format="ISO8601").astype("datetime64[ns]"),
        pd.to_datetime(pd.Series(TIMES), format="ISO8601").astype("datetime64[s]"),
        pd.to_datetime(pd.Series(TIMES), format="ISO8601").dt.tz_localize("UTC"),
        (pd.to_datetime(pd.Series(TIMES), format="ISO8601") + pd.Timedelta(hours=1)).dt.tz_localize(
            "Etc/GMT-1"
        ),
        pd.Series(TIMES),
        np.array([to_us(time) for time in TIMES]),
    ],
    ids=["ns", "s", "utc", "zone", "text", "microseconds"],
)
def test_own_rows_take_times_of_any_spelling(log_of, as_of):
    log = log_of(
        """
        who | event | time
        ann | go    | 2024-03-05 12:29:59
        ann | go    | 2024-03-05 12:30
        """
    )
    rows = own_rows(log, "account", ["ann"] * 3, as_of)
    assert rows.as_of.tolist() == sorted(to_us(time) for time in TIMES)
    frame = pd.DataFrame({"entity_id": "ann", "as_of": as_of})
    count = define("count", "value", "entity", "go", ("go",))
    assert list(build_features(log, frame, count).column(count.name)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"entity_id": ["ann"]}, "'as_of' is missing"),
        ({"entity_id": ["ann"], "as_of": [None]}, "1 of 1 as_of times are missing"),
        ({"entity_id": ["ann"], "as_of": ["soon"]}, "'soon'"),
        ({"entity_id": ["ann"], "as_of": [-5]}, "outside 1970"),
        ({"entity_id": ["bob"], "as_of": ["2024-01-01"]}, "name no account of the log: 'bob'"),
    ],
)
def test_rows_that_can_not_be_used_are_one_sentence(log_of, frame, said):
    log = log_of("who|event|time\nann|go|2024-03-05")
    count = define("count", "value", "entity", "go", ("go",))
    with pytest.raises(EventLogError, match=said):
        build_features(log, pd.DataFrame(frame), count)
