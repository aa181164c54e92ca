"""A feature definition is data: what is counted, over which events, in which window."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from features.errors import SchemaMismatch

Dimension = Literal["engagement", "team", "value", "upgrade", "fit"]
DIMENSIONS: tuple[Dimension, ...] = ("engagement", "team", "value", "upgrade", "fit")

Statistic = Literal[
    "count",  # events in the window
    "active_days",  # distinct UTC days with an event in the window
    "members",  # distinct users with an event in the window
    "breadth",  # distinct event names in the window
    "distinct",  # distinct values of a categorical property in the window
    "trend",  # (this window - the one before) / (sum of both), in [-1, 1]
    "days_since_last",  # days from the latest event to as_of
    "days_since_first",  # days from the first event to as_of
    "sum",
    "mean",
    "max",
    "last",  # of a numeric or categorical property, over the window
    "sessions",  # sessions that began in the window (gap of more than 30 minutes)
    "session_minutes",  # minutes inside sessions in the window / sessions that began in it
    "attribute",  # the latest value known before as_of
]
Scope = Literal["entity", "account"]
Source = Literal["event", "user", "account"]


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


def slug(text: str, most: int = 40) -> str:
    """Lower-case ``[a-z0-9_]`` form of a name, for column names; not unique by itself.

    >>> slug("$pageview"), slug("Report Exported!"), slug("дом")
    ('pageview', 'report_exported', 'x_f5b3d7')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:most].strip("_")
    return plain or "x_" + hashlib.sha256(text.encode()).hexdigest()[:6]


def to_json(features: Iterable[Feature]) -> str:
    """One definition per line, stable key order: the text behind `fingerprint`."""
    rows = [json.dumps(asdict(feature), sort_keys=True, ensure_ascii=False) for feature in features]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def from_json(text: str) -> tuple[Feature, ...]:
    """Inverse of `to_json`.

    Raises
    ------
    SchemaMismatch
        When a definition has other fields than this version of the program knows.
    """
    try:
        return tuple(Feature(**{**row, "events": tuple(row["events"])}) for row in json.loads(text))
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise SchemaMismatch(
            f"The feature definitions can't be read: {error}. They were written by another "
            "version of this program; train again with this one."
        ) from error


def fingerprint(features: Iterable[Feature]) -> str:
    """sha256 of the definitions in order."""
    return hashlib.sha256(to_json(features).encode()).hexdigest()
