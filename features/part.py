"""A part of a log held in memory: whatever runs on an imported log runs on it, wherever it is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import EventLogError, few
from features.events import FORMAT_VERSION, EventLog, Level

if TYPE_CHECKING:
    import pyarrow as pa

CODE = "code"


@dataclass(frozen=True)
class LogFacts:
    """What a part shares with the whole log: plain data, no open files.

    Parameters
    ----------
    manifest
        The log's ``log.json``.
    categories
        Its ``categories.json``.
    """

    manifest: dict[str, Any]
    categories: dict[str, list[str]]


class LogPart(EventLog):
    """Some entities of a log with all their events, as a log of one shard.

    What describes the whole log stays (names and codes of events, end of the data, properties,
    categories, fingerprint). Accounts and users are numbered anew, from 0 and in the order of
    their codes in the whole log, so that a function on the part needs memory for the part only
    and breaks every tie as it would on the whole.

    Parameters
    ----------
    events
        Columns of a shard, in the log's order, with the whole log's codes of accounts and users.
    accounts, users
        Rows of the log's ``accounts.parquet`` and ``users.parquet`` with their ``code``: everyone
        named in `events`, and maybe others without events.
    attribute_values
        Rows of the log's ``attributes.parquet`` in its order; those of others are left out.

    Raises
    ------
    EventLogError
        When the log has another format, or when an event names somebody who is not in the part.
    """

    def __init__(
        self,
        facts: LogFacts,
        events: "pa.Table",
        accounts: "pa.Table",
        users: "pa.Table",
        attribute_values: "pa.Table",
    ):
        found = facts.manifest.get("format_version")
        if found != FORMAT_VERSION:
            raise EventLogError(
                f"The log has format {found}, this program reads {FORMAT_VERSION}. Import it again."
            )
        self.manifest = {**facts.manifest, "shards": [{"file": "", "n_events": events.num_rows}]}
        self.categories = facts.categories
        accounts, users = accounts.sort_by(CODE), users.sort_by(CODE)
        self._codes = {"account": accounts[CODE].to_numpy(), "user": users[CODE].to_numpy()}
        self.accounts = _of_one_shard(accounts)
        account = np.maximum(self._local("account", users), -1)  # it may lie in another part
        self.users = _of_one_shard(_replace(users, "account", account))
        for level in ("account", "user"):
            code = self._local(level, events)
            if strangers := np.unique(events[level].to_numpy()[code < -1]).tolist():
                raise EventLogError(
                    f"Events of the part name {len(strangers)} {level}s that are not in it, with "
                    f"the codes {few(strangers)}. Take all rows of the shard."
                )
            events = _replace(events, level, code)
        self._events = events
        self.attribute_values = self._own_values(attribute_values)

    @classmethod
    def empty(
        cls,
        facts: LogFacts,
        events: "pa.Schema",
        accounts: "pa.Schema",
        users: "pa.Schema",
        attribute_values: "pa.Schema",
    ) -> "LogPart":
        """A part of nobody: carries the facts to whoever checks definitions against a log."""
        return cls(facts, *(s.empty_table() for s in (events, accounts, users, attribute_values)))

    def shard(self, index: int, columns: list[str] | None = None) -> "pa.Table":
        """The events of the part, which is shard 0; `columns` None gives all."""
        if index != 0:
            raise EventLogError(f"A part of a log has one shard, number 0; asked for {index}.")
        return self._events if columns is None else self._events.select(columns)

    def local_codes(self, level: Level, code: np.ndarray) -> np.ndarray:
        """Codes inside the part of the whole log's codes: int32, -1 for none, -2 for a stranger."""
        known = self._codes[level]
        place = np.searchsorted(known, code)
        found = np.full(len(code), -2, np.int32)
        inside = place < len(known)
        inside[inside] = known[place[inside]] == code[inside]
        found[inside] = place[inside]
        found[code < 0] = -1
        return found

    def _local(self, level: Level, table: "pa.Table") -> np.ndarray:
        return self.local_codes(level, table[level].to_numpy())

    def _own_values(self, values: "pa.Table") -> "pa.Table":
        """Attribute rows of the part's entities, sorted as before: the new codes keep the order."""
        of_account = np.array([item.of == "account" for item in self.attributes], bool)
        kind, code = values["attribute"].to_numpy(), values[CODE].to_numpy()
        mine = of_account[kind] if len(of_account) else np.zeros(len(kind), bool)
        local = np.where(
            mine, self.local_codes("account", code), self.local_codes("user", code)
        ).astype(np.int32)
        return _replace(values, CODE, local).filter(local >= 0)


def _of_one_shard(entities: "pa.Table") -> "pa.Table":
    """Row i is code i; who has events has them in shard 0."""
    shard = np.minimum(entities["shard"].to_numpy(), 0).astype(np.int32)
    return _replace(entities, "shard", shard).drop_columns([CODE])


def _replace(table: "pa.Table", name: str, values: np.ndarray) -> "pa.Table":
    import pyarrow as pa

    return table.set_column(table.column_names.index(name), name, pa.array(values))
