"""Which column of a generic file holds what: told by names first, by their values second."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from features.errors import EventLogError, few
from pipeline.profile.times import (
    ARRIVAL_NAMES,
    TIME_NAMES,
    Record,
    TimeKind,
    find_arrival,
    time_kind,
    unread_times,
)
from pipeline.profile.words import named, rank
from pipeline.sources.rows import Rows
from pipeline.sources.spec import Columns
from pipeline.sources.times import SPELLINGS

EVENT_NAMES = ("event", "event_name", "action", "activity", "event_type", "action_name", "verb")
_EVENT_WEAK = ("type", "name", "operation", "step")
_USER = (
    "user_id", "userid", "user", "distinct_id", "person_id", "member_id", "customer_id",
    "household_id", "contact_id", "subscriber_id", "player_id", "visitor_id", "actor_id",
    "client_id", "uid", "actor", "customer", "email", "user_email", "anonymous_id", "device_id",
)  # fmt: skip
_ACCOUNT = (
    "account_id", "account", "organization_id", "organisation_id", "org_id", "company_id",
    "workspace_id", "tenant_id", "organization", "organisation", "org", "company", "workspace",
    "tenant", "team_id", "group_id", "project_id", "site_id",
)  # fmt: skip
_EVENT_ID = ("event_id", "uuid", "message_id", "messageid", "insert_id", "id", "row_id")
_SETTLED = 0.9
"""Share of users that must stay within one value of a column for it to be the account."""
_MOST_NAMES = 300
_DIFFERENT = 0.95


@dataclass(frozen=True)
class Roles:
    """What the columns of a generic file are, with a sentence for everything that was assumed."""

    columns: Columns
    time_kind: TimeKind
    assumed: tuple[str, ...] = ()


def flatten(value: Record, prefix: str = "", depth: int = 2) -> Record:
    """Dotted paths to scalars, `depth` objects deep; JSON text that holds an object is opened.

    >>> flatten({"a": {"b": 1, "c": None}, "d": '{"e": "x"}', "f": [1]})
    {'a.b': 1, 'd.e': 'x'}
    """
    out: Record = {}
    for key, item in value.items():
        if isinstance(item, str) and item.startswith("{"):
            item = opened(item)
        if isinstance(item, dict):
            if depth:
                out |= flatten(item, f"{prefix}{key}.", depth - 1)
        elif item not in (None, "") and not isinstance(item, list):
            out[f"{prefix}{key}"] = item
    return out


def opened(text: str) -> Any:
    """The object that a JSON text holds, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def records_of(rows: Rows, texts: Iterable[tuple[str]]) -> list[Record]:
    """Rows as objects; a row that is not JSON is left out."""
    items: Iterable[Any] = (opened(text) for (text,) in texts if text)
    if rows.columns is not None and not rows.line.startswith("file_row"):
        names = list(rows.columns)
        items = (dict(zip(names, item, strict=True)) for item in items if isinstance(item, list))
    return [item for item in items if isinstance(item, dict)]


def find_roles(records: Sequence[Record], file: str) -> Roles:
    """The roles of a generic file's columns.

    Raises
    ------
    EventLogError
        When no column can be the time, or none identifies a user or an account.
    """
    columns: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            columns.setdefault(name, []).append(value)
    times = {name: kind for name, values in columns.items() if (kind := time_kind(name, values))}
    if not times:
        raise EventLogError(_no_time(columns, file))
    time, known_at = _times(records, times)
    rest = {name: values for name, values in columns.items() if name not in times}
    event_id = named(
        [name for name, values in rest.items() if _identifies(values, len(records))], _EVENT_ID
    )
    rest.pop(event_id or "", None)
    assumed: list[str] = []
    user, account = _entities(records, rest, file, assumed)
    event = _event({name: rest[name] for name in rest if name not in (user, account)}, assumed)
    roles = Columns(
        event=event, user=user, account=account, time=time, known_at=known_at, event_id=event_id
    )
    return Roles(roles, times[time], tuple(assumed))


