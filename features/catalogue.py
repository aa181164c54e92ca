"""From the settings' event catalogue to the list of feature definitions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from features.catalogue_checks import check_names
from features.catalogue_spec import FeatureSpec, LimitSpec, PropertySpec
from features.choice import Choice, choose
from features.custom import own_feature
from features.definitions import (
    DIMENSIONS,
    Dimension,
    Feature,
    Hours,
    Limit,
    Scope,
    Statistic,
    slug,
)
from features.errors import SettingsError
from features.events import Attribute, EventLog, Level, ValueType
from features.naming import define, unique
from features.statistics import STATISTICS
from features.wording import meaning

_OF_DIMENSIONS: tuple[Statistic, ...] = ("count", "active_days", "share", "days_since_last")


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
        When the settings name an event, property or attribute that the log does not have, or ask
        for more than ``max_features``.
    """
    return catalogue_and_choice(spec, log, level, conversion_events)[0]


def catalogue_and_choice(
    spec: FeatureSpec, log: EventLog, level: Level, conversion_events: Iterable[str] = ()
) -> tuple[tuple[Feature, ...], Choice]:
    """As `build_catalogue`, with what was chosen and left out where the settings leave it open."""
    check_names(spec, log)
    choice = choose(spec, log, level, frozenset(conversion_events))
    features = _features(spec, log, level, choice)
    while len(features) > spec.max_features and choice.may_shrink:
        choice = choice.without_the_rarest(len(features) - spec.max_features)
        features = _features(spec, log, level, choice)
    if len(features) > spec.max_features:
        raise SettingsError(
            f"The catalogue has {len(features):,} features, more than features.max_features = "
            f"{spec.max_features:,}. Ask for fewer windows, statistics or events, or raise it."
        )
    return features, choice


def _features(
    spec: FeatureSpec, log: EventLog, level: Level, choice: Choice
) -> tuple[Feature, ...]:
    out: list[Feature] = []
    scopes: tuple[Scope, ...] = ("entity", "account") if level == "user" else ("entity",)
    types = {item.name: item.type for item in log.properties}
    for scope in scopes:
        members = level == "account" or scope == "account"
        out += _of_all_events(spec, scope, members)
        for name, group in sorted(spec.groups.items()):
            out += _for_statistics(
                spec, spec.event_statistics, scope, name, group.events, group.dimension, members
            )
    for event, dimension in choice.events:
        out += _for_statistics(
            spec, spec.event_statistics, "entity", event, (event,), dimension, level == "account"
        )
    for name, item in sorted(choice.properties.items()):
        out += _for_property(spec, name, item, types[name])
    team: Scope = "entity" if level == "account" else "account"
    for name in spec.member_attributes:
        for days in (28, None):
            out.append(
                define("distinct", "team", team, f"member_{name}", (), days, name, source="user")
            )
    known = {(item.of, item.name): item for item in log.attributes}
    for name, dimension in spec.attributes.items():
        attribute = known.get((level, name)) or known.get(("account", name))
        if attribute is None:
            raise SettingsError(
                f"features.attributes.{name}: an account has none, its users have; count their "
                "values with features.member_attributes."
            )
        out.append(attribute_feature(attribute, dimension))
    for name, limit in sorted(spec.limits.items()):
        out.append(_for_limit(name, limit, log, level))
    shipped = unique(out)
    taken = {feature.name for feature in shipped}
    for name, own in sorted(spec.custom.items()):
        feature = own_feature(name, own, log, _hours(spec))
        if feature.name in taken:
            raise SettingsError(
                f"features.custom.{name}: there is a feature {feature.name!r} already; choose "
                "another name."
            )
        taken.add(feature.name)
        shipped += (feature,)
    return shipped


def _of_all_events(spec: FeatureSpec, scope: Scope, members: bool) -> list[Feature]:
    out = _for_statistics(
        spec, spec.activity_statistics, scope, "any_event", (), "engagement", members
    )
    if spec.events:
        for dimension in DIMENSIONS[:4]:
            events = getattr(spec.events, dimension)
            if len(events) > 1:
                subject = f"any_{dimension}"
                out += _for_statistics(
                    spec, _OF_DIMENSIONS, scope, subject, events, dimension, members
                )
    return out


def _for_statistics(
    spec: FeatureSpec,
    statistics: Sequence[Statistic],
    scope: Scope,
    subject: str,
    events: tuple[str, ...],
    dimension: Dimension,
    members: bool,
) -> list[Feature]:
    out = []
    for statistic in statistics:
        of_members = STATISTICS[statistic].of_members
        if of_members and not members:
            continue
        # How a team works is the team's dimension, whatever the events.
        about = "team" if of_members and not events else dimension
        more: dict = {"against": ()} if STATISTICS[statistic].of_share else {}
        if statistic == "business_share":
            more["hours"] = _hours(spec)
        for days in _windows(spec, statistic):
            out.append(define(statistic, about, scope, subject, events, days, **more))
    return out


def _hours(spec: FeatureSpec) -> Hours:
    hours = spec.business_hours
    return Hours(hours.timezone, hours.begin, hours.end)


def _windows(spec: FeatureSpec, statistic: str) -> Sequence[int | None]:
    """The windows that a statistic is asked for."""
    one = STATISTICS[statistic]
    if one.window == "none":
        return (None,)
    life = [None] if spec.lifetime else []
    detail = sorted(set(spec.detail_days))
    windows: dict[str, Sequence[int | None]] = {
        "every": [*sorted(set(spec.windows_days)), *life],
        "detail": detail,
        "shortest": [*detail[:1], *life],
        "trend": sorted(set(spec.trend_days)),
        "first": (spec.first_days,),
    }
    return windows[one.asked]


def _for_property(
    spec: FeatureSpec, name: str, item: PropertySpec, type_: ValueType
) -> list[Feature]:
    out = []
    asked: Sequence[str] = item.statistics if type_ == "number" else item.category_statistics
    for one in asked:
        statistic: Statistic = "value_trend" if one == "trend" else one  # type: ignore[assignment]
        picks = statistic in ("last", "first")
        for days in (None,) if picks else _windows(spec, statistic):
            dtype = type_ if picks else "number"
            out.append(
                define(
                    statistic, item.dimension, "entity", name, item.events, days, name, dtype=dtype
                )
            )
    return out


def _for_limit(name: str, item: LimitSpec, log: EventLog, level: Level) -> Feature:
    """Usage and limit: the limit is a number, a property of the events, or an attribute."""
    if isinstance(item.limit, float):
        limit = Limit("constant", f"{item.limit:g}")
    elif item.limit in {one.name for one in log.properties}:
        limit = Limit("event", item.limit)
    elif (level, item.limit) in {(one.of, one.name) for one in log.attributes}:
        limit = Limit(level, item.limit)
    else:
        raise SettingsError(
            f"features.limits.{name}: {item.limit!r} is no attribute of a {level}; the limit of a "
            f"{level} is a number, a property of the events, or an attribute of its own."
        )
    usage = None if item.usage == "members" else item.usage
    return define(
        "limit_share", item.dimension, "entity", name, item.events, None, usage, limit=limit
    )


def attribute_feature(attribute: Attribute, dimension: Dimension) -> Feature:
    """The latest value of a fact about the entity, or about its account."""
    number = attribute.type == "number"
    feature = Feature(
        name=slug(attribute.name),
        dimension=dimension,
        statistic="attribute",
        events=(),
        property=attribute.name,
        days=None,
        scope="entity",
        dtype="number" if number else "category",
        unit="as given" if number else "category",
        meaning="",
        source=attribute.of,
    )
    return replace(feature, meaning=meaning(feature))
