"""Staging of all sources, with a second try for files that are cut off."""

from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from pipeline.sources import quarantine, stage
from pipeline.sources.files import Salvaged, salvage
from pipeline.sources.spec import DataSpec

if TYPE_CHECKING:
    import duckdb


def stage_files(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, files: list[list[Path]], folder: Path
) -> dict[str, str]:
    """Fill ``staged`` and ``quarantine`` from every source.

    Returns the copies that stand for files cut off, copy to original: what such a file holds up to
    its last whole line is used, and one row of the quarantine says so.

    Raises
    ------
    EventLogError
        When a file can't be read and is not merely cut off.
    """
    import duckdb

    stage.prepare(connection, spec)
    quarantine.prepare(connection)
    originals: dict[str, str] = {}
    for index, paths in enumerate(files):
        try:
            _stage_whole(connection, spec, index, paths)
        except duckdb.IOException as error:
            copies = {path: found for path in paths if (found := _salvage(path, folder))}
            if not copies:
                raise EventLogError(f"Can't read the files: {_first_line(error)}") from error
            _stage_whole(connection, spec, index, [_instead(path, copies) for path in paths])
            for path, copy in copies.items():
                quarantine.add(connection, path, copy.n_lines + 1, quarantine.CUT_OFF, copy.rest)
                originals[str(copy.path)] = str(path)
    return originals


def _stage_whole(
    connection: "duckdb.DuckDBPyConnection", spec: DataSpec, index: int, paths: list[Path]
) -> None:
    """All files of a source or, when one can't be read, none."""
    connection.execute("begin")
    try:
        stage.stage(connection, spec, index, paths)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _salvage(path: Path, folder: Path) -> Salvaged | None:
    if path.suffix != ".gz":
        return None
    name = f"salvaged-{len(list(folder.glob('salvaged-*')))}-{path.name.removesuffix('.gz')}"
    return salvage(path, folder / name)


def _instead(path: Path, copies: dict[Path, Salvaged]) -> Path:
    return copies[path].path if path in copies else path


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
