"""All words about features, in one place: what a column means, and what its value says of a row."""

from dataclasses import replace

from features.definitions import Feature, Scope, Statistic

_MEANINGS: dict[Statistic, str] = {
    "count": "how often: {subject}{when}",
    "active_days": "days with {subject}{when}",
    "per_active_day": "{subject} per day that has any{when}",
    "share": "{subject} as a share of {against}{when}",
    "breadth": "different events{when}",
    "first_uses": "different events used for the first time{when}",
    "top_event_share": "share of the most frequent event{when}",
    "days_since_last": "days since the latest {subject}",
    "days_since_first": "days since the first {subject}",
    "days_to_first": "days from the first event of any kind to the first {subject}",
    "first_use_rank": "place of {subject} in the order of first uses, 1 for the first",
    "first_period": "{subject} in the first {span} since the first event of any kind",
    "first_period_ratio": "{subject} in the first {span} against the mean of all whose first "
    "days were over by then",
    "trend": "{subject}{when} against the {span} before: (this - before) / (this + before)",
    "acceleration": "{subject}: how the last two changes from {span} to {span} differ, "
    "(this - 2 x before + the one before that) / all three",
    "slope": "{subject}: slope of the daily rate{when}",
    "peak_ratio": "{subject}{when} against the most in any {span} so far",
    "streak": "consecutive days with {subject} up to now",
    "longest_streak": "most consecutive days with {subject}{when}",
    "weekdays": "different days of the week with {subject}{when}",
    "business_share": "share of {subject} in business hours{when}",
    "gap_days": "mean days from one day with {subject} to the next{when}",
    "gap_variation": "how irregular those gaps between days with {subject} are{when}: standard "
    "deviation / mean",
    "burstiness": "burstiness of {subject}{when}: -1 like a clock, 0 at random, 1 all at once "
    "(Kim and Jo)",
    "sessions": "sessions begun{when}; 30 minutes of rest begin a new one",
    "session_minutes": "minutes per session{when}",
    "events_per_session": "events per session{when}",
    "members": "users with {subject}{when}",
    "new_members": "users with their first {subject}{when}",
    "member_growth": "users with their first {subject}{when}, per user known before",
    "active_member_share": "share of the users so far with {subject}{when}",
    "member_share": "share of the users with {against} who have {subject}{when}",
    "per_member": "{subject} per user who has any{when}",
    "days_per_member": "days with {subject} per user who has any{when}",
    "top_member_count": "{subject} of the busiest user{when}",
    "top_member_share": "share of {subject} that the busiest user has{when}",
    "member_gini": "unevenness of {subject} over users{when}: 0 where all have the same, "
    "1 - 1/users where one has all (Gini)",
    "sum": "sum of {property} over {subject}{when}",
    "mean": "mean {property} of {subject}{when}",
    "std": "standard deviation of {property} of {subject}{when}",
    "min": "smallest {property} of {subject}{when}",
    "max": "largest {property} of {subject}{when}",
    "value_trend": "sum of {property} over {subject}{when} against the {span} before: "
    "(this - before) / (this + before)",
    "last": "latest {property} of {subject}{when}",
    "first": "first {property} of {subject}{when}",
    "distinct": "different values of {property}{when}",
    "top_share": "share of the most frequent {property}{when}",
    "limit_share": "{usage} as a share of its limit, {limit}{when}",
    "attribute": "{property} of the {source}, the latest known",
    "sql": "{subject}{when}",
}

