"""The matrix made on Spark is, byte for byte, the one made here."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.catalogue import build_catalogue
from features.engine import build_features
from features.errors import EventLogError, SchemaMismatch, SettingsError
from features.events import EventLog
from features.labels import ConversionSpec, find_conversions
from features.matrix import Snapshots
from features.snapshots import CohortSpec, calendar, eligible
from pipeline.demo import make_demo
from pipeline.importer.log import import_log
from pipeline.settings import load
from pipeline.spark.engine import (
    MANIFEST,
    build_matrix,
    compute_on_spark,
    open_matrix,
    read_matrix,
)
from pipeline.spark.rows import CohortRows, OwnRows
from pipeline.spark.spec import SparkSpec
from tests.features.worlds import grid
from tests.spark.worlds import features_of, sharded_log

pytestmark = pytest.mark.spark
HEDGEBOX = Path(__file__).parents[2] / "examples" / "hedgebox" / "settings.yaml"
PAID = ConversionSpec(events=("paid",))


@pytest.fixture(scope="module", params=["account", "user"])
def each(request, tmp_path_factory):
    """Giant account, empty shards, people without events; see test_part."""
    return sharded_log(tmp_path_factory.mktemp("log"), request.param, events_per_shard=60)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The same for users, in few shards: what is said below of one level holds for the other."""
    return sharded_log(tmp_path_factory.mktemp("log"), "user", events_per_shard=500)


@pytest.fixture(scope="module")
def level(log):
    return log.manifest["level"]


def built(session, log: EventLog, rows, features, folder: Path):
    matrix = build_matrix(session, str(log.root), rows, features, str(folder))
    return read_matrix(session, matrix, log)


def test_every_feature_of_every_row_is_byte_equal(session, each, tmp_path):
    """Also of those that compare an entity with all others, which no executor sees alone."""
    log, level = each, each.manifest["level"]
    catalogue = features_of(log, level)
    assert {"first_period_ratio", "attribute", "sum"} <= {f.statistic for f in catalogue}
    rows = grid(log, level)
    want = build_features(log, rows, catalogue)
    got = built(session, log, rows, catalogue, tmp_path / "matrix")
    assert got.fingerprint() == want.fingerprint()
    assert got.table.schema.equals(want.table.schema)


def test_the_cohort_found_by_the_executors_is_the_one_found_here(session, each, tmp_path):
    log, level = each, each.manifest["level"]
    cohort = CohortSpec(every_days=7, active_within_days=14, entered_by=("login",))
    as_ofs = calendar(log, cohort.every_days)
    features = features_of(log, level)[:5]
    conversions = find_conversions(log, level, PAID)
    rows = eligible(log, level, cohort, as_ofs, conversions).snapshots
    assert len(rows) > 20
    asked = CohortRows(level, cohort, PAID, tuple(as_ofs.tolist()))
    got = built(session, log, asked, features, tmp_path / "matrix")
    assert got.fingerprint() == build_features(log, rows, features).fingerprint()


def test_a_training_gets_the_matrix_into_memory_and_leaves_no_folder(session, tmp_path):
    store = tmp_path / "here"
    log = sharded_log(store, "account", events_per_shard=300)
    rows, features = grid(log, "account"), features_of(log, "account")[:20]
    shutil.copytree(store, tmp_path / "there")
    spec = SparkSpec(store=f"file://{tmp_path / 'there'}")
    got = compute_on_spark(spec, store, log, rows, features)
    assert got.fingerprint() == build_features(log, rows, features).fingerprint()
    assert list((tmp_path / "there" / "matrices").iterdir()) == []
    assert not (store / "matrices").exists()


