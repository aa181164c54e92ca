"""All words about features, in one place: what a column means, and what its value says of a row."""

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

# {n} is the value, {s} the plural ending it asks for; `models.scoring.tell` fills them in.
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
            told.append(f"{one.property} is at least {_exact(one.at_least)}")
        if one.at_most is not None:
            told.append(f"{one.property} is at most {_exact(one.at_most)}")
    return f", where {' and '.join(told)}" if told else ""


def _exact(bound: float) -> str:
    """A bound as people write it, never rounded: a condition is what it says."""
    return f"{bound:,}".removesuffix(".0")


def phrase(feature: Feature) -> dict[str, str]:
    """The sentences about a row's value, with gaps for its number: what a model keeps.

    Returns
    -------
    dict
        ``known`` with gaps ``{n}``, ``{s}`` (plural ending) and ``{percent}``, and ``unknown``;
        of trends also ``only_now`` and ``only_before``, of recency ``below_one``, which stands
        for the number there. Braces of names are doubled, as `str.format` reads them.

    Examples
    --------
    >>> made = Feature("x", "value", "count", ("report_created",), None, 7, "entity", "number",
    ...                "", "", subject="report created")
    >>> phrase(made)["known"]
    'report created: {n} time{s} in the last 7 days'
    """
    if feature.statistic in _TRENDS:
        texts = _trend(feature)
    else:
        of_all = {} if feature.events else _FACTS_OF_ALL
        own = _FACTS.get(feature.statistic, f"{_OF_ONES_OWN}: {{n}}")
        known = of_all.get(feature.statistic, own)
        unknown = "{property}: unknown" if feature.property else known
        unknown = _UNKNOWN.get(feature.statistic, unknown)
        one = feature.statistic in _SINGULAR and bool(feature.events)
        texts = {"known": _filled(known, feature, one), "unknown": _filled(unknown, feature)}
    condition = _escaped(_conditions(feature))
    texts = {name: _owned(text + condition, feature.scope) for name, text in texts.items()}
    if feature.statistic == "days_since_last":
        # Less than a day reads badly as a fraction of one.
        texts["below_one"] = "less than 1"
    return texts


def _filled(template: str, feature: Feature, one: bool = False) -> str:
    """The template with the feature's words, ready to take a number."""
    words = {name: _escaped(str(word)) for name, word in _words(feature).items()}
    if one:
        words["subject"] = _escaped(_one_of(feature))
    return template.format(n="{n}", s="{s}", percent="{percent}", **words)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _trend(feature: Feature) -> dict[str, str]:
    of_what = _escaped(_of_what(feature))
    recent, before = _when(feature.days), f"in the {_span(feature.days)} before"
    return {
        "known": f"{of_what}: {{n}} time{{s}} as often as {before}",
        "unknown": f"{of_what}: not{recent}, nor {before}",
        "only_now": f"{of_what}{recent}, but not {before}",
        "only_before": f"{of_what}: not{recent}, but {before}",
    }


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
