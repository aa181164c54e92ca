"""The registered model as a Spark UDF: equal scores, one struct of columns in, one struct out."""

import sys

import mlflow
import pytest

pytestmark = pytest.mark.spark


def test_a_spark_udf_gives_the_scores_of_the_batch(artefact, monkeypatch):
    pytest.importorskip("pyspark", reason="PySpark is not installed; run make spark-test")
    from pyspark.sql.functions import col, struct

    from pipeline.spark.session import open_session
    from pipeline.spark.spec import SparkSpec

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    spec = SparkSpec(master="local[2]", conf={"spark.sql.shuffle.partitions": "2"})
    with open_session(spec, "registered model") as spark:
        rows = spark.createDataFrame(artefact.rows.reset_index(names="at"))
        score = mlflow.pyfunc.spark_udf(spark, str(artefact.folder), env_manager="local")
        columns = struct(*[col(name) for name in artefact.rows.columns])
        found = rows.select("at", score(columns).alias("scores")).select("at", "scores.*")
        found = found.toPandas().sort_values("at")
    for name in ("raw_score", "probability", "tier", "usage_tier"):
        assert found[name].tolist() == artefact.batch[name].tolist()
    for name in ("reasons", "look_alikes"):
        assert [list(texts) for texts in found[name]] == artefact.batch[name].tolist()
