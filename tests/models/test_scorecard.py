"""Points: what earns them, what never does, and how they become probabilities."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from features.definitions import DIMENSIONS, Feature
from features.errors import SettingsError
from features.matrix import FeatureMatrix, Snapshots
from models.calibration import CalibrationSpec
from models.scorecard import Rule, Scorecard, ScorecardSpec


def _matrix(**columns: list) -> FeatureMatrix:
    """Columns of numbers or text, None for missing; one row per entity."""
    features, arrays = [], {}
    for name, values in columns.items():
        is_text = any(isinstance(value, str) for value in values)
        dtype = "category" if is_text else "number"
        features.append(
            Feature(name, "fit", "attribute", (), name, None, "entity", dtype, "", name)
        )
        given = values if is_text else [np.nan if value is None else value for value in values]
        arrays[name] = pa.array(given, pa.string() if is_text else pa.float32())
    n = len(next(iter(columns.values())))
    entity = np.arange(n, dtype=np.int32)
    ids = np.array([f"e{at}" for at in range(n)], object)
    snapshots = Snapshots("account", entity, np.zeros(n, np.int64), ids)
    return FeatureMatrix(snapshots, tuple(features), pa.table(arrays))


def _card(*rules: dict) -> Scorecard:
    return Scorecard(ScorecardSpec.model_validate_json(json.dumps({"rules": rules})))


def _rule(name: str, points: int, dimension: str = "engagement", **condition: object) -> dict:
    return {"name": name, "points": points, "dimension": dimension, **condition}


@pytest.mark.parametrize(
    ("condition", "values", "fired"),
    [
        ({"at_least": 3}, [2.9, 3.0, None], [False, True, False]),
        ({"between": [50, 500]}, [49, 50, 500, 501, None], [False, True, True, False, False]),
        ({"equals": 1}, [1.0, 0.0, None], [True, False, False]),
        ({"equals": "team"}, ["team", "free", None], [True, False, False]),
        ({"one_of": ["team", "pro"]}, ["team", "None", None], [True, False, False]),
    ],
)
def test_a_rule_fires_where_its_condition_holds_and_never_on_a_missing_value(
    condition: dict, values: list, fired: list
) -> None:
    result = _card(_rule("r", 20, feature="x", **condition)).score(_matrix(x=values))
    assert result.fired[:, 0].tolist() == fired
    assert result.points.tolist() == [20 * hit for hit in fired]


def test_points_add_up_by_dimension_in_the_order_of_the_five() -> None:
    card = _card(
        _rule("active", 20, feature="x", at_least=1),
        _rule("invites", 15, "team", feature="y", at_least=1),
        _rule("again", 10, feature="y", at_least=2),
    )
    result = card.score(_matrix(x=[1, 0], y=[2, 1]))
    assert tuple(result.by_dimension) == DIMENSIONS
    assert result.by_dimension["engagement"].tolist() == [30, 0]
    assert result.by_dimension["team"].tolist() == [15, 15]
    assert sum(result.by_dimension.values()).tolist() == result.points.tolist() == [45, 15]


def test_tiers_begin_at_51_76_and_101_points() -> None:
    points = [0, 50, 51, 75, 76, 100]
    card = _card(*[_rule(str(at), at, feature="x", equals=at) for at in points])
    assert card.score(_matrix(x=points)).tier.tolist() == [
        "cold", "cold", "warm", "warm", "hot", "hot",
    ]  # fmt: skip
    both = _card(_rule("a", 100, feature="x", at_least=0), _rule("b", 1, feature="x", at_least=0))
    assert both.score(_matrix(x=[0])).tier.tolist() == ["critical"]


def test_rules_without_data_are_listed_and_never_counted() -> None:
    card = _card(
        _rule("here", 20, feature="x", at_least=0),
        _rule("not built", 30, feature="y", at_least=0),
        _rule("not tracked", 30),
        _rule("text rule on a number", 30, feature="x", equals="team"),
    )
    result = card.score(_matrix(x=[1, 2]))
    assert result.without_data == ("not built", "not tracked", "text rule on a number")
    assert result.points.tolist() == [20, 20]


def test_a_scorecard_without_rules_gives_no_points() -> None:
    result = _card().score(_matrix(x=[1, 2]))
    assert result.points.tolist() == [0, 0]
    assert result.tier.tolist() == ["cold", "cold"]


@pytest.mark.parametrize("n_entities", [300, 2_600])
def test_mapped_points_rise_and_average_to_the_base_rate(
    make_world: Callable, n_entities: int
) -> None:
    data = make_world(n_entities=n_entities, n_weeks=6, seed=2).data
    rules = [
        _rule(f"{at}", 15, feature="reports_count_28d", at_least=at) for at in (3, 8, 12, 20, 30)
    ]
    # A map in the settings is meant for the model: the scorecard's is chosen by evidence.
    asked = CalibrationSpec(method="none")
    card = _card(*rules).fit(data, asked, horizon_days=7, seed=0)
    probability = card.probability(card.score(data.matrix).points)
    assert probability.mean() == pytest.approx(data.label.mean(), abs=1e-3)
    assert (np.diff(card.probability(np.arange(0, 90, 5))) >= 0).all()
    assert card.mapping["method"] in {"shift", "sigmoid", "beta", "isotonic"}
    assert card.mapping["chosen_by"] == "later rows" if n_entities > 300 else "other entities"


@pytest.mark.parametrize(
    "condition", [{}, {"at_least": 1, "equals": 1}, {"between": [1, 2], "one_of": ["a"]}]
)
def test_a_rule_with_data_has_exactly_one_condition(condition: dict) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        Rule.model_validate_json(json.dumps(_rule("r", 5, feature="x", **condition)))


def test_an_unfitted_scorecard_claims_no_probability() -> None:
    with pytest.raises(ValueError, match="call fit"):
        _card().probability(np.array([10]))


def test_a_rule_of_ones_own_that_reads_no_feature_is_refused_and_a_shipped_one_is_not() -> None:
    def card(feature: str) -> Scorecard:
        rule = Rule(dimension="value", points=5, name="r", feature=feature, at_least=1)
        return Scorecard(ScorecardSpec(rules=(rule,)))

    names = ["any_event_active_days_7d", "report_created_count_28d"]
    card("any_event_active_days_7d").check(names)
    for wrong in ("any_event_activ_days_7d", "any_event_active_days_last_week"):
        with pytest.raises(SettingsError, match="The nearest is 'any_event_active_days_7d'"):
            card(wrong).check(names)
    # The shipped rules are made for any product.
    Scorecard(ScorecardSpec()).check(names)
