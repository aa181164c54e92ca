"""Rows of input files as a SQL relation whose values are taken by name.

The three file formats differ only here: a reader asks for `text("properties.plan")` and gets the
SQL expression, whether that is a column, a key of a JSON line, or a key of JSON inside a column.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from features.errors import EventLogError, few
from pipeline.sources.files import CsvLayout, check_json, csv_layout, kind_of
from pipeline.sources.json_text import JsonInside, JsonText
from pipeline.storage import quote_list, quote_name, quote_text, rows_of

if TYPE_CHECKING:
    import duckdb

Layer = TypeVar("Layer", JsonText, JsonInside)

_LONGEST_LINE = 16_000_000
"""Bytes; longer lines go to quarantine."""
_READ_SIZE = (
    # DuckDB would take 16 longest lines at a time, for every file that is read.
    f"max_line_size = {_LONGEST_LINE}, buffer_size = {2 * _LONGEST_LINE}"
)


@dataclass
class Rows:
    """A relation over files of one layout.

    Parameters
    ----------
    base
        SQL after FROM; has the column ``__file``.
    columns
        Column names to SQL types; None for JSON lines, whose one column is ``line``.
    line
        SQL of the line number, NULL when it must be looked up in the file.
    blank
        SQL condition: there is nothing in the row, so that it is no row.
    listed
        A row's text is the list of its values, as a row of a CSV file is.
    """

    paths: tuple[Path, ...]
    base: str
    columns: dict[str, str] | None
    line: str
    blank: str = "false"
    listed: bool = False
    _layers: dict[str, JsonText | JsonInside] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """SQL of a value as text, NULL where it is absent."""
        if self.columns is None:
            return self._json("line").text(path)
        if path in self.columns:
            return f"cast({quote_name(path)} as varchar)"
        head, _, rest = path.partition(".")
        if rest and head in self.columns:
            return self._json(self._json_column(head)).text(rest)
        return "null::varchar"

    def time(self, path: str) -> str:
        """SQL of a time in microseconds UTC, NULL where it can't be read."""
        kind = (self.columns or {}).get(path, "")
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_us(try_cast({quote_name(path)} as timestamptz))"
        return f"us_of({self.text(path)})"

    def inside(self, key: str) -> JsonText | JsonInside:
        """The JSON object at `key`, which may be an object, a struct, or a text that holds one."""
        if self.columns is None:
            alias, line = f"__json_{len(self._layers) + 1}", self._json("line")
            return self._layer(f"inside {key}", lambda: JsonInside(alias, line, key))
        return self._json(self._json_column(key) if key in self.columns else "null::varchar")

    def require(self, *paths: str | None) -> None:
        """Refuse a column that no file has; JSON lines have no columns to check.

        Raises
        ------
        EventLogError
            Naming the file, its columns and the nearest name.
        """
        for path in paths:
            if path is None or self.columns is None or path.split(".")[0] in self.columns:
                continue
            if path not in self.columns:
                near = difflib.get_close_matches(path, self.columns, 1)
                hint = " If it holds something else, leave it out with a narrower glob."
                if near:
                    hint = f" Did you mean {near[0]!r}?"
                raise EventLogError(
                    f"The file {str(self.paths[0])!r} has no column {path!r}; it has "
                    f"{few(self.columns, most=20)}.{hint}"
                )

    @property
    def raw(self) -> str:
        """SQL of the row's text."""
        return "line" if self.columns is None else self._as_text(map(quote_name, self.columns))

    @property
    def held(self) -> str:
        """SQL of what `raw_of` needs: the whole row, of which no text has been made yet."""
        if self.columns is None:
            return "line"
        packed = ", ".join(f"c{i} := {quote_name(name)}" for i, name in enumerate(self.columns))
        return f"struct_pack({packed})"

    def raw_of(self, held: str) -> str:
        """SQL of the row's text, given the name of a column that is `held`.

        Making text of a row is dear, and only rows that can't be used need it.
        """
        if self.columns is None:
            return held
        return self._as_text(f"{held}.c{i}" for i in range(len(self.columns)))

    def _as_text(self, values: Iterable[str]) -> str:
        if self.listed:
            return f"cast(to_json([{', '.join(values)}]) as varchar)"
        named = zip(map(quote_name, self.columns or {}), values, strict=True)
        packed = ", ".join(f"{name} := {value}" for name, value in named)
        return f"cast(to_json(struct_pack({packed})) as varchar)"

    @property
    def names(self) -> str | None:
        """SQL of the list of keys of a JSON line; None for a format with columns."""
        return None if self.columns is not None else self._json("line").names

    @property
    def whole(self) -> str | None:
        """SQL of a JSON line; None for a format with columns."""
        return None if self.columns is not None else self._json("line").whole

    @property
    def broken(self) -> str:
        """SQL condition: the row is no row of its format."""
        return "false" if self.columns is not None else self._json("line").broken

    def relation(self) -> str:
        """SQL after FROM, once every value has been asked for."""
        query = self.base
        for layer in self._layers.values():
            query = layer.over(query)
        return query

    def _json(self, source: str) -> JsonText:
        return self._layer(source, lambda: JsonText(f"__json_{len(self._layers)}", source))

    def _layer(self, name: str, make: Callable[[], Layer]) -> Layer:
        if name not in self._layers:
            layer = make()
            self._layers[name] = layer
        return cast(Layer, self._layers[name])

    def _json_column(self, name: str) -> str:
        column = quote_name(name)
        text = (self.columns or {})[name] in ("VARCHAR", "JSON")
        return column if text else f"cast(to_json({column}) as varchar)"


