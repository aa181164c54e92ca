"""Cut-offs and the PQL score come from the calibrate fold and never from the batch."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from features.clock import DAY_US
from models.scoring import TIERS, tier_of
from models.tiers import TierSpec, fit_tiers

N, WEEKS = 400, 5


def _spec(**settings: object) -> TierSpec:
    return TypeAdapter(TierSpec).validate_json(json.dumps(settings))


def _fit(probability: np.ndarray, spec: TierSpec, step_days: int = 7) -> dict:
    n = len(probability) // WEEKS
    entity = np.repeat(np.arange(n), WEEKS)
    as_of = np.tile(np.arange(WEEKS) * step_days * DAY_US, n)
    label = np.arange(len(probability)) % 20 == 0
    return fit_tiers(probability, label, entity, as_of, spec)


@pytest.fixture
def probability() -> np.ndarray:
    return np.random.default_rng(0).beta(1, 12, size=N * WEEKS)


def test_given_cut_offs_are_kept_and_reached_when_met_exactly(probability: np.ndarray) -> None:
    cuts = _fit(probability, _spec(by="probability", critical=0.5, hot=0.3, warm=0.1))["cutoffs"]
    assert cuts == {"warm": 0.1, "hot": 0.3, "critical": 0.5}
    at = np.array([0.0999, 0.1, 0.3, 0.5])
    assert tier_of(cuts, at).tolist() == ["cold", "warm", "hot", "critical"]


def test_capacity_fills_the_week_of_the_sales_team(probability: np.ndarray) -> None:
    cuts = _fit(probability, _spec(by="capacity", reps=4, per_rep_per_week=5))["cutoffs"]
    per_week = {name: (probability >= cut).sum() / WEEKS for name, cut in cuts.items()}
    assert per_week == pytest.approx({"warm": 60, "hot": 20, "critical": 4})


def test_an_entity_listed_every_day_of_a_week_is_one_call() -> None:
    every_day = np.repeat(np.linspace(0.01, 0.9, 100), WEEKS)
    cuts = _fit(every_day, _spec(by="capacity", reps=1, per_rep_per_week=10), step_days=1)[
        "cutoffs"
    ]
    assert len(set(every_day[every_day >= cuts["hot"]])) == 10


def test_lift_multiplies_the_odds_of_the_base_rate_and_never_passes_certainty(
    probability: np.ndarray,
) -> None:
    cuts = _fit(probability, _spec(by="lift", critical=30, hot=5, warm=2))["cutoffs"]
    # A base rate of 5 % is odds of 1 to 19.
    assert cuts == pytest.approx({"warm": 2 / 21, "hot": 5 / 24, "critical": 30 / 49})


def test_precision_is_the_expected_rate_above_the_cut_off(probability: np.ndarray) -> None:
    cuts = _fit(probability, _spec(by="precision", critical=0.99, hot=0.3, warm=0.2))["cutoffs"]
    for name, target in (("hot", 0.3), ("warm", 0.2)):
        above = probability[probability >= cuts[name]]
        assert above.mean() >= target
        assert probability[probability >= above.min() - 0.005].mean() < target + 0.01
    assert cuts["critical"] > 1


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.sampled_from(
        [
            {"by": "probability", "critical": 0.6, "hot": 0.4, "warm": 0.2},
            {"by": "capacity", "reps": 2, "per_rep_per_week": 3},
            {"by": "lift"},
            {"by": "precision"},
        ]
    ),
    st.lists(st.integers(0, 10), min_size=2 * WEEKS, max_size=60),
)
def test_tier_and_score_never_fall_with_probability(spec: dict, tenths: list) -> None:
    probability = np.array(tenths[: len(tenths) // WEEKS * WEEKS]) / 10
    tiers = _fit(probability, _spec(**spec))
    grid = np.linspace(0, 1, 201)
    rank = [TIERS.index(tier) for tier in tier_of(tiers["cutoffs"], grid)]
    score = np.interp(grid, tiers["knots"], tiers["heights"])
    assert (np.diff(rank) >= 0).all()
    assert (np.diff(score) >= 0).all()
    assert score.min() >= 0
    assert score.max() <= 100


def test_the_score_is_the_share_of_rows_with_a_lower_probability() -> None:
    probability = np.array([0.1, 0.1, 0.2, 0.3, 0.9])
    tiers = _fit(probability, _spec(by="lift"))
    assert np.interp(probability, tiers["knots"], tiers["heights"]).tolist() == [0, 0, 40, 60, 80]


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "lift", "critical": 1, "hot": 5, "warm": 2},
        {"by": "probability", "critical": 1.5, "hot": 0.5, "warm": 0.2},
        {"by": "capacity", "reps": 0, "per_rep_per_week": 5},
        {"by": "guess"},
    ],
)
def test_impossible_tiers_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        _spec(**wrong)


def test_without_skill_nobody_is_critical() -> None:
    """One probability for all: a list of everyone is no list."""
    flat = np.full(2_000, 0.02)
    label = np.arange(2_000) % 50 == 0
    as_of = np.repeat(np.arange(10) * 7 * DAY_US, 200)
    spec = _spec(by="capacity", reps=4, per_rep_per_week=10)
    cuts = fit_tiers(flat, label, np.arange(2_000), as_of, spec)["cutoffs"]
    assert cuts["hot"] > 1
    assert cuts["critical"] > 1
