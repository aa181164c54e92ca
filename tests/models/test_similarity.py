"""Look-alikes: exact, weighted by evidence, blind to the batch, the future and one's own people."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY_US
from features.definitions import Feature
from features.matrix import FeatureMatrix, Snapshots
from models.customers.similarity import SimilaritySpec, fit_space
from models.customers.weighting import weights_told
from models.dataset import Customers, Dataset
from models.judging.ablation import (
    SHUFFLED,
    WITHOUT,
    ablation,
    shuffled_customers,
    similarity_verdict,
)
from models.learners.encoding import fit_columns, values_of
from models.propensity import PropensityModel
from models.scoring import Reference, Scorer, Similarity, encode, to_ranks

WEEK_US = 7 * DAY_US
SPEC = SimilaritySpec(k=3, share=1.0, min_customers=3, max_others=200, weights="uniform")


def _space(
    rng: np.random.Generator, n_points: int, n_dims: int, levels: int, min_customers: int = 6
) -> dict:
    """Points on a coarse grid, so that distances tie; some without account or domain."""
    owner = rng.integers(0, n_points, size=n_points)
    return {
        "k": np.array(4),
        "share": np.array(1.0),
        "min_customers": np.array(min_customers),
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
        columns = _columns(space, ranks[rows], part)
        np.testing.assert_array_equal(columns, _columns(space, ranks, values)[rows])


def _columns(space: dict, ranks: np.ndarray, values: dict) -> np.ndarray:
    """Similarity columns with the customers on both sides, the second one shifted."""
    other = {f"other_{k.partition('_')[2]}": v for k, v in space.items() if k.startswith("cust")}
    other["other_points"] = space["customer_points"] + np.float32(0.01)
    both = space | other | {"share": np.array(0.1)}
    exponents = {"customer_exponent": np.array(0.3), "other_exponent": np.array(0.2)}
    return Similarity(both | exponents)(ranks, values)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(seed=st.integers(0, 10_000), n_points=st.integers(1, 25), k=st.integers(1, 30))
def test_few_crowded_related_points_leave_what_brute_force_leaves(
    seed: int, n_points: int, k: int
) -> None:
    """Two places, so nearly all distances tie; most points are a row's own people; k may pass n."""
    rng = np.random.default_rng(seed)
    space = _space(rng, n_points, n_dims=1, levels=2, min_customers=1)
    space["customer_known_at"] = np.sort(rng.integers(0, 4, size=n_points)) * DAY_US
    ranks, values = _rows(rng, 20, space, levels=2)
    values["as_of"] = rng.integers(0, 6, size=20) * DAY_US
    distance, index = Reference(space, "customer").nearest(ranks, values, k)
    for row in range(20):
        expected = _brute_force(space, ranks, values, row, k)
        assert index[row].tolist() == expected + [-1] * (k - len(expected))
        assert np.isfinite(distance[row]).sum() == len(expected)


def test_a_row_whose_people_are_all_the_customers_there_are_has_no_distance() -> None:
    space = _space(np.random.default_rng(0), n_points=8, n_dims=2, levels=4, min_customers=1)
    space |= {
        "customer_known_at": np.zeros(8, np.int64),
        "customer_account": np.array(["a"] * 4 + [""] * 4),
        "customer_domain": np.array([""] * 4 + ["d"] * 4),
        "customer_exponent": np.array(0.0),
    }
    values = {"as_of": np.array([DAY_US] * 3), "account_id": ["a", "a", "b"]}
    values["domain"] = ["d", "e", "d"]
    found = Reference(space, "customer").mean_distance(np.zeros((3, 2), np.float32), values)
    assert np.isnan(found).tolist() == [True, False, False]


@pytest.mark.parametrize("n_dims", [1, 2, 4])
def test_distances_stay_as_customers_accumulate(n_dims: int) -> None:
    """Points that fill d dimensions evenly come nearer as n ** (-1 / d): that is taken out."""
    rng = np.random.default_rng(n_dims)
    points = rng.random((4_000, n_dims)).astype(np.float32)
    rows = rng.random((300, n_dims)).astype(np.float32)
    nobody = np.array([""] * 4_000)
    space = {"k": np.array(10), "share": np.array(0.05), "min_customers": np.array(20)}
    space |= {"trailing_us": np.array(DAY_US * 10_000), "customer_exponent": np.array(1 / n_dims)}
    space |= {"customer_account": nobody, "customer_domain": nobody, "customer_points": points}
    space["customer_known_at"] = np.arange(4_000) * DAY_US

    def median(n_known: int) -> float:
        values = {"as_of": np.full(300, n_known * DAY_US)}
        return float(np.median(Reference(space, "customer").mean_distance(rows, values)))

    assert median(4_000) == pytest.approx(median(500), rel=0.05)
    # A tenth of what a twentieth takes: few known, few counted.
    assert median(100) == pytest.approx(median(500), rel=0.2)
    unscaled = space | {"customer_exponent": np.array(0.0)}
    values = {"as_of": np.full(300, 4_000 * DAY_US)}
    shrunk = np.median(Reference(unscaled, "customer").mean_distance(rows, values))
    assert shrunk == pytest.approx(median(500) * 20 ** (-1 / n_dims), rel=0.1)


