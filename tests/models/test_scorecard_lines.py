"""Rules as lines of text: the grammar, its errors, and the same line back."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.definitions import DIMENSIONS
from models.scorecard import Rule, ScorecardSpec

NAMES = st.one_of(
    st.sampled_from(["limit_hit", "$pageview", "Signed Up", "ever", "7", "a|b", 'a "b"', "or"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12),
)  # fmt: skip
AMOUNTS = st.one_of(st.integers(0, 10**7), st.floats(0, 1e6, allow_subnormal=False))
STATISTICS = ["count", "active_days", "longest_streak", "active_weeks", "members"]
OF_ALL = ["members", "breadth", "session_minutes"]


@st.composite
def rules(draw) -> Rule:
    low = float(draw(AMOUNTS))
    condition = draw(
        st.sampled_from([{"at_least": low}, {"between": (low, low + 3)}, {"equals": low}])
    )
    events = tuple(dict.fromkeys(draw(st.lists(NAMES, max_size=3))))
    days = draw(st.one_of(st.none(), st.integers(1, 400)))
    form = draw(st.integers(0, 5))
    fields: dict = dict(condition)
    if form == 0:
        fields["feature"] = draw(NAMES)
    elif form == 1:
        fields["measure"] = {"statistic": "attribute", "attribute": draw(NAMES)}
    elif form == 2:
        values = tuple(dict.fromkeys(draw(st.lists(NAMES, min_size=1, max_size=3))))
        chosen = {"equals": values[0]} if len(values) == 1 else {"one_of": values}
        fields = {"measure": {"statistic": "attribute", "attribute": draw(NAMES)}, **chosen}
    elif form == 3:
        fields["measure"] = {"statistic": draw(st.sampled_from(OF_ALL)), "days": days}
    elif form == 4:
        fields["measure"] = {"statistic": "days_since_first", "events": events}
    else:
        statistic = draw(st.sampled_from(STATISTICS))
        fields["measure"] = {"statistic": statistic, "events": events, "days": days}
    points, dimension = draw(st.integers(-100, 100)), draw(st.sampled_from(DIMENSIONS))
    return Rule(name=draw(NAMES), points=points, dimension=dimension, **fields)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(rules())
def test_a_rule_is_read_back_from_the_line_it_prints(rule):
    again = Rule.model_validate(rule.line)
    assert again.line == rule.line
    assert again == rule


@pytest.mark.parametrize(
    "line",
    [
        "+30 upgrade: limit_reached >= 3 times in 28 days",
        "+20 engagement: any event on >= 5 days in 7 days",
        "+25 team: >= 4 active members in 28 days",
        "+15 fit: industry is software or finance",
        "+20 fit: employees 50 to 500",
        "-20 engagement: no event in 14 days",
        "the limit | +5 upgrade: limit_reached or quota_hit = 1 time in 1 day",
        "+5 engagement: any event on >= 7 days in a row in 28 days",
        "+5 engagement: any event in >= 3 weeks in 21 days",
        "+5 team: comment_added by >= 2 members ever",
        "+5 engagement: >= 5 different events in 28 days",
        "+5 engagement: >= 15 minutes per session in 28 days",
        "+5 engagement: first any event >= 14 days ago",
        "+5 value: feature rows_sum_28d >= 0.5",
        "+5 fit: feature plan is free",
        "several departments | +20 team: no data",
    ],
)
def test_a_line_as_people_write_it_is_printed_as_it_was(line):
    assert Rule.model_validate(line).line == line


def test_spaces_thousands_and_a_missing_window_are_read_and_printed_one_way():
    rule = Rule.model_validate("  big | + 25  value :message_sent>=2,000 times ")
    assert rule.line == "big | +25 value: message_sent >= 2000 times ever"
    assert (rule.name, rule.points, rule.measure.days) == ("big", 25, None)


def test_a_line_without_a_name_is_called_what_it_says():
    assert Rule.model_validate("+5 fit: employees >= 50").name == "employees >= 50"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("limit_reached >= 3 times", "a rule begins with its points and dimension"),
        ("+30 upgrad: x >= 3 times", "no dimension 'upgrad'; did you mean 'upgrade'?"),
        ("+30 upgrade: x >= 3 tims in 28 days", "found `tims`; did you mean 'times'?"),
        ("+30 upgrade: x > 3 times", "no such sign: write >= 3, = 3 or 0 to 3"),
        ("+30 upgrade: x >= many times", "expected a number after `x >=`, found `many`"),
        ("+30 upgrade: x >= 3 times in 28 weeks", "expected days after `x >= 3 times in 28`"),
        ("+30 upgrade: x >= 3 times in 0 days", "a window is a whole number of days, not 0"),
        ("+30 upgrade: x >= 3 times in 1.5 days", "a window is a whole number of days, not 1.5"),
        ("+30 upgrade: x", "found nothing more"),
        ("+30 upgrade:", "expected an event"),
        ("+30 upgrade: any event >= 3", "expected times after `any event >= 3`"),
        ("+30 upgrade: x or y >= 3", "expected times after `x or y >= 3`"),
        ('+30 upgrade: "x >= 3 times', "a double quote is never closed"),
        ("+30 upgrade: x on >= 3 days in 28 days more", "expected the end of the line"),
        ("| +30 upgrade: x >= 3 times", "the name in front of | is empty"),
        ("+30 upgrade: first time >= 3 days ago", "stands in double quotes"),
        ("+5 team: 5 to 3 active members", "must rise"),
        ("+500 team: >= 3 active members", "less than or equal to 100"),
    ],
)
def test_a_line_that_does_not_fit_says_what_was_expected(line, said):
    with pytest.raises(ValidationError) as error:
        Rule.model_validate(line)
    assert said in str(error.value)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.text(max_size=60), st.sampled_from(["", "+5 team: ", "x | -3 fit: ", "+5 value: x >= "]))
def test_any_text_is_a_rule_or_refused_in_words(text, head):
    with suppress(ValidationError):
        assert Rule.model_validate(head + text).line


def test_lines_and_mappings_stand_side_by_side_in_the_settings():
    rules = [
        "+5 team: >= 4 active members in 28 days",
        {"name": "x", "dimension": "fit", "points": 5, "feature": "plan", "one_of": ["a", "b"]},
        {"name": "y", "dimension": "fit", "points": 5, "equals": 0,
         "measure": {"statistic": "count", "events": ["sold"], "days": 7}},
    ]  # fmt: skip
    spec = ScorecardSpec.model_validate_json(json.dumps({"rules": rules}))
    assert [rule.line for rule in spec.rules] == [
        "+5 team: >= 4 active members in 28 days",
        "x | +5 fit: feature plan is a or b",
        "y | +5 fit: no sold in 7 days",
    ]


def test_a_mistyped_key_of_a_mapping_is_still_an_error():
    with pytest.raises(ValidationError, match="at_last"):
        Rule.model_validate({"name": "x", "dimension": "fit", "points": 5, "at_last": 3})


def test_no_event_fires_where_the_count_is_zero_and_not_where_it_is_unknown():
    rule = Rule.model_validate("-20 engagement: no event in 14 days")
    assert rule.fires(np.array([0.0, 1.0, np.nan], np.float32)).tolist() == [True, False, False]
