"""Rows that could not be used: collected with file, line and reason, counted, written down."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from pipeline.sources.files import csv_layout, kind_of, open_bytes
from pipeline.storage import quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

LONGEST_RAW = 2_000
"""Characters of a bad row that are kept."""
MOST_LOCATED = 10_000
"""So many bad rows get their line looked up; later ones have line -1."""

CUT_OFF = "file is cut off (gzip ends early)"


def prepare(connection: "duckdb.DuckDBPyConnection") -> None:
    """Create the empty table."""
    connection.execute(
        "create table quarantine (file varchar, line bigint, reason varchar, raw varchar)"
    )


def add(
    connection: "duckdb.DuckDBPyConnection", path: Path, line: int, reason: str, raw: str
) -> None:
    """Quarantine one row that no SQL statement saw."""
    connection.execute("insert into quarantine values (?, ?, ?, ?)", [str(path), line, reason, raw])


def keep_rejects(connection: "duckdb.DuckDBPyConnection") -> None:
    """Take over the rows that DuckDB's CSV reader refused in the statement just run."""
    tables = {name for (name,) in rows_of(connection, "select table_name from duckdb_tables()")}
    if "reject_errors" not in tables:
        return
    connection.execute("""
        insert into quarantine
        select s.file_path, e.line, 'broken row: ' || lower(min(e.error_type::varchar)),
               min(e.csv_line)
        from reject_errors e join reject_scans s using (scan_id, file_id)
        group by s.file_path, e.line, e.line_byte_position""")
    connection.execute("drop table reject_errors")
    connection.execute("drop table reject_scans")


def collect(connection: "duckdb.DuckDBPyConnection") -> None:
    """Move the bad rows of the staged table here and find their lines."""
    _locate(connection)
    connection.execute("""
        insert into quarantine
        select file, coalesce(line, -1), reason, raw from staged where reason is not null""")
    connection.execute("delete from staged where reason is not null")


def refuse_too_many(
    connection: "duckdb.DuckDBPyConnection", n_rows: int, max_bad_share: float
) -> None:
    """Stop when more than `max_bad_share` of all `n_rows` rows are bad.

    Raises
    ------
    EventLogError
        With the reasons, their counts and one example.
    """
    n_bad = value_of(connection, "select count(*) from quarantine")
    if n_bad <= max_bad_share * n_rows:
        return
    file, line, reason, raw = rows_of(
        connection, "select file, line, reason, raw from quarantine order by all limit 1"
    )[0]
    reasons = "; ".join(f"{n:,} x {text}" for text, n in counts(connection).items())
    place = Path(file).name + (f" line {line}" if line > 0 else "")
    raise EventLogError(
        f"{n_bad:,} of {n_rows:,} rows can't be used, more than max_bad_share = "
        f"{max_bad_share:g} allows: {reasons}. Example ({reason}): {place}: {raw[:200]!r}."
    )


def counts(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """Bad rows by reason, the commonest first."""
    query = "select reason, count(*) n from quarantine group by reason order by n desc, reason"
    return dict(rows_of(connection, query))


def write(connection: "duckdb.DuckDBPyConnection", target: Path, originals: dict[str, str]) -> None:
    """Write ``quarantine.parquet``; `originals` maps a salvaged copy to the file it came from."""
    for copy, original in originals.items():
        connection.execute("update quarantine set file = ? where file = ?", [original, copy])
    connection.execute(f"""
        copy (select file, line, reason, left(raw, {LONGEST_RAW}) as raw from quarantine
              order by file, line, reason, raw)
        to {quote_text(str(target))} (format parquet, compression zstd)""")


def _locate(connection: "duckdb.DuckDBPyConnection") -> None:
    """Look up the lines of bad rows in their files, which are read again only now.

    Numbering every line while reading would keep DuckDB from reading on all threads.
    """
    found = rows_of(
        connection,
        "select file, raw, rowid from staged where reason is not null and line is null "
        f"order by rowid limit {MOST_LOCATED}",
    )
    wanted: dict[str, dict[object, list[int]]] = {}
    for file, raw, row in found:
        is_csv = kind_of(Path(file)) == "csv"
        key = tuple(value or "" for value in json.loads(raw)) if is_csv else raw
        wanted.setdefault(file, {}).setdefault(key, []).append(row)
    places = [
        (rows[key].pop(0), line)
        for file, rows in wanted.items()
        for line, key in _numbered(Path(file))
        if rows.get(key)
    ]
    if places:
        # Numbers only, so nothing needs quoting.
        values = ", ".join(f"({row}, {line})" for row, line in places)
        connection.execute(f"""
            update staged set line = place.line
            from (values {values}) as place(row, line) where staged.rowid = place.row""")


def _numbered(path: Path) -> Iterator[tuple[int, object]]:
    """Rows of a file as `_locate` compares them, with their line (from 1; the last of a row)."""
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
