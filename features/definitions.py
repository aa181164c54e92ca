"""A feature definition is data: what is counted, over which events, in which window."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from features.errors import SchemaMismatch

Dimension = Literal["engagement", "team", "value", "upgrade", "fit"]
DIMENSIONS: tuple[Dimension, ...] = ("engagement", "team", "value", "upgrade", "fit")

Statistic = Literal[
    # Of any events.
    "count",  # events in the window
    "active_days",  # distinct UTC days with an event in the window
    "per_active_day",  # events / active days
    "share",  # events / those `against`
    "breadth",  # distinct event names in the window
    "first_uses",  # event names used in the window for the first time ever
    "top_event_share",  # events of the window's commonest name / all
    "days_since_last",  # days from the latest event to as_of
    "days_since_first",  # days from the first event to as_of
    "days_to_first",  # days from the entity's first event of any name to the first of these
    "first_use_rank",  # 1 + names that the entity used for the first time before this one
    "first_period",  # events in the entity's first `days` days
    "first_period_ratio",  # that / its mean over the entities whose first days are over
    "trend",  # (this window - the one before) / (sum of both), in [-1, 1]
    "acceleration",  # (this - 2 * before + the one before that) / (sum of the three), in [-2, 1]
    "slope",  # of the least-squares line through the rate of events in the window
    "peak_ratio",  # events / the most the entity ever had in a window as long
    "streak",  # consecutive days up to the day of as_of or the one before
    "longest_streak",  # most consecutive days with an event in the window
    "weekdays",  # distinct days of the week with an event in the window
    "business_share",  # events in business hours / events
    "gap_days",  # mean days from one active day to the next
    "gap_variation",  # standard deviation of those / their mean: 0 is a clock
    "burstiness",  # how the times between events vary, -1 to 1 (Kim and Jo 2016)
    "sessions",  # sessions that began in the window (gap of more than 30 minutes)
    "session_minutes",  # minutes inside sessions in the window / sessions that began in it
    "events_per_session",  # events / sessions
    # Of an account's users.
    "members",  # distinct users with an event in the window
    "new_members",  # users whose first event lies in the window
    "member_growth",  # new members / members known before the window
    "active_member_share",  # members of the window / members so far
    "member_share",  # members with these events / members with those `against`
    "per_member",  # events / members
    "days_per_member",  # mean over the members of their active days
    "top_member_count",  # events of the busiest member
    "top_member_share",  # that / events of all members
    "member_gini",  # Gini coefficient of events per active member
    # Of a property.
    "sum",
    "mean",
    "std",  # population standard deviation
    "min",
    "max",
    "value_trend",  # (sum of this window - of the one before) / (their absolute values)
    "last",  # of a numeric or categorical property, over the window
    "first",
    "distinct",  # distinct values of a categorical property in the window
    "top_share",  # events with the window's commonest value / events with a value
    "limit_share",  # the latest usage, or the members, / the limit known
    # Of a person or company.
    "attribute",  # the latest value known before as_of
    # Of the settings' author.
    "sql",  # an aggregate over the window's events
]
Scope = Literal["entity", "account"]
Source = Literal["event", "user", "account"]


@dataclass(frozen=True)
class Condition:
    """What a property of an event must be for the event to count; a missing value never meets it.

    Parameters
    ----------
    one_of
        Values of a categorical property.
    at_least, at_most
        Bounds of a numeric one, both inclusive.
    """

    property: str
    one_of: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Limit:
    """Where the limit of a usage stands: in a property of the same events, an attribute, or here.

    `name` is the number itself where `source` is ``constant``.
    """

    source: Literal["event", "user", "account", "constant"]
    name: str


@dataclass(frozen=True)
class Hours:
    """Hours [begin, end) of Monday to Friday in a time zone (IANA name)."""

    zone: str = "UTC"
    begin: int = 9
    end: int = 17


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix, complete enough to compute it anywhere.

    Parameters
    ----------
    name
        Column name, ``[a-z0-9_]`` only, unique within a catalogue. Nothing ever parses it.
    events
        Event names that count; empty means every event.
    property
        The property or attribute whose values are used; None for pure activity.
    days
        Look-back: events in [as_of - days, as_of); None means all events before as_of.
    scope
        ``entity``: the entity's own events. ``account``: for a user's row, the events of the
        account the user belongs to at as_of.
    source
        Where `property` lives: on the ``event`` itself, or an attribute of the ``user`` who did
        it (as known when it happened) or of the ``account``.
    subject
        What is counted, in words: "report created".
    against
        The events of the denominator of a share; empty means every event.
    where
        Conditions that an event must meet, all of them.
    limit
        What a usage is compared with.
    hours
        Business hours.
    sql
        The aggregate expression of a ``sql`` feature.
    """

    name: str
    dimension: Dimension
    statistic: Statistic
    events: tuple[str, ...]
    property: str | None
    days: int | None
    scope: Scope
    dtype: Literal["number", "category"]
    unit: str
    meaning: str
    source: Source = "event"
    subject: str = ""
    against: tuple[str, ...] | None = None
    where: tuple[Condition, ...] = ()
    limit: Limit | None = None
    hours: Hours | None = None
    sql: str | None = None


def slug(text: str, most: int = 40) -> str:
    """Lower-case ``[a-z0-9_]`` form of a name, for column names; not unique by itself.

    >>> slug("$pageview"), slug("Report Exported!"), slug("дом")
    ('pageview', 'report_exported', 'x_f5b3d7')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:most].strip("_")
    return plain or "x_" + hashlib.sha256(text.encode()).hexdigest()[:6]


def to_json(features: Iterable[Feature]) -> str:
    """One definition per line, stable key order, nothing that is a default: what is hashed."""
    rows = [
        json.dumps(_spoken(asdict(feature)), sort_keys=True, ensure_ascii=False)
        for feature in features
    ]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _spoken(row: dict[str, Any]) -> dict[str, Any]:
    """Without the later fields where they say nothing: adding a field changes no fingerprint."""
    later = ("against", "where", "limit", "hours", "sql")
    silent = {key for key in later if row[key] is None or (key == "where" and not row[key])}
    return {key: value for key, value in row.items() if key not in silent}


def from_json(text: str) -> tuple[Feature, ...]:
    """Inverse of `to_json`.

    Raises
    ------
    SchemaMismatch
        When a definition has other fields than this version of the program knows.
    """
    try:
        return tuple(_feature(row) for row in json.loads(text))
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise SchemaMismatch(
            f"The feature definitions can't be read: {error}. They were written by another "
            "version of this program; train again with this one."
        ) from error


def _feature(row: dict[str, Any]) -> Feature:
    row = {**row, "events": tuple(row["events"])}
    if row.get("against") is not None:
        row["against"] = tuple(row["against"])
    if "where" in row:
        row["where"] = tuple(
            Condition(**{**one, "one_of": tuple(one["one_of"])}) for one in row["where"]
        )
    if "limit" in row:
        row["limit"] = Limit(**row["limit"])
    if "hours" in row:
        row["hours"] = Hours(**row["hours"])
    return Feature(**row)


def fingerprint(features: Iterable[Feature]) -> str:
    """sha256 of the definitions in order."""
    return hashlib.sha256(to_json(features).encode()).hexdigest()
