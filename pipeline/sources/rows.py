"""Rows of input files as a SQL relation whose values are taken by name.

The three file formats differ only here: a reader asks for `text("properties.plan")` and gets the
SQL expression, whether that is a column, a key of a JSON line, or a key of JSON inside a column.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError, few
from pipeline.sources.files import CsvLayout, check_json, csv_layout, kind_of
from pipeline.storage import quote_list, quote_name, quote_text, rows_of

if TYPE_CHECKING:
    import duckdb

_LONGEST_LINE = 16_000_000
"""Bytes; longer lines go to quarantine."""


class JsonText:
    """Values taken from one JSON text, which is parsed once however many they are."""

    def __init__(self, alias: str, source: str):
        self.alias = alias
        self.source = source
        self._pointers: list[str] = []

    def text(self, path: str) -> str:
        """SQL of the value at a key or, failing that, at a dotted path; NULL where there is none.

        >>> JsonText("x", "line").text("a.b")
        'coalesce(x[1], x[2])'
        """
        nested = path.split(".")
        ways = [[path]] if len(nested) == 1 else [[path], nested]
        values = [self._take(keys) for keys in ways]
        return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"

    @property
    def broken(self) -> str:
        """SQL condition: there is a text, and it is not JSON."""
        return f"({self.source} is not null and {self.alias} is null)"

    def at(self, *keys: str) -> str:
        """SQL of the value at exactly these nested keys."""
        return self._take(list(keys))

    def column(self) -> str:
        pointers = quote_list(self._pointers or ["/"])
        # TRY gives NULL for a text that is not JSON, without parsing it once more to find out.
        return f"try(json_extract_string({self.source}, {pointers})) as {self.alias}"

    def _take(self, keys: list[str]) -> str:
        pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
        if pointer not in self._pointers:
            self._pointers.append(pointer)
        return f"{self.alias}[{self._pointers.index(pointer) + 1}]"


@dataclass
class Rows:
    """A relation over files of one layout.

    Parameters
    ----------
    base
        SQL after FROM; has the column ``__file``.
    columns
        Column names to SQL types; None for JSON lines, whose one column is ``line``.
    line, raw
        SQL of the line number (NULL when it must be looked up in the file) and of the row's text.
    """

    paths: tuple[Path, ...]
    base: str
    columns: dict[str, str] | None
    line: str
    raw: str
    blank: str = "false"
    _layers: list[JsonText] = field(default_factory=list)

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

    def inside(self, path: str) -> JsonText:
        """The JSON object at `path`, which may be an object, a struct, or a text that holds one."""
        if self.columns is not None and path in self.columns:
            return self._json(self._json_column(path))
        return self._json(self.text(path))

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
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise EventLogError(
                    f"The file {self.paths[0].name!r} has no column {path!r}; it has "
                    f"{few(self.columns, most=20)}.{hint}"
                )

    @property
    def broken(self) -> str:
        """SQL condition: the row is no row of its format."""
        return "false" if self.columns is not None else self._json("line").broken

    def relation(self) -> str:
        """SQL after FROM, once every value has been asked for."""
        query = self.base
        for layer in self._layers:
            query = f"(select *, {layer.column()} from {query})"
        return query

    def _json(self, source: str) -> JsonText:
        for layer in self._layers:
            if layer.source == source:
                return layer
        layer = JsonText(f"__json_{len(self._layers)}", source)
        self._layers.append(layer)
        return layer

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
    wrong = [path.name for path in paths if kind_of(path) not in kinds]
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
        f"rejects_limit = 0, max_line_size = {_LONGEST_LINE}, filename = '__file')"
    )
    raw = f"cast(to_json([{', '.join(quote_name(name) for name in layout.columns)}]) as varchar)"
    columns = dict.fromkeys(layout.columns, "VARCHAR")
    return Rows(tuple(paths), base, columns, "null::bigint", raw)


def _json_rows(paths: list[Path]) -> Rows:
    # chr(1) can't occur in JSON, so a line stays one column; what has it anyway breaks and is
    # quarantined like any other line that is not JSON.
    base = (
        f"read_csv({_names(paths)}, columns = {{'line': 'VARCHAR'}}, delim = chr(1), quote = '', "
        "escape = '', header = false, auto_detect = false, strict_mode = false, "
        f"store_rejects = true, rejects_limit = 0, max_line_size = {_LONGEST_LINE}, "
        "filename = '__file')"
    )
    # Stops at the first character that is no space, where trim() would copy the whole line.
    blank = r"(line is null or not regexp_matches(line, '\S'))"
    return Rows(tuple(paths), base, None, "null::bigint", "line", blank)


def _parquet_rows(columns: dict[str, str], paths: list[Path]) -> Rows:
    base = f"read_parquet({_names(paths)}, filename = '__file', file_row_number = true)"
    raw = f"cast(to_json(struct_pack({', '.join(map(quote_name, columns))})) as varchar)"
    return Rows(tuple(paths), base, columns, "file_row_number + 1", raw)
