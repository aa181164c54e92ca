"""Look-alikes: exact, blind to the batch, to the future and to a row's own people."""

from collections.abc import Callable

import numpy as np
import pytest

from features.clock import DAY_US
from models.dataset import Customers, Dataset
from models.encoding import fit_columns, values_of
from models.evaluation import shuffled_customers
from models.scoring import Reference, encode, similarity, to_ranks
from models.similarity import SimilaritySpec, fit_space

YEAR_US = 365 * DAY_US
SPEC = SimilaritySpec(k=3, min_customers=3, max_others=200)


def _space(rng: np.random.Generator, n_points: int, n_dims: int, levels: int) -> dict:
    """Points on a coarse grid, so that distances tie; some without account or domain."""
    owner = rng.integers(0, n_points, size=n_points)
    return {
        "k": np.array(4),
        "min_customers": np.array(6),
        "trailing_us": np.array(60 * DAY_US),
        "customer_points": (rng.integers(0, levels, (n_points, n_dims)) / levels).astype(
            np.float32
        ),
        "customer_known_at": np.sort(rng.integers(0, 200, size=n_points)) * DAY_US,
        "customer_account": np.array([f"a{i}" if i % 5 else "" for i in owner]),
        "customer_domain": np.array([f"d{i // 2}" if i % 3 else "" for i in owner]),
    }


def _rows(rng: np.random.Generator, n: int, space: dict, levels: int) -> tuple[np.ndarray, dict]:
    n_dims = space["customer_points"].shape[1]
    owner = rng.integers(0, len(space["customer_points"]), size=n)
    values = {
        "as_of": rng.integers(0, 220, size=n) * DAY_US,
        "account_id": np.array([f"a{i}" if i % 5 else None for i in owner], object),
        "domain": np.array([f"d{i // 2}" if i % 3 else None for i in owner], object),
    }
    return (rng.integers(0, levels, (n, n_dims)) / levels).astype(np.float32), values


def _brute_force(space: dict, ranks: np.ndarray, values: dict, row: int, k: int) -> list[int]:
    """Oracle: sort all eligible points by squared distance, then by position."""
    as_of, trailing = values["as_of"][row], int(space["trailing_us"])
    known = [
        at
        for at, known_at in enumerate(space["customer_known_at"])
        if as_of - trailing <= known_at < as_of
    ]
    if len(known) < int(space["min_customers"]):
        return []
    eligible = [
        at
        for at in known
        if values["account_id"][row] != space["customer_account"][at]
        and values["domain"][row] != space["customer_domain"][at]
    ]
    points = space["customer_points"].astype(float)
    squared = {at: sum((ranks[row].astype(float) - points[at]) ** 2) for at in eligible}
    return sorted(eligible, key=lambda at: (squared[at], at))[:k]


@pytest.mark.parametrize(("n_dims", "levels"), [(1, 3), (3, 8), (12, 1_000)])
def test_the_nearest_customers_equal_brute_force(n_dims: int, levels: int) -> None:
    rng = np.random.default_rng(n_dims)
    space = _space(rng, n_points=400, n_dims=n_dims, levels=levels)
    ranks, values = _rows(rng, 150, space, levels)
    distance, index = Reference(space, "customer").nearest(ranks, values, k=4)
    for row in range(len(ranks)):
        expected = _brute_force(space, ranks, values, row, k=4)
        assert [at for at in index[row] if at >= 0] == expected
        gaps = ranks[row].astype(float) - space["customer_points"][expected].astype(float)
        np.testing.assert_allclose(
            distance[row][: len(expected)], np.sqrt((gaps**2).mean(axis=1)), rtol=1e-12
        )
    assert (index >= 0).any(axis=1).mean() > 0.5


def test_gaps_too_small_for_single_precision_still_decide() -> None:
    rng = np.random.default_rng(3)
    space = _space(rng, n_points=400, n_dims=40, levels=8)
    almost_one_place = rng.random(40) + 1e-6 * rng.normal(size=(400, 40))
    space["customer_points"] = almost_one_place.astype(np.float32)
    ranks, values = _rows(rng, 100, space, 8)
    _, index = Reference(space, "customer").nearest(ranks, values, k=4)
    for row in range(len(ranks)):
        expected = _brute_force(space, ranks, values, row, k=4)
        assert [at for at in index[row] if at >= 0] == expected


def test_a_row_has_the_same_neighbours_alone_and_in_any_batch() -> None:
    rng = np.random.default_rng(7)
    space = _space(rng, n_points=3_000, n_dims=20, levels=10_000)
    ranks, values = _rows(rng, 600, space, 10_000)
    together = Reference(space, "customer").nearest(ranks, values, k=4)
    for rows in ([5], [599, 5, 17], rng.permutation(600)):
        part = {name: column[rows] for name, column in values.items()}
        alone = Reference(space, "customer").nearest(ranks[rows], part, k=4)
        for expected, got in zip(together, alone, strict=True):
            np.testing.assert_array_equal(got, expected[rows])


