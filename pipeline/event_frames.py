"""A consumer's frames or files in the generic contract, as the `data:` block that a model reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from features.errors import EventLogError
from features.events import Level
from features.needs import Need
from pipeline.champion import Champion
from pipeline.sources.files import find_files, first_line
from pipeline.sources.generic import KINDS
from pipeline.sources.rows import open_rows
from pipeline.sources.spec import DataSpec
from pipeline.storage import connect

if TYPE_CHECKING:
    import pandas as pd

Source = Union["pd.DataFrame", str, Path]
_ROLES = {
    "event": "event",
    "time": "time",
    "user": "user_id",
    "account": "account_id",
    "known_at": "known_at",
    "event_id": "event_id",
}
"""What the columns of events hold, and their names."""


def data_of(
    champion: Champion,
    events: Source,
    accounts: Source | None,
    users: Source | None,
    folder: Path,
) -> DataSpec:
    """Where these events come from, and everything else as the model's settings have it.

    Parameters
    ----------
    folder
        Where frames are written.

    Raises
    ------
    EventLogError
        When a file is missing or unreadable, or a frame can't be written.
    """
    wanted = champion.needs
    layouts = list(_layouts(events, folder, "events"))
    sources = [
        {"format": "generic", "files": files, "columns": _roles(columns)}
        for files, columns in layouts
    ]
    properties = {
        need.name: need.type
        for need in sorted(wanted)
        if need.of == "event"
        and any(columns is None or need.name in columns for _, columns in layouts)
    }
    facts: list[tuple[Level, Source | None]] = [("account", accounts), ("user", users)]
    tables = [
        _table(of, files, columns, wanted)
        for of, source in facts
        if source is not None
        for files, columns in _layouts(source, folder, of)
    ]
    kept = champion.settings.data.model_dump(
        mode="json", include={"derived_events", "drop_events", "exclude", "max_bad_share"}
    )
    told = {"sources": sources, "tables": tables, "properties": properties, **kept}
    return DataSpec.model_validate_json(json.dumps(told))


def _layouts(
    source: Source, folder: Path, name: str
) -> Iterator[tuple[list[str], set[str] | None]]:
    """Files with the same columns, and these; None for JSON lines, whose rows may all differ."""
    connection = connect(folder, memory_mb=500, threads=1)
    try:
        for rows in open_rows(connection, _files(source, folder, name), KINDS):
            files = [str(path) for path in rows.paths]
            yield files, None if rows.columns is None else set(rows.columns)
    finally:
        connection.close()


def _files(source: Source, folder: Path, name: str) -> list[Path]:
    if isinstance(source, str | Path):
        return find_files([str(source)], Path.cwd())
    import pyarrow as pa

    path = folder / f"{name}.parquet"
    try:
        source.to_parquet(path, index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise EventLogError(f"The frame of {name}s can't be written: {error}.") from error
    return [path]


def _roles(columns: set[str] | None) -> dict[str, str]:
    roles = {role: name for role, name in _ROLES.items() if columns is None or name in columns}
    # Named even where they are missing, so that the import says so and lists what there is.
    roles |= {"event": "event", "time": "time"}
    return roles if roles.keys() & {"user", "account"} else roles | {"account": "account_id"}


def _table(
    of: Level, files: list[str], columns: set[str] | None, wanted: set[Need]
) -> dict[str, Any]:
    """Attributes that the model reads, and e-mail addresses, which tell whose company it is."""
    types = {need.name: need.type for need in sorted(wanted) if need.of == of}
    if of == "user":
        types["email"] = "category"
    if columns is None:
        # Every row may have other fields; whether the table is dated is told by its first.
        given = types.keys() | _fields(Path(files[0]))
    else:
        given = columns
    return {
        "of": of,
        "files": files,
        "id": f"{of}_id",
        "time": "time" if "time" in given else None,
        "static": "time" not in given,
        "columns": {name: kind for name, kind in types.items() if name in given},
        "account": "account_id" if of == "user" and "account_id" in given else None,
    }


def _fields(path: Path) -> set[str]:
    """Names in the first line of a JSON lines file."""
    try:
        return set(json.loads(first_line(path)))
    except (ValueError, TypeError) as error:
        raise EventLogError(f"The first line of {path.name!r} is no JSON object.") from error
