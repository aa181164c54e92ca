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
    """Which events speak for which dimension; events named nowhere count only in the totals.

    Without this block events are chosen by coverage: those that most entities did.
    """

    engagement: tuple[str, ...] = ()
    """Events of depth and frequency of use."""
    team: tuple[str, ...] = ()
    """Events of a growing team: invites, new members."""
    value: tuple[str, ...] = ()
    """Events in which the product gives what it promises: reports, exports, finished work."""
    upgrade: tuple[str, ...] = ()
    """Events of interest in a paid plan: limits, pricing views, paid features tried."""


class GroupSpec(Spec):
    """Several events counted as one thing, such as every advanced feature."""

    dimension: Dimension
    """Which of the five dimensions it speaks for."""
    events: tuple[str, ...] = Field(min_length=1)
    """Events counted as this one thing."""


class PropertySpec(Spec):
    """Aggregates of an event property; `events` empty means every event that carries it."""

    dimension: Dimension
    """Which of the five dimensions it speaks for."""
    events: tuple[str, ...] = ()
    """Events whose property is read; none named: every event that carries it."""
    statistics: tuple[NumberStatistic, ...] = ("sum", "mean", "max", "last", "trend")
    """What is asked of a number; also ``std``, ``min`` and ``first``."""
    category_statistics: tuple[CategoryStatistic, ...] = ("last", "first", "distinct", "top_share")
    """What is asked of a category."""


class LimitSpec(Spec):
    """How near a usage is to its limit.

    `usage` is ``members`` or a numeric property. `limit` is a numeric property of the same events,
    an attribute of the entity, or a number.
    """

    dimension: Dimension = "upgrade"
    """Which of the five dimensions it speaks for."""
    usage: str = "members"
    """``members``, or a number property of the events."""
    events: tuple[str, ...] = ()
    """Events whose properties are read; none named: every event that carries them."""
    limit: str | PositiveFloat
    """A number, a number property of the same events, or an attribute of the entity."""


class ConditionSpec(Spec):
    """A property that an event must have: one of some values, or a number within bounds."""

    one_of: tuple[str, ...] = ()
    """The values of a category that count."""
    at_least: float | None = None
    """A number counts from here on, this included."""
    at_most: float | None = None
    """A number counts up to here, this included."""

    @model_validator(mode="after")
    def _says_something(self) -> "ConditionSpec":
        numeric = self.at_least is not None or self.at_most is not None
        if bool(self.one_of) == numeric:
            raise ValueError("give either one_of (categories) or at_least / at_most (numbers)")
        return self


class CustomSpec(Spec):
    """A feature of one's own: a statistic over filtered events, or an SQL aggregate."""

    dimension: Dimension
    """Which of the five dimensions it speaks for."""
    meaning: str | None = None
    """One sentence for people; none: made from the definition. With ``sql`` say it yourself."""
    unit: str | None = None
    """Unit of the numbers, such as ``pages``."""
    statistic: CustomStatistic | None = None
    """Any statistic of the catalogue; this or ``sql``."""
    events: tuple[str, ...] = ()
    """Events it is asked of; none named: all."""
    where: dict[str, ConditionSpec] = {}
    """Only events whose properties meet every one of these conditions."""
    property: str | None = None
    """The property that ``sum``, ``mean``, ``last`` and the like read."""
    against: tuple[str, ...] | None = None
    """Events of the denominator of a ``share``; none: all events."""
    days: PositiveInt | None = None
    """Look-back [as_of - days, as_of); none: all time before as_of."""
    scope: Literal["entity", "account"] = "entity"
    """``account`` asks the account of a user, in a run that scores users."""
    sql: str | None = Field(default=None, max_length=2000)
    """One SQL aggregate over the events of the window that gives a number; slower than a
    statistic."""

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
    """Zone that the hours are in, such as ``Europe/Berlin``."""
    begin: int = Field(default=9, ge=0, le=23)
    """First hour that counts."""
    end: int = Field(default=17, ge=1, le=24)
    """First hour that no longer counts."""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "HoursSpec":
        if self.begin >= self.end:
            raise ValueError("business hours must begin before they end")
        return self


class FeatureSpec(Spec):
    """The ``features:`` block: windows, the event catalogue, properties and attributes."""

    windows_days: tuple[PositiveInt, ...] = (1, 7, 14, 28, 90)
    """Look-backs [as_of - days, as_of)."""
    lifetime: bool = True
    """Also look at everything before as_of."""
    trend_days: tuple[PositiveInt, ...] = (7, 28)
    """This window against the one before, and against the two before."""
    detail_days: tuple[PositiveInt, ...] = (28, 90)
    """Windows of the finer statistics: rhythm, concentration, shares."""
    first_days: PositiveInt = 7
    """Length of the first period, from the entity's first event."""
    business_hours: HoursSpec = HoursSpec()
    events: DimensionEvents | None = None
    groups: dict[str, GroupSpec] = {}
    """Several events counted as one, by the name it gets."""
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
    """What is asked of each event and group; see the [feature catalogue](features.md)."""
    properties: dict[str, PropertySpec] | None = None
    """Aggregates of event properties, by property; none: none, or without ``events`` chosen by
    coverage."""
    attributes: dict[str, Dimension] = {}
    """Attributes as features: which dimension each speaks for."""
    member_attributes: tuple[str, ...] = ()
    """Attributes of users: how many different values the active members have, such as
    departments."""
    limits: dict[str, LimitSpec] = {}
    """How near a usage is to its limit, by the name it gets."""
    custom: dict[str, CustomSpec] = {}
    """[Features of your own](custom.md), by the name of the column."""
    max_events: PositiveInt = 60
    """Without ``events``: how many get features of their own, those that most entities have."""
    max_properties: PositiveInt = 20
    """Without ``properties``: how many get aggregates."""
    max_features: PositiveInt = 2000
    """More is an error; where events were chosen by coverage, the rarest go first."""
