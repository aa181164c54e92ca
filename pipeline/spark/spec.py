"""The ``compute.spark:`` block of the settings."""

import re
from pathlib import Path

from pydantic import Field, field_validator

from features.errors import few
from features.spec import Spec

# Spark's own `spark.redaction.regex`, and Azure's storage keys.
_SECRET = re.compile(r"secret|password|token|access[.]?key|account[.]?key", re.IGNORECASE)


class SparkSpec(Spec):
    """Where Spark runs and how.

    The settings file travels with every registered model, so it must not hold secrets: they belong
    into ``spark-defaults.conf``, the environment or the cluster's own identity.
    """

    master: str = Field(default="local[2]", min_length=1)
    """``local[threads]``, or the address of a cluster: ``yarn``, ``spark://...``, ``k8s://...``."""
    conf: dict[str, str] = Field(default_factory=dict)
    """Spark's own settings by name, on top of the project's."""
    store: str | None = None
    """`paths.store` as the executors see it: a shared folder, or ``s3a://...``, ``gs://...``.
    None: under the same path as here."""

    @field_validator("conf")
    @classmethod
    def _no_secrets(cls, conf: dict[str, str]) -> dict[str, str]:
        if secret := sorted(key for key in conf if _SECRET.search(key)):
            raise ValueError(
                f"settings are stored with every model, so they can't hold secrets ({few(secret)});"
                " put these into spark-defaults.conf or the environment"
            )
        return conf

    def address(self, path: Path, store: Path) -> str:
        """A path inside `paths.store` as the executors see it.

        >>> SparkSpec(store="s3a://bucket/pql/").address(Path("/data/logs/3f2a"), Path("/data"))
        's3a://bucket/pql/logs/3f2a'
        """
        if self.store is None:
            return str(path)
        return f"{self.store.rstrip('/')}/{path.relative_to(store).as_posix()}"
