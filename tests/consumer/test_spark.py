"""The registered model as a Spark UDF: equal scores, one struct of columns in, one struct out."""

import sys

import mlflow
import pytest

pytestmark = pytest.mark.spark


# PySpark 4.3 is not made for pandas 3, and says so at every exchange of frames.
@pytest.mark.filterwarnings("ignore")
def test_a_spark_udf_gives_the_scores_of_the_batch(artefact, monkeypatch, tmp_path):
    pytest.importorskip("pyspark", reason="PySpark is not installed; run make spark-test")
    from pyspark.sql.functions import col, struct

    from pipeline.spark.session import open_session
    from pipeline.spark.spec import SparkSpec

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    spec = SparkSpec(master="local[2]", conf={"spark.sql.shuffle.partitions": "2"})
    with open_session(spec, "registered model") as spark:
        artefact.rows.reset_index(names="at").to_parquet(tmp_path / "rows.parquet", index=False)
        rows = spark.read.parquet(str(tmp_path / "rows.parquet"))
        # A plain folder has no version number, and MLflow can't put a missing number into a struct.
        texts = "array<string>"
        wanted = "raw_score double, probability double, tier string, usage_tier string"
        wanted += f", reasons {texts}, look_alikes {texts}"
        score = mlflow.pyfunc.spark_udf(spark, str(artefact.folder), wanted, env_manager="local")
        columns = struct(*[col(name) for name in artefact.rows.columns])
        found = rows.select("at", score(columns).alias("scores")).select("at", "scores.*")
        found = found.toPandas().sort_values("at")
    for name in ("raw_score", "probability", "tier", "usage_tier"):
        assert found[name].tolist() == artefact.batch[name].tolist()
    for name in ("reasons", "look_alikes"):
        assert [list(texts) for texts in found[name]] == artefact.batch[name].tolist()
