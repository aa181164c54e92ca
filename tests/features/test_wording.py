"""What a value says of a row, for every statistic and every kind of value."""

import json
import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from features.definitions import Condition, Feature, Limit, Statistic
from features.statistics import STATISTICS
from features.texts import english
from features.wording import meaning, phrase
from models.scoring import Language
from models.scoring import tell as fill

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


ENGLISH = Language(english().of_models())


def tell(told: Feature, value: float | str | None, limit: float | None = None) -> str:
    """As a reason tells it: the sentences travel with the model, the number comes later."""
    return fill(json.loads(json.dumps(phrase(told))), value, ENGLISH, limit)


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
        ("days_since_last", 2.0, "report made 2 days ago"),
        ("days_since_last", 0.4, "report made less than 1 day ago"),
        ("gap_days", 1.0, "report made: every day on average in the last 7 days"),
        ("gap_days", None, "report made: too few to see a rhythm in the last 7 days"),
        ("per_active_day", None, "report made: none in the last 7 days"),
        (
            "slope",
            -0.5,
            "report made: every day 0.5 fewer than the day before, on average, in the last 7 days",
        ),
        ("slope", 0.0, "report made: no more and no fewer from day to day in the last 7 days"),
        ("acceleration", 0.3, "report made: gaining pace over the last three spans of 7 days"),
        ("acceleration", -2.0, "report made: losing pace over the last three spans of 7 days"),
        ("new_members", 1.0, "report made: for the first time by 1 user in the last 7 days"),
        ("limit_share", 0.8, "members: 80% of the limit"),
        ("limit_share", None, "members: limit unknown"),
        ("max", 5.0, "rows of report made: up to 5 in the last 7 days"),
        ("members", 3.0, "report made: by 3 users in the last 7 days"),
        ("days_since_last", None, "report made: never"),
        ("session_minutes", None, "no session in the last 7 days"),
        ("attribute", None, "rows: unknown"),
        ("attribute", "software", "rows: software"),
        ("trend", 1.0, "report made in the last 7 days, but not in the 7 days before"),
        ("trend", -1.0, "report made: not in the last 7 days, but in the 7 days before"),
        ("trend", 0.0, "report made: as often as in the 7 days before"),
        ("trend", 0.5, "report made: 3 times as often as in the 7 days before"),
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
    assert ENGLISH.show(value) == text


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        ("days_since_last", "days since the latest event"),
        ("days_since_first", "days since the first event"),
        ("new_members", "users with their first event in the last 7 days"),
    ],
)
def test_the_latest_of_all_events_is_the_latest_event_not_the_latest_any_event(statistic, said):
    assert meaning(feature(statistic, events=())) == said


def test_the_latest_of_a_group_of_events_is_one_event():
    group = replace(feature("days_since_last", events=("a", "b")), subject="team events")
    assert meaning(group) == "days since the latest team event"
    assert tell(group, 3.0) == "team event 3 days ago"
    assert tell(group, None) == "team events: never"


def test_one_of_anything_is_not_told_in_the_plural():
    """At a value of one and in a window of one day, in the catalogue as in a reason."""
    for statistic in get_args(Statistic):
        for events in (("report_made",), ()):
            one = feature(statistic, events=events)
            one = replace(one, days=None if one.days is None else 1)
            texts = [meaning(one), *(tell(one, value) for value in (1.0, 0.0, None))]
            for text in texts:
                assert not re.search(r"\b1 (day|time|event|user|session|minute|value)s\b", text), (
                    text
                )


def test_the_events_of_a_denominator_are_words():
    share = replace(feature("share"), against=("$page_viewed", "report_viewed"))
    assert meaning(share) == (
        "report made as a share of page viewed, report viewed in the last 7 days"
    )
    assert tell(share, 0.5) == "report made: 50% of page viewed, report viewed in the last 7 days"


def test_names_with_braces_are_told_as_they_are():
    """An event may be called anything: its name is no gap for a number."""
    odd = replace(feature("count", events=("{n}", "a{")), subject="{n} or a{ events")
    assert tell(odd, 2.0) == "{n} or a{ events: 2 times in the last 7 days"
    odd = replace(odd, statistic="trend", scope="account")
    assert tell(odd, 1.0).startswith("in the user's account: {n} or a{ events in the last 7 days")


def test_a_condition_is_told_exactly():
    bound = Condition("price", at_least=1234.56)
    told = tell(replace(feature("count"), where=(bound,)), 1.0)
    assert told == "report made: 1 time in the last 7 days, where price is at least 1,234.56"


def test_a_share_of_a_known_limit_is_told_in_whole_seats():
    seats = feature("limit_share")
    assert tell(seats, float(np.float32(0.8)), limit=5.0) == "4 of 5 seats used"
    assert tell(seats, 1.2, limit=5.0) == "6 of 5 seats used"
    assert tell(seats, 0.8, limit=float("nan")) == "members: 80% of the limit"
    rows = replace(feature("limit_share"), property="rows")
    assert tell(rows, 0.25, limit=1000.0) == "rows: 250 of 1,000"
    assert tell(rows, 1 / 3, limit=10.0) == "rows: 3.3 of 10"
    constant = replace(seats, limit=Limit("constant", "20"))
    assert phrase(constant)["limit"] == 20.0


@pytest.mark.parametrize("members", range(0, 300, 7))
def test_float32_shares_of_any_limit_give_back_the_members(members):
    seats = feature("limit_share")
    for limit in (1, 3, 7, 49, 1000, 7777):
        share = float(np.float32(members / limit))
        assert tell(seats, share, limit=float(limit)) == f"{members:,} of {limit:,} seats used"


def test_names_are_spoken_in_facts_and_kept_in_the_catalogue():
    """A rep reads words, whoever looks for a column its name."""
    odd = replace(feature("max"), property="file_size_b")
    assert tell(odd, 3.0).startswith("file size b of report made: up to 3")
    assert meaning(odd) == "largest file_size_b of report made in the last 7 days"


def test_every_sentence_of_the_catalogue_belongs_to_a_statistic():
    """What nothing says would be translated for nothing."""
    statistics = {*get_args(Statistic), "events", "property", "members", "usage", "of_ones_own"}
    spoken = {"facts", "zero", "negative", "below_one", "only_now", "only_before", "unknown"}
    sections = {*spoken, "meanings", "of_limit"} | {f"{name}_of_all" for name in spoken}
    for key in english().sentences:
        section, _, name = key.partition(".")
        assert section not in sections or name in statistics, key
    for statistic in get_args(Statistic):
        assert {f"facts.{statistic}", f"meanings.{statistic}"} <= english().sentences.keys()
