"""DuckDB connections, SQL quoting, and folders that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError

if TYPE_CHECKING:
    import duckdb

_LOCK = ".lock"
_NO_ROOM = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "failed to offload",
    "max_temp_directory_size",
)
"""What DuckDB's errors say when a file can't grow."""


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


_LIBRARIES_MB = 250
"""What an importing process holds beside DuckDB's own memory."""


def connect(folder: Path, memory_mb: int, threads: int) -> "duckdb.DuckDBPyConnection":
    """A DuckDB database in memory that spills into `folder` and never reaches for the network.

    In memory, because tables in a database file are compressed as they are written, which costs
    more than everything else that an import does with them.

    Parameters
    ----------
    memory_mb
        Limit for the whole process, in megabytes; DuckDB gets what Python and its libraries leave.
    """
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": f"{max(memory_mb - _LIBRARIES_MB, memory_mb // 2)}MB",
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


def is_full(error: Exception) -> bool:
    """Whether something could not be written for want of room."""
    return any(words in str(error) for words in _NO_ROOM)


def why_stopped(error: Exception, folder: Path) -> str:
    """One sentence on an error of DuckDB's, whose files lie in `folder`."""
    if is_full(error):
        return (
            f"the disk of {str(folder)!r} is full; free some space there, or put paths.store on a "
            "larger disk."
        )
    reason = str(error).strip().splitlines()[0]
    if reason.startswith("Out of Memory"):
        return f"{reason}; raise compute.memory_mb or lower compute.threads."
    return reason


@contextmanager
def shared_use(lock: Path) -> Iterator[Callable[[], bool]]:
    """Hold a lock that many may hold; yields a function that says whether nobody else does now.

    From a true answer on nobody else gets it until the end.

    Raises
    ------
    EventLogError
        When the folder can't be written.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise EventLogError(
            f"Can't write into {str(lock.parent)!r}: {error.strerror or error}."
        ) from error
    with file as held:
        fcntl.flock(held, fcntl.LOCK_SH)

        def alone() -> bool:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

        yield alone


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(".*.tmp"):
        try:
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
