"""Features for a consumer who has only events: the same numbers as the nightly batch gives."""

import os
from datetime import UTC, datetime

import mlflow
import numpy as np
import pandas as pd
import pytest

import pipeline
from features.clock import to_text
from features.errors import EventLogError, NotEnoughHistory, SchemaMismatch
from pipeline import registry
from pipeline.champion import load_champion
from pipeline.portable import environment_kept
from pipeline.predict import predict
from tests.conftest import shop_events

SHOP, DEMO = "models:/pql-shop@champion", "models:/pql-demo/1"


@pytest.fixture(scope="module")
def demo_events(demo) -> pd.DataFrame:
    parts = [pd.read_parquet(path) for path in sorted(demo.folder.glob("world/events/*.parquet"))]
    return pd.concat(parts).rename(columns={"received_at": "known_at"})


@pytest.fixture(scope="module")
def demo_tables(demo) -> dict[str, pd.DataFrame]:
    return {
        f"{of}s": pd.read_parquet(demo.folder / f"world/{of}s.parquet").rename(
            columns={"valid_from": "time"}
        )
        for of in ("account", "user")
    }


@pytest.fixture(scope="module")
def shop_frames(shop) -> dict[str, pd.DataFrame]:
    events = shop_events().rename(columns={"user": "user_id", "team": "account_id"})
    users = pd.read_csv(shop.folder / "users.csv").rename(columns={"user": "user_id"})
    return {"events": events, "users": users}


@pytest.fixture
def shop_rows(shop, shop_frames, mlflow_store):
    """A function: rows of the shop's model, with some arguments changed."""

    def rows(as_of="2024-06-01", **changed):
        arguments = {"tracking_uri": mlflow_store, **shop_frames, **changed}
        return pipeline.features_for(SHOP, as_of=as_of, **arguments)

    return rows


def loaded(uri: str, store: str):
    with environment_kept():
        mlflow.set_tracking_uri(store)
        mlflow.set_registry_uri(store)
        return mlflow.pyfunc.load_model(uri)


def test_rows_from_events_alone_score_like_the_nightly_batch(
    scored, demo_events, demo_tables, mlflow_store
):
    rows = pipeline.features_for(
        DEMO, demo_events, to_text(scored.as_of), tracking_uri=mlflow_store, **demo_tables
    )
    found = loaded(DEMO, mlflow_store).predict(rows)
    batch = scored.scores.set_index("entity_id").loc[rows.index]
    assert len(rows) == len(scored.scores) > 100
    for name in ("raw_score", "probability", "pql_score"):
        np.testing.assert_allclose(found[name], batch[name], rtol=0, atol=1e-9)


def test_rows_of_users_score_like_the_batch_at_any_date(shop, shop_rows, mlflow_store):
    model = loaded(SHOP, mlflow_store)
    for as_of in ("2024-04-10", "2024-05-22T07:30:00"):
        batch = predict(shop.run, lambda _: None, as_of=as_of, model="champion", now=None)
        rows = shop_rows(as_of)
        found = model.predict(rows)["probability"]
        expected = batch.scores.set_index("entity_id")["probability"].loc[rows.index]
        assert len(rows) == len(batch.scores) > 20
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_files_give_the_rows_of_the_frames_and_twice_the_same(shop_rows, shop_frames, tmp_path):
    events = shop_frames["events"].sample(frac=1, random_state=1)
    events[::2].to_csv(tmp_path / "events-1.csv", index=False)
    events[1::2].to_csv(tmp_path / "events-2.csv", index=False)
    lines = shop_frames["users"].to_json(orient="records", lines=True)
    (tmp_path / "users.jsonl").write_text(lines)
    files = shop_rows(events=tmp_path / "events-*.csv", users=str(tmp_path / "users.jsonl"))
    pd.testing.assert_frame_equal(files, shop_rows())


