"""Tables and queries of Postgres as Parquet files, from which they take the way of all files."""

import fcntl
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from features.errors import EventLogError
from pipeline.sources.copying import open_snapshot, read_rows
from pipeline.sources.postgres import PostgresTable
from pipeline.sources.spec import DataSpec, Origin

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_FILE = 1_000_000
"""A table that only grows keeps its first files to the byte, and their parts are used again."""

Block = TypeVar("Block")


@contextmanager
def as_files(spec: DataSpec, store: Path, tell: Callable[[str], None]) -> Iterator[DataSpec]:
    """The spec with files for all that it reads from Postgres; they go at the end.

    They lie in ``store/postgres``, so that messages and the quarantine name them alike every time.
    Another import that needs the folder waits for this one; the lock goes with the process.

    Raises
    ------
    SettingsError, EventLogError
        As `fetch`, and when the store can't be written.
    """
    if not _tables(spec):
        yield spec
        return
    folder = store / "postgres"
    try:
        store.mkdir(parents=True, exist_ok=True)
        lock = (store / ".postgres.lock").open("a")
    except OSError as error:
        raise _unwritten(store, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)  # what a killed import has left
        try:
            yield _fetch_into(folder, spec, tell)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _fetch_into(folder: Path, spec: DataSpec, tell: Callable[[str], None]) -> DataSpec:
    try:
        folder.mkdir()
        return fetch(spec, folder, tell)
    except OSError as error:
        raise _unwritten(folder, error) from error


def _unwritten(folder: Path, error: OSError) -> EventLogError:
    return EventLogError(
        f"Can't copy from Postgres into {str(folder)!r}: {error.strerror or error}."
    )


def fetch(
    spec: DataSpec,
    folder: Path,
    tell: Callable[[str], None],
    *,
    rows_per_file: int = ROWS_PER_FILE,
) -> DataSpec:
    """Copy every table and query into `folder`; returns the spec with the copies as its `files`.

    All that one address holds is read in one transaction, so that events and the accounts they
    speak of are of one moment. Whether anything has changed is told by the content, as for every
    file: an unchanged table gives equal files, and the log made of them is used again.

    Parameters
    ----------
    rows_per_file
        Rows in a file, all but the last.

    Raises
    ------
    SettingsError, EventLogError
        When psycopg or the address is missing, or the server refuses.
    """
    tables = _tables(spec)
    files: dict[PostgresTable, tuple[str, ...]] = {}
    for address in dict.fromkeys(table.address() for table in tables):
        with open_snapshot(address) as connection:
            for table in dict.fromkeys(one for one in tables if one.address() == address):
                schema, batches = read_rows(connection, table)
                stem = f"{len(files) + 1}-{re.sub('[^A-Za-z0-9_.]', '_', table.name)}"
                written, n_rows = _write(schema, batches, folder / stem, rows_per_file)
                files[table] = tuple(map(str, written))
                tell(f"Postgres: {n_rows:,} rows of {table.origin}")

    def filled(block: Block) -> Block:
        if isinstance(block, Origin) and block.postgres is not None:
            return block.model_copy(update={"files": files[block.postgres]})
        return block

    return spec.model_copy(
        update={
            "sources": tuple(map(filled, spec.sources)),
            "tables": tuple(map(filled, spec.tables)),
            "conversions": filled(spec.conversions),
        }
    )


def _tables(spec: DataSpec) -> list[PostgresTable]:
    blocks = (*spec.sources, *spec.tables, spec.conversions)
    return [one.postgres for one in blocks if isinstance(one, Origin) and one.postgres is not None]


def _write(
    schema: "pa.Schema", batches: Iterator["pa.RecordBatch"], stem: Path, rows_per_file: int
) -> tuple[list[Path], int]:
    """Files of exactly `rows_per_file` rows, the last one shorter; returns them and all rows."""
    import pyarrow.parquet as pq

    def new_file(number: int) -> pq.ParquetWriter:
        paths.append(stem.with_name(f"{stem.name}-{number:05d}.parquet"))
        # Copies of a file count once, so files of equal rows must still differ.
        numbered = schema.with_metadata({"number": str(number)})
        return pq.ParquetWriter(paths[-1], numbered, compression="zstd")

    paths: list[Path] = []
    n_rows = 0
    for number, pieces in groupby(_pieces(batches, rows_per_file), itemgetter(0)):
        with new_file(number) as writer:
            for _, piece in pieces:
                writer.write_batch(piece)
                n_rows += piece.num_rows
    if not paths:
        new_file(0).close()
    return paths, n_rows


def _pieces(
    batches: Iterator["pa.RecordBatch"], rows_per_file: int
) -> Iterator[tuple[int, "pa.RecordBatch"]]:
    """Batches cut where a file is full, each with the number of its file."""
    n_rows = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, rows_per_file - n_rows % rows_per_file)
            yield n_rows // rows_per_file, piece
            start += piece.num_rows
            n_rows += piece.num_rows
