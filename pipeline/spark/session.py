"""A Spark session by the settings, and Spark's errors as one sentence."""

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from features import errors
from features.errors import EventLogError, SettingsError
from pipeline.spark.spec import SparkSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONF = {
    "spark.log.level": "FATAL",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
}
# Nobody but this machine has a reason to talk to a session that lives in one process.
_LOCAL_CONF = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@contextmanager
def open_session(spec: SparkSpec, name: str = "pql") -> Iterator["SparkSession"]:
    """The running session if there is one, as in a notebook on a cluster, else a new one.

    A new one is stopped at the end.

    Raises
    ------
    SettingsError
        When PySpark or Java is missing, or Spark does not start.
    """
    if find_spec("pyspark") is None:
        raise SettingsError(
            "compute.engine is spark, but PySpark is not installed here. Install the extra with "
            "pip install 'pyspark>=4.1,<5', or set compute.engine to local."
        )
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    # It prints every analysis error as a page of JSON, also those that are handled.
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    _find_java()
    conf = dict(_CONF)
    if spec.master.startswith("local"):
        conf |= _LOCAL_CONF
        # Else the workers would be whatever python3 is first on PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name).master(spec.master)
    for key, value in (conf | spec.conf).items():
        builder = builder.config(key, value)
    try:
        with arrow_only():
            session = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise SettingsError(
            f"Spark did not start with compute.spark.master {spec.master!r}: {_reason(error)} What "
            "it printed above says more."
        ) from error
    try:
        yield session
    finally:
        session.stop()


@contextmanager
def told_plainly() -> Iterator[None]:
    """Our own errors come back from an executor as themselves, Spark's as one sentence.

    Raises
    ------
    EventLogError, or the error that a task raised
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error)
        for kind in (*errors.PQLError.__subclasses__(), errors.PQLError):
            _, mark, message = text.rpartition(f"{kind.__module__}.{kind.__name__}: ")
            if mark:
                raise kind(message.split("\n\n")[0].strip()) from error
        raise EventLogError(f"Spark stopped: {_reason(error)}") from error


@contextmanager
def arrow_only() -> Iterator[None]:
    """Silence PySpark's warning about pandas 3: only Arrow tables pass between Spark and us."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


def _find_java() -> None:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=os.path.join(home, "bin")) if home else shutil.which("java")
    if found is None:
        where = f"JAVA_HOME is {home!r}, which has no bin/java" if home else "none is on PATH"
        raise SettingsError(
            f"compute.engine is spark, which needs Java 17 or newer, and {where}. Install one "
            "(Debian: openjdk-17-jre-headless), or set compute.engine to local."
        )


def _reason(error: BaseException) -> str:
    """What went wrong, without the page of Java that follows.

    >>> _reason(ValueError("An error occurred while calling o1.x.\\n: a.b.SomeException: No disk."))
    'No disk.'
    """
    java = getattr(error, "java_exception", None)
    while java is not None and java.getCause() is not None:
        java = java.getCause()
    text = str(error) if java is None else str(java.toString())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        lines = lines[1:]
    return re.sub(r"^[: ]*([\w$]+\.)+[\w$]+: ", "", lines[0]) if lines else type(error).__name__