@pytest.mark.parametrize("kind", ["timestamp without zone", "timestamp with zone", "date"])
def test_rows_of_ones_own_come_from_a_folder(session, log, level, tmp_path, kind):
    rows = grid(log, level)
    frame = rows_frame(rows).sample(frac=0.5, random_state=1)
    if kind == "timestamp with zone":
        frame["as_of"] = frame["as_of"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    elif kind == "date":
        frame["as_of"] = frame["as_of"].dt.date
    frame = pd.concat([frame, frame.head(3)]).rename(columns={"entity_id": "who", "as_of": "when"})
    (tmp_path / "rows").mkdir()
    frame.iloc[::2].to_parquet(tmp_path / "rows" / "a.parquet", index=False)
    frame.iloc[1::2].to_parquet(tmp_path / "rows" / "b.parquet", index=False)
    own = OwnRows(level, str(tmp_path / "rows"), "who", "when")
    features = features_of(log, level)[::10]
    got = built(session, log, own, features, tmp_path / "matrix")
    when = pd.to_datetime(frame["when"]).to_numpy("datetime64[us]").astype(np.int64)
    code = {name: at for at, name in enumerate(log.ids(level))}
    want = Snapshots.of(level, [code[name] for name in frame["who"]], when, log.ids(level))
    assert got.fingerprint() == build_features(log, want, features).fingerprint()


def rows_frame(rows: Snapshots) -> pd.DataFrame:
    return pd.DataFrame({"entity_id": rows.ids, "as_of": rows.as_of.astype("datetime64[us]")})


def test_no_rows_give_an_empty_matrix(session, log, level, tmp_path):
    catalogue = features_of(log, level)
    none = Snapshots.of(level, [], [], log.ids(level))
    got = built(session, log, none, catalogue, tmp_path / "matrix")
    assert got.fingerprint() == build_features(log, none, catalogue).fingerprint()


def test_the_folder_says_what_is_in_it_and_any_parquet_reader_reads_it(
    session, log, level, tmp_path
):
    rows, features = grid(log, level), features_of(log, level)[:3]
    folder = tmp_path / "a matrix [1]"
    made = build_matrix(session, str(log.root), rows, features, str(folder))
    assert open_matrix(session, str(folder)) == made
    assert made.n_rows == len(rows)
    frame = pq.read_table(folder).to_pandas().sort_values(["entity_id", "as_of"])
    want = build_features(log, rows, features).frame().sort_values(["entity_id", "as_of"])
    pd.testing.assert_frame_equal(
        frame.reset_index(drop=True), want.reset_index(drop=True), check_dtype=False
    )


def test_a_newer_matrix_takes_the_place_of_the_older_and_leaves_nothing_else(
    session, log, level, tmp_path
):
    features = features_of(log, level)
    for some in (features[:2], features[2:4]):
        build_matrix(session, str(log.root), grid(log, level), some, str(tmp_path / "matrix"))
    assert open_matrix(session, str(tmp_path / "matrix")).features == features[2:4]
    assert [path.name for path in tmp_path.iterdir()] == ["matrix"]


def test_a_failed_build_leaves_the_older_matrix_and_nothing_else(session, log, level, tmp_path):
    features = features_of(log, level)[:2]
    args = (session, str(log.root))
    made = build_matrix(*args, grid(log, level), features, str(tmp_path / "matrix"))
    asked = CohortRows(level, CohortSpec(), ConversionSpec(events=("payed",)), (0,))
    with pytest.raises(SettingsError, match=r"payed.*no such event. Did you mean 'paid'\?$"):
        build_matrix(*args, asked, features, str(tmp_path / "matrix"))
    assert open_matrix(session, str(tmp_path / "matrix")) == made
    assert [path.name for path in tmp_path.iterdir()] == ["matrix"]


def test_a_feature_that_the_log_does_not_carry_is_refused_before_anything_runs(
    session, log, level, tmp_path
):
    unknown = replace(features_of(log, level)[0], statistic="sum", property="weight")
    with pytest.raises(SchemaMismatch, match="weight of the event"):
        build_matrix(session, str(log.root), grid(log, level), [unknown], str(tmp_path / "m"))
    assert list(tmp_path.iterdir()) == []


def test_rows_of_strangers_are_refused_with_their_number(session, log, level, tmp_path):
    frame = pd.DataFrame({"entity_id": ["nobody", "a0", "u0", "nobody"], "as_of": "2024-03-01"})
    frame["as_of"] = frame["as_of"].astype("datetime64[us]")
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    own = OwnRows(level, str(tmp_path / "rows.parquet"))
    with pytest.raises(EventLogError, match=rf"3 of 4 rows name no {level} of the log: .*'nobody'"):
        build_matrix(session, str(log.root), own, features_of(log, level), str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"entity_id": ["a0"], "at": [1]}, r"no column 'as_of'; they have 'entity_id', 'at'"),
        ({"entity_id": ["a0"], "as_of": ["2024-03-01"]}, "'as_of' .* is string; it must be a date"),
    ],
)
def test_rows_without_a_time_are_refused(session, log, level, tmp_path, frame, message):
    pd.DataFrame(frame).to_parquet(tmp_path / "rows.parquet", index=False)
    own = OwnRows(level, str(tmp_path / "rows.parquet"))
    with pytest.raises(SettingsError, match=message):
        build_matrix(session, str(log.root), own, features_of(log, level), str(tmp_path / "m"))


