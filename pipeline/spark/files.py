"""Files wherever Spark can read and write: addresses, and folders that appear whole."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def to_uri(place: str | Path) -> str:
    """An address that Spark understands; a plain path is one of this machine.

    Not percent-encoded: Hadoop takes a percent sign literally.

    >>> to_uri("s3a://bucket/logs/"), to_uri("/data/my logs")
    ('s3a://bucket/logs', 'file:///data/my logs')
    """
    text = str(place)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:/", text):
        return text.rstrip("/")
    return f"file://{Path(text).resolve()}"


def literal(uri: str) -> str:
    """An address whose brackets and stars are names, not patterns.

    >>> literal("file:///data/run[1]")
    'file:///data/run\\\\[1\\\\]'
    """
    return re.sub(r"([\\[\]{}*?])", r"\\\1", uri)


def read_text(session: "SparkSession", uri: str) -> str | None:
    """A small UTF-8 file; None when there is none."""
    system = _System(session, uri)
    return system.read(uri) if system.exists(uri) else None


@contextmanager
def new_folder(session: "SparkSession", target: str) -> Iterator[str]:
    """Address of a temporary sibling of `target`, put in the place of `target` at the end.

    A reader never sees half a folder: it is there whole, as before, or (on storage that can't
    rename at once, for the moment of the exchange) not there.

    Raises
    ------
    EventLogError
        When the storage refuses to put the folder in place.
    """
    parent, _, name = target.rpartition("/")
    application = session.sparkContext.applicationId
    fresh, old = (f"{parent}/.{name}.{application}.{end}" for end in ("new", "old"))
    system = _System(session, target)
    try:
        system.delete(fresh)
        yield fresh
        if system.exists(target):
            system.rename(target, old)
        system.rename(fresh, target)
        system.delete(old)
    finally:
        system.delete(fresh)


def write_text(session: "SparkSession", uri: str, text: str) -> None:
    """Write a small UTF-8 file."""
    stream = _System(session, uri).create(uri)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()


def remove(session: "SparkSession", uri: str) -> None:
    """Delete a folder; none is fine too."""
    _System(session, uri).delete(uri)


def fetch(session: "SparkSession", uri: str, folder: Path) -> Path:
    """A local copy of a folder inside `folder`; where it is already local, itself."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    _System(session, uri).fetch(uri, str(folder))
    return folder / uri.rpartition("/")[2]


class _System:
    """Hadoop's file system that an address belongs to."""

    def __init__(self, session: "SparkSession", uri: str):
        context = session.sparkContext
        self._jvm: Any = context._jvm
        self._path = self._jvm.org.apache.hadoop.fs.Path
        self._files = self._path(uri).getFileSystem(context._jsc.hadoopConfiguration())

    def exists(self, uri: str) -> bool:
        return bool(self._files.exists(self._path(uri)))

    def delete(self, uri: str) -> None:
        self._files.delete(self._path(uri), True)

    def read(self, uri: str) -> str:
        stream = self._files.open(self._path(uri))
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def create(self, uri: str) -> Any:
        return self._files.create(self._path(uri))

    def fetch(self, uri: str, folder: str) -> None:
        self._files.copyToLocalFile(False, self._path(uri), self._path(f"file://{folder}"), True)

    def rename(self, source: str, target: str) -> None:
        if not self._files.rename(self._path(source), self._path(target)):
            raise EventLogError(f"Can't put {target!r} in place: the storage refused the rename.")
