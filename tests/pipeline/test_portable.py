"""A store that is copied or moved keeps its models, and goes on writing into itself."""

import shutil
import sqlite3
from pathlib import Path

import mlflow
import pytest

from pipeline import registry, tracking
from pipeline.portable import settle
from pipeline.predict import predict
from pipeline.settings import load


@pytest.fixture
def home(shop, mlflow_store, tmp_path, monkeypatch):
    """The shop's folder copied whole, its MLflow file in the store: nothing of it was changed."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "home"
    shutil.copytree(shop.folder, folder)
    path = folder / "settings.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("mlflow:")))
    run = load(path)
    shutil.copy(mlflow_store.removeprefix("sqlite:///"), run.store / "mlflow.db")
    return run


def scores(run):
    result = predict(run, lambda _: None, as_of="2024-06-20", model="champion", now=None)
    return result.scores.drop(columns="tier_before")


def naming(database: Path, text: str) -> list[str]:
    """Rows of the file that hold a text, whatever the table, as SQL; data sets are history."""
    with sqlite3.connect(database) as connection:
        return [
            line
            for line in connection.iterdump()
            if text in line and not line.startswith('INSERT INTO "datasets"')
        ]


def test_a_copied_store_reads_and_writes_its_own_artefacts(home, shop):
    mine = home.store / "mlartifacts"
    folder = registry.fetch(home, registry.find(home, "champion"))
    assert folder.is_relative_to(mine)
    with tracking.training_run(home, "after", "", {}):
        mlflow.log_text("kept", "note.txt")
    assert [path.read_text() for path in mine.rglob("note.txt")] == ["kept"]
    assert not list((shop.run.store / "mlartifacts").rglob("note.txt"))


def test_a_moved_store_predicts_as_before_and_serves_others_by_its_address(home, shop, tmp_path):
    before = scores(home)
    former = (home.store / "mlartifacts").as_uri()
    assert naming(home.store / "mlflow.db", former)
    away = tmp_path / "a new place"
    home.base.rename(away)
    run = load(away / "settings.yaml")
    after = scores(run)
    assert before.equals(after)
    assert naming(run.store / "mlflow.db", former) == []
    registry.connect(run)
    model = mlflow.pyfunc.load_model("models:/pql-shop@champion")
    example = model.input_example
    assert model.predict(example)["probability"].between(0, 1).all()


def test_a_store_that_has_not_moved_is_left_as_it_is(home):
    registry.find(home, "champion")
    database = home.store / "mlflow.db"
    before = database.read_bytes()
    assert settle(database, "shop", home.store / "mlartifacts") == 0
    assert database.read_bytes() == before


def test_locations_elsewhere_and_strangers_stay(tmp_path):
    database, artefacts = tmp_path / "mlflow.db", tmp_path / "new"
    artefacts.mkdir()
    with sqlite3.connect(database) as connection:
        connection.execute("create table experiments (name text, artifact_location text)")
        connection.execute("create table runs (artifact_uri text)")
        rows = [("mine", "file:///old/art"), ("near", "file:///old/artefact"), ("far", "s3://b/a")]
        connection.executemany("insert into experiments values (?, ?)", rows)
        runs = [("file:///old/art/1/artifacts",), ("file:///old/artefact/2",), ("s3://b/a/3",)]
        connection.executemany("insert into runs values (?)", runs)
    for experiment in ("far", "nobody"):
        assert settle(database, experiment, artefacts) == 0
    assert settle(database, "mine", tmp_path / "not there") == 0
    assert settle(database, "mine", artefacts) == 2
    with sqlite3.connect(database) as connection:
        found = [row[0] for row in connection.execute("select artifact_uri from runs")]
    assert found == [f"{artefacts.as_uri()}/1/artifacts", "file:///old/artefact/2", "s3://b/a/3"]


def test_one_process_reads_two_stores_each_by_its_own_settings(home, shop, mlflow_store):
    registry.connect(shop.run)
    assert tracking.tracking_uri(home) == f"sqlite:///{home.store / 'mlflow.db'}"
    registry.connect(home)
    assert mlflow.get_tracking_uri() == tracking.tracking_uri(home) != mlflow_store
