"""Lines of a CSV file that a stray quote made part of a broken row, which else count as one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.sources.files import open_bytes
from pipeline.sources.rows import Rows
from pipeline.sources.values import LONGEST_NAME
from pipeline.storage import quote_name, rows_of

if TYPE_CHECKING:
    import duckdb

_BLOCK = 1 << 20
SWALLOWED = "swallowed by a broken row"


@dataclass(frozen=True)
class Swallowed:
    """Lines of a file that are no row of their own and no part of a sound row.

    Parameters
    ----------
    n_lines
        How many, without blank ones.
    line, raw
        Where the first row begins that was refused and whose line leaves a quote open: number
        (from 1) and text of that line; -1 and None where there is none.
    """

    n_lines: int
    line: int
    raw: str | None


def find_swallowed(
    connection: "duckdb.DuckDBPyConnection",
    rows: Rows,
    path: Path,
    n_parsed: int,
    broken: list[int],
    names: list[str],
) -> Swallowed | None:
    """What broken rows of a CSV file swallowed; None where they are of one line each.

    The lines of the file are those of its header, of the rows that were parsed, of the rows that
    were refused, and those that values of sound rows hold: all others are swallowed. A quote that
    nothing closes swallows lines up to the end of a block that DuckDB reads, or of the file.

    Parameters
    ----------
    rows
        A relation over `path` alone.
    n_parsed
        Rows that DuckDB made of the file.
    broken
        Line of every row that it refused.
    names
        SQL of ids and names: a row with one that is too long is not sound.
    """
    n_rows = 1 + n_parsed + len(broken)
    # Most bad rows are one line each, and breaks are counted quicker than lines are told apart.
    if _count_breaks(path) < n_rows:
        return None
    places = set(broken)
    n_lines, first, raw = 0, -1, None
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            n_lines += bool(line.strip(b"\r\n"))
            if raw is None and number in places and line.count(b'"') % 2:
                first, raw = number, line.decode("utf-8", errors="replace").strip("\r\n")
    n_lost = n_lines - n_rows
    if n_lost > 0:
        n_lost -= _inner_lines(connection, rows, names)
    return Swallowed(n_lost, first, raw) if n_lost > 0 else None


def _count_breaks(path: Path) -> int:
    """Line breaks of a file but one that ends it: one less than it has lines."""
    n_breaks, block = 0, b""
    with open_bytes(path) as stream:
        while following := stream.read(_BLOCK):
            block = following
            n_breaks += block.count(b"\n")
    return n_breaks - block.endswith(b"\n")


def _inner_lines(connection: "duckdb.DuckDBPyConnection", rows: Rows, names: list[str]) -> int:
    """Lines, without blank ones, that values of sound rows hold beyond the first of each."""
    values = [quote_name(name) for name in rows.columns or ()]
    inner = " + ".join(
        f"case when contains({value}, chr(10)) "
        f"then len(regexp_extract_all({value}, '\\n[\\r\\n]*')) else 0 end"
        for value in values
    )
    sound = " and ".join(f"coalesce(length({name}) <= {LONGEST_NAME}, true)" for name in names)
    counted: int = rows_of(
        connection,
        f"select coalesce(sum({inner}), 0)::bigint from {rows.relation()} where {sound or 'true'}",
    )[0][0]
    connection.execute("drop table if exists reject_errors")
    connection.execute("drop table if exists reject_scans")
    return counted
