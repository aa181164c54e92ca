"""Partial dependence: the mean probability of all rows with one value replaced, and its words."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.matrix import FeatureMatrix
from models.dataset import Dataset
from models.judging.dependence_words import direction_of
from models.judging.partial_dependence import category_grid, number_grid, partial_dependence
from models.scoring import SIMILARITY

PLAIN = {
    "similarity": {"enabled": False},
    "fit_usage": {"enabled": False},
    "booster": {"max_rounds": 40, "num_leaves": 7, "seeds": 1},
}


def with_column(rows: Dataset, name: str, values: list) -> Dataset:
    matrix = rows.matrix
    place = matrix.table.column_names.index(name)
    kind = matrix.table.schema.field(place)
    table = matrix.table.set_column(place, kind, pa.array(values, kind.type))
    return replace(rows, matrix=FeatureMatrix(matrix.snapshots, matrix.features, table))


def with_unknown(rows: Dataset) -> Dataset:
    """Every fifth count of invites and every seventh plan is not known."""
    invites = rows.matrix.column("invites_count_28d").copy()
    invites[::5] = np.nan
    plan = rows.matrix.column("plan").copy()
    plan[::7] = None
    return with_column(
        with_column(rows, "invites_count_28d", invites.tolist()), "plan", plan.tolist()
    )


@pytest.fixture(scope="module")
def plain(make_world, fit):
    """A booster without similarity, on rows of which some values are unknown."""
    world = make_world(n_entities=400, n_weeks=12, seed=1)
    return fit(replace(world, data=with_unknown(world.data)), **PLAIN, learner="booster")


def every_row(fitted, **more):
    return partial_dependence(fitted.model, fitted.test, sample=len(fitted.test), **more)


def found(curves, name):
    return next(one for one in curves if one.feature == name)


def test_every_point_is_the_mean_probability_of_all_rows_with_that_value(plain):
    curves, n = every_row(plain), len(plain.test)
    assert {"reports_count_7d", "invites_count_28d", "plan"} <= {one.feature for one in curves}
    for one in curves:
        for value, probability in zip(one.values, one.probability, strict=True):
            asked = float("nan") if value is None and one.feature != "plan" else value
            rows = with_column(plain.test, one.feature, [asked] * n)
            scores = plain.model.predict(rows.matrix, rows.account, rows.domain)
            assert probability == pytest.approx(scores["probability"].mean(), abs=1e-12)


def test_what_raises_the_true_chance_is_said_to_raise_it(plain):
    curves = every_row(plain)
    reports, plan = found(curves, "reports_count_7d"), found(curves, "plan")
    assert reports.direction == "raises"
    assert "higher values raise the chance" in reports.text
    known = {value: p for value, p in zip(plan.values, plan.probability, strict=True) if value}
    assert max(known, key=known.get) == "trial"
    assert plan.text.startswith("Plan: the chance is highest for trial")


def test_rows_without_a_value_are_a_point_of_their_own_at_the_end(plain):
    curves = every_row(plain)
    assert [found(curves, name).values[-1] for name in ("invites_count_28d", "plan")] == [None] * 2
    assert None not in found(curves, "reports_count_7d").values
    assert "where unknown" in found(curves, "plan").text


def test_no_label_is_read(plain):
    rows = replace(plain.test, label=~plain.test.label, mature=~plain.test.mature)
    assert partial_dependence(plain.model, rows, seed=3) == partial_dependence(
        plain.model, plain.test, seed=3
    )


def test_the_sample_is_drawn_by_the_seed_and_the_interval_holds_the_mean(plain):
    some = {"sample": 200, "n_bootstrap": 100}
    first, again, other = (
        partial_dependence(plain.model, plain.test, seed=seed, **some) for seed in (1, 1, 2)
    )
    assert first == again
    assert [one.probability for one in first] != [one.probability for one in other]
    for one in first:
        for low, middle, high in zip(one.low, one.probability, one.high, strict=True):
            assert low < middle < high


def test_the_interval_is_as_wide_as_resampling_whole_accounts_makes_it(plain):
    one = found(every_row(plain, n_bootstrap=2_000), "reports_count_7d")
    rows = with_column(plain.test, one.feature, [one.values[0]] * len(plain.test))
    p = plain.model.predict(rows.matrix, rows.account, rows.domain)["probability"].to_numpy()
    groups = [p[plain.test.cluster == code] for code in np.unique(plain.test.cluster)]
    # Cochran 1977, section 2.11: the variance of a ratio of sums over clusters.
    residual = [(group - p.mean()).sum() for group in groups]
    error = np.sqrt(np.square(residual).sum()) / len(p)
    assert one.high[0] - one.low[0] == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_similarity_is_told_as_what_it_is(fitted):
    curves = partial_dependence(fitted.model, fitted.test, most=20, sample=100, n_bootstrap=20)
    told = [one for one in curves if one.feature in SIMILARITY]
    assert told
    assert all(one.meaning.startswith("similarity: ") for one in told)


def test_a_column_names_the_one_that_it_moves_with(plain):
    one = found(every_row(plain), "reports_count_7d")
    ranks = [
        np.argsort(np.argsort(plain.test.matrix.column(name), kind="stable"))
        for name in ("reports_count_7d", "reports_count_28d")
    ]
    assert np.corrcoef(ranks)[0, 1] > 0.7
    assert one.moves_with == "reports_count_28d"


def test_without_rows_there_is_nothing_to_ask(plain):
    assert partial_dependence(plain.model, plain.test.take(np.zeros(0, np.int64))) == ()


numbers = st.lists(st.integers(0, 6) | st.just(float("nan")), min_size=1, max_size=60)


@settings(deadline=None, derandomize=True)
@given(numbers)
def test_a_grid_asks_for_values_that_rows_have_and_for_the_unknown_if_there_is_any(values):
    column = np.array(values, float)
    for grid in (number_grid(column), category_grid(column)):
        asked = grid[~np.isnan(grid)]
        assert set(asked) <= set(column)
        assert len(set(asked)) == len(asked)
        assert np.isnan(grid).sum() == np.isnan(column).any()
        assert (len(asked) == 0) == np.isnan(column).all()
    rising = number_grid(column)
    assert (np.diff(rising[~np.isnan(rising)]) > 0).all()


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=12))
def test_a_curve_read_backwards_goes_the_other_way(probability):
    other = {"raises": "lowers", "lowers": "raises", "mixed": "mixed"}
    curve = np.array(probability)
    assert direction_of(curve[::-1]) == other[direction_of(curve)]


def test_a_step_a_twentieth_as_high_as_the_chance_is_hardly_a_direction():
    assert direction_of(np.array([0.100, 0.104])) == "mixed"
    assert direction_of(np.array([0.100, 0.110])) == "raises"
