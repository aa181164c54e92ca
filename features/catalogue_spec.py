"""The ``features:`` block of the settings: windows, the event catalogue, properties, attributes."""

from typing import Literal, get_args

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from features.definitions import Dimension
from features.spec import Spec

EventStatistic = Literal[
    "count",
    "active_days",
    "per_active_day",
    "share",
    "trend",
    "acceleration",
    "slope",
    "peak_ratio",
    "streak",
    "longest_streak",
    "weekdays",
    "business_share",
    "gap_days",
    "gap_variation",
    "burstiness",
    "days_since_last",
    "days_since_first",
    "days_to_first",
    "first_use_rank",
    "first_period",
    "first_period_ratio",
    "members",
    "new_members",
    "member_growth",
    "active_member_share",
    "member_share",
    "per_member",
    "days_per_member",
    "top_member_count",
    "top_member_share",
    "member_gini",
]
ActivityStatistic = Literal[
    EventStatistic,
    "breadth",
    "first_uses",
    "top_event_share",
    "sessions",
    "session_minutes",
    "events_per_session",
]
NumberStatistic = Literal["sum", "mean", "std", "min", "max", "last", "first", "trend"]
CategoryStatistic = Literal["last", "first", "distinct", "top_share"]
CustomStatistic = Literal[ActivityStatistic, NumberStatistic, CategoryStatistic, "value_trend"]

_OF_SOME = {"share", "member_share", "days_to_first", "first_use_rank"}
"""They compare some events with all: of all events they say nothing."""

ACTIVITY: tuple[ActivityStatistic, ...] = tuple(
    one for one in get_args(ActivityStatistic) if one not in _OF_SOME
)


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
    statistics: tuple[NumberStatistic, ...] = ("sum", "mean", "max", "last", "trend")
    category_statistics: tuple[CategoryStatistic, ...] = ("last", "first", "distinct", "top_share")


class LimitSpec(Spec):
    """How near a usage is to its limit.

    `usage` is ``members`` or a numeric property. `limit` is a numeric property of the same events,
    an attribute of the entity, or a number.
    """

    dimension: Dimension = "upgrade"
    usage: str = "members"
    events: tuple[str, ...] = ()
    limit: str | PositiveFloat


class ConditionSpec(Spec):
    """A property that an event must have: one of some values, or a number within bounds."""

    one_of: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ConditionSpec":
        numeric = self.at_least is not None or self.at_most is not None
        if bool(self.one_of) == numeric:
            raise ValueError("give either one_of (categories) or at_least / at_most (numbers)")
        return self


class CustomSpec(Spec):
    """A feature of one's own: a statistic over filtered events, or an SQL aggregate."""

    dimension: Dimension
    meaning: str | None = None
    unit: str | None = None
    statistic: CustomStatistic | None = None
    events: tuple[str, ...] = ()
    where: dict[str, ConditionSpec] = {}
    property: str | None = None
    against: tuple[str, ...] | None = None
    days: PositiveInt | None = None
    scope: Literal["entity", "account"] = "entity"
    sql: str | None = Field(default=None, max_length=2000)

    @model_validator(mode="after")
    def _is_one_of_two(self) -> "CustomSpec":
        if (self.statistic is None) == (self.sql is None):
            raise ValueError("give either statistic (over events and a property) or sql, not both")
        if self.sql is not None and (self.property is not None or self.against is not None):
            raise ValueError("an sql feature names its properties in the expression")
        return self


class HoursSpec(Spec):
    """Business hours: [begin, end) o'clock, Monday to Friday, in a time zone."""

    timezone: str = "UTC"
    begin: int = Field(default=9, ge=0, le=23)
    end: int = Field(default=17, ge=1, le=24)

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "HoursSpec":
        if self.begin >= self.end:
            raise ValueError("business hours must begin before they end")
        return self


class FeatureSpec(Spec):
    """The ``features:`` block: windows, the event catalogue, properties and attributes."""

    windows_days: tuple[PositiveInt, ...] = (1, 7, 14, 28, 90)
    lifetime: bool = True
    trend_days: tuple[PositiveInt, ...] = (7, 28)
    detail_days: tuple[PositiveInt, ...] = (28, 90)
    """Windows of the finer statistics: rhythm, concentration, shares."""
    first_days: PositiveInt = 7
    """Length of the first period, from the entity's first event."""
    business_hours: HoursSpec = HoursSpec()
    events: DimensionEvents | None = None
    groups: dict[str, GroupSpec] = {}
    activity_statistics: tuple[ActivityStatistic, ...] = ACTIVITY
    """What is asked of all events together."""
    event_statistics: tuple[EventStatistic, ...] = (
        "count",
        "trend",
        "days_since_last",
        "days_since_first",
        "first_use_rank",
        "member_share",
    )
    properties: dict[str, PropertySpec] | None = None
    """None without an event catalogue: chosen by coverage."""
    attributes: dict[str, Dimension] = {}
    member_attributes: tuple[str, ...] = ()
    limits: dict[str, LimitSpec] = {}
    custom: dict[str, CustomSpec] = {}
    max_events: PositiveInt = 60
    max_properties: PositiveInt = 20
    max_features: PositiveInt = 2000
