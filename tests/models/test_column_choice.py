"""Columns that go: dead ones, copies that no tree can tell apart, and unstable ones."""

from itertools import combinations

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from features.errors import NotEnoughHistory
from models.customers.similarity import SimilaritySpec
from models.learners.booster import BoosterSpec, fit_booster
from models.learners.columns import ColumnSpec, StabilitySpec, choose_columns, false_choices
from models.learners.inputs import Inputs, fit_inputs

QUICK = StabilitySpec(pairs=5, chosen_per_half=4)


@pytest.fixture(scope="module")
def rows(make_world):
    return make_world(n_entities=250, n_weeks=8, seed=3).data


def _inputs(columns: dict[str, np.ndarray], categories: tuple[str, ...] = ()) -> Inputs:
    described = [
        {"name": name, "dtype": "category" if name in categories else "number"} for name in columns
    ]
    return Inputs(described, None, list(columns), np.column_stack(list(columns.values())))


def _choose(inputs: Inputs, rows, spec: ColumnSpec | None = None, **more):
    train = rows.take(np.arange(len(inputs.matrix)))
    return choose_columns(inputs, train, spec or ColumnSpec(), seed=1, threads=1, **more)


def _why(choice) -> dict[str, tuple[str, str | None]]:
    return {row["name"]: (row["reason"], row["because_of"]) for row in choice.describe()}


def test_columns_go_with_the_reason_and_the_column_they_repeat(rows):
    rng = np.random.default_rng(0)
    value = rng.normal(size=500)
    plan = rng.integers(0, 3, size=500).astype(float)
    inputs = _inputs(
        {
            "value": value,
            "never known": np.full(500, np.nan),
            "same": value,
            "stretched": np.exp(value),
            "other": rng.normal(size=500),
            "always 7": np.full(500, 7.0),
            "turned": 3 - 2 * value,
            "plan": plan,
            "plan renamed": (plan + 1) % 3,
            "plan as a number": plan,
        },
        categories=("plan", "plan renamed"),
    )
    choice = _choose(inputs, rows)
    assert choice.kept == ("value", "other", "plan", "plan as a number")
    assert _why(choice) == {
        "never known": ("all missing", None),
        "same": ("duplicate", "value"),
        "stretched": ("duplicate", "value"),
        "always 7": ("constant", None),
        "turned": ("duplicate", "value"),
        "plan renamed": ("duplicate", "plan"),
    }
    assert choice.positions(inputs.names).tolist() == [0, 4, 7, 9]


def test_a_column_that_differs_on_one_row_in_value_or_in_being_known_stays(rows):
    value = np.arange(1_600.0)
    swapped, unknown, tied = value.copy(), value.copy(), value.copy()
    # Away from the rows that are compared first.
    swapped[[1, 3]] = swapped[[3, 1]]
    unknown[1] = np.nan
    tied[1] = tied[2]
    inputs = _inputs({"value": value, "swapped": swapped, "unknown": unknown, "tied": tied})
    assert _choose(inputs, rows).dropped == ()


def test_a_constant_that_is_sometimes_missing_stays(rows):
    known = np.where(np.arange(40) % 2, 5.0, np.nan)
    assert _choose(_inputs({"known": known}), rows).kept == ("known",)


def test_a_protected_column_stays_and_its_copies_go_even_if_they_come_first(rows):
    value = np.random.default_rng(0).normal(size=60)
    inputs = _inputs({"first": value, "constrained": 2 * value, "dead": np.zeros(60)})
    choice = _choose(inputs, rows, protected={"constrained", "dead"})
    assert choice.kept == ("constrained", "dead")
    assert _why(choice) == {"first": ("duplicate", "constrained")}


def test_duplicates_can_be_kept_and_dead_columns_can_not(rows):
    value = np.arange(30.0)
    inputs = _inputs({"value": value, "same": value, "dead": np.ones(30)})
    assert _choose(inputs, rows, ColumnSpec(drop_duplicates=False)).kept == ("value", "same")


SMALL = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 7), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 1.0, 2.0, np.nan]),
)


