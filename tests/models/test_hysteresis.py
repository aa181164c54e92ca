"""An account keeps its tier until it clears a cut-off by a margin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US
from models.scoring import TIERS, tier_of
from models.tiering.hysteresis import HysteresisSpec, happened_since, replay, settle, tier_churn

CUTS = {"warm": 0.1, "hot": 0.3, "critical": 0.6}
TIERS_JSON = {"by": "probability", "cutoffs": CUTS}
MARGIN = 0.15

rows = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.sampled_from(list(CUTS.values()))),
        st.sampled_from([*TIERS, None]),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def _settle(table: list, margin: float = MARGIN) -> list:
    basis, previous, new = zip(*table, strict=True)
    return settle(
        np.array(basis), np.array(previous, object), np.array(new), TIERS_JSON, margin
    ).tolist()


def _one_by_one(probability: float, previous: str | None, new_event: bool) -> str:
    """The rule in words: climb cut-off by cut-off while it is cleared, then fall while it isn't."""
    odds = probability / (1 - probability) if probability < 1 else np.inf
    bars = {name: cut / (1 - cut) for name, cut in CUTS.items()}
    if previous is None:
        reached = [name for name in CUTS if probability >= CUTS[name]]
        return reached[-1] if reached else "cold"
    place = TIERS.index(previous)
    while place < 3:
        bar = bars[TIERS[place + 1]]
        if not (probability >= CUTS[TIERS[place + 1]] if new_event else odds >= bar * 1.1618342427):
            break
        place += 1
    while place > 0 and odds < bars[TIERS[place]] / 1.1618342427:
        place -= 1
    return TIERS[place]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(rows)
def test_the_rule_is_that_of_climbing_and_falling_cut_off_by_cut_off(table: list) -> None:
    assert _settle(table) == [_one_by_one(*row) for row in table]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows)
def test_a_row_is_settled_alike_alone_and_in_any_batch(table: list) -> None:
    together = _settle(table)
    assert together == [_settle([row])[0] for row in table]
    assert _settle(table[::-1]) == together[::-1]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rows)
def test_settling_again_with_nothing_new_changes_nothing(table: list) -> None:
    once = _settle(table)
    again = [(basis, tier, False) for (basis, _, _), tier in zip(table, once, strict=True)]
    assert _settle(again) == once


def test_the_margin_itself_is_enough_and_less_is_not() -> None:
    edge = 0.3 / 0.7 * np.exp(MARGIN)
    above, below = (odds / (1 + odds) for odds in (edge * (1 + 1e-9), edge * (1 - 1e-9)))
    assert _settle([(above, "warm", False), (below, "warm", False)]) == ["hot", "warm"]


def test_a_tier_that_nobody_reaches_stays_out_of_reach() -> None:
    tiers = {"by": "capacity", "cutoffs": {"warm": 0.1, "hot": 2.0, "critical": 2.0}}
    tier = settle(np.ones(1), np.array([None], object), np.ones(1, bool), tiers, MARGIN)
    assert tier.tolist() == ["warm"]


def test_the_margin_of_expected_value_is_a_share_of_the_cut_off() -> None:
    tiers = {
        "by": "value",
        "cutoffs": {"warm": 1.0, "hot": 100.0, "critical": 1e4},
        "value": {"column": "seats", "missing": 1.0},
    }
    basis = np.array([110.0, 117.0, 87.0, 85.0])
    previous = np.array(["warm", "warm", "hot", "hot"], object)
    tier = settle(basis, previous, np.zeros(4, bool), tiers, MARGIN)
    assert tier.tolist() == ["warm", "hot", "hot", "warm"]


def _walk(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """150 entities over 20 weeks whose log-odds wander around their own level."""
    rng = np.random.default_rng(seed)
    level = rng.normal(-1.2, 1, size=(150, 1))
    odds = np.exp(level + 0.12 * rng.normal(size=(150, 20)))
    entity, week = np.divmod(np.arange(3_000), 20)
    return entity, week * 7 * DAY_US, (odds / (1 + odds)).ravel()


@pytest.mark.parametrize("seed", range(3))
def test_noise_around_a_cut_off_changes_far_fewer_tiers(seed: int) -> None:
    entity, as_of, chance = _walk(seed)
    bare = tier_churn(entity, as_of, tier_of(CUTS, chance))
    quiet = replay(entity, as_of, chance, np.full(3_000, 30.0), TIERS_JSON, MARGIN)
    busy = replay(entity, as_of, chance, np.full(3_000, 1.0), TIERS_JSON, MARGIN)
    assert bare.pairs == 150 * 19
    assert tier_churn(entity, as_of, quiet).changes < bare.changes / 3
    assert tier_churn(entity, as_of, busy).changes < bare.changes / 1.5


def test_a_replay_is_what_settling_date_after_date_gives_whatever_the_order_of_rows() -> None:
    entity, as_of, chance = _walk(9)
    rng = np.random.default_rng(0)
    there = rng.random(3_000) < 0.8
    entity, as_of, chance = entity[there], as_of[there], chance[there]
    since = rng.uniform(0, 14, size=len(entity))
    settled = replay(entity, as_of, chance, since, TIERS_JSON, MARGIN)
    tier_before: dict = {}
    for at in np.lexsort((entity, as_of)):
        week = as_of[at] // (7 * DAY_US)
        previous = tier_before.get((entity[at], week - 1))
        expected = _one_by_one(chance[at], previous, since[at] <= 7)
        assert settled[at] == expected
        tier_before[entity[at], week] = expected
    mixed = rng.permutation(len(entity))
    again = replay(entity[mixed], as_of[mixed], chance[mixed], since[mixed], TIERS_JSON, MARGIN)
    assert (again == settled[mixed]).all()


def test_an_event_exactly_at_the_previous_as_of_is_new() -> None:
    """It was the future then, so nobody has seen it yet."""
    since = np.float32([7.0, 7.001, np.nan])
    assert happened_since(since, 7 * DAY_US).tolist() == [True, False, False]


def test_churn_counts_only_entities_present_at_consecutive_dates() -> None:
    entity = np.array([1, 1, 2, 2, 3])
    as_of = np.array([0, 7, 0, 14, 7])
    tier = np.array(["hot", "warm", "hot", "cold", "hot"], object)
    churn = tier_churn(entity, as_of, tier)
    assert (churn.pairs, churn.changes, churn.share) == (1, 1, 1.0)
    assert np.isnan(tier_churn(entity[:1], as_of[:1], tier[:1]).share)


@pytest.mark.parametrize("margin", [0.0, -1.0, 4.0])
def test_a_margin_outside_its_range_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        HysteresisSpec(margin=margin)
