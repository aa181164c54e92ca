"""Small tables in and out: read by extension, written whole or not at all."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from features.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp(\.\w+)?")


def read_table(path: Path) -> "pd.DataFrame":
    """A small table from CSV or Parquet; texts stay texts.

    Raises
    ------
    SettingsError
        When there is no such file or it can't be read.
    """
    import pandas as pd

    if not path.is_file():
        raise SettingsError(f"There is no file {str(path)!r}.")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise SettingsError(f"Can't read {str(path)!r}: {error}") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then put it in place in one step.

    File and folder are on the disk when this returns: after a power cut the file is the old one
    or the new one.

    Raises
    ------
    SettingsError
        When the folder can't be written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as temporary:
            write(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"Can't write {str(path)!r}: {reason}. Name another place.") from error


def write_csv(path: Path, rows: "pd.DataFrame") -> None:
    """A table for people, in place at once or not at all; no cell of it is a formula.

    An account may call itself ``=HYPERLINK(...)``, and spreadsheets compute what begins so: such
    texts get an apostrophe in front (OWASP, CSV injection).

    Raises
    ------
    SettingsError
        As `write_atomically`.
    """
    safe = rows.assign(
        **{
            name: rows[name].map(harmless, na_action="ignore")
            for name in rows.columns
            if rows[name].dtype.kind not in "biufM"
        }
    )
    write_atomically(path, lambda temporary: safe.to_csv(temporary, index=False))


def harmless(value: object) -> object:
    """A cell that a spreadsheet shows and does not compute.

    >>> harmless("=1+1"), harmless("Acme"), harmless(-2.5)
    ("'=1+1", 'Acme', -2.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def remove_abandoned(folder: Path) -> int:
    """Remove what `write_atomically` left in `folder` when its process died; how many files.

    The temporary file of a living process holds a lock, and is left alone.
    """
    removed = 0
    for path in sorted(folder.glob(".*")):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    # Not tempfile.mkstemp, whose files only their owner may read: others work with the scores.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    held = _held(temporary)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        held.close()


def _held(path: Path) -> BinaryIO:
    """The new file, locked, so that `remove_abandoned` sees that its process lives."""
    while True:
        file = path.open("wb")
        # Some file systems have no locks; nobody removes anything there.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        # It was taken for abandoned between its making and its lock.
        file.close()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