def _no_time(columns: dict[str, list[Any]], file: str) -> str:
    """What is wrong with the column that is called a time, or that none is."""
    name = named(columns, TIME_NAMES)
    if name is None or not unread_times(columns[name])[0]:
        return (
            f"No column of {file!r} looks like a time; it has {few(columns, most=20)}. Write times "
            "as ISO 8601 (2024-05-01T12:00:00Z) or epoch numbers, in a column such as 'timestamp'."
        )
    unread, n_seen = unread_times(columns[name])
    return (
        f"No column of {file!r} looks like a time: of the first {n_seen:,} values of {name!r} "
        f"{len(unread):,} can't be read, such as {str(unread[0])[:60]!r}. {SPELLINGS}"
    )


def _times(records: Sequence[Record], times: dict[str, TimeKind]) -> tuple[str, str | None]:
    arrivals = {name for name in times if rank(name, ARRIVAL_NAMES) is not None}
    time = named([name for name in times if name not in arrivals], TIME_NAMES)
    time = time or min(set(times) - arrivals or times)
    return time, find_arrival(records, times, time)


def _entities(
    records: Sequence[Record], columns: dict[str, list], file: str, assumed: list[str]
) -> tuple[str | None, str | None]:
    user = named(columns, _USER)
    accounts = [name for name in columns if name != user and rank(name, _ACCOUNT) is not None]
    if user is None and not accounts:
        user = _most_repeated_id(columns)
        if user is None:
            raise EventLogError(
                f"No column of {file!r} looks like a user or an account; it has "
                f"{few(columns, most=20)}. Name one of them 'user_id' or 'account_id'."
            )
        assumed.append(f"{user!r} is taken for the user: an id that comes back")
    account = named(accounts, _ACCOUNT)
    if user and account and not _nests(records, user, account):
        assumed.append(
            f"{account!r} is not taken for the account: users do not stay within one value of it"
        )
        account = None
    return user, account


def _nests(records: Sequence[Record], user: str, account: str) -> bool:
    """Whether nearly every user stays within one account."""
    homes: dict[str, set[str]] = {}
    for record in records:
        if user in record and account in record:
            homes.setdefault(str(record[user]), set()).add(str(record[account]))
    settled = sum(len(home) == 1 for home in homes.values())
    n_accounts = len(set().union(*homes.values())) if homes else 0
    return 1 <= n_accounts <= len(homes) and settled >= _SETTLED * len(homes)


def _event(columns: dict[str, list], assumed: list[str]) -> str | None:
    plain = named(columns, EVENT_NAMES)
    if plain:
        return plain
    wordy = {
        name: len(set(map(str, values)))
        for name, values in columns.items()
        if all(re.fullmatch(r"[^\W\d][\w .:/$-]{1,60}", str(value)) for value in values)
    }
    repeated = [
        name for name, n in wordy.items() if 2 <= n <= min(_MOST_NAMES, len(columns[name]) / 2)
    ]
    weak = named(repeated, _EVENT_WEAK)
    if weak is None and repeated:
        weak = max(sorted(repeated), key=lambda name: wordy[name])
        assumed.append(f"{weak!r} is taken for the event name: a few words that come back")
    return weak


def _most_repeated_id(columns: dict[str, list]) -> str | None:
    ids = {
        name: len(set(map(str, values)))
        for name, values in columns.items()
        if not any(isinstance(value, float | bool) for value in values)
    }
    repeated = [name for name, n in ids.items() if 2 <= n <= len(columns[name]) / 1.3]
    return max(sorted(repeated), key=lambda name: ids[name], default=None)


def _identifies(values: Sequence[Any], n_rows: int) -> bool:
    """Whether every row has a value and nearly all differ: what came twice keeps its id."""
    distinct = len(set(map(str, values)))
    return n_rows > 1 and len(values) == n_rows and distinct >= _DIFFERENT * n_rows
