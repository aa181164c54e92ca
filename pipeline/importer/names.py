"""Names in the settings that no row has: most are spelt wrong, and nothing else would say so."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import EventLogError, few
from pipeline.importer.parts import Staged
from pipeline.importer.reading import Reading
from pipeline.sources.files import kind_of, open_bytes
from pipeline.sources.spec import DataSpec, DerivedEvent, GenericSource, PostHogSource
from pipeline.sources.stage import Source
from pipeline.storage import quote_list, rows_of, value_of
from pipeline.wording import did_you_mean

if TYPE_CHECKING:
    import duckdb

_COLUMNS = {
    "event": "event",
    "time": "occurred_at",
    "user": "visitor",
    "account": "account",
    "event_id": "event_id",
    "person_key": "person",
}
"""Where a part has the values of the fields that the settings name."""
_MOST_FILES = 5
_MOST_LINES = 100
"""So much of JSON lines is read again to tell which fields there are."""


def check_fields(
    connection: "duckdb.DuckDBPyConnection",
    spec: DataSpec,
    staged: Iterable[Staged],
    readings: Iterable[Reading],
) -> list[str]:
    """What to tell of fields of JSON lines that are named in the settings and that no row has.

    Files with a header are checked by it when they are read.

    Raises
    ------
    EventLogError
        When without the field no row can be used.
    """
    files = {one.source: [file for _, file in one.filled] for one in staged}
    lines = []
    for reading in readings:
        source = spec.all_sources[reading.source]
        texts = [file for file in files[reading.source] if kind_of(file) == "json"]
        setting = "conversions" if reading.source >= len(spec.sources) else "columns"
        if isinstance(source, PostHogSource):
            setting = "sources"
        if texts:
            lines += _check_source(connection, _named(source), setting, reading, texts)
    return lines


def _named(source: Source) -> dict[str, str]:
    """Fields that the settings of a source name, by what they are for."""
    if isinstance(source, GenericSource):
        told = source.columns.model_dump()
    else:
        told = source.model_dump(include={"known_at", "person_key"})
    return {role: name for role, name in told.items() if name is not None}


def _check_source(
    connection: "duckdb.DuckDBPyConnection",
    named: dict[str, str],
    setting: str,
    reading: Reading,
    files: list[Path],
) -> list[str]:
    without = {role for role, column in _COLUMNS.items() if column in reading.empty}
    # An arrival is kept only as a delay, which is 0 as well where it is missing.
    if "known_at" in named and not value_of(connection, f"select max(delay) from {reading.rows}"):
        without.add("known_at")
    rows = _first_rows(files) if without & named.keys() else []
    # A field that is there and never holds anything usable is not a matter of its name.
    absent = {
        role: name
        for role, name in named.items()
        if role in without and not any(_has(row, name) for row in rows)
    }
    fields = list(dict.fromkeys(field for row in rows for field in row))
    if not fields or not absent:
        return []
    ids = named.keys() & {"user", "account"}
    needed = {"event", "time"} | (ids if ids <= absent.keys() else set())
    lines = []
    for role, name in absent.items():
        key = "id" if setting == "conversions" and role in ids else role
        there = f"there are {few(fields, most=20)}"
        if role in needed:
            raise EventLogError(
                f"No row of {few(map(str, files))} has {name!r} ({setting}.{key}); {there}"
                f"{did_you_mean([name], fields) or '.'}"
            )
        lines.append(f"no row has {name!r} ({setting}.{key}); {there}")
    return lines


def _first_rows(files: list[Path]) -> list[dict[str, Any]]:
    """The objects in the first lines of the first files."""
    found = []
    for file in files[:_MOST_FILES]:
        try:
            with open_bytes(file) as stream:
                found += [_object(line) for line in islice(stream, _MOST_LINES)]
        except (OSError, EOFError, zlib.error):  # cut off, and told elsewhere
            continue
    return found


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def _has(row: Any, path: str) -> bool:
    """Whether a row has a key or, failing that, a dotted path.

    >>> _has({"a": {"b": 1}}, "a.b"), _has({"a.b": 1}, "a.b"), _has({"a": 1}, "a.b")
    (True, True, False)
    """
    if not isinstance(row, dict):
        return False
    head, dot, rest = path.partition(".")
    return path in row or (bool(dot) and _has(row.get(head), rest))


def told_of_names(connection: "duckdb.DuckDBPyConnection", spec: DataSpec) -> list[str]:
    """Lines on names of events and ids in the settings that no row has, if there are any.

    Needs ``event_texts``, ``user_texts`` and ``account_texts``.
    """
    known = set(_event_names(connection))
    # A row that was renamed has the name that it had.
    had = known | {one.event for one in spec.derived_events if one.name in known}
    lines = []
    if unknown := [name for name in spec.drop_events if name not in had]:
        lines.append(_told("data.drop_events", unknown) + did_you_mean(unknown, sorted(known)))
    users, accounts = spec.exclude.users, spec.exclude.accounts
    for setting, kind, ids in (
        ("data.exclude.users", "user", users),
        ("data.exclude.accounts", "account", accounts),
    ):
        if absent := _absent(connection, kind, [str(one) for one in ids]):
            lines.append(_told(setting, absent))
    return [*lines, *dict.fromkeys(_told_of_derived(spec.derived_events, known, had))]


def _told(setting: str, names: Sequence[str]) -> str:
    return f"{setting} names {few(names)}, which no row has"


def _told_of_derived(
    derived: Sequence[DerivedEvent], known: set[str], had: set[str]
) -> Iterator[str]:
    """Lines on derived events that never occur, and why.

    Parameters
    ----------
    known, had
        Names of events after and before they were renamed; `had` has those of `known` too.
    """
    sources = sorted(had - {one.name for one in derived})
    for one in derived:
        made = f"data.derived_events: {one.name!r}"
        if one.event not in had:
            meant = did_you_mean([one.event], sources)
            yield f"{made} is made of {one.event!r}, which no row has{meant}"
        elif one.name not in known:
            yield f"{made} never occurs, as no {one.event!r} matches its `where`"


def _event_names(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    return [name for (name,) in rows_of(connection, "select text from event_texts order by text")]


def _absent(connection: "duckdb.DuckDBPyConnection", kind: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    query = f"select text from {kind}_texts where list_contains({quote_list(names)}, text)"
    present = {text for (text,) in rows_of(connection, query)}
    return [name for name in names if name not in present]
