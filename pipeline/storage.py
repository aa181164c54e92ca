"""DuckDB connections, SQL quoting, and folders that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError

if TYPE_CHECKING:
    import duckdb

_LOCK = ".lock"


def quote_name(name: str) -> str:
    """A column or table name for SQL; the only way a name of the user's enters a statement.

    >>> quote_name('a "b"')
    '"a ""b\"""'
    """
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A string literal for SQL; the only way a text of the user's enters a statement.

    >>> quote_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quote_list(texts: Iterable[str]) -> str:
    """A list literal for SQL.

    >>> quote_list(["a", "b"])
    "['a', 'b']"
    """
    return "[" + ", ".join(quote_text(text) for text in texts) + "]"


def connect(folder: Path, memory_mb: int, threads: int) -> "duckdb.DuckDBPyConnection":
    """A DuckDB database inside `folder` that spills there and never reaches for the network.

    Parameters
    ----------
    memory_mb
        Limit for DuckDB's own memory, in megabytes.
    """
    import duckdb

    connection = duckdb.connect(
        str(folder / "work.duckdb"),
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "temp_directory": str(folder / "spill"),
        },
    )
    # In Jupyter without ipywidgets DuckDB refuses even to switch its bar off; it then has none.
    with suppress(duckdb.InvalidInputException):
        connection.execute("set enable_progress_bar = false")
    return connection


def keep_order(connection: "duckdb.DuckDBPyConnection", keep: bool) -> None:
    """Whether tables keep the order of the query that fills them; without, more runs in parallel.

    Files and sorted tables need it: without it even an ORDER BY is not what is stored.
    """
    connection.execute(f"set preserve_insertion_order = {str(keep).lower()}")


def rows_of(connection: "duckdb.DuckDBPyConnection", query: str) -> list[tuple[Any, ...]]:
    """All rows of a small result.

    DuckDB 2 streams: a result that is not read to its end blocks the next statement.
    """
    return connection.execute(query).fetchall()


def value_of(connection: "duckdb.DuckDBPyConnection", query: str) -> Any:
    """The single value of a one-row result."""
    return rows_of(connection, query)[0][0]


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary sibling of `target`, renamed to it at the end.

    A process that dies leaves only the sibling; the next call for any target in the same parent
    removes it. A sibling whose process is alive holds a lock and is left alone.

    Raises
    ------
    EventLogError
        When the disk is full or the folder can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent)
        folder = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        folder.mkdir()
        lock = (folder / _LOCK).open("w")
    except OSError as error:
        raise EventLogError(
            f"Can't write into {str(target.parent)!r}: {error.strerror or error}."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
        (folder / _LOCK).unlink()
        if not target.exists():  # else another import of the same data was quicker
            folder.replace(target)
    except OSError as error:
        raise EventLogError(
            f"Writing {str(target)!r} failed: {error.strerror or error}. Nothing was left behind."
        ) from error
    finally:
        lock.close()
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(".*.tmp"):
        try:
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
