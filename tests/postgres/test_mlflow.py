"""MLflow's records and registry in Postgres, and the shop's events there too."""

import pytest

from pipeline.predict import predict
from pipeline.tracking import connect
from pipeline.train import import_events, train
from tests.postgres.conftest import PASSWORD

pytestmark = pytest.mark.postgres


@pytest.fixture
def warehouse(shop, database) -> str:
    """A database with the shop's two tables."""
    import psycopg

    url = database(
        'create table events (event text, "user" text, team text, time timestamp)',
        'create table users ("user" text, plan text)',
    )
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in ("events", "users"):
            rows = (shop.folder / f"{table}.csv").read_text()
            with cursor.copy(f"copy {table} from stdin (format csv, header)") as copy:
                copy.write(rows)
    return url


def in_postgres(shop, sibling, warehouse, *changes):
    """The shop's settings with both tables read from Postgres."""
    return sibling(
        shop,
        ("files: [events.csv]", f'postgres: {{url: "{warehouse}", table: events}}'),
        ("files: [users.csv]", f'postgres: {{url: "{warehouse}", query: "select * from users"}}'),
        *changes,
    )


def test_the_shop_in_postgres_is_the_log_of_its_files(shop, sibling, warehouse):
    run = in_postgres(shop, sibling, warehouse)
    for name in ("events.csv", "users.csv"):
        (run.base / name).unlink()
    log = import_events(run, lambda _: None)
    assert log.fingerprint == import_events(shop.run, lambda _: None).fingerprint


def test_a_model_is_trained_registered_and_used_with_everything_in_postgres(
    shop, sibling, warehouse, server, monkeypatch
):
    server.run("postgres", "create database mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url("mlflow", "postgresql+psycopg"))
    own = shop.run.path.read_text()
    stored = next(line for line in own.splitlines() if line.startswith("mlflow:"))
    run = in_postgres(shop, sibling, warehouse, (f"{stored}\n", ""))
    trained = train(run, lambda _: None, as_champion=True)
    assert trained.version.number == 1

    scores = predict(run, lambda _: None, as_of="2024-06-20", model="champion", now=None).scores
    client = connect(run)
    version = client.get_model_version_by_alias("pql-shop", "champion")
    logged = client.get_run(version.run_id)
    assert logged.info.artifact_uri.startswith(run.store.as_uri())
    assert warehouse in logged.data.params["data.sources"]
    assert PASSWORD not in str(logged.to_dictionary())

    # Last: MLflow writes the address that it is pointed at into the environment.
    expected = predict(shop.run, lambda _: None, as_of="2024-06-20", model="1", now=None).scores
    columns = ["entity_id", "probability", "tier"]
    assert scores[columns].equals(expected[columns])