def _fit(
    data: Dataset, customers: Customers, spec: SimilaritySpec = SPEC, horizon_days: int = 7
) -> tuple[dict, dict]:
    columns = fit_columns(data.matrix, min_level_rows=1)
    encoded = encode(columns, values_of(data.matrix))
    theirs = encode(columns, values_of(customers.matrix))
    space = fit_space(
        data, encoded, customers, theirs, columns, spec, horizon_days=horizon_days, seed=0
    )
    assert space is not None
    values = values_of(data.matrix, data.account, data.domain)
    return space, {"ranks": to_ranks(space, encoded), "values": values}


def _similarity(data: Dataset, customers: Customers) -> np.ndarray:
    space, rows = _fit(data, customers)
    return Similarity(space)(rows["ranks"], rows["values"])


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


def _counts(values: np.ndarray, entity: np.ndarray, as_of: np.ndarray) -> FeatureMatrix:
    """Columns ``event_0``, ``event_1`` ... of the given values, shape (n, n_columns)."""
    features = tuple(
        Feature(
            f"event_{at}_count_7d", "engagement", "count", (f"event_{at}",), None, 7, "entity",
            "number", "events", meaning="", subject=f"event {at}",
        )
        for at in range(values.shape[1])
    )  # fmt: skip
    table = pa.table({f.name: values[:, at].astype(np.float32) for at, f in enumerate(features)})
    ids = np.array([f"acc-{code:05d}" for code in entity], object)
    return FeatureMatrix(Snapshots("account", entity.astype(np.int32), as_of, ids), features, table)


def _shaped(weight: np.ndarray, seed: int, n: int = 3_000) -> tuple[Dataset, Customers]:
    """One row per account; converters lie around one place, in proportion to `weight` per column.

    The probability peaks in the middle of the weighted columns and rises a little along them, so
    that every column separates somewhat and only nearness in the weighted ones tells all.
    """
    rng = np.random.default_rng(seed)
    x = rng.random((n, len(weight)))
    near = ((x - 0.7) ** 2 @ weight) / weight.sum()
    p = 0.6 * np.exp(-near / 0.05)
    label = rng.random(n) < p
    entity = np.arange(n)
    as_of = rng.integers(0, 40, n) * WEEK_US
    matrix = _counts(x, entity, as_of)
    nobody = np.full(n, None, object)
    data = Dataset(matrix, label, np.ones(n, bool), matrix.snapshots.ids, nobody)
    who = matrix.take(label)
    names = who.snapshots.ids
    return data, Customers(who, as_of[label] + DAY_US, names, nobody[label], names)


AUTO = SPEC.model_copy(update={"k": 10, "share": 0.2, "max_others": 1_000, "weights": "auto"})


def test_weights_are_learned_where_few_of_many_columns_count() -> None:
    weight = np.r_[np.ones(2), np.zeros(18)]
    data, customers = _shaped(weight, seed=1)
    space, _ = _fit(data, customers, AUTO)
    assert str(space["weights"]) != "uniform"
    counting = np.isin(space["dims"], [0, 1])
    assert (space["scale"][counting] ** 2).sum() > 0.5 * (space["scale"] ** 2).sum()
    assert f"{space['weights']} weights" in weights_told(space)
    assert "learned +" in weights_told(space)


def test_weights_are_uniform_where_all_columns_count_alike() -> None:
    data, customers = _shaped(np.ones(6), seed=0)
    space, _ = _fit(data, customers, AUTO)
    assert str(space["weights"]) == "uniform"
    np.testing.assert_array_equal(space["scale"], 1.0)
    assert list(space["tried"]) == ["uniform", "power", "learned"]
    assert space["tried_gain"][0] == 0


def test_few_conversions_choose_nothing() -> None:
    data, customers = _shaped(np.r_[1.0, np.zeros(9)], seed=3, n=200)
    space, _ = _fit(data, customers, AUTO)
    assert str(space["weights"]) == "uniform"
    assert "for want of rows" in weights_told(space)


def test_labels_not_yet_known_when_the_later_rows_begin_choose_nothing() -> None:
    data, customers = _shaped(np.ones(6), seed=4)
    after = {at: data.label[data.as_of >= at].sum() for at in np.unique(data.as_of)}
    begin = min(after, key=lambda at: (abs(after[at] / data.label.sum() - 1 / 3), at))
    unknown = (data.as_of < begin) & (data.as_of + 14 * DAY_US > begin)
    tried = [
        _fit(rows, customers, AUTO, horizon_days=14)[0]["tried_pr_auc"]
        for rows in (data, _mixed(data, unknown), _mixed(data, data.as_of + 14 * DAY_US <= begin))
    ]
    assert unknown.sum() > 50
    np.testing.assert_array_equal(tried[0], tried[1])
    assert (tried[0] != tried[2]).any()


