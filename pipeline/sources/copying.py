"""Rows of Postgres as a stream of Arrow batches: one COPY each, in one read-only snapshot."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError, SettingsError, few
from pipeline.sources.postgres import PostgresTable

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

_BLOCK = 1 << 24
"""Bytes of text in a batch; a row must be shorter."""
_HEAD = b"-\n"
"""A line to skip: Arrow drops a byte order mark at the very beginning, and here it is a value."""

_SESSION = (
    # Whatever the server's and the role's defaults are, a value has one spelling.
    "set local timezone = 'UTC'",
    "set local datestyle = 'ISO'",
    "set local intervalstyle = 'iso_8601'",
    "set local extra_float_digits = 1",
    "set local bytea_output = 'hex'",
    # An unchanged table comes in the same order, and so as the same bytes, every night.
    "set local synchronize_seqscans = off",
    "set local max_parallel_workers_per_gather = 0",
)


@contextmanager
def open_snapshot(address: str) -> Iterator["psycopg.Connection"]:
    """A connection in one REPEATABLE READ, read-only transaction.

    Everything read in it is from the same moment, however long that takes and whatever is written
    meanwhile.

    Raises
    ------
    SettingsError
        When psycopg is not installed or the address can't be read.
    EventLogError
        When the server can't be reached, or refuses a statement or loses the connection.
    """
    try:
        import psycopg
    except ImportError as error:
        raise SettingsError(
            "Reading from Postgres needs psycopg: pip install 'pql-pipeline[postgres]'."
        ) from error
    try:
        connection = psycopg.connect(
            address, application_name="pql-pipeline", client_encoding="UTF8", connect_timeout=30
        )
    except psycopg.ProgrammingError:
        # libpq quotes the address it can't read, with whatever password it holds.
        raise SettingsError(
            "The address of Postgres can't be read; write it as postgresql://user@host:5432/name."
        ) from None
    except psycopg.Error as error:
        raise EventLogError(f"Can't connect to Postgres: {_first_line(error)}.") from error
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            for statement in _SESSION:
                connection.execute(statement)
            yield connection
        except psycopg.Error as error:
            raise EventLogError(f"Postgres refused: {_first_line(error)}.") from error


def read_rows(
    connection: "psycopg.Connection", table: PostgresTable
) -> tuple["pa.Schema", Iterator["pa.RecordBatch"]]:
    """The columns, and the rows as text in batches of bounded size, NULL as null.

    Times come in UTC with their zone, times without a zone as they are; numbers in the fewest
    digits that mean them, booleans as ``true`` and ``false``; arrays and composite values as JSON.

    Raises
    ------
    EventLogError
        When two columns have one name; on iterating, when a value can't be read.
    """
    import pyarrow as pa

    names, statement = _select(connection, table)
    schema = pa.schema([(name, pa.string()) for name in names])
    return schema, _batches(connection, statement, schema, table.name)


def _batches(
    connection: "psycopg.Connection", statement: Any, schema: "pa.Schema", name: str
) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import csv

    reading = csv.ReadOptions(
        use_threads=False, block_size=_BLOCK, column_names=schema.names, skip_rows=1
    )
    parsing = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    texts = csv.ConvertOptions(
        column_types=schema,
        # COPY tells NULL from an empty text by quoting the latter.
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        pieces = (bytes(piece) for piece in copy)
        if (first := next(pieces, None)) is None:
            return
        stream = _Stream(chain((_HEAD, first), pieces))
        try:
            yield from csv.open_csv(stream, reading, parsing, texts)
        except pa.ArrowInvalid as error:
            raise EventLogError(
                f"The rows of {name!r} in Postgres can't be read: {_first_line(error)}."
            ) from error


def _select(connection: "psycopg.Connection", table: PostgresTable) -> tuple[list[str], Any]:
    """The names of the columns, and the COPY statement that spells their values."""
    from psycopg import sql

    if table.table is not None:
        rows = sql.SQL("select * from {}").format(sql.Identifier(*table.table.split(".")))
    else:
        # On lines of its own, so that a comment at its end stays one.
        rows = sql.SQL(str(table.query).rstrip().rstrip(";"))
    inner = sql.SQL("select {} from (\n{}\n) as rows")
    described = connection.execute(inner.format(sql.SQL("*"), rows) + sql.SQL(" limit 0"))
    columns = [(column.name, column.type_code) for column in described.description or ()]
    names = [name for name, _ in columns]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise EventLogError(
            f"The rows of {table.name!r} in Postgres have several columns named {few(doubled)}; "
            "name them apart in a query."
        )
    kinds = dict(
        connection.execute(
            "select oid, typcategory from pg_type where oid = any(%s)",
            [[oid for _, oid in columns]],
        ).fetchall()
    )
    values = [_spelled(sql.Identifier(name), kinds.get(oid)) for name, oid in columns]
    listed = inner.format(sql.SQL(", ").join(values), rows)
    return names, sql.SQL("copy ({}) to stdout (format csv)").format(listed)


def _spelled(column: Any, category: str | None) -> Any:
    """A column as COPY should write it, by the category of its type (pg_type.typcategory)."""
    from psycopg import sql

    match category:
        case "B":  # COPY writes t and f
            return sql.SQL("{}::text").format(column)
        case "A" | "C":
            return sql.SQL("to_json({})::text").format(column)
    return column


class _Stream(io.RawIOBase):
    """Pieces of any length read as blocks of the length asked for: blocks then depend on the rows
    alone, not on how the network cut them."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces, self._held = pieces, bytearray()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._held) < size and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        block = bytes(self._held[:size])
        del self._held[:size]
        return block


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
