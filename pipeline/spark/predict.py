"""Batch prediction on Spark: cohort, features and scores of a shard where the shard is."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.clock import to_text
from features.events import Level
from features.part import LogPart
from models.scoring import PARTS
from pipeline import registry
from pipeline.champion import Champion, events_for, load_champion
from pipeline.freshness import check_freshness
from pipeline.predict import if_seen, instant_of, written_down
from pipeline.registry import Version
from pipeline.run_lock import run_lock
from pipeline.scores import score
from pipeline.settings import Run
from pipeline.spark.engine import matrix_output, write_parquet
from pipeline.spark.files import literal, new_folder, to_uri, write_text
from pipeline.spark.log import SparkLog
from pipeline.spark.rows import CohortRows
from pipeline.spark.session import open_session, told_plainly
from pipeline.spark.task import TIME, MatrixOutput
from pipeline.tier_history import scores_stem

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

MANIFEST = "_scores.json"
SCORES = pa.schema(
    [
        ("entity_id", pa.string()),
        ("name", pa.string()),
        ("as_of", TIME),
        ("model_version", pa.int64()),
        ("raw_score", pa.float64()),
        ("probability", pa.float64()),
        ("pql_score", pa.float64()),
        ("tier", pa.string()),
        ("fit_score", pa.float64()),
        ("fit_tier", pa.string()),
        ("usage_score", pa.float64()),
        ("usage_tier", pa.string()),
        *((f"{part}_points", pa.float64()) for part in PARTS),
        ("reasons", pa.list_(pa.string())),
        ("reasons_against", pa.list_(pa.string())),
        ("look_alikes", pa.list_(pa.string())),
        ("look_alikes_share", pa.list_(pa.string())),
        ("scored_at", TIME),
    ]
)


@dataclass(frozen=True)
class SparkScores:
    """The scores table of one as_of as a folder of Parquet files, in no special order."""

    uri: str
    as_of: int
    version: Version
    n_rows: int
    tiers: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        return {
            "as_of": to_text(self.as_of),
            "model": self.version.name,
            "version": self.version.number,
            "rows": self.n_rows,
            "tiers": self.tiers,
            "files": [self.uri],
        }


@dataclass(frozen=True)
class ShippedBundle:
    """A model bundle as bytes, which every executor unpacks and loads once."""

    digest: str
    files: dict[str, bytes] = field(compare=False, repr=False)

    @classmethod
    def of(cls, folder: Path) -> "ShippedBundle":
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        digest = hashlib.sha256()
        for name, content in files.items():
            digest.update(f"{name} {len(content)} ".encode() + content)
        return cls(digest.hexdigest(), files)

    def champion(self, version: Version) -> Champion:
        """The model with its settings, checked file by file."""
        with TemporaryDirectory() as folder:
            for name, content in self.files.items():
                Path(folder, name).write_bytes(content)
            return Champion.read(Path(folder), version)


@dataclass(frozen=True)
class ScoreOutput:
    """Scores of everybody in a part who is eligible."""

    matrix: MatrixOutput
    bundle: ShippedBundle
    version: Version
    scored_at: datetime | None

    @property
    def level(self) -> Level:
        return self.matrix.level

    @property
    def schema(self) -> pa.Schema:
        return SCORES

    def __call__(self, part: LogPart, given: pa.Table | None) -> pa.Table:
        matrix = self.matrix.matrix(part, given)
        if not len(matrix):
            return SCORES.empty_table()
        frame = score(_loaded(self.bundle, self.version), part, matrix, self.scored_at)
        return pa.Table.from_pandas(frame, preserve_index=False)


def predict_run(
    run: Run,
    say: Callable[[str], None],
    *,
    as_of: str | None,
    model: str,
    now: datetime | None,
    stale_ok: bool = False,
    wait_seconds: float = 0,
) -> SparkScores:
    """`pipeline.predict.predict` on the engine that the settings name.

    The scores pass the driver once, on their way into the ledger.

    Raises
    ------
    EventLogError, SettingsError, SchemaMismatch, NotFresh, Locked
        As `predict_on_spark` and `pipeline.predict.predict`.
    """
    with run_lock(run.store, run.model_name, now=now, wait_seconds=wait_seconds):
        champion = load_champion(run, model)
        log = events_for(run, champion, say)
        instant = instant_of(log, as_of)
        check_freshness(log, instant, run.settings.freshness, say, stale_ok=stale_ok)
        if told := if_seen(champion, instant):
            say(told)
        version, spec = champion.version, run.settings.compute.spark
        who = f"{version.name} version {version.number}"
        say(f"Scoring as of {to_text(instant)} with {who} on Spark")
        target = run.store / "scores" / scores_stem(version, instant)
        with open_session(spec, run.settings.name) as session:
            made = predict_on_spark(
                session,
                spec.address(log.root, run.store),
                registry.fetch(run, version),
                version,
                instant,
                spec.address(target, run.store),
                scored_at=now,
            )
            if made.n_rows:
                scores = _collected(session, made.uri)
                written_down(run, champion, log, scores, instant, None, alias=model)
    return made


def _collected(session: "SparkSession", uri: str) -> "pd.DataFrame":
    """A scores table that Spark wrote, in the order of one that was made here."""
    with told_plainly():
        table = session.read.parquet(literal(uri)).select(*SCORES.names).toArrow()
    order = [("raw_score", "descending"), ("entity_id", "ascending")]
    return table.sort_by(order).to_pandas()


def predict_on_spark(
    session: "SparkSession",
    log: str,
    bundle: Path,
    version: Version,
    as_of: int,
    target: str,
    *,
    scored_at: datetime | None = None,
) -> SparkScores:
    """Score the cohort of one as_of and write it, without passing the driver.

    The columns and values are those of `pipeline.predict.predict`; the cohort, the conversion and
    every feature are the model's.

    Parameters
    ----------
    log
        Folder of an imported log; a plain path, or any address that Spark can read.
    bundle
        Local folder of the registered model, from `pipeline.registry.fetch`.
    as_of
        Microseconds UTC, from `pipeline.predict.instant_of`.
    target
        Folder to write; an older one is replaced when the new one is whole.

    Raises
    ------
    EventLogError, SettingsError, SchemaMismatch
        As the local prediction; and when Spark stops, with its reason.
    """
    shipped = ShippedBundle.of(bundle)
    champion = _loaded(shipped, version)
    settings = champion.settings
    rows = CohortRows(
        settings.entity, settings.cohort, settings.conversion, (as_of,), known_before=as_of
    )
    spark_log = SparkLog(session, log)
    spark_log.check_level(settings.entity)
    matrix = matrix_output(spark_log, rows, champion.model.features)
    output = ScoreOutput(matrix, shipped, version, scored_at)
    uri = to_uri(target)
    with told_plainly(), new_folder(session, uri) as folder:
        n = write_parquet(spark_log.apply(output, rows, matrix.features), folder)
        by_tier = session.read.parquet(literal(folder)).groupBy("tier").count().sort("tier")
        tiers = {row["tier"]: row["count"] for row in by_tier.collect()}
        found = SparkScores(uri, as_of, version, n, tiers)
        write_text(session, f"{folder}/{MANIFEST}", json.dumps(found.as_dict()))
    return found


@lru_cache(maxsize=1)
def _loaded(bundle: ShippedBundle, version: Version) -> Champion:
    return bundle.champion(version)