@given(SMALL, st.integers(0, 5))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_duplicates_are_those_that_comparing_all_pairs_of_rows_finds(rows, matrix, n_categories):
    names = [f"c{at}" for at in range(matrix.shape[1])]
    inputs = _inputs(dict(zip(names, matrix.T, strict=True)), tuple(names[:n_categories]))
    choice = _choose(inputs, rows)
    kept: list[str] = []
    for at, name in enumerate(names):
        column, group = matrix[:, at], at < n_categories
        if len({str(value) for value in column}) == 1:
            continue
        if not any(
            _inseparable(column, matrix[:, names.index(other)], group)
            for other in kept
            if (names.index(other) < n_categories) == group
        ):
            kept.append(name)
    assert choice.kept == tuple(kept)


def _inseparable(one: np.ndarray, other: np.ndarray, group: bool) -> bool:
    """Equal missing rows, and every pair of rows is ordered (or told apart) alike."""
    if (np.isnan(one) != np.isnan(other)).any():
        return False
    known = np.flatnonzero(~np.isnan(one))
    pairs = [
        (np.sign(one[a] - one[b]), np.sign(other[a] - other[b])) for a, b in combinations(known, 2)
    ]
    if group:
        return all((a == 0) == (b == 0) for a, b in pairs)
    return all(a == b for a, b in pairs) or all(a == -b for a, b in pairs)


def test_without_copies_a_booster_that_sees_all_columns_predicts_the_same(world):
    data = world.data
    whole = fit_inputs(
        data, world.customers, SimilaritySpec(), min_level_rows=30, horizon_days=7, seed=1
    )
    extra = {"copy": whole.matrix[:, 1], "dead": np.zeros(len(data)), "scaled": whole.matrix[:, 0]}
    matrix = np.column_stack([whole.matrix, *extra.values()])
    inputs = Inputs(whole.columns, whole.space, [*whole.names, *extra], matrix)
    choice = choose_columns(inputs, data, ColumnSpec(), seed=1, threads=1)
    assert set(_why(choice)) == set(extra)
    spec = BoosterSpec(feature_fraction=1.0, max_rounds=20)
    scores = []
    for names in (inputs.names, list(choice.kept)):
        at = [inputs.names.index(name) for name in names]
        text = fit_booster(
            matrix[:, at],
            names,
            inputs.categories,
            data.label,
            data.as_of,
            spec,
            horizon_days=7,
            seed=2,
            threads=1,
        )
        booster = lgb.Booster(model_str=text)
        scores.append(
            booster.predict(matrix[:, [inputs.names.index(n) for n in booster.feature_name()]])
        )
    assert np.array_equal(*scores)


def test_stability_selection_keeps_what_speaks_in_every_half(rows):
    rng = np.random.default_rng(4)
    speaks = rows.label + rng.normal(scale=0.5, size=len(rows))
    noise = {f"noise {at}": rng.normal(size=len(rows)) for at in range(12)}
    inputs = _inputs({"speaks": speaks, **noise})
    choice = _choose(inputs, rows, ColumnSpec(stability=QUICK))
    assert "speaks" in choice.kept
    assert len(choice.kept) - 1 <= false_choices(QUICK, 13)
    gone = [row for row in choice.dropped if row.reason == "unstable"]
    assert len(gone) >= 8
    assert all(row.share is not None and row.share < QUICK.least_share for row in gone)
    assert choice == _choose(inputs, rows, ColumnSpec(stability=QUICK))


def test_a_higher_share_of_halves_keeps_fewer_columns(rows):
    rng = np.random.default_rng(5)
    columns = {f"c{at}": rows.label * at / 10 + rng.normal(size=len(rows)) for at in range(10)}
    kept = [
        set(_choose(_inputs(columns), rows, ColumnSpec(stability=spec)).kept)
        for spec in (QUICK, QUICK.model_copy(update={"least_share": 0.95}))
    ]
    assert kept[1] < kept[0]


def test_stability_selection_needs_converting_accounts_to_divide(rows):
    few = rows.take(np.flatnonzero(~rows.label | (np.cumsum(rows.label) <= 5)))
    value = np.arange(float(len(few)))
    with pytest.raises(NotEnoughHistory, match=r"20 converting .* have 5\. Remove"):
        choose_columns(
            _inputs({"value": value}), few, ColumnSpec(stability=QUICK), seed=1, threads=1
        )
