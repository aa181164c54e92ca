"""One local Spark session for all tests that need one; without PySpark they are skipped."""

import pytest

from pipeline.spark.session import open_session
from pipeline.spark.spec import SparkSpec


@pytest.fixture(scope="session")
def session():
    pytest.importorskip("pyspark", reason="PySpark is not installed; run make spark-test")
    # Two partitions, so that several shards meet in one task.
    spec = SparkSpec(master="local[2]", conf={"spark.sql.shuffle.partitions": "2"})
    with open_session(spec, "tests") as opened:
        yield opened