def _fit(data: Dataset, customers: Customers, spec: SimilaritySpec = SPEC) -> tuple[dict, dict]:
    columns = fit_columns(data.matrix, min_level_rows=1)
    encoded = encode(columns, values_of(data.matrix))
    theirs = encode(columns, values_of(customers.matrix))
    space = fit_space(data, encoded, customers, theirs, columns, spec, horizon_days=7, seed=0)
    assert space is not None
    values = values_of(data.matrix, data.account, data.domain)
    return space, {"ranks": to_ranks(space, encoded), "values": values}


def _similarity(data: Dataset, customers: Customers) -> np.ndarray:
    space, rows = _fit(data, customers)
    return similarity(space, rows["ranks"], rows["values"])


def test_a_customer_known_at_or_after_as_of_equals_no_customer(world: object) -> None:
    data, customers = world.data, world.customers
    as_of = int(np.median(data.as_of))
    rows = data.take(data.as_of <= as_of)
    late = customers.known_at > as_of - 14 * DAY_US
    moved = np.where(late, as_of, customers.known_at)
    future = Customers(
        customers.matrix, moved, customers.account, customers.domain, customers.names
    )
    np.testing.assert_array_equal(
        _similarity(rows, future), _similarity(rows, customers.take(~late))
    )
    assert late.any()


def test_no_row_meets_its_own_account_or_domain_or_the_future(world: object) -> None:
    data, customers = world.data, world.customers
    space, rows = _fit(data, customers)
    _, index = Reference(space, "customer").nearest(rows["ranks"], rows["values"], k=3)
    row, place = np.nonzero(index >= 0)
    point = index[row, place]
    assert (space["customer_account"][point] != data.account[row]).all()
    assert (space["customer_known_at"][point] < data.as_of[row]).all()
    domain = space["customer_domain"][point]
    assert not ((domain != "") & (domain == data.domain[row])).any()
    # The rule must have been needed: without it some rows would have met their own people.
    own = np.isin(data.domain.astype(str), space["customer_domain"])
    assert own.any()


def test_non_customers_count_once_their_horizon_has_ended(world: object) -> None:
    space, _ = _fit(world.data, world.customers)
    negatives = world.data.as_of[~world.data.label]
    assert set(space["other_known_at"] + 1) <= set(negatives + 7 * DAY_US)
    assert len(space["other_points"]) == 200


def test_similarity_is_unknown_until_enough_customers_are_known(world: object) -> None:
    third = np.sort(world.customers.known_at)[2]
    values = _similarity(world.data, world.customers)
    early = world.data.as_of <= third
    assert np.isnan(values[early]).all()
    assert not np.isnan(values[~early][:, 0]).all()


def test_with_fewer_customers_than_the_minimum_there_is_no_space(world: object) -> None:
    columns = fit_columns(world.data.matrix, min_level_rows=1)
    encoded = encode(columns, values_of(world.data.matrix))
    for customers, spec in (
        (world.customers.take(np.arange(2)), SPEC),
        (world.customers, SimilaritySpec(enabled=False)),
    ):
        theirs = encode(columns, values_of(customers.matrix))
        found = fit_space(
            world.data, encoded, customers, theirs, columns, spec, horizon_days=7, seed=0
        )
        assert found is None


def test_dimensions_are_the_separating_ones_without_duplicates(make_world: Callable) -> None:
    world = make_world(n_entities=300, n_weeks=6, seed=5)
    names = [feature.name for feature in world.data.matrix.features]
    spec = SPEC.model_copy(update={"max_dims": 2, "duplicate_correlation": 0.8})
    space, _ = _fit(world.data, world.customers, spec)
    chosen = {names[at] for at in space["dims"]}
    assert len(chosen) == 2
    assert "noise_count_28d" not in chosen
    assert chosen != {"reports_count_7d", "reports_count_28d"}


def test_ranks_are_the_share_of_training_values_below(world: object) -> None:
    _, rows = _fit(world.data, world.customers)
    ranks = rows["ranks"]
    assert ranks.min() >= 0
    assert ranks.max() <= 1
    np.testing.assert_allclose(ranks.mean(axis=0), 0.5, atol=0.01)


def test_shuffled_customers_are_rows_from_before_the_customer_they_replace(world: object) -> None:
    shuffled = shuffled_customers(world.data, world.customers, seed=0)
    assert (shuffled.matrix.snapshots.as_of <= shuffled.known_at).all()
    assert 0.7 * len(world.customers) < len(shuffled) <= len(world.customers)
    again = shuffled_customers(world.data, world.customers, seed=0)
    np.testing.assert_array_equal(shuffled.known_at, again.known_at)
