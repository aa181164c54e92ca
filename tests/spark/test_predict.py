"""Batch prediction on Spark gives the table that `predict` gives here."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.clock import to_us
from features.engine import build_features
from features.errors import EventLogError, SchemaMismatch
from features.snapshots import eligible
from pipeline import ledger
from pipeline.champion import load_champion
from pipeline.importer.log import import_log
from pipeline.predict import instant_of
from pipeline.registry import fetch, find
from pipeline.scores import known_conversions, score
from pipeline.spark.predict import MANIFEST, SCORES, predict_on_spark, predict_run
from pipeline.train import import_events

pytestmark = pytest.mark.spark
NOW = datetime(2024, 7, 2, 9, 30)


def log_in_shards(world, folder: Path, events_per_shard: int):
    """The world's log in several shards; the product would make one of so few events."""
    asked = world.run.settings
    return import_log(
        asked.data, world.run.base, folder, asked.entity, events_per_shard=events_per_shard
    )


def scored_here(world, log, as_of: int, now: datetime | None) -> pd.DataFrame:
    champion = load_champion(world.run, "1")
    asked = champion.settings
    conversions = known_conversions(log, asked, as_of)
    rows = eligible(log, asked.entity, asked.cohort, np.array([as_of]), conversions).snapshots
    matrix = build_features(log, rows, champion.model.features)
    return score(champion, log, matrix, now)


def sorted_rows(folder: Path) -> pd.DataFrame:
    frame = pq.read_table(folder).to_pandas()
    return frame.sort_values("entity_id").reset_index(drop=True)


@pytest.mark.parametrize(("world", "size", "now"), [("shop", 400, None), ("demo", 15_000, NOW)])
def test_scores_are_byte_equal_to_those_made_here(session, request, tmp_path, world, size, now):
    world = request.getfixturevalue(world)
    log = log_in_shards(world, tmp_path / "logs", size)
    assert log.n_shards > 3
    as_of = instant_of(log, None) - 14 * 86_400_000_000
    version = find(world.run, "1")
    made = predict_on_spark(
        session,
        str(log.root),
        fetch(world.run, version),
        version,
        as_of,
        str(tmp_path / "scores"),
        scored_at=now,
    )
    want = scored_here(world, log, as_of, now)
    assert made.n_rows == len(want) > 20
    assert made.tiers == want["tier"].value_counts().sort_index().to_dict()
    want.to_parquet(tmp_path / "here.parquet", index=False)
    want, got = sorted_rows(tmp_path / "here.parquet"), sorted_rows(tmp_path / "scores")
    assert list(got.columns) == list(want.columns) == SCORES.names
    for name in ("raw_score", "probability", "pql_score"):
        assert got[name].to_numpy().tobytes() == want[name].to_numpy().tobytes()
    for name in ("reasons", "look_alikes"):
        assert [list(texts) for texts in got.pop(name)] == [list(t) for t in want.pop(name)]
    if now is None:
        assert got.pop("scored_at").isna().all()
        assert want.pop("scored_at").isna().all()
    pd.testing.assert_frame_equal(got, want)
    assert json.loads((tmp_path / "scores" / MANIFEST).read_text()) == made.as_dict()


def test_the_order_of_rows_inside_spark_changes_no_score(session, shop, tmp_path):
    """One shard or many: a row never depends on who is computed beside it."""
    version = find(shop.run, "1")
    found = []
    for n, events_per_shard in ((1, 100_000), (9, 200)):
        log = log_in_shards(shop, tmp_path / "logs", events_per_shard)
        as_of = to_us("2024-05-20")
        target = tmp_path / f"scores {n}"
        predict_on_spark(
            session, str(log.root), fetch(shop.run, version), version, as_of, str(target)
        )
        found.append(sorted_rows(target))
    pd.testing.assert_frame_equal(*found)


def test_nobody_eligible_gives_an_empty_table(session, shop, tmp_path):
    version, log = find(shop.run, "1"), log_in_shards(shop, tmp_path / "logs", 700)
    made = predict_on_spark(
        session, str(log.root), fetch(shop.run, version), version, log.first_at, str(tmp_path / "s")
    )
    assert (made.n_rows, made.tiers) == (0, {})
    assert pq.read_table(tmp_path / "s").schema.names == SCORES.names


def test_a_changed_bundle_is_refused_before_anything_runs(session, shop, tmp_path):
    version, log = find(shop.run, "1"), log_in_shards(shop, tmp_path / "logs", 700)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in fetch(shop.run, version).iterdir():
        (bundle / path.name).write_bytes(path.read_bytes())
    text = (bundle / "calibration.json").read_text()
    (bundle / "calibration.json").write_text(text + " ")
    with pytest.raises(SchemaMismatch, match=r"differ from .*calibration\.json"):
        predict_on_spark(session, str(log.root), bundle, version, 0, str(tmp_path / "s"))
    assert not (tmp_path / "s").exists()


def test_a_damaged_shard_stops_the_run_with_a_sentence(session, shop, tmp_path):
    version, log = find(shop.run, "1"), log_in_shards(shop, tmp_path / "logs", 700)
    shard = log.root / log.manifest["shards"][1]["file"]
    assert log.manifest["shards"][1]["n_events"] > 100
    shard.write_bytes(shard.read_bytes()[:500])
    as_of = to_us("2024-05-20")
    with pytest.raises(EventLogError, match=r"^Spark stopped: .*shard-00001.* not a Parquet file"):
        predict_on_spark(
            session, str(log.root), fetch(shop.run, version), version, as_of, str(tmp_path / "s")
        )
    assert not (tmp_path / "s").exists()


def test_a_run_writes_the_ledger_once_with_the_scores_that_a_run_here_gives(session, shop, sibling):
    run = sibling(shop, ("compute: {threads: 1}", "compute: {threads: 1, engine: spark}"))
    for now in (NOW, datetime(2024, 7, 3)):
        made = predict_run(run, lambda _: None, as_of="2024-06-17", model="1", now=now)
    (entry,) = ledger.entries(run.store, "pql-shop")
    assert (entry.version, entry.sequence) == (1, 1)
    written = ledger.read(run.store, "pql-shop")
    assert len(written) == made.n_rows > 10
    assert set(written["scored_at"]) == {pd.Timestamp(NOW)}
    log = import_events(run, lambda _: None)
    want = scored_here(shop, log, made.as_of, NOW)
    for name in ("entity_id", "probability", "raw_score", "tier", "name"):
        assert written[name].tolist() == want[name].tolist()
