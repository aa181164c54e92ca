"""Mistakes among the test rows: who, and what sets them apart beyond chance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import to_text
from features.definitions import Feature
from features.matrix import FeatureMatrix, Snapshots
from models.dataset import Dataset
from models.judging.contrasts import LEAST_IN_GROUP, contrast, of_like_probability
from models.judging.differences import differences
from models.judging.mistakes_found import find_mistakes, telling_rows

PQL = ("critical", "hot", "warm")


@pytest.fixture(scope="module")
def mistakes(fitted):
    return find_mistakes(fitted.model, fitted.test, names_of(fitted.test), PQL, most=1_000)


@pytest.fixture(scope="module")
def rows(fitted):
    """The test rows with their scores, as a table."""
    test = fitted.test
    frame = fitted.model.predict(test.matrix, test.account, test.domain)
    frame["entity"], frame["label"] = test.matrix.snapshots.ids, test.label
    frame["as_of"] = [to_text(int(at)) for at in test.as_of]
    return frame


def names_of(rows: Dataset) -> np.ndarray:
    return np.array([f"Company {code}" for code in range(rows.entity.max() + 1)], object)


def best(rows: pd.DataFrame) -> pd.DataFrame:
    """The most confident row of each entity."""
    ranked = rows.sort_values("probability", ascending=False, kind="stable")
    return ranked.drop_duplicates("entity").set_index("entity")


def test_false_positives_were_flagged_and_convert_on_no_row(mistakes, rows):
    never = best(rows[~rows.groupby("entity")["label"].transform("any")])
    expected = never[never["tier"].isin(PQL)]
    assert {one.entity for one in mistakes.false_positives} == set(expected.index)
    for one in mistakes.false_positives:
        said = expected.loc[one.entity]
        assert (one.as_of, one.tier, one.probability) == (
            said["as_of"],
            said["tier"],
            said["probability"],
        )


def test_false_negatives_converted_and_were_flagged_on_no_row_that_does(mistakes, rows):
    converting = best(rows[rows["label"]])
    expected = converting[~converting["tier"].isin(PQL)]
    assert {one.entity for one in mistakes.false_negatives} == set(expected.index)


def test_the_worst_come_first_and_no_more_than_asked_for(fitted, mistakes):
    few = find_mistakes(fitted.model, fitted.test, names_of(fitted.test), PQL, most=3)
    assert few.false_positives == mistakes.false_positives[:3]
    sure = [one.probability for one in mistakes.false_positives]
    unexpected = [one.probability for one in mistakes.false_negatives]
    assert sure == sorted(sure, reverse=True)
    assert unexpected == sorted(unexpected)


def test_every_entity_is_in_one_group(mistakes, rows):
    wrong, missed = mistakes.differences
    assert (wrong.kind, missed.kind) == ("false positives", "false negatives")
    together = wrong.n + wrong.n_right + missed.n + missed.n_right
    assert together == rows["entity"].nunique()


def test_reasons_and_names_are_those_of_the_row(fitted, mistakes):
    one = mistakes.false_positives[0]
    test = fitted.test
    ids, times = test.matrix.snapshots.ids, [to_text(int(at)) for at in test.as_of]
    row = next(at for at in range(len(test)) if (ids[at], times[at]) == (one.entity, one.as_of))
    alone = test.take(np.array([row]))
    said = fitted.model.told(alone.matrix, alone.account, alone.domain)
    assert one.reasons == tuple(said["reasons"][0])
    assert one.against == tuple(said["reasons_against"][0])
    assert one.name == f"Company {test.entity[row]}"


def test_a_label_that_is_not_mature_is_never_read(fitted):
    test, names = fitted.test, names_of(fitted.test)
    young = test.as_of == test.as_of.max()
    mature = replace(test, mature=~young)
    lies = replace(mature, label=np.where(young, ~test.label, test.label))
    assert find_mistakes(fitted.model, mature, names, PQL) == find_mistakes(
        fitted.model, lies, names, PQL
    )


def test_groups_too_small_to_compare_are_said_to_be(fitted):
    some = fitted.test.take(np.flatnonzero(fitted.test.label)[: LEAST_IN_GROUP - 1])
    found = find_mistakes(fitted.model, some, names_of(fitted.test), PQL)
    assert all("Too few to compare" in one.text for one in found.differences)
    assert all(not one.differences for one in found.differences)


def test_without_mature_rows_there_are_no_mistakes(fitted):
    young = replace(fitted.test, mature=np.zeros(len(fitted.test), bool))
    found = find_mistakes(fitted.model, young, names_of(fitted.test), PQL)
    assert (found.false_positives, found.false_negatives, found.differences) == ((), (), ())


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 9)), min_size=1).map(sorted)
)
def test_each_entity_is_told_once_by_its_most_confident_row_before_it_converts(drawn):
    entity, label, score = (np.array(column) for column in zip(*drawn, strict=True))
    chosen = telling_rows(entity, label, score / 10)
    frame = pd.DataFrame({"entity": entity, "label": label, "score": score})
    for _, mine in frame.groupby("entity"):
        told = mine[chosen[mine.index]]
        assert len(told) == 1
        able = mine[mine["label"]] if mine["label"].any() else mine
        assert told.index[0] in able.index
        assert told["score"].iloc[0] == able["score"].max()


def table_of(columns: dict[str, np.ndarray]) -> Dataset:
    """Rows of as many accounts; each column is the count of an event, or a plan."""
    n = len(next(iter(columns.values())))
    features = tuple(
        Feature(
            name,
            "fit" if values.dtype == object else "value",
            "attribute" if values.dtype == object else "count",
            () if values.dtype == object else (name,),
            name if values.dtype == object else None,
            None,
            "entity",
            "category" if values.dtype == object else "number",
            "",
            meaning=name,
        )
        for name, values in columns.items()
    )
    table = pa.table(
        {
            name: pa.array(list(v), pa.string() if v.dtype == object else pa.float32())
            for name, v in columns.items()
        }
    )
    ids = np.array([f"a{code:04d}" for code in range(n)], object)
    snapshots = Snapshots("account", np.arange(n, dtype=np.int32), np.zeros(n, np.int64), ids)
    no = np.zeros(n, bool)
    return Dataset(FeatureMatrix(snapshots, features, table), no, ~no, ids, ids)


def noise(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Columns as skewed as counts of rare events are."""
    return {f"noise_{at}": rng.negative_binomial(0.3, 0.1, n).astype(float) for at in range(60)}