def test_what_is_known_at_as_of_or_later_changes_nothing(shop_rows, shop_frames):
    events = shop_frames["events"]
    before = events[events["time"] < pd.Timestamp("2024-05-15")]
    rows = shop_rows("2024-05-15", events=before)
    pd.testing.assert_frame_equal(rows, shop_rows("2024-05-15", events=events))
    assert len(rows) > 20


def test_given_entities_come_in_the_order_that_was_asked(shop_rows):
    names = ["user 011", "user 003", "user 100"]
    rows = shop_rows(entities=names)
    assert rows.index.tolist() == names
    alone = shop_rows(entities=["user 003"])
    pd.testing.assert_frame_equal(alone, rows.loc[["user 003"]])


def test_times_are_texts_or_datetimes_with_or_without_a_zone(shop_rows):
    expected = shop_rows("2024-06-01")
    for as_of in (datetime(2024, 6, 1), datetime(2024, 6, 1, tzinfo=UTC), "2024-06-01T02:00+02:00"):
        pd.testing.assert_frame_equal(shop_rows(as_of), expected)


def test_the_columns_are_the_models_in_its_order_with_the_two_keys_at_the_end(shop, shop_rows):
    features = load_champion(shop.run, "champion").model.features
    rows = shop_rows()
    names = [feature.name for feature in features]
    assert rows.columns.tolist() == ["as_of", *names, "account_id", "domain"]
    assert rows.index.name == "entity_id"


def test_a_lacking_attribute_is_refused_with_a_list_unless_it_may_be_unknown(
    shop_rows, mlflow_store
):
    with pytest.raises(SchemaMismatch, match=r"\n- attribute of the user 'plan' \(category\)\n"):
        shop_rows(users=None)
    rows, whole = shop_rows(users=None, allow_missing=True), shop_rows()
    assert rows["plan"].isna().all()
    others = whole.columns.drop("plan")
    pd.testing.assert_frame_equal(rows[others], whole[others])
    assert loaded(SHOP, mlflow_store).predict(rows)["probability"].between(0, 1).all()


def test_events_without_any_conversion_make_nobody_a_customer(shop_rows, shop_frames):
    events = shop_frames["events"]
    unpaid = shop_rows(events=events[events["event"] != "paid"])
    assert set(shop_rows().index) < set(unpaid.index)


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"as_of": "soon"}, EventLogError, "'soon' is no time"),
        ({"as_of": "2023-01-01"}, EventLogError, "lies before the events, which begin 2024-02-29"),
        ({"entities": ["nobody"]}, EventLogError, "1 of 1 rows name no user of the log: 'nobody'"),
        ({"events": "nowhere/*.csv"}, EventLogError, "No file matches 'nowhere"),
        ({"events": pd.DataFrame({"user_id": ["a"]})}, EventLogError, "no column 'event'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(shop_rows, changed, error, told):
    with pytest.raises(error, match=told):
        shop_rows(**changed)


def test_an_unknown_model_is_refused_and_the_callers_store_left_as_it_was(
    shop_frames, mlflow_store, tmp_path
):
    mine = f"sqlite:///{tmp_path / 'mine.db'}"
    with environment_kept():
        mlflow.set_tracking_uri(mine)
    with pytest.raises(NotEnoughHistory, match="no model 'models:/nobody/1'"):
        pipeline.features_for(
            "models:/nobody/1", as_of="2024-06-01", tracking_uri=mlflow_store, **shop_frames
        )
    assert mlflow.get_tracking_uri() == mine
    assert os.environ.get("MLFLOW_TRACKING_URI") != mlflow_store


def test_a_folder_with_the_model_needs_no_store(shop, shop_rows, shop_frames):
    folder = registry.fetch(shop.run, registry.find(shop.run, "champion")).parents[1]
    rows = pipeline.features_for(str(folder), as_of="2024-06-01", **shop_frames)
    pd.testing.assert_frame_equal(rows, shop_rows())