def open_rows(
    connection: "duckdb.DuckDBPyConnection", paths: list[Path], kinds: tuple[str, ...]
) -> Iterator[Rows]:
    """One relation per layout, in order of the first file that has it.

    Raises
    ------
    EventLogError
        When a file is empty, can't be read, or has an extension that is not among `kinds`.
    """
    wrong = [str(path) for path in paths if kind_of(path) not in kinds]
    if wrong:
        raise EventLogError(f"This source reads {few(kinds)} files only, not {few(wrong)}.")
    layouts: dict[object, list[Path]] = {}
    for path in paths:
        layouts.setdefault(_layout(connection, path), []).append(path)
    for layout, group in layouts.items():
        if isinstance(layout, CsvLayout):
            yield _csv_rows(layout, group)
        elif layout == "json":
            yield _json_rows(group)
        else:
            yield _parquet_rows(dict(layout), group)  # type: ignore[call-overload]


def _layout(connection: "duckdb.DuckDBPyConnection", path: Path) -> object:
    kind = kind_of(path)
    if kind == "csv":
        return csv_layout(path)
    if kind == "json":
        check_json(path)
        return "json"
    query = f"describe select * from read_parquet({quote_text(str(path))})"
    return tuple((row[0], row[1]) for row in rows_of(connection, query))


def _names(paths: list[Path]) -> str:
    return quote_list(str(path) for path in paths)


def _csv_rows(layout: CsvLayout, paths: list[Path]) -> Rows:
    types = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in layout.columns)
    base = (
        f"read_csv({_names(paths)}, columns = {{{types}}}, delim = {quote_text(layout.delimiter)}, "
        "quote = '\"', escape = '\"', header = true, auto_detect = false, store_rejects = true, "
        f"rejects_limit = 0, {_READ_SIZE}, filename = '__file')"
    )
    columns = dict.fromkeys(layout.columns, "VARCHAR")
    return Rows(tuple(paths), base, columns, "null::bigint", listed=True)


def _json_rows(paths: list[Path]) -> Rows:
    # chr(1) can't occur in JSON, so a line stays one column; what has it anyway breaks and is
    # quarantined like any other line that is not JSON.
    base = (
        f"read_csv({_names(paths)}, columns = {{'line': 'VARCHAR'}}, delim = chr(1), quote = '', "
        "escape = '', header = false, auto_detect = false, strict_mode = false, "
        f"store_rejects = true, rejects_limit = 0, {_READ_SIZE}, "
        "filename = '__file')"
    )
    # The characters below ! are spaces and controls: most lines are told by their first byte.
    blank = r"(line is null or (line < '!' and not regexp_matches(line, '\S')))"
    return Rows(tuple(paths), base, None, "null::bigint", blank)


def _parquet_rows(columns: dict[str, str], paths: list[Path]) -> Rows:
    base = f"read_parquet({_names(paths)}, filename = '__file', file_row_number = true)"
    return Rows(tuple(paths), base, columns, "file_row_number + 1")
