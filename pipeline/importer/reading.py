"""How parts are read: which rows, which columns, which of them repeat another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.importer.parts import Staged
from pipeline.importer.stage import ROWS
from pipeline.sources.spec import DataSpec
from pipeline.sources.stage import (
    EXCLUDED,
    NOT_MATCHING,
    PROPERTY,
    property_column,
    property_name,
)
from pipeline.storage import quote_list, quote_text, rows_of, value_of

if TYPE_CHECKING:
    import duckdb

TOO_LATE = "at or after until"
DROPPED = "dropped by name"
"""Such rows are no events, but what they say about identity and attributes still holds."""
HISTORY = "anonymous history"
NEVER_IDENTIFIED = "anonymous visitor never identified"
EXCLUDED_ENTITY = "excluded user or account"
REASONS = (NOT_MATCHING, EXCLUDED, TOO_LATE, DROPPED, HISTORY, NEVER_IDENTIFIED, EXCLUDED_ENTITY)
"""Why a good row is not wanted."""


NO_EXTRA = 'anti join extra on t.filename = extra.filename and file_row_number = "row"'
_MARKS_AT_ONCE = 1 << 22
"""So many hashes of event ids are compared at a time, in 8 bytes each."""
_NO_CONTENT = frozenset(("filename", "file_row_number", "reason", "line", "raw", "rest"))
"""Columns of a part that say where a row was, or what another column says as well."""


@dataclass(frozen=True)
class Reading:
    """How the rows of one source's parts are read.

    Parameters
    ----------
    rows
        SQL after FROM: good rows only, with ``file_row_number`` and ``filename``.
    n_rows
        Rows in the parts, good and bad.
    empty
        Columns without any value, as most exports leave some: no use looking into them.
    """

    source: int
    rows: str
    n_rows: int
    columns: frozenset[str]
    empty: frozenset[str]

    @classmethod
    def of(cls, connection: "duckdb.DuckDBPyConnection", staged: Staged) -> "Reading":
        """How the parts of a source are read; at least one of them has rows."""
        files = quote_list(str(part.folder / ROWS) for part, _ in staged.filled)
        read = (
            f"read_parquet({files}, union_by_name = true, filename = true, file_row_number = true)"
        )
        names = [row[0] for row in rows_of(connection, f"describe select * from {read}")]
        empty = rows_of(
            connection,
            f"""select path_in_schema from parquet_metadata({files}) group by path_in_schema
                having bool_and(coalesce(stats_null_count = num_values, false))""",
        )
        return cls(
            staged.source,
            f"(from {read} where reason is null)",
            sum(part.n_rows for part, _ in staged.filled),
            frozenset(names),
            frozenset(name for (name,) in empty),
        )

    @property
    def properties(self) -> list[str]:
        """Names of the properties that have a column."""
        return sorted(
            property_name(column) for column in self.columns if column.startswith(PROPERTY)
        )

    def property(self, name: str) -> str:
        """SQL of a property as text, NULL where it is missing or empty."""
        column = property_column(name)
        ways = [column] if column in self.columns else []
        if "rest" in self.columns:
            ways.append(f"nullif(map_extract_value(rest, {quote_text(name)}), '')")
        return f"coalesce({', '.join([*ways, 'null'])})" if len(ways) != 1 else ways[0]

    def distinct(self, name: str) -> str:
        """SQL of the different values of a property."""
        return f"select distinct {self.property(name)} from {self.rows}"


def find_extra(connection: "duckdb.DuckDBPyConnection", readings: Sequence[Reading]) -> int:
    """Table ``extra`` (source, filename, row): rows that repeat the event_id of another.

    Of rows with one event_id the one known first is kept. Rows known at the same time are told
    apart by content, never by place, so that neither the order of rows nor the split into files
    changes the log. Rows without event_id are all kept. Returns the number of extra rows.
    """
    connection.execute('create or replace table extra (filename varchar, "row" bigint)')
    for reading in readings:
        suspects = _repeated_marks(connection, reading)
        if suspects.size == 0:
            continue
        connection.register("suspects", {"mark": suspects})
        content = sorted(reading.columns - reading.empty - _NO_CONTENT)
        order = [
            "occurred_at + delay",
            "occurred_at",
            "visitor",
            "account",
            "event",
            "link_from",
            *content,
        ]
        connection.execute(f"""
            insert into extra
            select filename, file_row_number from (
                select filename, file_row_number, row_number() over (
                    partition by event_id order by {", ".join(order)}) as nth
                from {reading.rows} semi join suspects on hash(event_id) = mark
                where event_id is not null)
            where nth > 1""")
        connection.unregister("suspects")
    return value_of(connection, "select count(*) from extra")


def _repeated_marks(connection: "duckdb.DuckDBPyConnection", reading: Reading) -> np.ndarray:
    """Hashes that several event ids have: equal texts have equal hashes.

    Sorted as numbers, slice by slice of all hashes: that costs a fourth of grouping them, and
    takes no more memory however many there are.
    """
    if "event_id" in reading.empty:
        return np.empty(0, np.uint64)
    n_slices = 1 + reading.n_rows // _MARKS_AT_ONCE
    connection.execute(f"""
        create {"table" if n_slices > 1 else "view"} marks as
        select hash(event_id) as mark from {reading.rows} where event_id is not null""")
    repeated = []
    for number in range(n_slices):
        query = f"select mark from marks where mark % {n_slices} = {number}"
        marks: np.ndarray = connection.execute(query).fetchnumpy()["mark"]
        marks.sort()
        repeated.append(np.unique(marks[1:][marks[1:] == marks[:-1]]))
    connection.execute(f"drop {'table' if n_slices > 1 else 'view'} marks")
    return np.concatenate(repeated)


def wanted_rows(spec: DataSpec, reading: Reading) -> str:
    """SQL after FROM: the rows of a source that become events as far as it alone tells.

    Needs ``extra``.
    """
    return f"""(
        select t.* from {reading.rows} t {NO_EXTRA} where ({left_out(spec)}) is null)"""


def left_out(spec: DataSpec) -> str:
    """SQL of why a good row is not wanted; the first that applies, NULL for a wanted row."""
    cases = ["when left_out is not null then left_out"]
    if spec.until_us is not None:
        cases.append(f"when occurred_at + delay >= {spec.until_us} then {quote_text(TOO_LATE)}")
    if spec.drop_events:
        dropped = ", ".join(map(quote_text, spec.drop_events))
        cases.append(f"when trim(t.event) in ({dropped}) then {quote_text(DROPPED)}")
    return f"case {' '.join(cases)} end"
