"""All words about features, in one place: what a column means, and what its value says of a row."""

from features.definitions import Feature, Scope, Source, Statistic

UNITS: dict[Statistic, str] = {
    "count": "events",
    "active_days": "days",
    "members": "users",
    "breadth": "event names",
    "distinct": "values",
    "trend": "-1 to 1",
    "days_since_last": "days",
    "days_since_first": "days",
    "sessions": "sessions",
    "session_minutes": "minutes",
}

_MEANINGS: dict[Statistic, str] = {
    "count": "how often: {subject}{when}",
    "active_days": "days with {subject}{when}",
    "members": "users with {subject}{when}",
    "breadth": "different events{when}",
    "distinct": "different values of {property}{when}",
    "trend": "{subject}{when} against the {days} days before: (this - before) / (this + before)",
    "days_since_last": "days since the latest {subject}",
    "days_since_first": "days since the first {subject}",
    "sum": "sum of {property} over {subject}{when}",
    "mean": "mean {property} of {subject}{when}",
    "max": "largest {property} of {subject}{when}",
    "last": "latest {property} of {subject}{when}",
    "sessions": "sessions begun{when}; 30 minutes of rest begin a new one",
    "session_minutes": "minutes per session{when}",
    "attribute": "{property} of the {source}, the latest known",
}

# {n} is the value, {s} the plural ending it asks for.
_FACTS: dict[Statistic, str] = {
    "count": "{subject}: {n} time{s}{when}",
    "active_days": "{subject}: on {n} day{s}{when}",
    "members": "{subject}: by {n} user{s}{when}",
    "breadth": "{n} different event{s}{when}",
    "distinct": "{n} different value{s} of {property}{when}",
    "days_since_last": "latest {subject}: {n} day{s} ago",
    "days_since_first": "first {subject}: {n} day{s} ago",
    "sum": "{property} of {subject}: {n} in all{when}",
    "mean": "{property} of {subject}: {n} on average{when}",
    "max": "{property} of {subject}: {n} at most{when}",
    "last": "{property}: {n}, the latest",
    "sessions": "{n} session{s}{when}",
    "session_minutes": "{n} minute{s} per session{when}",
    "attribute": "{property}: {n}",
}
# When every event counts, the subject goes without saying.
_FACTS_OF_ALL: dict[Statistic, str] = {
    "count": "{n} event{s}{when}",
    "active_days": "active on {n} day{s}{when}",
    "members": "{n} active member{s}{when}",
    "days_since_last": "last active {n} day{s} ago",
    "days_since_first": "first seen {n} day{s} ago",
}
_UNKNOWN: dict[Statistic, str] = {
    "days_since_last": "{subject}: never",
    "days_since_first": "{subject}: never",
    "session_minutes": "no session{when}",
}


def meaning(
    statistic: Statistic,
    subject: str,
    days: int | None,
    property: str | None,
    scope: Scope,
    source: Source,
) -> str:
    """One sentence for the catalogue.

    >>> meaning("count", "report created", 7, None, "entity", "event")
    'how often: report created in the last 7 days'
    """
    text = _MEANINGS[statistic].format(
        subject=subject, when=_when(days), days=days, property=property, source=source
    )
    return _owned(text, scope)


def tell(feature: Feature, value: float | str | None) -> str:
    """What a row's value says, in words a rep can check.

    >>> from features.definitions import Feature
    >>> def of(statistic, days=None):
    ...     return Feature("x", "value", statistic, ("report_created",), None, days, "entity",
    ...                    "number", "", "", "event", "report created")
    >>> tell(of("count", 7), 1.0), tell(of("days_since_last"), 2.25)
    ('report created: 1 time in the last 7 days', 'latest report created: 2.2 days ago')
    >>> tell(of("trend", 7), 0.5), tell(of("days_since_last"), None)
    ('report created: 3 times as often as in the 7 days before', 'report created: never')
    """
    if feature.statistic == "trend":
        return _owned(_trend(feature, value), feature.scope)
    shown = show(value)
    recent = feature.statistic == "days_since_last" and isinstance(value, float) and value < 1
    if recent:
        # Less than a day reads badly as a fraction of one.
        shown = "less than 1"
    of_all = {} if feature.events else _FACTS_OF_ALL
    text = of_all.get(feature.statistic, _FACTS[feature.statistic])
    if value is None:
        text = _UNKNOWN.get(feature.statistic, "{property}: unknown" if feature.property else text)
    text = text.format(
        subject=feature.subject,
        n=shown,
        s="" if shown in ("1", "less than 1") else "s",
        when=_when(feature.days),
        property=feature.property,
    )
    return _owned(text, feature.scope)


def show(value: float | str | None) -> str:
    """A value as people write it.

    >>> [show(value) for value in (12.0, 1234.5, 0.0312, "software", None)]
    ['12', '1,234.5', '0.031', 'software', 'unknown']
    """
    if value is None or isinstance(value, str):
        return value or "unknown"
    if abs(value) >= 1 or value == 0:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.2g}"


def _trend(feature: Feature, value: float | str | None) -> str:
    before = f"in the {feature.days} days before"
    if value is None or isinstance(value, str):
        return f"{feature.subject}: not in the last {feature.days} days, nor {before}"
    if value >= 1:
        return f"{feature.subject}{_when(feature.days)}, but not {before}"
    if value <= -1:
        return f"{feature.subject}: not in the last {feature.days} days, but {before}"
    return f"{feature.subject}: {show((1 + value) / (1 - value))} times as often as {before}"


def _when(days: int | None) -> str:
    if days is None:
        return " so far"
    return " in the last day" if days == 1 else f" in the last {days} days"


def _owned(text: str, scope: Scope) -> str:
    return f"in the user's account: {text}" if scope == "account" else text
