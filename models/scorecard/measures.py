"""What a rule counts, said without naming a column: enough to define a feature and to find it."""

from typing import Literal

from pydantic import PositiveInt

from features.definitions import Dimension, Feature, Scope, Statistic
from features.events import EventLog, Level
from features.spec import Spec

# Rolling weeks back from as_of, (0, 7] days ago being the first, so that no weekday matters.
WEEKS_SQL = "count(distinct ceil((epoch_us(as_of) - epoch_us(known_at)) / 604800000000.0))"

MeasureStatistic = Literal[
    "count",
    "active_days",
    "longest_streak",
    "active_weeks",
    "members",
    "breadth",
    "session_minutes",
    "days_since_first",
    "attribute",
]


class Measure(Spec):
    """A number or fact about an entity, as a line of text asks for it."""

    statistic: MeasureStatistic
    """What is counted: events, days, days in a row, weeks, members, different events, ..."""
    events: tuple[str, ...] = ()
    """Names of the events that count; none: every event."""
    attribute: str | None = None
    """The attribute whose latest value is read, for ``statistic: attribute`` only."""
    days: PositiveInt | None = None
    """Look-back [as_of - days, as_of); none: everything before as_of."""

    def is_read_by(self, feature: Feature) -> bool:
        """Whether the feature's column holds exactly this, whatever its name.

        Examples
        --------
        >>> from features.naming import define
        >>> made = define("count", "value", "entity", "any name", ("sold",), 7)
        >>> Measure(statistic="count", events=("sold",), days=7).is_read_by(made)
        True
        >>> Measure(statistic="count", events=("sold",), days=14).is_read_by(made)
        False
        """
        if feature.where or feature.limit is not None or feature.against is not None:
            return False
        if self.statistic == "attribute":
            return feature.statistic == "attribute" and feature.property == self.attribute
        # A user has no members; those of the user's account are meant, and its only such column.
        scoped = self.statistic == "members" or feature.scope == "entity"
        return (
            scoped
            and (feature.statistic, feature.sql) == _engine_terms(self)
            and feature.property is None
            and feature.events == tuple(sorted(self.events))
            and feature.days == self.days
        )

    def define(self, dimension: Dimension, level: Level, log: EventLog) -> Feature:
        """The feature, for a catalogue that lacks it.

        Parameters
        ----------
        log
            Says whose attribute it is, and of which type.
        """
        # It knows every statistic, whose kernels are compiled: not for those who read settings.
        from features.catalogue import attribute_feature
        from features.naming import define, words

        if self.attribute is not None:
            known = {(item.of, item.name): item for item in log.attributes}
            found = known.get((level, self.attribute)) or known["account", self.attribute]
            return attribute_feature(found, dimension)
        subject = "_or_".join(self.events) if self.events else "any_event"
        statistic, sql = _engine_terms(self)
        team: Scope = "account" if self.statistic == "members" and level == "user" else "entity"
        if sql is None:
            days = None if statistic == "days_since_first" else self.days
            return define(statistic, dimension, team, subject, self.events, days)
        spoken = " or ".join(map(words, self.events)) or "any event"
        return define(
            "sql",
            dimension,
            "entity",
            subject,
            self.events,
            self.days,
            sql=sql,
            unit="weeks",
            name=define("count", dimension, "entity", f"{subject}_weeks", (), self.days).name,
            meaning=f"weeks back from the scoring date with {spoken}{_when(self.days)}",
        )


def _engine_terms(measure: Measure) -> tuple[Statistic, str | None]:
    """The engine's statistic and expression for a measure."""
    if measure.statistic == "active_weeks":
        return "sql", WEEKS_SQL
    return measure.statistic, None


def _when(days: int | None) -> str:
    return " so far" if days is None else f" in the last {days} days"
