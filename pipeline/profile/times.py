"""Columns that hold times: how they write them, and which of them says when a row arrived."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pipeline.profile.words import named, words

Record = dict[str, Any]
"""One input row: column, or dotted path into a JSON object, to its value; nothing empty."""
TimeKind = Literal["zone", "naive", "date", "epoch"]

TIME_NAMES = (
    "occurred_at", "event_time", "event_timestamp", "timestamp", "ts", "time", "datetime",
    "event_date", "date", "happened_at", "day", "at", "created_at", "created",
)  # fmt: skip
ARRIVAL_NAMES = (
    "known_at", "received_at", "inserted_at", "ingested_at", "loaded_at", "arrived_at",
    "recorded_at", "stored_at", "processed_at",
)  # fmt: skip
_TIMEISH = {*TIME_NAMES, "start", "end", "epoch", "received", "inserted"}
_SHARE_ALIKE = 0.95
"""Share of a column's values that must be times for the column to hold times."""
_MOST_SEEN = 1000
"""So many values of a column are looked at."""
_EPOCH = re.compile(r"\d{9,19}(\.\d+)?")


def time_kind(name: str, values: Sequence[Any]) -> TimeKind | None:
    """How a column writes its times, None if it holds none; numbers need a name that says time.

    >>> time_kind("x", ["2024-05-01T10:00:00Z"]), time_kind("x", ["2024-05-01"])
    ('zone', 'date')
    >>> time_kind("ts", [1714550400]), time_kind("amount", [1714550400])
    ('epoch', None)
    """
    seen = [str(value) for value in values[:_MOST_SEEN]]
    kinds = [one for one in map(_kind_of, seen) if one is not None]
    if not seen or len(kinds) < _SHARE_ALIKE * len(seen):
        return None
    kind = max(sorted(set(kinds)), key=kinds.count)
    if kind == "epoch" and not _TIMEISH & set(words(name)):
        return None
    # A timestamp column whose every value is a midnight holds dates.
    midnights = all(re.search(r"[T ]00:00(:00(\.0+)?)?$", text) for text in seen)
    return "date" if kind == "naive" and midnights and len(seen) > 1 else kind


def unread_times(values: Sequence[Any]) -> tuple[list[Any], int]:
    """The values that are no time among those looked at, and how many these are.

    >>> unread_times(["2024-06-24", "24.06.2024"])
    (['24.06.2024'], 2)
    """
    seen = values[:_MOST_SEEN]
    return [value for value in seen if _kind_of(str(value)) is None], len(seen)


def _kind_of(text: str) -> TimeKind | None:
    if _EPOCH.fullmatch(text):
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


def _seconds(value: Any) -> float | None:
    """Seconds since 1970 of a time in any of the four kinds, to compare two columns."""
    text = str(value)
    if _EPOCH.fullmatch(text):
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
    both = [(row[time], row[later]) for row in records if time in row and later in row]
    pairs = [(_seconds(before), _seconds(after)) for before, after in both]
    gaps = [b - a for a, b in pairs if a is not None and b is not None]
    return bool(gaps) and min(gaps) >= 0 and max(gaps) > 0


def find_arrival(records: Sequence[Record], names: Iterable[str], time: str) -> str | None:
    """The column that says when a row arrived: it is named so, and never before `time`."""
    there = [name for name in names if name != time and follows(records, time, name)]
    return named(there, (*ARRIVAL_NAMES, "created_at"))
