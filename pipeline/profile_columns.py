"""Which column of a generic file holds what: told by names first, by how the values behave second."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from features.errors import EventLogError, few
from pipeline.sources.spec import Columns

Record = dict[str, Any]
"""One input row: column, or dotted path into a JSON object, to its value; nothing empty."""
TimeKind = Literal["zone", "naive", "date", "epoch"]

_EVENT = ("event", "event_name", "action", "activity", "event_type", "action_name", "verb")
_EVENT_WEAK = ("type", "name", "operation", "step")
_USER = (
    "user_id userid user distinct_id person_id member_id customer_id household_id contact_id "
    "subscriber_id player_id visitor_id actor_id client_id uid actor customer email user_email "
    "anonymous_id device_id"
).split()
_ACCOUNT = (
    "account_id account organization_id organisation_id org_id company_id workspace_id tenant_id "
    "organization organisation org company workspace tenant team_id group_id project_id site_id"
).split()
_TIME = (
    "occurred_at event_time event_timestamp timestamp ts time datetime event_date date happened_at "
    "day at created_at created"
).split()
_ARRIVAL = (
    "known_at received_at inserted_at ingested_at loaded_at arrived_at recorded_at stored_at "
    "processed_at created_at"
).split()
_EVENT_ID = "event_id uuid message_id messageid insert_id eventid id row_id".split()
_TIMEISH = {*_TIME, *_ARRIVAL, "start", "end", "epoch"}
_SHARE_ALIKE = 0.95
"""Share of a column's values that must behave alike for the column to be called so."""


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
        raise EventLogError(
            f"No column of {file!r} looks like a time; it has {few(columns, most=20)}. Write times "
            "as ISO 8601 (2024-05-01T12:00:00Z) or epoch numbers, in a column such as 'timestamp'."
        )
    time, known_at = _times(records, times)
    rest = {name: values for name, values in columns.items() if name not in times}
    event_id = _named(
        [name for name, values in rest.items() if _all_differ(values, len(records))], _EVENT_ID
    )
    rest.pop(event_id or "", None)
    assumed: list[str] = []
    user, account = _entities(records, rest, file, assumed)
    event = _event({name: rest[name] for name in rest if name not in (user, account)}, assumed)
    named = Columns(
        event=event, user=user, account=account, time=time, known_at=known_at, event_id=event_id
    )
    return Roles(named, times[time], tuple(assumed))


def time_kind(name: str, values: Sequence[Any]) -> TimeKind | None:
    """How a column writes its times, None if it holds none; numbers need a name that says time.

    >>> time_kind("x", ["2024-05-01T10:00:00Z"]), time_kind("x", ["2024-05-01"])
    ('zone', 'date')
    >>> time_kind("ts", [1714550400]), time_kind("amount", [1714550400])
    ('epoch', None)
    """
    seen = [str(value) for value in values[:1000]]
    kinds = [kind for text in seen if (kind := _kind_of(text))]
    if not seen or len(kinds) < _SHARE_ALIKE * len(seen):
        return None
    kind = max(sorted(set(kinds)), key=kinds.count)
    if kind == "epoch" and not _TIMEISH & set(_words(name)):
        return None
    # A timestamp column whose every value is a midnight holds dates.
    midnights = all(re.search(r"[T ]00:00(:00(\.0+)?)?$", text) for text in seen)
    return "date" if kind == "naive" and midnights and len(seen) > 1 else kind


def _kind_of(text: str) -> TimeKind | None:
    if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
        return "epoch"
    if re.fullmatch(r"(19|20)\d{6}|\d{4}-\d{2}-\d{2}", text):
        return "date"
    moment = _moment(text)
    return None if moment is None else "naive" if moment.tzinfo is None else "zone"


