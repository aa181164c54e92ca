"""Stores that move, and processes that use several of them: what MLflow leaves fixed."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from features.errors import SettingsError

_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's SQL store that say where artefacts lie."""
_ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


@contextmanager
def environment_kept() -> Iterator[None]:
    """MLflow's addresses in the environment are afterwards what they were before.

    Setting an address also writes it there, where it would be taken for the user's own choice by
    the next run whose settings name none.
    """
    before = {name: os.environ.get(name) for name in _ADDRESSES}
    try:
        yield
    finally:
        for name, address in before.items():
            if address is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = address


def settle(database: Path, experiment: str, artefacts: Path) -> int:
    """Make a store's own SQLite file say where the artefacts beside it lie now.

    MLflow records where artefacts lie as absolute paths. Only for a file that lies in the store
    itself, where the two move together. Without it every ``models:/`` address fails after a move;
    and of a copy, it leads to the original, where a training would go on writing. What lies below
    the experiment's former place is taken to have moved with it; locations elsewhere stay.

    Parameters
    ----------
    experiment
        Name of the run's experiment, whose place is compared with `artefacts`.
    artefacts
        The folder they are in.

    Returns
    -------
    int
        Number of locations changed; 0 where nothing moved, or there is no such experiment.

    Raises
    ------
    SettingsError
        When the artefacts have moved and the file can't be written.
    """
    place = artefacts.resolve().as_uri()
    try:
        with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
            former = _former(connection, experiment)
            if former is None or former == place or not artefacts.is_dir():
                return 0
            known = [pair for pair in _LOCATIONS if pair[1] in _columns(connection, pair[0])]
            return sum(_move(connection, *pair, former, place) for pair in known)
    except sqlite3.Error as error:
        raise SettingsError(
            f"The artefacts of {str(database)!r} have moved to {str(artefacts)!r}, but their new "
            f"place can't be written into it: {error}. Make the file writable, or move it back."
        ) from error


def _former(connection: sqlite3.Connection, experiment: str) -> str | None:
    """Where the experiment's artefacts were when last written, if that was a folder."""
    found = connection.execute(
        "select artifact_location from experiments where name = ?", [experiment]
    ).fetchone()
    place = found[0] if found else None
    # What lies in an object store did not move with the file.
    return place if place is not None and place.startswith("file:///") else None


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"pragma table_info({table})")}


def _move(connection: sqlite3.Connection, table: str, column: str, former: str, place: str) -> int:
    return connection.execute(
        f"update {table} set {column} = ? || substr({column}, ?) "
        f"where {column} = ? or substr({column}, 1, ?) = ?",
        [place, len(former) + 1, former, len(former) + 1, f"{former}/"],
    ).rowcount