def _mixed(data: Dataset, rows: np.ndarray) -> Dataset:
    """Labels of some rows permuted within each as_of, so that no date gains or loses any."""
    rng, label = np.random.default_rng(0), data.label.copy()
    for at in np.unique(data.as_of[rows]):
        here = np.flatnonzero(rows & (data.as_of == at))
        label[here] = label[rng.permutation(here)]
    assert (label != data.label).any()
    return Dataset(data.matrix, label, data.mature, data.account, data.domain)


@pytest.mark.parametrize("weights", ["uniform", "power", "learned", "auto"])
def test_a_seed_repeats_the_space_to_the_byte(weights: str) -> None:
    data, customers = _shaped(np.r_[np.ones(2), np.zeros(4)], seed=5, n=1_500)
    spec = AUTO.model_copy(update={"weights": weights})
    first, again = _fit(data, customers, spec)[0], _fit(data, customers, spec)[0]
    assert list(first) == list(again)
    for name, array in first.items():
        assert array.tobytes() == again[name].tobytes(), name


def test_distance_weighs_each_squared_gap_of_ranks() -> None:
    data, customers = _shaped(np.r_[np.ones(2), np.zeros(4)], seed=6, n=1_500)
    plain, rows = _fit(data, customers, AUTO.model_copy(update={"weights": "uniform"}))
    space, weighted = _fit(data, customers, AUTO.model_copy(update={"weights": "power"}))
    assert set(space["dims"]) == set(plain["dims"])
    weight = space["scale"] ** 2
    assert weight.max() > 2 * weight.min()
    distance, index = Reference(space, "customer").nearest(weighted["ranks"], rows["values"], k=5)
    for row in np.flatnonzero(index[:, -1] >= 0)[:100]:
        gaps = rows["ranks"][row] - plain["customer_points"][index[row]]
        expected = np.sqrt((gaps.astype(float) ** 2 @ weight) / weight.sum())
        np.testing.assert_allclose(distance[row], expected, rtol=1e-4)


def test_the_named_customers_are_those_that_make_the_distance() -> None:
    data, customers = _shaped(np.r_[np.ones(2), np.zeros(4)], seed=7, n=1_500)
    spec = AUTO.model_copy(update={"weights": "learned", "share": 1.0})
    space, rows = _fit(data, customers, spec)
    columns = fit_columns(data.matrix, min_level_rows=1)
    named = Scorer(columns, None, space).look_alikes(rows["values"], k=10)
    distance = Similarity(space)(rows["ranks"], rows["values"])[:, 0]
    some = np.flatnonzero(np.isfinite(distance))[::50]
    scale = _growth(space, rows["values"]["as_of"])
    for row in some:
        names, distances, *_ = zip(*named[row], strict=True)
        assert np.mean(distances) * scale[row] == pytest.approx(distance[row])
        assert list(distances) == sorted(distances)
        assert data.account[row] not in names
        known = customers.known_at < data.as_of[row]
        assert set(names) <= set(customers.names[known])
    assert len(some) > 20


def _growth(space: dict, as_of: np.ndarray) -> np.ndarray:
    """By what distances are multiplied, from the formula: (n share / k) ** exponent, at least 1."""
    before = space["customer_known_at"] < as_of[:, None]
    known = (before & (space["customer_known_at"] >= as_of[:, None] - 365 * DAY_US)).sum(axis=1)
    ratio = known * float(space["share"]) / float(space["k"])
    return np.maximum(ratio, 1) ** float(space["customer_exponent"])


def test_the_ablation_changes_nothing_but_similarity(world: object, fitted: object) -> None:
    asked = []

    def refit(customers: Customers, spec: SimilaritySpec) -> PropensityModel:
        asked.append((customers, spec))
        return fitted.model

    spec = SimilaritySpec()
    table = ablation(
        refit, fitted.model, fitted.train, fitted.test, world.customers, spec,
        capacity=5, n_bootstrap=20,
    )  # fmt: skip
    (same, off), (shuffled, null) = asked
    assert same is world.customers
    assert not off.enabled
    assert str(null.weights) == str(fitted.model.scorer.space["weights"])
    assert null.model_copy(update={"weights": "auto"}) == spec
    assert set(shuffled.names) != set(world.customers.names)
    # Equal models: no gain, to the last digit.
    gaps = table[table["contender"].isin([WITHOUT, SHUFFLED])]
    assert (gaps[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)
    assert "plays no part" in similarity_verdict(table, 30)
    assert "plays no part" in similarity_verdict(table, 29)
