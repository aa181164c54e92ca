"""From the settings' event catalogue to the list of feature definitions."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Literal

from features.catalogue_spec import FeatureSpec, PropertySpec
from features.definitions import DIMENSIONS, Dimension, Feature, Scope, Statistic, slug
from features.errors import SettingsError, few
from features.events import Attribute, EventLog, Level, ValueType
from features.wording import UNITS, meaning

_OF_ALL_EVENTS: tuple[Statistic, ...] = (
    "count",
    "active_days",
    "breadth",
    "sessions",
    "session_minutes",
)
_OF_DIMENSIONS: tuple[Statistic, ...] = ("count", "active_days")
_RECENCY: tuple[Statistic, ...] = ("days_since_last", "days_since_first")


def build_catalogue(
    spec: FeatureSpec, log: EventLog, level: Level, conversion_events: Iterable[str] = ()
) -> tuple[Feature, ...]:
    """Every feature definition that the settings ask for and the log can give.

    Parameters
    ----------
    conversion_events
        Events that make an entity a customer: never a feature of their own.

    Returns
    -------
    tuple of Feature
        In a fixed order, with unique names.

    Raises
    ------
    SettingsError
        When the settings name an event, property or attribute that the log does not have.
    """
    _check_names(spec, log)
    out: list[Feature] = []
    scopes: tuple[Scope, ...] = ("entity", "account") if level == "user" else ("entity",)
    for scope in scopes:
        out += _totals(spec, scope, level)
        for name, group in sorted(spec.groups.items()):
            members = level == "account" or scope == "account"
            out += _for_events(spec, scope, name, group.events, group.dimension, members)
    for event, dimension in _catalogued(spec, log, set(conversion_events)):
        out += _for_events(spec, "entity", event, (event,), dimension, level == "account")
    for name, item in sorted(spec.properties.items()):
        type_ = next(p.type for p in log.properties if p.name == name)
        out += _for_property(spec, name, item, type_)
    team: Scope = "entity" if level == "account" else "account"
    for name in spec.member_attributes:
        for days in (28, None):
            out.append(_feature("distinct", "team", team, f"member_{name}", (), days, name, "user"))
    for name, dimension in spec.attributes.items():
        known = {(item.of, item.name): item for item in log.attributes}
        attribute = known.get((level, name)) or known.get(("account", name))
        if attribute is not None:
            out.append(_for_attribute(attribute, dimension))
    return _unique(out)


def _totals(spec: FeatureSpec, scope: Scope, level: Level) -> list[Feature]:
    out = []
    for statistic in _OF_ALL_EVENTS:
        for days in _windows(spec):
            out.append(_feature(statistic, "engagement", scope, "any_event", (), days))
    if level == "account" or scope == "account":
        out += [_feature("members", "team", scope, "any_event", (), d) for d in _windows(spec)]
    for days in spec.trend_days:
        out.append(_feature("trend", "engagement", scope, "any_event", (), days))
    for statistic in _RECENCY:
        out.append(_feature(statistic, "engagement", scope, "any_event", (), None))
    if spec.events:
        for dimension in DIMENSIONS[:4]:
            events = getattr(spec.events, dimension)
            if len(events) > 1:
                subject = f"any_{dimension}"
                for statistic in _OF_DIMENSIONS:
                    for days in _windows(spec):
                        out.append(_feature(statistic, dimension, scope, subject, events, days))
                out.append(_feature("days_since_last", dimension, scope, subject, events, None))
    return out


def _for_events(
    spec: FeatureSpec,
    scope: Scope,
    subject: str,
    events: tuple[str, ...],
    dimension: Dimension,
    members: bool,
) -> list[Feature]:
    out: list[Feature] = []
    for statistic in spec.event_statistics:
        if statistic == "members" and not members:
            continue
        windows: Sequence[int | None] = _windows(spec)
        if statistic == "trend":
            windows = spec.trend_days
        elif statistic in _RECENCY:
            windows = (None,)
        out += [_feature(statistic, dimension, scope, subject, events, d) for d in windows]
    return out


def _for_property(
    spec: FeatureSpec, name: str, item: PropertySpec, type_: ValueType
) -> list[Feature]:
    if type_ == "number":
        return [
            _feature(statistic, item.dimension, "entity", name, item.events, days, name)
            for statistic in item.statistics
            for days in ((None,) if statistic == "last" else _windows(spec))
        ]
    last = _feature("last", item.dimension, "entity", name, item.events, None, name)
    return [
        replace(last, dtype="category", unit="category"),
        *(
            _feature("distinct", item.dimension, "entity", name, item.events, days, name)
            for days in _windows(spec)
        ),
    ]


def _for_attribute(attribute: Attribute, dimension: Dimension) -> Feature:
    return Feature(
        name=slug(attribute.name),
        dimension=dimension,
        statistic="attribute",
        events=(),
        property=attribute.name,
        days=None,
        scope="entity",
        dtype="number" if attribute.type == "number" else "category",
        unit="as given" if attribute.type == "number" else "category",
        meaning=meaning("attribute", "", None, attribute.name, "entity", attribute.of),
        source=attribute.of,
    )


def _feature(
    statistic: Statistic,
    dimension: Dimension,
    scope: Scope,
    subject: str,
    events: tuple[str, ...],
    days: int | None,
    property: str | None = None,
    source: Literal["event", "user", "account"] = "event",
) -> Feature:
    window = f"{days}d" if days else "life"
    recency = statistic in _RECENCY
    recency = statistic in _RECENCY
    window = f"{days}d" if days else "life"
    name = f"{slug(subject)}_{statistic}" + ("" if recency else f"_{window}")
    words = _words(subject if property is None else "any event" if not events else events[0])
    if len(events) > 1:
        # A named group, or the events that a property is read from.
        words = f"{_words(subject).removeprefix('any ')} events"
    return Feature(
        name=f"account_{name}" if scope == "account" else name,
        dimension=dimension,
        statistic=statistic,
        events=tuple(sorted(events)),
        property=property,
        days=days,
        scope=scope,
        dtype="number",
        unit=UNITS.get(statistic, "as given"),
        meaning=meaning(statistic, words, days, property, scope, source),
        source=source,
        subject=words,
    )


def _words(name: str) -> str:
    """
    >>> _words("$pageview"), _words("report_created")
    ('pageview', 'report created')
    """
    return re.sub(r"[_\s]+", " ", name).strip(" $")


def _windows(spec: FeatureSpec) -> list[int | None]:
    return [*sorted(set(spec.windows_days)), *([None] if spec.lifetime else [])]


def _catalogued(
    spec: FeatureSpec, log: EventLog, conversion: set[str]
) -> list[tuple[str, Dimension]]:
    """Events with a feature of their own; without a catalogue the most frequent ones."""
    if spec.events is None:
        ranked = sorted(log.event_names, key=lambda item: (-item.n_events, item.name))
        names = [item.name for item in ranked if item.name not in conversion]
        return [(name, "engagement") for name in sorted(names[: spec.max_events])]
    pairs = [(name, d) for d in DIMENSIONS[:4] for name in getattr(spec.events, d)]
    twice = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if twice:
        raise SettingsError(f"features.events names {few(twice)} more than once; keep one each.")
    return [(name, dimension) for name, dimension in pairs if name not in conversion]


def unknown_events(spec: FeatureSpec, log: EventLog) -> list[str]:
    """Events that the settings name and the log does not have: they count as never happened.

    Raises
    ------
    SettingsError
        When one is so close to an event of the log that it must be a slip of the pen.
    """
    named = [event for group in spec.groups.values() for event in group.events]
    named += [event for item in spec.properties.values() for event in item.events]
    if spec.events:
        named += [event for one in DIMENSIONS[:4] for event in getattr(spec.events, one)]
    unknown = sorted(set(named) - set(log.event_codes))
    for event in unknown:
        if near := get_close_matches(event, log.event_codes, n=1, cutoff=0.85):
            raise SettingsError(
                f"features names the event {event!r}, which the log does not have. Did you mean "
                f"{near[0]!r}?"
            )
    return unknown


def _check_names(spec: FeatureSpec, log: EventLog) -> None:
    known = {
        "properties": ({item.name for item in log.properties}, set(spec.properties)),
        "attributes": ({item.name for item in log.attributes}, set(spec.attributes)),
        "member_attributes": (
            {item.name for item in log.attributes if item.of == "user"},
            set(spec.member_attributes),
        ),
    }
    for block, (there, asked) in known.items():
        if lacking := sorted(asked - there):
            raise SettingsError(
                f"features.{block} names {few(lacking)}, which the imported log does not carry "
                f"(it has {few(sorted(there)) or 'none'}). Declare it under data."
            )


def _unique(features: list[Feature]) -> tuple[Feature, ...]:
    """Give features whose slugs collide a short hash of their definition, all of them alike."""
    counts = Counter(feature.name for feature in features)
    return tuple(
        feature
        if counts[feature.name] == 1
        else replace(feature, name=f"{feature.name}_{_short(feature)}")
        for feature in features
    )


def _short(feature: Feature) -> str:
    text = f"{feature.events}|{feature.property}|{feature.source}|{feature.scope}"
    return hashlib.sha256(text.encode()).hexdigest()[:6]