# {n} is the value, {s} the plural ending it asks for.
_FACTS: dict[Statistic, str] = {
    "count": "{subject}: {n} time{s}{when}",
    "active_days": "{subject}: on {n} day{s}{when}",
    "per_active_day": "{subject}: {n} time{s} a day when active{when}",
    "share": "{subject}: {percent} of {against}{when}",
    "breadth": "{n} different event{s}{when}",
    "first_uses": "{n} event{s} used for the first time{when}",
    "top_event_share": "most frequent event: {percent} of all{when}",
    "days_since_last": "latest {subject}: {n} day{s} ago",
    "days_since_first": "first {subject}: {n} day{s} ago",
    "days_to_first": "first {subject}: {n} day{s} after the start",
    "first_use_rank": "{subject}: number {n} in the order of first uses",
    "first_period": "{subject}: {n} time{s} in the first {span}",
    "first_period_ratio": "{subject} in the first {span}: {n} time{s} the usual",
    "acceleration": "{subject}: change of the {days}-day trend {n}",
    "slope": "{subject}: daily rate changes by {n} a day{when}",
    "peak_ratio": "{subject}: {percent} of its highest {span}",
    "streak": "{subject}: {n} day{s} in a row up to now",
    "longest_streak": "{subject}: at most {n} day{s} in a row{when}",
    "weekdays": "{subject}: on {n} day{s} of the week{when}",
    "business_share": "{subject}: {percent} in business hours{when}",
    "gap_days": "{subject}: every {n} day{s} on average{when}",
    "gap_variation": "{subject}: irregularity {n} of the days between{when}",
    "burstiness": "{subject}: burstiness {n}{when}",
    "sessions": "{n} session{s}{when}",
    "session_minutes": "{n} minute{s} per session{when}",
    "events_per_session": "{n} event{s} per session{when}",
    "members": "{subject}: by {n} user{s}{when}",
    "new_members": "{subject}: {n} new user{s}{when}",
    "member_growth": "{subject}: {percent} more users{when}",
    "active_member_share": "{subject}: {percent} of all users so far{when}",
    "member_share": "{subject}: {percent} of the users with {against}{when}",
    "per_member": "{subject}: {n} time{s} per user{when}",
    "days_per_member": "{subject}: on {n} day{s} per user{when}",
    "top_member_count": "{subject}: {n} time{s} by the busiest user{when}",
    "top_member_share": "{subject}: {percent} by the busiest user{when}",
    "member_gini": "{subject}: unevenness {n} over the users{when}",
    "sum": "{property} of {subject}: {n} in all{when}",
    "mean": "{property} of {subject}: {n} on average{when}",
    "std": "{property} of {subject}: varies by {n}{when}",
    "min": "{property} of {subject}: {n} at least{when}",
    "max": "{property} of {subject}: {n} at most{when}",
    "last": "{property}: {n}, the latest",
    "first": "{property}: {n}, the first",
    "distinct": "{n} different value{s} of {property}{when}",
    "top_share": "most frequent {property}: {percent}{when}",
    "limit_share": "{usage}: {percent} of the limit{when}",
    "attribute": "{property}: {n}",
    "sql": "{subject}: {n}{when}",
}
# When every event counts, the subject goes without saying.
_FACTS_OF_ALL: dict[Statistic, str] = {
    "count": "{n} event{s}{when}",
    "active_days": "active on {n} day{s}{when}",
    "members": "{n} active member{s}{when}",
    "new_members": "{n} new member{s}{when}",
    "days_since_last": "last active {n} day{s} ago",
    "days_since_first": "first seen {n} day{s} ago",
    "streak": "active {n} day{s} in a row up to now",
    "longest_streak": "active at most {n} day{s} in a row{when}",
    "weekdays": "active on {n} day{s} of the week{when}",
    "gap_days": "active every {n} day{s} on average{when}",
}
_UNKNOWN: dict[Statistic, str] = {
    "days_since_last": "{subject}: never",
    "days_since_first": "{subject}: never",
    "days_to_first": "{subject}: never",
    "first_use_rank": "{subject}: never used",
    "session_minutes": "no session{when}",
    "events_per_session": "no session{when}",
    "share": "nothing of {against}{when}",
}
# In these sentences all events together are "event" or "events", not "any event".
_SINGULAR = {
    *("days_since_last", "days_since_first", "days_to_first", "new_members", "member_growth"),
}
_PLURAL = {
    *("per_active_day", "share", "first_period", "first_period_ratio", "trend", "acceleration"),
    *("slope", "peak_ratio", "business_share", "burstiness", "per_member", "days_per_member"),
    *("top_member_count", "top_member_share", "member_gini", "longest_streak", "streak"),
}
_OF_ONES_OWN = "{statistic} of {subject}{when}"
_TRENDS = ("trend", "value_trend")


