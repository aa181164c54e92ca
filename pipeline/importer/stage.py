"""A file to its part: the one time its text is parsed."""

import json
import shutil
import zlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from pipeline.sources import quarantine, stage, times
from pipeline.sources.canonical import Canonical
from pipeline.sources.files import Salvaged, is_empty, kind_of, salvage
from pipeline.sources.rows import Rows, open_rows
from pipeline.sources.spec import GenericSource
from pipeline.sources.stage import TOO_LONG, Source, Take
from pipeline.sources.swallowed import find_swallowed
from pipeline.storage import is_full, quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

ROWS = "rows.parquet"
BAD = "bad.parquet"
ABOUT = "part.json"

FORMAT = (
    # Version 2 writes differences of neighbours: quicker to write and read than version 1, and at
    # zstd's fastest level about as small. Filters by value serve nobody, for every row is read.
    "format parquet, parquet_version v2, compression zstd, compression_level 1, "
    "write_bloom_filter false"
)
"""How events are written, in parts and in shards."""
_BLOCK = 1 << 20
_MOST_COLUMNS = 200
"""So many discovered properties of a file get a column; the others share one."""


@dataclass(frozen=True)
class Part:
    """What a file holds, in canonical rows.

    A folder with ``rows.parquet`` (see `stage.part_query`), ``bad.parquet`` (line, reason and raw
    of the rows that can't be used, where there are any) and ``part.json`` (the fields below). Of an
    empty file there is only the last.

    Parameters
    ----------
    n_rows
        Rows of the file, good and bad.
    properties
        Names of the properties that have a column.
    checksums
        CRC-32 of each file when it was written.
    """

    folder: Path
    n_rows: int
    n_bad: int
    properties: tuple[str, ...]
    checksums: dict[str, int]

    @classmethod
    def read(cls, folder: Path) -> "Part | None":
        """The part in a folder; None when there is none that is whole."""
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            names = tuple(about["properties"])
            return cls(folder, about["n_rows"], about["n_bad"], names, about["checksums"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def is_sound(self) -> bool:
        """Whether every file is still what was written."""
        try:
            return self.checksums == _checksums(self.folder)
        except OSError:
            return False


def stage_file(
    connection: "duckdb.DuckDBPyConnection", source: Source, take: Take, path: Path, folder: Path
) -> Part:
    """Write the part of one file into `folder`, which is new.

    What a file that is cut off holds up to its last whole line is used, and one bad row says so.

    Raises
    ------
    EventLogError
        When the file can't be read and is not merely cut off.
    """
    import duckdb

    folder.mkdir(parents=True)
    if is_empty(path):
        return _described(folder, 0, 0, ())
    times.set_zone(connection, source.timezone if isinstance(source, GenericSource) else "UTC")
    try:
        return _stage(connection, source, take, path, folder, None)
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        if is_full(error):
            raise
        cut = _salvage(path, folder)
        if cut is None:
            reason = str(error).strip().splitlines()[0]
            raise EventLogError(f"Can't read the files: {reason}") from error
        part = _stage(connection, source, take, cut.path, folder, cut)
        shutil.rmtree(cut.path.parent)
        return part


def _salvage(path: Path, folder: Path) -> Salvaged | None:
    if path.suffix != ".gz":
        return None
    (folder / "cut").mkdir()
    return salvage(path, folder / "cut" / path.name.removesuffix(".gz"))


def _stage(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    take: Take,
    path: Path,
    folder: Path,
    cut: Salvaged | None,
) -> Part:
    (rows,) = open_rows(connection, [path], stage.kinds_of(source))
    canonical = stage.read(source, rows)
    if take.discovered:
        found = _discover(connection, source, rows)
        few = tuple(found[:_MOST_COLUMNS]) if canonical.names else tuple(found)
        take = replace(take, properties=few, more=len(few) < len(found))
        (rows,) = open_rows(connection, [path], stage.kinds_of(source))
        canonical = stage.read(source, rows)
    target = quote_text(str(folder / ROWS))
    connection.execute("""
        create or replace temp table rejects (line bigint, reason varchar, raw varchar)""")
    connection.execute(f"""
        copy ({stage.part_query(rows, canonical, take)})
        to {target} ({FORMAT})""")
    quarantine.keep_rejects(connection, path)
    if kind_of(path) == "csv":
        _keep_swallowed(connection, rows, canonical, path, target)
    if cut is not None:
        row = [cut.n_lines + 1, quarantine.CUT_OFF, cut.rest]
        connection.execute("insert into rejects values (?, ?, ?)", row)
    n_bad = quarantine.write_bad(connection, folder / ROWS, path, folder / BAD)
    n_good = value_of(connection, f"select count(*) - count(reason) from {target}")
    return _described(folder, n_good + n_bad, n_bad, take.properties)


def _keep_swallowed(
    connection: "duckdb.DuckDBPyConnection",
    rows: Rows,
    canonical: Canonical,
    path: Path,
    target: str,
) -> None:
    """Make the lines that broken rows of a CSV file swallowed bad rows of their own.

    The file is read again, but only where a row was refused or has a name that is no name.
    """
    broken = [line for (line,) in rows_of(connection, "select line from rejects")]
    n_parsed, n_long = rows_of(
        connection,
        f"select count(*), count(*) filter (reason = {quote_text(TOO_LONG)}) from {target}",
    )[0]
    if broken or n_long:
        names = [canonical.event, canonical.visitor, canonical.account]
        found = find_swallowed(connection, rows, path, n_parsed, broken, names)
        if found is not None:
            quarantine.keep_swallowed(connection, found)


def _described(folder: Path, n_rows: int, n_bad: int, properties: tuple[str, ...]) -> Part:
    """The part, after writing what `Part.read` reads: from here on it is whole."""
    part = Part(folder, n_rows, n_bad, properties, _checksums(folder))
    about = {field.name: getattr(part, field.name) for field in fields(part)[1:]}
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    return part


def _checksums(folder: Path) -> dict[str, int]:
    """CRC-32 of each Parquet file."""
    found = {}
    for file in sorted(folder.glob("*.parquet")):
        found[file.name] = 0
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                found[file.name] = zlib.crc32(block, found[file.name])
    return found


def _discover(connection: "duckdb.DuckDBPyConnection", source: Source, rows: Rows) -> list[str]:
    """Names of the properties of a file; where they are keys, those in most rows come first."""
    from pipeline.importer.auto import considered

    canonical = stage.read(source, rows)
    if canonical.names is None:
        return considered(source, canonical.columns)
    found = rows_of(
        connection,
        f"""select name, sum(n)::bigint as n from (
                select unnest(names) as name, n from (
                    select {canonical.names} as names, count(*) as n
                    from {rows.relation()} where not {rows.blank} group by names))
            group by name order by n desc, name""",
    )
    return considered(source, [name for name, _ in found])
