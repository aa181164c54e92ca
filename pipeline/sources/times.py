"""Times of any spelling to microseconds UTC, as SQL macros.

Texts without a zone are read in the session's time zone (`set_zone`), daylight saving included: an
hour that the clocks skip moves forward, an hour they repeat is its second occurrence.
"""

import difflib
from typing import TYPE_CHECKING

from features.clock import DAY_US, LAST_US
from features.errors import EventLogError
from pipeline.storage import quote_text, rows_of

if TYPE_CHECKING:
    import duckdb

FIRST_VALID_US = DAY_US
"""1970-01-02: an earlier time is a zero that lost its meaning."""
LAST_VALID_US = LAST_US
"""2100-01-01."""

SPELLINGS = (
    "A time is read as 2024-07-15, 2024-07-15 10:00:00, 2024-07-15T10:00:00Z, 20240715, or a "
    "number since 1970 in seconds to nanoseconds."
)
"""What to tell whoever has other ones."""

MACROS = r"""
-- Numbers are epoch seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude:
-- 1e11 seconds would be the year 5138, 1e11 milliseconds is 1973.
create macro number_us(d) as try_cast(round(case
    when abs(d) < 1e11 then d * 1e6
    when abs(d) < 1e14 then d * 1e3
    when abs(d) < 1e17 then d
    else d / 1e3 end) as bigint);

-- The first branch is the usual one and keeps the number test away from most rows.
create macro us_of(t) as case
    when t like '____-__-__%' then epoch_us(try_cast(t as timestamptz))
    when regexp_full_match(t, '(19|20)[0-9]{6}')
        then epoch_us(try_strptime(t, '%Y%m%d')::timestamptz)
    when try_cast(t as double) is not null then number_us(try_cast(t as double))
    else epoch_us(try_cast(t as timestamptz)) end;

-- The local day that begins at or before a moment: its first and last microsecond.
create macro day_first_us(us) as
    epoch_us(date_trunc('day', make_timestamptz(us)));
create macro day_last_us(us) as
    epoch_us((date_trunc('day', make_timestamptz(us))::date + 1)::timestamp::timestamptz) - 1;
"""


def set_zone(connection: "duckdb.DuckDBPyConnection", zone: str) -> None:
    """Read times without a zone as local times of `zone` (an IANA name).

    Raises
    ------
    EventLogError
        When there is no such time zone.
    """
    if zone != "UTC":
        _check_zone(connection, zone)
    connection.execute(f"set TimeZone = {quote_text(zone)}")


def _check_zone(connection: "duckdb.DuckDBPyConnection", zone: str) -> None:
    # DuckDB would take any case, but settings have one spelling of a zone.
    names = [name for (name,) in rows_of(connection, "select name from pg_timezone_names()")]
    if zone not in names:
        near = difflib.get_close_matches(zone, names, 1)
        hint = f" Did you mean {near[0]!r}?" if near else " Use a name such as 'Europe/Berlin'."
        raise EventLogError(f"There is no time zone {zone!r}.{hint}")