def test_the_difference_is_that_of_the_means_in_standard_deviations():
    rng = np.random.default_rng(2)
    values = rng.normal(size=300).astype(np.float32)
    first = rng.random(300) < 0.3
    values[first] += 1
    values[::9] = np.nan
    (one,), compared = differences(table_of({"x": values}), first)
    frame = pd.Series(values.astype(float))
    frame = frame.clip(frame.quantile(0.01), frame.quantile(0.99))
    here, there = frame[first], frame[~first]
    spread = np.sqrt((here.var(ddof=0) + there.var(ddof=0)) / 2)
    assert one.difference == pytest.approx((here.mean() - there.mean()) / spread, abs=1e-5)
    assert (one.here, one.there) == (pytest.approx(here.mean()), pytest.approx(there.mean()))
    assert one.low < one.difference < one.high
    assert one.stands_out
    assert compared == 1


def test_what_made_the_probability_does_not_stand_out_and_what_the_model_does_not_know_does():
    rng = np.random.default_rng(11)
    n = 4_000
    known, unknown = rng.normal(size=n), rng.normal(size=n)
    probability = 1 / (1 + np.exp(4 - 1.5 * known))
    converts = rng.random(n) < 1 / (1 + np.exp(5 - 1.5 * known - 1.5 * unknown))
    columns = {**noise(rng, n), "known": known, "unknown": unknown}
    rows = replace(table_of(columns), label=converts)
    verdict = probability < 0.3
    groups = int((verdict & converts).sum()), int((verdict & ~converts).sum())
    found = contrast("false negatives", groups, verdict, rows, probability, 50, seed=1)
    assert [one.feature for one in found.differences if one.stands_out] == ["unknown"]
    assert (found.n, found.n_right) == groups
    assert "nearest probabilities" in found.text
    against_all, _ = differences(rows.take(verdict), converts[verdict], n_bootstrap=10)
    assert "known" in {one.feature for one in against_all if one.stands_out}


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 98), st.booleans()), min_size=1, max_size=40))
def test_each_mistake_is_compared_with_its_neighbours_by_probability(drawn):
    percent, wrong = (np.array(column) for column in zip(*drawn, strict=True))
    chosen = of_like_probability(percent / 100, wrong)
    assert chosen[wrong].all()
    assert (chosen & ~wrong).sum() <= 4 * wrong.sum()
    right = np.sort(percent[~wrong])
    for one in percent[wrong]:
        for near in (right[right < one][-1:], right[right >= one][:1]):
            assert set(near) <= set(percent[chosen & ~wrong])


def test_a_planted_difference_stands_out_among_noise_and_comes_first():
    rng = np.random.default_rng(4)
    first = rng.random(240) < 0.25
    plan = np.where(rng.random(240) < np.where(first, 0.8, 0.3), "team", "free").astype(object)
    columns = {**noise(rng, 240), "seats": rng.poisson(2 + 3 * first).astype(float), "plan": plan}
    found, compared = differences(table_of(columns), first, most=5)
    assert [one.feature for one in found[:2]] == ["seats", "plan"]
    assert [one.stands_out for one in found] == [True, True, False, False, False]
    # 60 of noise, the seats, and two plans.
    assert compared == 63
    here, there = (
        f"{100 * (plan[side] == found[1].level).mean():.0f} %" for side in (first, ~first)
    )
    assert found[1].text == f"plan: {found[1].level} {here} against {there}"


def test_among_noise_alone_one_list_of_twenty_has_anything_that_stands_out():
    """Groups of unequal size and skewed counts: where normal errors are far too small."""
    rng = np.random.default_rng(0)
    any_of_them = 0
    for seed in range(40):
        first = rng.permutation(np.arange(120) < 20)
        found, _ = differences(table_of(noise(rng, 120)), first, n_bootstrap=10, seed=seed)
        any_of_them += any(one.stands_out for one in found)
    # Binomial(40, 0.05) is at most 6 in 99.7 % of cases.
    assert any_of_them <= 6


def test_windows_of_one_behaviour_are_told_once():
    rng = np.random.default_rng(1)
    first = np.arange(100) < 40
    rows = table_of({"week": rng.poisson(1 + first).astype(float), "other": rng.random(100)})
    week, other = rows.matrix.features
    month = replace(week, name="month", days=28)
    table = rows.matrix.table.append_column("month", rows.matrix.table["week"])
    matrix = FeatureMatrix(rows.matrix.snapshots, (week, other, month), table)
    found, compared = differences(replace(rows, matrix=matrix), first)
    assert sorted(one.feature for one in found) == ["other", "week"]
    assert compared == 3


def test_what_hardly_anybody_has_is_not_compared():
    rare = np.full(100, np.nan)
    rare[:15] = 1.0
    rare[0] = 2.0
    assert differences(table_of({"rare": rare}), np.arange(100) < 50) == ((), 0)
