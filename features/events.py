"""The event contract: an imported log, coded and sharded on disk, read a shard at a time."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from features.errors import EventLogError

if TYPE_CHECKING:
    import pyarrow as pa

Level = Literal["account", "user"]
ValueType = Literal["number", "category"]

FORMAT_VERSION = 3
PROPERTY_PREFIX = "property."


@dataclass(frozen=True)
class EventName:
    """One distinct event name; its position in `EventLog.event_names` is its code.

    `n_users` and `n_accounts` are how many different ones did it.
    """

    name: str
    n_events: int
    first_at: int
    last_at: int
    n_users: int
    n_accounts: int


@dataclass(frozen=True)
class Property:
    """An event property extracted at import; its column in a shard is ``property.<name>``.

    `n_events` is how many events carry a value.
    """

    name: str
    type: ValueType
    n_events: int


@dataclass(frozen=True)
class Attribute:
    """A slowly changing fact about an account or user.

    `static` is True when it came from a table without history: its value is then taken as known
    at every as_of, which can leak, and is reported.
    """

    name: str
    of: Level
    type: ValueType
    static: bool


class EventLog:
    """An imported log: a folder that `pipeline.storage` wrote and nobody changes afterwards.

    Files
    -----
    ``log.json``
        manifest: everything below that is not an array.
    ``shard-00000.parquet`` ...
        events, sorted by (`at`, `occurred_at`, account, user, event, properties). Columns:
        ``account`` int32 and ``user`` int32 (codes, -1 for none), ``event`` int32 (code),
        ``at`` int64 (known_at, microseconds UTC), ``occurred_at`` int64, and one column per
        property: float64 (NaN for missing) or int32 (code into ``categories``, -1 for missing).
        All events of an account lie in one shard; where the log was sharded for users, so do all
        events of a user and of everyone they share an account with.
    ``accounts.parquet``, ``users.parquet``
        row i is code i, codes follow the order of the ids: ``id`` string, ``shard`` int32 (-1 for
        an entity without events), ``domain`` string (the e-mail domain known first, null for free
        mail) and ``domain_at`` int64 (when it was known); users have ``account`` int32, the
        account of their latest event (-1 for none), and at account level its shard.
    ``attributes.parquet``
        ``attribute`` int32 (position in `attributes`), ``code`` int32 (entity), ``at`` int64
        (`ALWAYS_US` for a static attribute), ``number`` float64, ``text`` string; sorted by
        (attribute, code, at).
    ``categories.json``
        per categorical property its values in code order.
    ``quarantine.parquet``
        rows that could not be used: ``file``, ``line`` int64, ``reason``, ``raw``.
    """

    def __init__(self, root: Path | str):
        """
        Raises
        ------
        EventLogError
            When there is no log in the folder, or one of another format. So does reading a file
            of it that is damaged.
        """
        self.root = Path(root)
        path = self.root / "log.json"
        if not path.is_file():
            raise EventLogError(f"No imported log in {str(self.root)!r}: {path.name} is missing.")
        self.manifest: dict = _read_json(path)
        found = self.manifest.get("format_version")
        if found != FORMAT_VERSION:
            raise EventLogError(
                f"The log in {str(self.root)!r} has format {found}, this program reads "
                f"{FORMAT_VERSION}. Delete the folder; it is imported again."
            )

    @property
    def fingerprint(self) -> str:
        """sha256 over the contents of the log: equal fingerprints hold equal events."""
        return self.manifest["fingerprint"]

    @property
    def n_events(self) -> int:
        return self.manifest["n_events"]

    @property
    def data_end(self) -> int:
        """Everything known in [first_at, data_end) is here; labels beyond it are immature."""
        return self.manifest["data_end"]

    @property
    def first_at(self) -> int:
        return self.manifest["first_at"]

    @property
    def n_shards(self) -> int:
        return len(self.manifest["shards"])

    @cached_property
    def event_names(self) -> tuple[EventName, ...]:
        return tuple(EventName(**row) for row in self.manifest["event_names"])

    @cached_property
    def event_codes(self) -> dict[str, int]:
        return {event.name: code for code, event in enumerate(self.event_names)}

    @cached_property
    def properties(self) -> tuple[Property, ...]:
        return tuple(Property(**row) for row in self.manifest["properties"])

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        return tuple(Attribute(**row) for row in self.manifest["attributes"])

    @cached_property
    def categories(self) -> dict[str, list[str]]:
        return _read_json(self.root / "categories.json")

    @cached_property
    def accounts(self) -> "pa.Table":
        return _read(self.root / "accounts.parquet")

    @cached_property
    def users(self) -> "pa.Table":
        return _read(self.root / "users.parquet")

    def entities(self, level: Level) -> "pa.Table":
        return self.accounts if level == "account" else self.users

    def ids(self, level: Level) -> np.ndarray:
        """Entity ids in code order: object array of str, shape (n_entities,)."""
        from features.arrow import texts

        return texts(self.entities(level)["id"])

    @cached_property
    def attribute_values(self) -> "pa.Table":
        return _read(self.root / "attributes.parquet")

    def shard(self, index: int, columns: list[str] | None = None) -> "pa.Table":
        """Events of one shard in time order; `columns` None reads all."""
        name = self.manifest["shards"][index]["file"]
        return _read(self.root / name, columns=columns, memory_map=True)


def _read(path: Path, columns: list[str] | None = None, memory_map: bool = False) -> "pa.Table":
    # Every command imports this module for its settings; Arrow loads when there is data to read.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not read_table, which imports pyarrow.dataset and, with it, pandas.
        return pq.ParquetFile(path, memory_map=memory_map).read(columns=columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(path) from error


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> EventLogError:
    return EventLogError(
        f"{path.name} of the imported log can't be read. Delete the folder {str(path.parent)!r}; "
        "it is imported again."
    )
