"""Rows that could not be used: collected with file, line and reason, counted, written down."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError, few
from pipeline.sources.files import csv_layout, kind_of, open_bytes
from pipeline.sources.stage import UNREAD_TIME
from pipeline.sources.swallowed import SWALLOWED, Swallowed
from pipeline.sources.times import SPELLINGS
from pipeline.storage import quote_list, quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

LONGEST_RAW = 2_000
"""Characters of a bad row that are kept."""
MOST_LOCATED = 10_000
"""So many bad rows get their line looked up; later ones have line -1."""

CUT_OFF = "file is cut off (gzip ends early)"
BROKEN = "broken row: "
"""How reasons of rows begin that DuckDB refused."""
_HINTS = {
    SWALLOWED: "Look there for a quote that is not closed.",
    UNREAD_TIME: SPELLINGS,
}


def prepare(connection: "duckdb.DuckDBPyConnection") -> None:
    """Create the empty table."""
    connection.execute(
        "create table quarantine (file varchar, line bigint, reason varchar, raw varchar)"
    )


def keep_rejects(connection: "duckdb.DuckDBPyConnection", file: Path | None = None) -> None:
    """Take over the rows that DuckDB's CSV reader refused in the statement just run.

    They go into the quarantine or, of one `file`, into the table ``rejects`` (line, reason, raw).
    """
    import duckdb

    try:
        if not value_of(connection, "select count(*) from reject_errors"):
            return
    except duckdb.CatalogException:  # nothing was read that could be refused
        return
    place, target = ("s.file_path, ", "quarantine") if file is None else ("", "rejects")
    connection.execute(f"""
        insert into {target}
        select {place}e.line, {quote_text(BROKEN)} || lower(min(e.error_type::varchar)),
               min(e.csv_line)
        from reject_errors e join reject_scans s using (scan_id, file_id)
        group by s.file_path, e.line, e.line_byte_position""")
    connection.execute("drop table reject_errors")
    connection.execute("drop table reject_scans")


def keep_swallowed(
    connection: "duckdb.DuckDBPyConnection", found: Swallowed, file: Path | None = None
) -> None:
    """Make every swallowed line a bad row at the line where the broken row begins.

    It goes into the table ``rejects`` or, of a `file`, into the quarantine. The first has the text.
    """
    place = "" if file is None else f"{quote_text(str(file))}, "
    connection.execute(
        f"""insert into {"quarantine" if place else "rejects"}
            select {place}?, ?, case when i = 0 then ? end from range(?) t(i)""",
        [found.line, SWALLOWED, found.raw, found.n_lines],
    )


def write_bad(connection: "duckdb.DuckDBPyConnection", rows: Path, file: Path, target: Path) -> int:
    """Write line, reason and raw of the bad rows of a part to `target`; returns how many.

    Needs the table ``rejects``. Nothing is written where no row is bad.

    Parameters
    ----------
    rows
        The part's rows; those with a ``reason`` are bad.
    file
        The file they come from; its lines are counted only where a row needs its line.
    """
    import pyarrow as pa

    n_bad: int = value_of(
        connection,
        f"select (select count(reason) from {quote_text(str(rows))}) + count(*) from rejects",
    )
    if n_bad == 0:
        return 0
    numbered = f"read_parquet({quote_text(str(rows))}, file_row_number = true)"
    unplaced = rows_of(
        connection,
        f"""select file_row_number, raw from {numbered}
            where reason is not null and line is null
            order by file_row_number limit {MOST_LOCATED}""",
    )
    places = _places(file, unplaced)
    columns = {"row": pa.array(places, pa.int64()), "at": pa.array(places.values(), pa.int64())}
    connection.register("places", pa.table(columns))
    connection.execute(f"""
        copy (select coalesce("at", line, -1) as line, reason, left(raw, {LONGEST_RAW}) as raw
              from {numbered} left join places on file_row_number = "row"
              where reason is not null
              union all
              select line, reason, left(raw, {LONGEST_RAW}) from rejects
              order by line, reason, raw)
        to {quote_text(str(target))} (format parquet, compression zstd)""")
    connection.unregister("places")
    return n_bad


def take_part(connection: "duckdb.DuckDBPyConnection", bad: Path, file: Path) -> None:
    """Add the bad rows of a part to the quarantine, as rows of `file`."""
    connection.execute(f"""
        insert into quarantine
        select {quote_text(str(file))}, line, reason, raw from {quote_text(str(bad))}""")


def refuse_too_many(
    connection: "duckdb.DuckDBPyConnection", n_rows: int, max_bad_share: float
) -> None:
    """Stop when more than `max_bad_share` of all `n_rows` rows are bad.

    Raises
    ------
    EventLogError
        With the files, the reasons, their counts and an example of the commonest.
    """
    n_bad = value_of(connection, "select count(*) from quarantine")
    if n_bad <= max_bad_share * n_rows:
        return
    files = few(Counted(file, n) for file, n in counts(connection, by="file").items())
    raise EventLogError(
        f"{n_bad:,} of {n_rows:,} rows can't be used, more than max_bad_share = "
        f"{max_bad_share:g} allows, in {files}: {_reasons(connection)}"
    )


def refuse_cut(connection: "duckdb.DuckDBPyConnection") -> None:
    """Stop when a file ends early: how much is missing can't be known, and no share would tell.

    Raises
    ------
    EventLogError
        With the files.
    """
    cut = list(counts(connection, f"reason = {quote_text(CUT_OFF)}", by="file"))
    if not cut:
        return
    what = f"The gzip {cut[0]!r} ends" if len(cut) == 1 else f"{len(cut):,} gzips end"
    raise EventLogError(
        f"{what} early, so an unknown number of rows is missing"
        f"{'' if len(cut) == 1 else ': ' + few(cut)}. Bring the whole "
        f"{'file' if len(cut) == 1 else 'files'}, or set data.accept_cut_files: true to do without "
        "the missing rows."
    )


def refuse_dead(connection: "duckdb.DuckDBPyConnection", files: Iterable[Path]) -> None:
    """Stop when there are `files` all of whose rows are bad: beside large ones they would not show.

    Raises
    ------
    EventLogError
        With the files, the reasons, their counts and an example of the commonest.
    """
    dead = sorted(set(files))
    if not dead:
        return
    names = quote_list(str(file) for file in dead)
    reasons = _reasons(connection, f"list_contains({names}, file)")
    raise EventLogError(
        f"No row of {few(map(str, dead))} can be used: {reasons} Repair what is wrong "
        "or take it out of the list of files, with a narrower glob where one matches it; "
        "max_bad_share: 1 would let it pass."
    )


def _reasons(connection: "duckdb.DuckDBPyConnection", where: str = "true") -> str:
    """Why rows are bad, an example of the commonest reason, and what to do about it."""
    found = counts(connection, where)
    reason = next(iter(found))
    file, line, raw = rows_of(
        connection,
        f"""select file, line, coalesce(raw, '') from quarantine
            where {where} and reason = {quote_text(reason)}
            order by count(*) over (partition by file) desc, file, raw is null, line < 1, line, raw
            limit 1""",
    )[0]
    listed = "; ".join(f"{n:,} x {text}" for text, n in found.items())
    place = file + (f" line {line}" if line > 0 else "")
    hint = f" {_HINTS[reason]}" if reason in _HINTS else ""
    return f"{listed}. Example ({reason}): {place}: {raw[:200]!r}.{hint}"


def counts(
    connection: "duckdb.DuckDBPyConnection", where: str = "true", by: str = "reason"
) -> dict[str, int]:
    """Bad rows by reason (or by file), the most first."""
    query = (
        f"select {by}, count(*) n from quarantine where {where} group by {by} order by n desc, {by}"
    )
    return dict(rows_of(connection, query))


class Counted:
    """A name with its count, as `few` lists it."""

    def __init__(self, name: str, n: int):
        self._told = f"{name!r} ({n:,})"

    def __repr__(self) -> str:
        return self._told


def write(connection: "duckdb.DuckDBPyConnection", target: Path) -> None:
    """Write ``quarantine.parquet``."""
    connection.execute(f"""
        copy (select file, line, reason, left(raw, {LONGEST_RAW}) as raw from quarantine
              order by file, line, reason, raw)
        to {quote_text(str(target))} (format parquet, compression zstd)""")


def _places(file: Path, bad: list[tuple[int, str]]) -> dict[int, int]:
    """Lines of bad rows (row number and raw text), looked up in the file, which is read again.

    Numbering every line while reading would keep DuckDB from reading on all threads.
    """
    if not bad:
        return {}
    is_csv = kind_of(file) == "csv"
    wanted: dict[object, list[int]] = {}
    for row, raw in bad:
        key = tuple(value or "" for value in json.loads(raw)) if is_csv else raw
        wanted.setdefault(key, []).append(row)
    places = {}
    for line, found in _numbered(file):
        if rows := wanted.get(found):
            places[rows.pop(0)] = line
    return places


def _numbered(path: Path) -> Iterator[tuple[int, object]]:
    """Rows of a file as `_places` compares them, with their line (from 1; the last of a row)."""
    with (
        open_bytes(path) as stream,
        io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="") as text,
    ):
        if kind_of(path) == "json":
            for line, raw in enumerate(text, start=1):
                # chr(1) ends the line where DuckDB reads it, see rows.py.
                yield line, raw.rstrip("\r\n").partition(chr(1))[0]
            return
        reader = csv.reader(text, delimiter=csv_layout(path).delimiter)
        try:
            for fields in reader:
                yield reader.line_num, tuple(fields)
        except csv.Error:  # a field beyond Python's limit: the rows after it stay without line
            return