def meaning(feature: Feature) -> str:
    """One sentence for the catalogue.

    >>> meaning(Feature("x", "value", "count", ("report_created",), None, 7, "entity", "number",
    ...                 "", "", subject="report created"))
    'how often: report created in the last 7 days'
    """
    spoken = _words(feature)
    if not feature.events and feature.statistic in _PLURAL:
        spoken["subject"] = "events"
    if feature.statistic in _SINGULAR:
        spoken["subject"] = _one_of(feature)
    text = _MEANINGS.get(feature.statistic, _OF_ONES_OWN).format(**spoken)
    return _owned(text + _conditions(feature), feature.scope)


def _one_of(feature: Feature) -> str:
    """The subject where one event is meant: the latest team event, not the latest team events."""
    if not feature.events:
        return "event"
    several = feature.subject.endswith(" events") and len(feature.events) > 1
    return feature.subject.removesuffix("s") if several else feature.subject


def _words(feature: Feature) -> dict[str, str | int | None]:
    """What the texts may speak of, beside the value."""
    everything = "any event" if feature.statistic == "member_share" else "all events"
    against = ", ".join(name.replace("_", " ").strip(" $") for name in feature.against or ())
    against = against or everything
    return {
        "statistic": feature.statistic.replace("_", " "),
        "subject": feature.subject or "any event",
        "when": _when(feature.days),
        "days": feature.days,
        "span": _span(feature.days),
        "property": feature.property,
        "source": feature.source,
        "against": against,
        "usage": feature.property or "members",
        "limit": feature.limit.name if feature.limit else "",
    }


def _conditions(feature: Feature) -> str:
    """The conditions as words: where plan is pro or team, and seats is at least 5."""
    told = []
    for one in feature.where:
        if one.one_of:
            told.append(f"{one.property} is {' or '.join(one.one_of)}")
        if one.at_least is not None:
            told.append(f"{one.property} is at least {show(one.at_least)}")
        if one.at_most is not None:
            told.append(f"{one.property} is at most {show(one.at_most)}")
    return f", where {' and '.join(told)}" if told else ""


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
    if feature.statistic in _TRENDS:
        return _owned(_trend(feature, value), feature.scope)
    shown = show(value)
    recent = feature.statistic == "days_since_last" and isinstance(value, float) and value < 1
    if recent:
        # Less than a day reads badly as a fraction of one.
        shown = "less than 1"
    of_all = {} if feature.events else _FACTS_OF_ALL
    text = of_all.get(feature.statistic, _FACTS.get(feature.statistic, f"{_OF_ONES_OWN}: {{n}}"))
    if value is None:
        text = _UNKNOWN.get(feature.statistic, "{property}: unknown" if feature.property else text)
    percent = f"{value:.0%}" if isinstance(value, float) else shown
    plural = "" if shown in ("1", "less than 1") else "s"
    spoken = _words(feature)
    if feature.statistic in _SINGULAR and feature.events and value is not None:
        spoken["subject"] = _one_of(feature)
    text = text.format(n=shown, s=plural, percent=percent, **spoken)
    return _owned(text + _conditions(feature), feature.scope)


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
    feature = replace(feature, subject=_of_what(feature))
    recent, before = _when(feature.days), f"in the {_span(feature.days)} before"
    if value is None or isinstance(value, str):
        return f"{feature.subject}: not{recent}, nor {before}"
    if value >= 1:
        return f"{feature.subject}{recent}, but not {before}"
    if value <= -1:
        return f"{feature.subject}: not{recent}, but {before}"
    often = show((1 + value) / (1 - value))
    return f"{feature.subject}: {often} time{'' if often == '1' else 's'} as often as {before}"


def _of_what(feature: Feature) -> str:
    if feature.statistic == "value_trend":
        return f"{feature.property} of {feature.subject}"
    return feature.subject


def _when(days: int | None) -> str:
    if days is None:
        return " so far"
    return f" in the last {_span(days)}"


def _span(days: int | None) -> str:
    return "day" if days == 1 else f"{days} days"


def _owned(text: str, scope: Scope) -> str:
    return f"in the user's account: {text}" if scope == "account" else text
