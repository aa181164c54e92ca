"""What a value says of a row, for every statistic and every kind of value."""

import re
from typing import get_args

import pytest

from features.definitions import Feature, Limit, Statistic
from features.statistics import STATISTICS
from features.wording import meaning, show, tell

WITH_PROPERTY = {"attribute"} | {name for name, one in STATISTICS.items() if one.over != "nothing"}
WITHOUT_WINDOW = {"attribute", "last", "first"} | {
    name for name, one in STATISTICS.items() if one.window == "none"
}


def feature(statistic: str, *, scope: str = "entity", events=("report_made",)) -> Feature:
    return Feature(
        name="x",
        dimension="value",
        statistic=statistic,
        events=events,
        property="rows" if statistic in WITH_PROPERTY else None,
        days=None if statistic in WITHOUT_WINDOW else 7,
        scope=scope,
        dtype="number",
        unit="",
        meaning="",
        subject="report made" if events else "any event",
        limit=Limit("account", "seats") if statistic == "limit_share" else None,
    )


@pytest.mark.parametrize("value", [None, 0.0, 1.0, -1.0, 0.25, 1234.5, "pro"])
@pytest.mark.parametrize("statistic", get_args(Statistic))
def test_every_statistic_tells_every_value_in_clean_words(statistic, value):
    for events in (("report_made",), ()):
        text = tell(feature(statistic, events=events), value)
        assert text == text.strip() != ""
        assert not re.search(r"[{}]|\bNone\b|\bnan\b|  ", text), text


@pytest.mark.parametrize("statistic", get_args(Statistic))
def test_every_statistic_means_something(statistic):
    for events in (("report_made",), ()):
        text = meaning(feature(statistic, events=events))
        assert not re.search(r"[{}]|\bNone\b|  ", text), text
        assert len(text) > 5


@pytest.mark.parametrize(
    ("statistic", "value", "text"),
    [
        ("count", 1.0, "report made: 1 time in the last 7 days"),
        ("count", 12.0, "report made: 12 times in the last 7 days"),
        ("count", 0.0, "report made: 0 times in the last 7 days"),
        ("members", 3.0, "report made: by 3 users in the last 7 days"),
        ("days_since_last", None, "report made: never"),
        ("session_minutes", None, "no session in the last 7 days"),
        ("attribute", None, "rows: unknown"),
        ("attribute", "software", "rows: software"),
        ("trend", 1.0, "report made in the last 7 days, but not in the 7 days before"),
        ("trend", -1.0, "report made: not in the last 7 days, but in the 7 days before"),
        ("trend", 0.0, "report made: 1 times as often as in the 7 days before"),
        ("trend", None, "report made: not in the last 7 days, nor in the 7 days before"),
    ],
)
def test_a_fact_reads_like_a_sentence(statistic, value, text):
    assert tell(feature(statistic), value) == text


def test_a_fact_of_the_account_says_whose_it_is():
    told = tell(feature("count", scope="account"), 2.0)
    assert told == "in the user's account: report made: 2 times in the last 7 days"


def test_when_every_event_counts_the_subject_goes_without_saying():
    assert tell(feature("count", events=()), 2.0) == "2 events in the last 7 days"


@pytest.mark.parametrize(
    ("value", "text"), [(1e6, "1,000,000"), (-2.0, "-2"), ("", "unknown"), (0.001, "0.001")]
)
def test_numbers_are_written_as_people_write_them(value, text):
    assert show(value) == text
