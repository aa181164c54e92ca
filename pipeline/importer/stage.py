"""A file to its part: the one time its text is parsed."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from pipeline.sources import quarantine, stage, times
from pipeline.sources.files import Salvaged, is_empty, salvage
from pipeline.sources.rows import Rows, open_rows
from pipeline.sources.spec import GenericSource
from pipeline.sources.stage import Source, Take
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
    """

    folder: Path
    n_rows: int
    n_bad: int
    properties: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> "Part | None":
        """The part in a folder; None when there is none."""
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return cls(folder, about["n_rows"], about["n_bad"], tuple(about["properties"]))


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
        return _described(Part(folder, 0, 0, ()))
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
    if cut is not None:
        row = [cut.n_lines + 1, quarantine.CUT_OFF, cut.rest]
        connection.execute("insert into rejects values (?, ?, ?)", row)
    n_bad = quarantine.write_bad(connection, folder / ROWS, path, folder / BAD)
    n_good = value_of(connection, f"select count(*) - count(reason) from {target}")
    return _described(Part(folder, n_good + n_bad, n_bad, take.properties))


def _described(part: Part) -> Part:
    """The part, after writing what `Part.read` reads: from here on it is whole."""
    about = {"n_rows": part.n_rows, "n_bad": part.n_bad, "properties": part.properties}
    (part.folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    return part


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
