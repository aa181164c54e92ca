"""From settings to feature definitions: names, words, and what is refused."""

import re
from typing import get_args

import pytest

from features.catalogue import build_catalogue
from features.catalogue_checks import unknown_events
from features.catalogue_spec import FeatureSpec
from features.definitions import Statistic, from_json, to_json
from features.errors import SettingsError
from features.statistics import STATISTICS
from pipeline.champion import load_champion
from pipeline.settings import parse
from tests.features.worlds import SPEC


def spec_of(**blocks) -> FeatureSpec:
    return FeatureSpec.model_validate({"windows_days": (7,), "trend_days": (), **blocks})


@pytest.fixture
def colliding(log_of):
    """Three event names that make the same column name, and an account with a property."""
    return log_of(
        """
        who | event           | time       | plan
        ann | report exported | 2024-03-01 | free
        ann | Report Exported | 2024-03-02 | pro
        ann | report_exported | 2024-03-03 | pro
        ann | paid            | 2024-03-04 | pro
        """
    )


def test_every_name_is_a_plain_unique_column_name(log, catalogue):
    names = [feature.name for feature in catalogue]
    assert len(set(names)) == len(names) > 50
    assert [name for name in names if not re.fullmatch("[a-z0-9_]+", name)] == []


def test_events_whose_names_collide_keep_apart_and_keep_their_events(colliding):
    features = build_catalogue(spec_of(), colliding, "account")
    exports = [f for f in features if f.statistic == "count" and "xport" in "".join(f.events)]
    assert len({f.name for f in exports}) == len(exports)
    assert {f.events[0] for f in exports} == {
        "report exported",
        "Report Exported",
        "report_exported",
    }


def test_names_do_not_change_when_another_event_is_catalogued(log, level):
    few = SPEC.model_copy(update={"groups": {}})
    names = {feature.name for feature in build_catalogue(few, log, level)}
    assert names < {feature.name for feature in build_catalogue(SPEC, log, level)}


@pytest.mark.parametrize("level", ["account", "user"])
@pytest.mark.parametrize("catalogued", [None, {"value": ("paid", "report_exported")}])
def test_a_conversion_event_is_never_a_feature_of_its_own(log_of, catalogued, level):
    log = log_of("who|event|time\nann|paid|2024-03-01\nann|report_exported|2024-03-01", level=level)
    features = build_catalogue(spec_of(events=catalogued), log, level, ("paid",))
    assert [f.name for f in features if f.events == ("paid",)] == []
    assert [f.name for f in features if f.events == ("report_exported",)] != []


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        ({"properties": {"plam": {"dimension": "value"}}}, r"features\.properties names 'plam'"),
        ({"attributes": {"size": "fit"}}, r"features\.attributes names 'size'"),
        ({"member_attributes": ("role",)}, r"features\.member_attributes names 'role'"),
        ({"events": {"team": ("x",), "value": ("x",)}}, r"features\.events names 'x' more than"),
        (
            {"groups": {"Paid": {"dimension": "value", "events": ("paid", "report exported")}}},
            "'Paid' would be taken for an event",
        ),
        (
            {"custom": {"Paid count 7d": {"dimension": "value", "statistic": "count", "days": 9}}},
            r"custom\.Paid count 7d: there is a feature 'paid_count_7d' already",
        ),
        (
            {
                "custom": {
                    "big one": {"dimension": "value", "statistic": "count", "days": 9},
                    "big_one": {"dimension": "value", "statistic": "count", "days": 8},
                }
            },
            "there is a feature 'big_one' already",
        ),
    ],
)
def test_what_the_log_does_not_carry_is_one_sentence(colliding, blocks, sentence):
    with pytest.raises(SettingsError, match=sentence) as error:
        build_catalogue(spec_of(**blocks), colliding, "account")
    assert "\n" not in str(error.value)


def test_the_events_of_an_unset_catalogue_are_the_most_frequent(log_of):
    log = log_of(
        """
        who | event | time
        ann | often | 2024-03-01
        ann | often | 2024-03-02
        ann | rare  | 2024-03-01
        """
    )
    features = build_catalogue(spec_of(max_events=1), log, "account")
    assert {f.events for f in features} == {(), ("often",)}


def test_definitions_survive_their_text(catalogue):
    assert from_json(to_json(catalogue)) == catalogue


def test_every_feature_of_the_demo_company_says_what_it_means(demo):
    features = load_champion(demo.run, "champion").model.features
    assert len(features) > 300
    wrong = [f.name for f in features if not f.meaning or re.search(r"[{}]|None|nan", f.meaning)]
    assert wrong == []
    assert [f.name for f in features if not f.unit or not f.dimension] == []
    assert [f.name for f in features if "subscription_started" in f.events] == []


def test_the_default_features_block_makes_a_catalogue(log, level):
    text = "name: x\ndata: {sources: [{format: segment, files: [x]}]}\nconversion: {events: [paid]}"
    assert len(build_catalogue(parse(text).features, log, level)) > 50


def test_a_slip_of_the_pen_in_an_event_is_refused_and_an_event_that_never_came_is_told(log):
    def spec(*value: str) -> FeatureSpec:
        return FeatureSpec.model_validate({"events": {"value": value}})

    assert unknown_events(spec("report made", "limit"), log) == []
    assert unknown_events(spec("report made", "goal reached"), log) == ["goal reached"]
    with pytest.raises(SettingsError, match=r"'reprt made'.*Did you mean 'report made'"):
        unknown_events(spec("reprt made"), log)


def test_the_test_catalogues_ask_for_every_statistic(catalogue):
    """So that brute force judges each of them; attributes and SQL have tests of their own."""
    asked = {feature.statistic for feature in catalogue}
    assert set(STATISTICS) - asked == {"sql"}


def test_every_statistic_of_the_glossary_is_computed():
    assert set(get_args(Statistic)) == {*STATISTICS, "attribute"}
