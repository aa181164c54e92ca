"""Small tables in and out: read by extension, written whole or not at all."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd


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
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"Can't write {str(path)!r}: {reason}. Name another place.") from error


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    # Not tempfile.mkstemp, whose files only their owner may read: others work with the scores.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
