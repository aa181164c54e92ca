"""Local time of events: which of them fall into business hours, daylight saving included."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from features.clock import DAY_US, MINUTE_US
from features.definitions import Hours
from features.errors import SettingsError

_QUARTER_US = 15 * MINUTE_US
"""Offsets from UTC change at whole quarters of an hour, but for a few changes in the 1970s."""


def check_zone(zone: str) -> None:
    """
    Raises
    ------
    SettingsError
        When there is no time zone of that name.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"There is no time zone {zone!r}. Use a name such as 'Europe/Berlin'."
        ) from error


def in_hours(at: np.ndarray, hours: Hours) -> np.ndarray:
    """1 for events on Monday to Friday in local [begin, end) o'clock, else 0: int32, shape (n,).

    >>> friday = np.array([1_704_445_200_000_000])  # 2024-01-05 09:00 UTC
    >>> in_hours(friday, Hours()), in_hours(friday - 1, Hours())
    (array([1], dtype=int32), array([0], dtype=int32))
    >>> in_hours(friday, Hours("America/New_York"))
    array([0], dtype=int32)
    """
    local = at + _offsets(at, hours.zone)
    weekday = (local // DAY_US + 3) % 7  # 1970-01-01 was a Thursday
    minute = local % DAY_US // MINUTE_US
    inside = (minute >= 60 * hours.begin) & (minute < 60 * hours.end) & (weekday < 5)
    return inside.astype(np.int32)


def _offsets(at: np.ndarray, zone: str) -> np.ndarray:
    """Microseconds to add to UTC: int64, shape (n,)."""
    if zone == "UTC" or not len(at):
        return np.zeros(len(at), np.int64)
    day = at // DAY_US
    days, inverse = np.unique(day, return_inverse=True)
    table = np.array([_offsets_of_day(int(one), zone) for one in days])
    return table[inverse, (at % DAY_US) // _QUARTER_US]


@lru_cache(maxsize=100_000)
def _offsets_of_day(day: int, zone: str) -> tuple[int, ...]:
    """The offset of each of a UTC day's quarters of an hour."""
    ends = (_offset(day * DAY_US, zone), _offset((day + 1) * DAY_US - 1, zone))
    quarters = DAY_US // _QUARTER_US
    if ends[0] == ends[1]:
        return (ends[0],) * quarters
    return tuple(_offset(day * DAY_US + i * _QUARTER_US, zone) for i in range(quarters))


def _offset(us: int, zone: str) -> int:
    moment = datetime.fromtimestamp(us / 1e6, UTC).astimezone(ZoneInfo(zone))
    delta = moment.utcoffset()
    return 0 if delta is None else int(delta.total_seconds()) * 1_000_000
