"""The ``features:`` block of the settings: windows, the event catalogue, properties, attributes."""

from typing import Literal

from pydantic import Field, PositiveInt

from features.definitions import Dimension
from features.spec import Spec

EventStatistic = Literal[
    "count", "active_days", "members", "trend", "days_since_last", "days_since_first"
]
NumberStatistic = Literal["sum", "mean", "max", "last"]


class DimensionEvents(Spec):
    """Which events speak for which dimension; events named nowhere count only in the totals."""

    engagement: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    upgrade: tuple[str, ...] = ()


class GroupSpec(Spec):
    """Several events counted as one thing, such as every advanced feature."""

    dimension: Dimension
    events: tuple[str, ...] = Field(min_length=1)


class PropertySpec(Spec):
    """Aggregates of an event property; `events` empty means every event that carries it."""

    dimension: Dimension
    events: tuple[str, ...] = ()
    statistics: tuple[NumberStatistic, ...] = ("sum", "mean", "max", "last")


class FeatureSpec(Spec):
    """The ``features:`` block: windows, the event catalogue, properties and attributes."""

    windows_days: tuple[PositiveInt, ...] = (1, 7, 14, 28, 90)
    lifetime: bool = True
    trend_days: tuple[PositiveInt, ...] = (7, 28)
    events: DimensionEvents | None = None
    groups: dict[str, GroupSpec] = {}
    event_statistics: tuple[EventStatistic, ...] = (
        "count",
        "trend",
        "days_since_last",
        "days_since_first",
    )
    properties: dict[str, PropertySpec] = {}
    attributes: dict[str, Dimension] = {}
    member_attributes: tuple[str, ...] = ()
    max_events: PositiveInt = 60
