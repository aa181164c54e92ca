"""SQL as text: names and values quoted safely, and what DuckDB and Postgres say differently."""

import json
from dataclasses import dataclass
from typing import Literal, get_args

Dialect = Literal["duckdb", "postgres"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)


@dataclass(frozen=True)
class Tables:
    """Where the warehouse keeps what the rules read.

    Parameters
    ----------
    events
        Table of events, one row each, without test accounts and doubles; ``schema.table`` is read
        as two names. Properties that rules read are columns of their own.
    accounts, users
        Tables of attributes: rows as they became known, one column per attribute.
    account, user, event, known_at
        Columns of the events; `known_at` is a timestamp with a time zone, or in UTC without one.
        `account` and `user` name the columns of the tables of attributes too.
    valid_from
        Column of the tables of attributes: from when on a row was known, a timestamp as `known_at`.
    """

    events: str = "events"
    accounts: str = "accounts"
    users: str = "users"
    account: str = "account_id"
    user: str = "user_id"
    event: str = "event"
    known_at: str = "known_at"
    valid_from: str = "valid_from"


def name(text: str) -> str:
    """A column's name.

    >>> name("plan"), len(name('"'))
    ('"plan"', 4)
    """
    return '"' + text.replace('"', '""') + '"'


def table(text: str) -> str:
    """A table's name, with its schema.

    >>> table("analytics.events")
    '"analytics"."events"'
    """
    return ".".join(map(name, text.split(".")))


def literal(text: str) -> str:
    """A text value.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def texts(values: tuple[str, ...]) -> str:
    """A list of text values in brackets.

    >>> texts(("a", "b"))
    "('a', 'b')"
    """
    return "(" + ", ".join(map(literal, values)) + ")"


def real(expression: str) -> str:
    """As float32, which is what features are compared as.

    >>> real("f1")
    'cast(f1 as real)'
    """
    return f"cast({expression} as real)"


def comment(text: str) -> str:
    """A line that is no SQL whatever it says.

    >>> comment("limit" + chr(10) + "drop table x")
    '-- limit\\\\ndrop table x'
    """
    return "-- " + json.dumps(text, ensure_ascii=True)[1:-1]


def utc(dialect: Dialect, expression: str) -> str:
    """A timestamp without time zone, in UTC, of one of either kind.

    Compared as they are, those with a time zone would be read in the zone of the session.
    """
    if dialect == "duckdb":
        return f"make_timestamp(epoch_us({expression}))"
    return f"(timestamp '1970-01-01' + extract(epoch from {expression}) * interval '1 second')"


def micros(dialect: Dialect, later: str, earlier: str) -> str:
    """Whole microseconds from one timestamp to another."""
    if dialect == "duckdb":
        return f"(epoch_us({later}) - epoch_us({earlier}))"
    return f"cast(round(extract(epoch from ({later} - {earlier})) * 1000000) as bigint)"
