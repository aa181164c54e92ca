"""A frame of events as an imported log, for notebooks and tests."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import EventLogError
from features.events import EventLog, Level
from pipeline.importer.log import import_log
from pipeline.sources.spec import DataSpec

if TYPE_CHECKING:
    import pandas as pd

_ROLES = {
    "event": "event",
    "time": "time",
    "user": "user_id",
    "account": "account_id",
    "known_at": "known_at",
    "event_id": "event_id",
}


def import_frame(
    frame: "pd.DataFrame", store: Path, level: Level = "account", *, data: dict | None = None
) -> EventLog:
    """The log of a small frame of events, for notebooks and tests.

    Parameters
    ----------
    frame
        Columns event, time, user_id and/or account_id; optionally known_at and event_id; every
        other column is a property, a number or a category by its dtype.
    data
        Settings of the `data:` block other than sources, to override what is guessed.

    Raises
    ------
    EventLogError
        As `import_log`, and when a column mixes types.
    """
    store = Path(store)
    properties = {
        str(name): "number" if frame[name].dtype.kind in "biuf" else "category"
        for name in frame.columns
        if name not in _ROLES.values()
    }
    columns = {role: name for role, name in _ROLES.items() if name in frame.columns}
    # Named even where they are missing, so that the import says so and lists what there is.
    columns |= {"event": "event", "time": "time"}
    if not {"user", "account"} & columns.keys():
        columns["user"] = "user_id"
    files = [_write_frame(frame, store)]
    settings = {
        "sources": [{"format": "generic", "files": files, "columns": columns}],
        "properties": properties,
        **(data or {}),
    }
    spec = DataSpec.model_validate_json(json.dumps(settings))
    return import_log(spec, store, store, level)


def _write_frame(frame: "pd.DataFrame", store: Path) -> str:
    """Write a frame under a name that is its content, so that equal frames share one log."""
    import pyarrow as pa

    store.mkdir(parents=True, exist_ok=True)
    fresh = store / ".frame.parquet"
    try:
        frame.to_parquet(fresh, index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise EventLogError(f"The frame can't be written: {error}.") from error
    name = f"frame-{hashlib.sha256(fresh.read_bytes()).hexdigest()[:16]}.parquet"
    if (store / name).exists():
        fresh.unlink()
    else:
        fresh.replace(store / name)
    return name