def test_a_log_for_accounts_does_not_answer_for_users(session, tmp_path):
    log = sharded_log(tmp_path, "account", events_per_shard=1000)
    with pytest.raises(SettingsError, match="was imported to score accounts"):
        build_matrix(session, str(log.root), grid(log, "user"), [], str(tmp_path / "m"))


def test_a_place_without_a_log_or_matrix_is_named(session, log, tmp_path):
    with pytest.raises(EventLogError, match=rf"No imported log in 'file://{tmp_path}'"):
        build_matrix(session, str(tmp_path), grid(log, "account"), [], str(tmp_path / "m"))
    with pytest.raises(SchemaMismatch, match="No feature matrix"):
        open_matrix(session, str(tmp_path))


def test_a_matrix_of_another_log_is_not_read_as_this_ones(session, log, level, tmp_path):
    features = features_of(log, level)[:2]
    made = build_matrix(session, str(log.root), grid(log, level), features, str(tmp_path / "m"))
    with pytest.raises(EventLogError, match="made from another log"):
        read_matrix(session, replace(made, log_fingerprint="another"), log)


def test_the_demo_world_is_byte_equal(session, tmp_path):
    path = make_demo(tmp_path, accounts=400, days=150, seed=3, say=lambda _: None)
    assert_equal(session, load(path), tmp_path, events_per_shard=20_000)


@pytest.mark.slow
@pytest.mark.hedgebox
def test_hedgebox_is_byte_equal(session, tmp_path):
    run = load(HEDGEBOX)
    if not all((run.base / file).exists() for file in run.settings.data.sources[0].files):
        pytest.skip(f"third-party data not here: see {HEDGEBOX.parent / 'README.md'}")
    assert_equal(session, run, tmp_path, events_per_shard=100_000)


def assert_equal(session, run, folder: Path, events_per_shard: int) -> None:
    """The whole catalogue on the calendar's cohort, which the executors find for themselves."""
    asked, level = run.settings, run.settings.entity
    log = import_log(
        asked.data, run.base, folder / "logs", level, events_per_shard=events_per_shard
    )
    assert log.n_shards > 2
    features = build_catalogue(asked.features, log, level, asked.conversion.events)
    as_ofs = calendar(log, asked.cohort.every_days)
    conversions = find_conversions(log, level, asked.conversion)
    rows = eligible(log, level, asked.cohort, as_ofs, conversions).snapshots
    cohort = CohortRows(level, asked.cohort, asked.conversion, tuple(as_ofs.tolist()))
    got = built(session, log, cohort, features, folder / "matrix")
    assert len(got) == len(rows) > 1000
    assert got.fingerprint() == build_features(log, rows, features).fingerprint()
    assert json.loads((folder / "matrix" / MANIFEST).read_text())["n_rows"] == len(rows)
