"""Cut-offs and the PQL score come from the calibrate fold and never from the batch."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from features.clock import DAY_US
from features.errors import NotEnoughHistory, SettingsError
from models.scoring import TIERS, tier_of
from models.scoring.probability import move_odds, tier_basis
from models.tiering.tiers import TierSpec, fit_tiers, refit_tiers

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
    spec = _spec(by="capacity", reps=4, per_rep_per_week=5, weeks=WEEKS)
    cuts = _fit(probability, spec)["cutoffs"]
    per_week = {name: (probability >= cut).sum() / WEEKS for name, cut in cuts.items()}
    assert per_week == pytest.approx({"warm": 60, "hot": 20, "critical": 4})


def test_capacity_looks_at_the_newest_weeks_only(probability: np.ndarray) -> None:
    """Before, everybody was twice as likely: a list of then would be empty today."""
    by_week = probability.reshape(N, WEEKS).copy()
    by_week[:, :3] = np.minimum(2 * by_week[:, :3], 0.99)
    spec = _spec(by="capacity", reps=4, per_rep_per_week=5, weeks=2)
    hot = _fit(by_week.ravel(), spec)["cutoffs"]["hot"]
    assert (by_week[:, 3:] >= hot).sum() == 40


def test_capacity_allows_for_a_cohort_that_goes_on_growing() -> None:
    """2 % more entities a week, the list cut from weeks 7 to 10: four weeks later it still fits."""
    rng = np.random.default_rng(4)
    sizes = (1_000 * 1.02 ** np.arange(15)).astype(int)
    rows = [(week, entity) for week, size in enumerate(sizes) for entity in range(size)]
    week, entity = np.array(rows).T
    chance = rng.beta(1, 12, size=len(rows))
    order = np.lexsort((week, entity))
    week, entity, chance = week[order], entity[order], chance[order]
    past = week < 11
    spec = _spec(by="capacity", reps=10, per_rep_per_week=10)
    cuts = fit_tiers(
        chance[past], np.zeros(past.sum(), bool), entity[past], week[past] * 7 * DAY_US, spec
    )["cutoffs"]
    assert (chance[week == 14] >= cuts["hot"]).sum() == pytest.approx(100, abs=20)
    assert (chance[past & (week > 6)] >= cuts["hot"]).sum() / 4 == pytest.approx(90, abs=3)


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


def test_precision_is_reached_by_later_rows_most_of_the_time() -> None:
    """Another draw of the same world: without a margin for luck it fails far more often."""
    reached = {0.8: 0, 0.5: 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        chance = rng.beta(1, 12, size=(2, 3_000))
        label = rng.random(chance.shape) < chance
        for confidence in reached:
            spec = _spec(by="precision", critical=0.9, hot=0.3, warm=0.2, confidence=confidence)
            cuts = fit_tiers(chance[0], label[0], np.arange(3_000), np.zeros(3_000, int), spec)
            reached[confidence] += label[1][chance[1] >= cuts["cutoffs"]["warm"]].mean() >= 0.2
            assert cuts["cutoffs"]["critical"] > 1
    assert reached[0.8] >= 30 > reached[0.5]


def test_a_tier_by_value_is_reached_by_what_a_row_is_expected_to_bring() -> None:
    columns = [
        {"name": "seats", "dtype": "number", "typical": 50.0},
        {"name": "plan", "dtype": "category", "typical": "free", "levels": ["free"], "rare": []},
        {"name": "empty", "dtype": "number", "typical": None},
    ]
    wanted = {"by": "value", "critical": 100, "hot": 10, "warm": 1}
    chance = np.array([0.5, 0.1, 0.1, 0.2])
    rows = (chance, np.zeros(4, bool), np.arange(4), np.zeros(4, np.int64))
    tiers = fit_tiers(*rows, _spec(**wanted, column="seats"), columns)
    seats = np.array([200, 99, np.nan, 0], np.float32)
    basis = tier_basis(tiers, chance, {"seats": seats})
    np.testing.assert_allclose(basis, [100, 9.9, 5, 0])
    assert tier_of(tiers["cutoffs"], basis).tolist() == ["critical", "warm", "warm", "cold"]
    for name, error in (("plan", SettingsError), ("seat", SettingsError)):
        with pytest.raises(error, match="no number feature of the model"):
            fit_tiers(*rows, _spec(**wanted, column=name), columns)
    with pytest.raises(SettingsError, match="Did you mean 'seats'"):
        fit_tiers(*rows, _spec(**wanted, column="seat"), columns)
    with pytest.raises(NotEnoughHistory, match="No training row has a value of 'empty'"):
        fit_tiers(*rows, _spec(**wanted, column="empty"), columns)


def test_recalibrated_tiers_keep_what_their_kind_promises(probability: np.ndarray) -> None:
    entity = np.repeat(np.arange(N), WEEKS)
    as_of = np.tile(np.arange(WEEKS) * 7 * DAY_US, N)
    twice = move_odds(probability, np.log(2))
    kinds = {
        "probability": {"critical": 0.5, "hot": 0.3, "warm": 0.1},
        "precision": {"critical": 0.5, "hot": 0.3, "warm": 0.1},
        "lift": {"critical": 9, "hot": 3, "warm": 2},
        "capacity": {"reps": 4, "per_rep_per_week": 5, "weeks": WEEKS},
    }
    for kind, numbers in kinds.items():
        spec = _spec(by=kind, **numbers)
        before = _fit(probability, spec)
        after = refit_tiers(before, twice, entity, as_of, spec, rate=0.1)
        cuts, moved = before["cutoffs"], after["cutoffs"]
        if kind == "capacity":
            assert (twice >= moved["hot"]).sum() == (probability >= cuts["hot"]).sum()
        elif kind == "lift":
            # A rate of 10 % is odds of 1 to 9; three times that is 1 to 3.
            assert moved["hot"] == pytest.approx(1 / 4)
        else:
            assert moved == cuts
        score = np.interp(twice, after["knots"], after["heights"])
        np.testing.assert_allclose(
            score, np.interp(probability, before["knots"], before["heights"]), atol=0.2
        )


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.sampled_from(
        [
            {"by": "probability", "critical": 0.6, "hot": 0.4, "warm": 0.2},
            {"by": "capacity", "reps": 2, "per_rep_per_week": 3},
            {"by": "lift"},
            {"by": "precision"},
            {"by": "precision", "confidence": 0.5},
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
        {"by": "precision", "confidence": 1.0},
        {"by": "value", "critical": 9, "hot": 5, "warm": 2},
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
