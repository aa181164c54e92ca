"""Rows as programs bring them: equal scores, or one error that says what differs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException

NUMBERS = ("reports_count_7d", "reports_count_28d", "invites_count_28d", "noise_count_28d")
FAST = {"reasons": False, "look_alikes": False}


@pytest.fixture(scope="module")
def model(artefact):
    return artefact.load()


def assert_as_in_the_batch(found: pd.DataFrame, batch: pd.DataFrame) -> None:
    for name in batch.columns:
        left, right = found[name].tolist(), batch[name].tolist()
        assert [list(a) if isinstance(a, np.ndarray) else a for a in left] == right, name


def test_a_program_gets_what_the_batch_gets(model, artefact):
    found = model.predict(artefact.rows)
    assert_as_in_the_batch(found, artefact.batch)
    assert sum(map(len, found["reasons"])) > len(found)
    assert found["model_version"].isna().all(), "a folder without a registry has no number"


def test_parameters_choose_the_outputs(model, artefact):
    found = model.predict(artefact.rows, params=FAST)
    assert found[["reasons", "look_alikes"]].isna().all(axis=None)
    assert found["raw_score"].equals(model.predict(artefact.rows)["raw_score"])
    five = model.predict(artefact.rows, params={"reasons": False, "most": 5})
    assert {len(names) for names in five["look_alikes"]} == {5}
    assert five["reasons"].isna().all()
    one = model.predict(artefact.rows, params={"look_alikes": False, "most": 1})
    assert {len(texts) for texts in one["reasons"]} == {0, 1}
    assert one["look_alikes"].isna().all()


@pytest.mark.parametrize("params", [{"most": 0}, {"threads": 0}, {"missing": "ignore"}])
def test_parameters_out_of_range_are_refused_by_name(model, artefact, params):
    with pytest.raises(MlflowException, match=f"parameter {next(iter(params))} is"):
        model.predict(artefact.rows, params=params)


def test_the_error_is_a_diff_of_expected_and_got(model, artefact):
    rows = artefact.rows.rename(columns={"plan": "plans"}).drop(columns="domain")
    rows = rows.astype({"noise_count_28d": "str"}).assign(as_of=5)
    with pytest.raises(MlflowException) as raised:
        model.predict(rows)
    assert raised.value.message.splitlines() == [
        "The columns differ from the model's: 2 of 8 are missing (-), 2 are of another type (!), "
        "1 are not the model's (+).",
        "- plan: expected text",
        "- domain: expected text",
        "! as_of: expected time, got int64",
        "! noise_count_28d: expected number, got str",
        "+ plans: str",
    ]


def test_long_lists_are_cut(model, artefact):
    rows = artefact.rows.assign(**{f"other_{at}": 1 for at in range(30)}).drop(columns="plan")
    with pytest.raises(MlflowException, match="and 22 more like these"):
        model.predict(rows)


def test_absent_columns_are_unknown_only_where_that_is_asked_for(model, artefact):
    blank = artefact.rows.assign(plan=None, reports_count_7d=np.nan, account_id=None)
    absent = artefact.rows.drop(columns=["plan", "reports_count_7d", "account_id"])
    with pytest.raises(MlflowException, match="3 of 8 are missing"):
        model.predict(absent)
    found = model.predict(absent, params={"missing": "unknown"})
    pd.testing.assert_frame_equal(found, model.predict(blank))
    with pytest.raises(MlflowException, match="- as_of: expected time"):
        model.predict(absent.drop(columns="as_of"), params={"missing": "unknown"})


def test_an_unseen_category_counts_as_unknown(model, artefact):
    found = model.predict(artefact.rows.assign(plan="of tomorrow"), params=FAST)
    pd.testing.assert_frame_equal(found, model.predict(artefact.rows.assign(plan=None), FAST))


def test_no_rows_give_no_scores(model, artefact):
    found = model.predict(artefact.rows.head(0))
    assert len(found) == 0
    assert list(found.columns) == list(model.predict(artefact.rows).columns)


def test_records_a_dict_and_a_single_row_are_rows_too(model, artefact):
    want = model.predict(artefact.rows)
    records = artefact.rows.to_dict("records")
    pd.testing.assert_frame_equal(model.predict(records), want)
    pd.testing.assert_frame_equal(model.predict(artefact.rows.to_dict("list")), want)
    pd.testing.assert_frame_equal(model.predict(records[0]), want.head(1))
    with pytest.raises(MlflowException, match="not 'list'"):
        model.predict([1, 2])


def test_a_row_is_scored_alone_as_among_others_and_on_two_threads(model, artefact):
    want = model.predict(artefact.rows, params={"threads": 2})
    alone = [model.predict(artefact.rows.iloc[[at]]) for at in range(12)]
    pd.testing.assert_frame_equal(pd.concat(alone), want.head(12))


TYPES = {
    "double": lambda column: column.astype("float64"),
    "whole": lambda column: column.astype("int64"),
    "short": lambda column: column.astype("uint16"),
    "nullable whole": lambda column: column.astype("Int64"),
    "nullable double": lambda column: column.astype("Float64"),
    "arrow": lambda column: column.astype("float64[pyarrow]"),
    "objects": lambda column: column.astype(object),
}
TEXTS = {
    "objects": lambda column: column.astype(object),
    "string": lambda column: column.astype("string"),
    "category": lambda column: column.astype("category"),
    "arrow": lambda column: column.astype("string[pyarrow]"),
}
TIMES = {
    "text": lambda column: column.dt.strftime("%Y-%m-%d %H:%M:%S.%f"),
    "zoned": lambda column: column.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    "nanoseconds": lambda column: column.astype("datetime64[ns]"),
    "objects": lambda column: column.astype(object),
}
WRONG = {
    "text for a number": lambda rows, name: rows.assign(**{name: "seven"}),
    "infinite": lambda rows, name: rows.assign(**{name: np.inf}),
    "time for a number": lambda rows, name: rows.assign(**{name: rows["as_of"]}),
    "a list": lambda rows, name: rows.assign(**{name: [[1]] * len(rows)}),
    "number for a text": lambda rows, name: rows.assign(plan=7),
    "truth for a text": lambda rows, name: rows.assign(domain=True),
    "mixed texts": lambda rows, name: rows.assign(plan=["free", 1] * (len(rows) // 2)),
    "no time": lambda rows, name: rows.assign(as_of="soon"),
    "a missing time": lambda rows, name: rows.assign(as_of=pd.NaT),
    "a number for a time": lambda rows, name: rows.assign(as_of=20240101),
    "absent": lambda rows, name: rows.drop(columns=name),
    "twice": lambda rows, name: pd.concat([rows, rows[[name]]], axis=1),
    "not the name": lambda rows, name: rows.rename(columns={name: name.upper()}),
}


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    numbers=st.fixed_dictionaries({name: st.sampled_from(sorted(TYPES)) for name in NUMBERS}),
    texts=st.fixed_dictionaries(
        {name: st.sampled_from(sorted(TEXTS)) for name in ("plan", "account_id", "domain")}
    ),
    time=st.sampled_from(sorted(TIMES)),
    order=st.permutations(range(8)),
    extra=st.booleans(),
    wrong=st.lists(st.sampled_from(sorted(WRONG)), max_size=2, unique=True),
    name=st.sampled_from(NUMBERS),
)
def test_any_frame_gives_equal_scores_or_one_clear_error(
    model, artefact, numbers, texts, time, order, extra, wrong, name
):
    rows = artefact.rows.head(6)
    for column, kind in numbers.items():
        rows = rows.assign(**{column: TYPES[kind](rows[column])})
    for column, kind in texts.items():
        rows = rows.assign(**{column: TEXTS[kind](rows[column])})
    rows = rows.assign(as_of=TIMES[time](rows["as_of"]))
    rows = rows.iloc[:, list(order)]
    if extra:
        rows = rows.assign(note="call them")
    for mutation in wrong:
        if name in rows.columns and rows.columns.is_unique:
            rows = WRONG[mutation](rows, name)
    if not wrong:
        found = model.predict(rows, params=FAST)
        assert found["raw_score"].tolist() == artefact.batch["raw_score"].tolist()[:6]
        return
    with pytest.raises(MlflowException, match="The columns differ from the model's") as raised:
        model.predict(rows, params=FAST)
    assert any(line[:2] in ("- ", "! ") for line in raised.value.message.splitlines())


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    cell=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=5),
        st.dates(),
        st.lists(st.integers(), max_size=2),
        st.binary(max_size=3),
    ),
    name=st.sampled_from([*NUMBERS, "plan", "domain", "as_of"]),
)
def test_any_cell_is_read_or_refused_by_the_name_of_its_column(model, artefact, cell, name):
    rows = artefact.rows.head(3).astype({name: object})
    rows.iat[1, rows.columns.get_loc(name)] = cell
    try:
        found = model.predict(rows, params=FAST)
    except MlflowException as refused:
        found = refused
    if isinstance(found, MlflowException):
        assert f"\n! {name}: expected" in found.message
        return
    others = artefact.batch["raw_score"].iloc[[0, 2]].tolist()
    assert found["raw_score"].iloc[[0, 2]].tolist() == others