def _moment(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:", text):
        return None
    try:
        return datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return None


def seconds_of(value: Any) -> float | None:
    """Seconds since 1970 of a time in any of the four kinds, to compare two columns."""
    text = str(value)
    if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
        number = float(text)
        while number > 1e11:
            number /= 1000
        return number
    moment = _moment(text if len(text) > 10 else f"{text}T00:00:00")
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def follows(records: Iterable[Record], time: str, later: str) -> bool:
    """Whether `later` is never before `time`, and on some row after it."""
    pairs = [(seconds_of(r[time]), seconds_of(r[later])) for r in records if time in r and later in r]
    gaps = [b - a for a, b in pairs if a is not None and b is not None]
    return bool(gaps) and min(gaps) >= 0 and max(gaps) > 0


def find_arrival(records: Sequence[Record], names: Iterable[str], time: str) -> str | None:
    """The column that says when a row arrived, if there is one: named so, and never before `time`."""
    there = [name for name in names if name != time and follows(records, time, name)]
    return _named(there, _ARRIVAL)


def _times(records: Sequence[Record], times: dict[str, TimeKind]) -> tuple[str, str | None]:
    arrivals = {name for name in times if _rank(name, _ARRIVAL[:-1]) is not None}
    time = _named([name for name in times if name not in arrivals], _TIME)
    time = time or next(iter(sorted(set(times) - arrivals) or sorted(times)))
    return time, find_arrival(records, times, time)


def _entities(
    records: Sequence[Record], columns: dict[str, list], file: str, assumed: list[str]
) -> tuple[str | None, str | None]:
    user = _named(columns, _USER)
    accounts = [name for name in columns if name != user and _rank(name, _ACCOUNT) is not None]
    if user is None and not accounts:
        user = _most_repeated_id(columns)
        if user is None:
            raise EventLogError(
                f"No column of {file!r} looks like a user or an account; it has "
                f"{few(columns, most=20)}. Name one of them 'user_id' or 'account_id'."
            )
        assumed.append(f"{user!r} is taken for the user: an id that comes back; its name says nothing")
    account = _named(accounts, _ACCOUNT)
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
    return 1 <= n_accounts <= len(homes) and settled >= 0.9 * len(homes)


def _event(columns: dict[str, list], assumed: list[str]) -> str | None:
    named = _named(columns, _EVENT)
    if named:
        return named
    wordy = {
        name: len(set(map(str, values)))
        for name, values in columns.items()
        if all(re.fullmatch(r"[^\W\d][\w .:/$-]{1,60}", str(value)) for value in values)
    }
    repeated = [name for name, n in wordy.items() if 2 <= n <= min(300, len(columns[name]) / 2)]
    named = _named(repeated, _EVENT_WEAK)
    if named is None and repeated:
        named = max(sorted(repeated), key=lambda name: wordy[name])
        assumed.append(f"{named!r} is taken for the event name: a few words that come back")
    return named


def _most_repeated_id(columns: dict[str, list]) -> str | None:
    ids = {
        name: len(set(map(str, values)))
        for name, values in columns.items()
        if not any(isinstance(value, float | bool) for value in values)
    }
    repeated = [name for name, n in ids.items() if 2 <= n <= len(columns[name]) / 1.3]
    return max(sorted(repeated), key=lambda name: ids[name], default=None)


def _all_differ(values: Sequence[Any], n_rows: int) -> bool:
    return n_rows > 1 and len(values) == n_rows and len(set(map(str, values))) == n_rows


def _named(names: Iterable[str], words: Sequence[str]) -> str | None:
    """The name that fits the earliest of `words` best; ties by name."""
    ranked = [(rank, name) for name in names if (rank := _rank(name, words)) is not None]
    return min(ranked)[1] if ranked else None


def _rank(name: str, words: Sequence[str]) -> float | None:
    """Position of the word that the name is, a little later for a path or an ending that is it."""
    plain = "_".join(_words(name))
    last = "_".join(_words(name.rsplit(".", 1)[-1]))
    for position, word in enumerate(words):
        if plain == word:
            return position
        if last == word or last.endswith("_" + word):
            return position + 0.5
    return None


def _words(name: str) -> list[str]:
    """Lower-case words of a column name, in any of the usual spellings.

    >>> _words("userId"), _words("$insert_id"), _words("Event Name")
    (['user', 'id'], ['insert', 'id'], ['event', 'name'])
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z0-9]+", spaced.lower())
