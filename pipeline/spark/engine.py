"""`build_features` on Spark: the matrix as a Parquet folder, equal to the local engine's."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from features.definitions import Feature, from_json, to_json
from features.engine import needs_reference
from features.errors import EventLogError, SchemaMismatch
from features.events import EventLog, Level
from features.matrix import FeatureMatrix, Snapshots
from features.plan import compile_plan
from features.reference import Reference
from pipeline.spark.files import fetch, literal, new_folder, read_text, remove, to_uri, write_text
from pipeline.spark.log import Rows, SparkLog
from pipeline.spark.rows import CohortRows
from pipeline.spark.session import arrow_only, open_session, told_plainly
from pipeline.spark.spec import SparkSpec
from pipeline.spark.task import MatrixOutput, ReferenceOutput

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

MANIFEST = "_matrix.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SparkMatrix:
    """A feature matrix as a folder of Parquet files, one row per snapshot, in no special order.

    Columns are ``entity_id`` (text), ``as_of`` (timestamp without zone, UTC) and the features in
    order: float32 (NaN for unknown) or text (null for unknown).
    """

    uri: str
    level: Level
    n_rows: int
    features: tuple[Feature, ...]
    log_fingerprint: str


def build_matrix(
    session: "SparkSession", log: str, rows: Rows, features: Iterable[Feature], target: str
) -> SparkMatrix:
    """Compute the features of any rows on Spark and write them, without passing the driver.

    Parameters
    ----------
    log
        Folder of an imported log; a plain path, or any address that Spark can read.
    rows
        `CohortRows`, found by the executors; `OwnRows`, a Parquet folder; or `Snapshots`.
    target
        Folder to write; an older one is replaced when the new one is whole.

    Raises
    ------
    SchemaMismatch
        When a definition needs what the log does not carry.
    EventLogError, SettingsError
        As the local engine; and when Spark stops, with its reason.
    """
    spark_log = SparkLog(session, log)
    spark_log.check_level(rows.level)
    spark_log.check_rows(rows)
    output = matrix_output(spark_log, rows, features)
    fingerprint = spark_log.head.fingerprint
    about = {
        "format_version": FORMAT_VERSION,
        "level": rows.level,
        "log_fingerprint": fingerprint,
        "features": to_json(output.features),
    }
    uri = to_uri(target)
    with told_plainly(), new_folder(session, uri) as folder:
        n = write_parquet(spark_log.apply(output, rows, output.features), folder)
        write_text(session, f"{folder}/{MANIFEST}", json.dumps(about | {"n_rows": n}))
    return SparkMatrix(uri, rows.level, n, output.features, fingerprint)


def matrix_output(log: SparkLog, rows: Rows, features: Iterable[Feature]) -> MatrixOutput:
    """What the executors need to compute the features of rows.

    Features that compare an entity with all others need their reference first: one more pass over
    the events, of which a few numbers per day come back.

    Raises
    ------
    SchemaMismatch
        When a definition needs what the log does not carry.
    """
    from pyspark.sql import functions as sql

    features = compile_plan(log.head, rows.level, features).features
    comparing = tuple(filter(needs_reference, features))
    found: dict[Feature, Reference] = {}
    if comparing:
        output = ReferenceOutput(rows.level, comparing)
        with told_plainly(), arrow_only():
            parts = log.apply(output, None, comparing).groupBy("feature", "day")
            sums = parts.agg(*(sql.sum(name).alias(name) for name in ("n", "total")))
            found = output.merged(sums.toArrow())
    cohort = rows if isinstance(rows, CohortRows) else None
    return MatrixOutput(rows.level, cohort, features, found)


def open_matrix(session: "SparkSession", place: str) -> SparkMatrix:
    """A matrix that was written before.

    Raises
    ------
    SchemaMismatch
        When there is none, or one of another format.
    """
    uri = to_uri(place)
    text = read_text(session, f"{uri}/{MANIFEST}")
    about = json.loads(text) if text else {}
    if about.get("format_version") != FORMAT_VERSION:
        raise SchemaMismatch(f"No feature matrix of this program's format in {uri!r}: build it.")
    features = from_json(about["features"])
    return SparkMatrix(uri, about["level"], about["n_rows"], features, about["log_fingerprint"])


def read_matrix(session: "SparkSession", matrix: SparkMatrix, log: EventLog) -> FeatureMatrix:
    """The matrix in this machine's memory, for training: byte-equal to `build_features`.

    Raises
    ------
    EventLogError
        When `log` is not the log that the matrix was made from.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if log.fingerprint != matrix.log_fingerprint:
        raise EventLogError(
            f"The matrix in {matrix.uri!r} was made from another log; build it again."
        )
    with TemporaryDirectory() as scratch:
        table = pq.read_table(fetch(session, matrix.uri, Path(scratch)))
    ids = log.entities(matrix.level)["id"]
    entity = pc.index_in(table["entity_id"], value_set=ids).to_numpy()
    as_of = table["as_of"].cast("int64").to_numpy()
    order = np.lexsort((as_of, entity))
    rows = Snapshots.of(matrix.level, entity, as_of, log.ids(matrix.level))
    names = [feature.name for feature in matrix.features]
    return FeatureMatrix(rows, matrix.features, table.select(names).take(order).combine_chunks())


def compute_on_spark(
    spec: SparkSpec,
    store: Path,
    log: EventLog,
    snapshots: Snapshots,
    features: Iterable[Feature],
) -> FeatureMatrix:
    """`build_features` by Spark with the result in this machine's memory: what a training needs.

    Parameters
    ----------
    store
        The run's ``paths.store``, where `log` lies. The matrix passes through it and is removed.
    """
    target = to_uri(spec.address(store / "matrices" / log.root.name, store))
    with open_session(spec) as session:
        made = build_matrix(session, spec.address(log.root, store), snapshots, features, target)
        try:
            return read_matrix(session, made, log)
        finally:
            remove(session, target)


def write_parquet(frame: "DataFrame", folder: str) -> int:
    """Write a frame as Parquet files; returns the number of its rows."""
    frame.write.mode("overwrite").parquet(folder)
    return frame.sparkSession.read.parquet(literal(folder)).count()
