"""Spark's settings, and what a person reads when Spark can't run."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from pydantic import ValidationError

from features.errors import SettingsError
from pipeline.spark.files import to_uri
from pipeline.spark.session import open_session
from pipeline.spark.spec import SparkSpec

HAS_PYSPARK = find_spec("pyspark") is not None


def test_settings_that_travel_with_the_model_hold_no_secrets():
    named = {"spark.hadoop.fs.s3a.secret.key": "x", "spark.executor.memory": "4g"}
    with pytest.raises(ValidationError, match=r"can't hold secrets \('spark.hadoop.fs.s3a.secret"):
        SparkSpec(conf=named)
    kept = {"spark.hadoop.fs.s3a.aws.credentials.provider": "SomeClass"}
    assert SparkSpec(conf=kept).conf == kept


@pytest.mark.parametrize("place", ["s3a://bucket/a b", "hdfs://host:9000/x", "file:///x", "gs://y"])
def test_an_address_stays_as_it_is(place):
    assert to_uri(place) == to_uri(f"{place}/") == place


def test_a_relative_path_is_one_of_this_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert to_uri("logs") == f"file://{tmp_path}/logs"


@pytest.mark.skipif(HAS_PYSPARK, reason="PySpark is installed")
def test_without_pyspark_one_sentence_says_what_to_install():
    with (
        pytest.raises(SettingsError, match=r"PySpark is not installed .*pip install 'pyspark"),
        open_session(SparkSpec()),
    ):
        pytest.fail("there is no session")


@pytest.mark.spark
def test_a_running_session_is_used_and_left_running(session):
    with open_session(SparkSpec(master="spark://nowhere:1")) as opened:
        assert opened is session
    assert session.range(3).count() == 3


@pytest.mark.spark
@pytest.mark.skipif(not HAS_PYSPARK, reason="PySpark is not installed; run make spark-test")
@pytest.mark.parametrize(
    ("changes", "master", "message"),
    [
        ({"JAVA_HOME": "/nowhere"}, "local[1]", "JAVA_HOME is '/nowhere', which has no bin/java"),
        ({"PATH": "", "JAVA_HOME": ""}, "local[1]", "Java 17 or newer, and none is on PATH"),
        ({}, "lokal", "Spark did not start with compute.spark.master 'lokal': "),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(changes, master, message):
    """In a process of its own: Java is looked for once."""
    program = (
        "from features.errors import PQLError\n"
        "from pipeline.spark.session import open_session\n"
        "from pipeline.spark.spec import SparkSpec\n"
        "try:\n"
        f"    open_session(SparkSpec(master={master!r})).__enter__()\n"
        "except PQLError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("SettingsError "), done.stderr
    assert message in done.stdout
    assert done.stdout.count("\n") == 1
