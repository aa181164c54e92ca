"""Time as integers: microseconds since 1970 in UTC. Nothing here asks what time it is now."""

from datetime import UTC, date, datetime

import numpy as np

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 86_400 * SECOND_US
ALWAYS_US = -(2**62)
"""`at` of a value that has no history: known before every as_of."""

FIRST_US = 0
"""1970-01-01: an event dated before it is a clock error."""
LAST_US = 4_102_444_800 * SECOND_US
"""2100-01-01: an event dated at or after it is a clock error."""


def to_us(moment: date | datetime | str) -> int:
    """Microseconds since 1970; a bare date is its midnight, a time without zone is UTC.

    >>> to_us("1970-01-02")
    86400000000
    >>> to_us("1970-01-01T01:00:00+01:00")
    0
    """
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def to_text(us: int) -> str:
    """ISO text in UTC, a bare date when it is a midnight.

    >>> to_text(86_400_000_000), to_text(1)
    ('1970-01-02', '1970-01-01T00:00:00.000001')
    """
    text = str(np.datetime64(int(us), "us"))
    return text.removesuffix("T00:00:00.000000").removesuffix(".000000")


def midnight_at_or_before(us: int) -> int:
    """The last midnight UTC in (-inf, us].

    >>> midnight_at_or_before(DAY_US), midnight_at_or_before(DAY_US - 1)
    (86400000000, 0)
    """
    return us // DAY_US * DAY_US
