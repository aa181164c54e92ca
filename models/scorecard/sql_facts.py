"""One column of the catalogue as SQL over a table of events: the same number, said elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass

from features.clock import DAY_US, MINUTE_US
from features.definitions import Feature
from features.events import Level
from models.scorecard.measures import WEEKS_SQL
from models.scorecard.sql_text import Dialect, Tables, micros, name, table, texts, utc

_WEEK_US = 7 * DAY_US
_OWN = {"entity", "member", "event", "known_at", "as_of"}
"""Columns of ``seen``: a property of such a name can't stand beside them."""


@dataclass(frozen=True)
class Writer:
    """What every column's SQL depends on."""

    level: Level
    dialect: Dialect
    tables: Tables

    @property
    def entity(self) -> str:
        """The column that names who is scored."""
        return self.tables.account if self.level == "account" else self.tables.user


def aggregate(feature: Feature, writer: Writer) -> str | None:
    """An aggregate over ``seen``, grouped by entity; None where one is not enough.

    ``seen`` has entity, member, event, known_at and as_of, and properties by their names.
    """
    write = _AGGREGATES.get(feature.statistic)
    if feature.statistic == "sql" and feature.sql == WEEKS_SQL:
        write = _weeks
    of_event = feature.property is None or feature.source == "event"
    if write is None or not _plain(feature) or not of_event or feature.property in _OWN:
        return None
    return write(feature, writer)


def subquery(feature: Feature, writer: Writer) -> str | None:
    """A query of (entity, value), one row each; None where there is none."""
    write = _SUBQUERIES.get(feature.statistic)
    if write is None or not _plain(feature):
        return None
    of_users = feature.statistic == "distinct" and (feature.source, writer.level) != (
        "user",
        "account",
    )
    elsewhere = feature.statistic == "attribute" and feature.source != writer.level
    return None if of_users or elsewhere else write(feature, writer)


def _plain(feature: Feature) -> bool:
    bare = not feature.where and feature.limit is None and feature.against is None
    return bare and feature.scope == "entity"


def _inside(feature: Feature) -> str:
    """The condition of the events that count."""
    parts = [f"event in {texts(feature.events)}"] if feature.events else []
    if feature.days is not None:
        parts.append(f"known_at >= as_of - interval '{feature.days} days'")
    return " and ".join(parts) or "1 = 1"


def _picked(feature: Feature, what: str) -> str:
    return f"case when {_inside(feature)} then {what} end"


def _distinct(what: str) -> Callable[[Feature, Writer], str]:
    return lambda feature, _: f"count(distinct {_picked(feature, what)})"


def _weeks(feature: Feature, writer: Writer) -> str:
    since = micros(writer.dialect, "as_of", "known_at")
    week = f"ceil(cast({since} as double precision) / {_WEEK_US})"
    return f"count(distinct {_picked(feature, week)})"


def _days_since(which: str) -> Callable[[Feature, Writer], str]:
    def write(feature: Feature, writer: Writer) -> str:
        event = f"{which}({_picked(feature, 'known_at')})"
        since = micros(writer.dialect, "max(as_of)", event)
        return f"cast({since} as double precision) / {DAY_US}"

    return write


def _of_property(function: str) -> Callable[[Feature, Writer], str]:
    def write(feature: Feature, _: Writer) -> str:
        value = f"cast({name(str(feature.property))} as double precision)"
        return f"{function}({_picked(feature, value)})"

    return write


_AGGREGATES: dict[str, Callable[[Feature, Writer], str]] = {
    "count": lambda feature, _: f"count({_picked(feature, '1')})",
    "active_days": _distinct("cast(known_at as date)"),
    "weekdays": _distinct("extract(dow from known_at)"),
    "members": _distinct("member"),
    "breadth": _distinct("event"),
    "days_since_first": _days_since("min"),
    "days_since_last": _days_since("max"),
    "sum": _of_property("sum"),
    "min": _of_property("min"),
    "max": _of_property("max"),
}


def _longest_streak(feature: Feature, _: Writer) -> str:
    """Days in a row share the difference of the day and its number (gaps and islands)."""
    return f"""\
  select entity, max(days) as value from (
    select entity, island, count(*) as days from (
      select entity, day - cast(row_number() over (partition by entity order by day) as integer)
        as island
      from (select distinct entity, cast(known_at as date) as day from seen
            where {_inside(feature)}) as active
    ) as numbered group by entity, island
  ) as runs group by entity"""


def _session_minutes(feature: Feature, writer: Writer) -> str:
    """A pause belongs to its later event; one of more than the gap begins a session."""
    from features.statistics.activity import SESSION_GAP_US

    events = f" where event in {texts(feature.events)}" if feature.events else ""
    pause = micros(writer.dialect, "known_at", "before")
    window = f" where known_at >= as_of - interval '{feature.days} days'" if feature.days else ""
    return f"""\
  select entity, cast(sum(case when pause <= {SESSION_GAP_US} then pause end) as double precision)
    / {MINUTE_US} / nullif(count(case when pause is null or pause > {SESSION_GAP_US} then 1 end), 0)
    as value
  from (
    select entity, known_at, as_of, {pause} as pause from (
      select entity, known_at, as_of,
        lag(known_at) over (partition by entity, member order by known_at) as before
      from seen{events}
    ) as ordered
  ) as pauses{window} group by entity"""


def _attribute(feature: Feature, writer: Writer) -> str:
    tables, value = writer.tables, name(str(feature.property))
    where = tables.accounts if writer.level == "account" else tables.users
    kind = "double precision" if feature.dtype == "number" else "varchar"
    since = utc(writer.dialect, name(tables.valid_from))
    return f"""\
  select entity, value from (
    select {name(writer.entity)} as entity, cast({value} as {kind}) as value,
      row_number() over (partition by {name(writer.entity)} order by {since} desc) as place
    from {table(where)} cross join moment
    where {since} < as_of and {value} is not null
  ) as known where place = 1"""


def _member_attribute(feature: Feature, writer: Writer) -> str:
    """Different values that members had when they did something, what they brought included."""
    tables, value = writer.tables, name(str(feature.property))
    since, user = utc(writer.dialect, name(tables.valid_from)), name(tables.user)
    return f"""\
  select seen.entity, count(distinct known.value) as value from (
    select {user} as member, cast({value} as varchar) as value, {since} as since,
      lead({since}) over (partition by {user} order by {since}) as until
    from {table(tables.users)} where {value} is not null
  ) as known join seen on seen.member = known.member
    and seen.known_at >= known.since and (known.until is null or seen.known_at < known.until)
  where {_inside(feature)} group by seen.entity"""


_SUBQUERIES: dict[str, Callable[[Feature, Writer], str]] = {
    "longest_streak": _longest_streak,
    "session_minutes": _session_minutes,
    "attribute": _attribute,
    "distinct": _member_attribute,
}
