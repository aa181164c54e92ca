"""Definitions checked against a log and grouped: each selection of events is made once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from features.definitions import DIMENSIONS, Condition, Feature, Scope
from features.errors import SchemaMismatch, few
from features.events import PROPERTY_PREFIX, Attribute, EventLog, Level, Property
from features.reference import Reference
from features.statistics import STATISTICS
from features.statistics.sql import check_sql
from features.zones import check_zone


@dataclass(frozen=True)
class Group:
    """Features of one scope over the same events, with the columns they fill."""

    scope: Scope
    events: tuple[str, ...]
    where: tuple[Condition, ...]
    columns: tuple[tuple[int, Feature], ...]


@dataclass(frozen=True)
class Plan:
    """Everything a shard function needs beside the shard: plain data, no open files.

    Parameters
    ----------
    event_codes
        Code of every event name of the log. A name that the log has never seen has no code: its
        counts are 0, which is what they are.
    categories
        Values of each categorical property in code order.
    n_users, n_accounts
        Sizes of the code spaces.
    references
        What a ``first_period_ratio`` feature is compared with.
    """

    level: Level
    features: tuple[Feature, ...]
    event_codes: dict[str, int]
    properties: dict[str, Property]
    attributes: tuple[Attribute, ...]
    categories: dict[str, list[str]]
    n_users: int
    n_accounts: int
    groups: tuple[Group, ...] = ()
    references: dict[Feature, Reference] = field(default_factory=dict)

    @property
    def event_columns(self) -> list[str]:
        """Columns of the shard that the features read."""
        names = {name for feature in self.features for name in properties_of(feature)}
        if any(feature.statistic == "sql" for feature in self.features):
            names |= self.properties.keys()
        columns = ["account", "event", "at"]
        if self.level == "user" or any(map(_reads_users, self.features)):
            columns.append("user")
        return columns + sorted(PROPERTY_PREFIX + name for name in names)

    @property
    def needs_accounts(self) -> bool:
        """Whether a user's row must know the user's account."""
        return any(
            feature.scope == "account"
            or (feature.statistic == "attribute" and feature.source == "account")
            for feature in self.features
        )


_CENTURY = 47_500
"""Days from 1970 to 2100: no window needs to be longer."""


def properties_of(feature: Feature) -> list[str]:
    """Event properties that a definition reads."""
    names = [one.property for one in feature.where]
    if feature.property is not None and feature.source == "event":
        names.append(feature.property)
    if feature.limit is not None and feature.limit.source == "event":
        names.append(feature.limit.name)
    return names


def _reads_users(feature: Feature) -> bool:
    if feature.statistic == "attribute":
        return False
    statistic = STATISTICS[feature.statistic]
    return (
        statistic.of_members
        or statistic.reads_users
        or feature.source == "user"
        or (feature.statistic == "limit_share" and feature.property is None)
    )


def compile_plan(
    log: EventLog,
    level: Level,
    features: Iterable[Feature],
    references: dict[Feature, Reference] | None = None,
) -> Plan:
    """Check the definitions against the log and group them.

    Raises
    ------
    SchemaMismatch
        When a definition contradicts itself, or needs a property or attribute that the log does
        not carry.
    """
    features = tuple(features)
    check(features, log)
    for feature in features:
        _check_level(feature, level)
    grouped: dict[
        tuple[Scope, tuple[str, ...], tuple[Condition, ...]], list[tuple[int, Feature]]
    ] = defaultdict(list)
    for column, feature in enumerate(features):
        if feature.statistic != "attribute":
            events = tuple(sorted(set(feature.events)))
            grouped[feature.scope, events, feature.where].append((column, feature))
    return Plan(
        level=level,
        features=features,
        event_codes=log.event_codes,
        properties={item.name: item for item in log.properties},
        attributes=log.attributes,
        categories=log.categories,
        n_users=len(log.users),
        n_accounts=len(log.accounts),
        groups=tuple(
            Group(scope, events, where, tuple(columns))
            for (scope, events, where), columns in grouped.items()
        ),
        references=references or {},
    )


def check(features: Sequence[Feature], log: EventLog) -> None:
    """Whether every definition can be computed from this log; see `compile_plan`."""
    repeated = [name for name, n in Counter(f.name for f in features).items() if n > 1]
    if repeated:
        raise SchemaMismatch(f"Feature names must be unique; repeated: {few(sorted(repeated))}.")
    for feature in features:
        _check_form(feature)
    types = {item.name: item.type for item in log.properties}
    attributes = {(str(item.of), item.name) for item in log.attributes}
    lacking: set[str] = set()
    for feature in features:
        lacking |= {f"{name} of the event" for name in properties_of(feature) if name not in types}
        owned: list[tuple[str, str]] = []
        if feature.property is not None:
            owned.append((feature.source, feature.property))
        if feature.limit is not None:
            owned.append((feature.limit.source, feature.limit.name))
        lacking |= {
            f"{name} of the {of}"
            for of, name in owned
            if of in ("user", "account") and (of, name) not in attributes
        }
    if lacking:
        raise SchemaMismatch(
            f"The imported log lacks what the features are made of: {few(sorted(lacking))}. Name "
            "it under data.properties or data.attributes."
        )
    for feature in features:
        _check_types(feature, types, log.attributes)
        if feature.statistic == "sql":
            check_sql(feature, log)


def _check_form(feature: Feature) -> None:
    """Whether a definition says all that its statistic needs."""
    days = feature.days
    wrong = [
        ("days", days, days is not None and not (isinstance(days, int) and 0 < days <= _CENTURY)),
        ("scope", feature.scope, feature.scope not in get_args(Scope)),
        ("dimension", feature.dimension, feature.dimension not in DIMENSIONS),
        ("events", feature.events, isinstance(feature.events, str)),
        ("where", "an empty condition", any(not _says(one) for one in feature.where)),
    ]
    for field_name, value, is_wrong in wrong:
        if is_wrong:
            raise SchemaMismatch(f"Feature {feature.name!r}: {field_name} can't be {value!r}.")
    if feature.statistic == "attribute":
        return
    statistic = STATISTICS.get(feature.statistic)
    if statistic is None:
        raise SchemaMismatch(
            f"Feature {feature.name!r} asks for the statistic {feature.statistic!r}, which this "
            "version does not know."
        )
    if statistic.window == "bounded" and feature.days is None:
        raise SchemaMismatch(
            f"Feature {feature.name!r}: {feature.statistic} needs a window; give it `days`."
        )
    if statistic.window == "none" and feature.days is not None:
        raise SchemaMismatch(
            f"Feature {feature.name!r}: {feature.statistic} has no window; leave `days` out."
        )
    if statistic.over != "nothing" and feature.property is None:
        raise SchemaMismatch(
            f"Feature {feature.name!r}: {feature.statistic} needs a property to read."
        )
    unread = [
        ("property", feature.property, statistic.over != "nothing" or statistic.of_usage),
        ("against", feature.against, statistic.of_share),
    ]
    for field_name, value, is_read in unread:
        if value is not None and not is_read:
            raise SchemaMismatch(
                f"Feature {feature.name!r}: {feature.statistic} does not read `{field_name}`; "
                "leave it out."
            )
    if feature.hours is not None:
        check_zone(feature.hours.zone)
    for name, there in (("hours", feature.hours), ("limit", feature.limit)):
        wanted = {"business_share": "hours", "limit_share": "limit"}.get(feature.statistic) == name
        if wanted and there is None:
            raise SchemaMismatch(f"Feature {feature.name!r}: {feature.statistic} needs `{name}`.")


def _check_level(feature: Feature, level: Level) -> None:
    """Whether users and accounts, whose codes are numbers alike, are not taken for each other."""
    seen: Level = "account" if feature.scope == "account" else level
    if level == "account" and feature.statistic == "attribute" and feature.source == "user":
        raise SchemaMismatch(
            f"Feature {feature.name!r}: an account has no attribute of a user; count its members' "
            "values with the statistic distinct."
        )
    owner = feature.limit.source if feature.limit is not None else seen
    if owner in ("user", "account") and owner != seen:
        raise SchemaMismatch(
            f"Feature {feature.name!r}: the usage is {_a(seen)}'s, so the limit can't be an "
            f"attribute of {_a(owner)}."
        )
    statistic = STATISTICS.get(feature.statistic)
    if statistic is not None and statistic.of_members and seen == "user":
        raise SchemaMismatch(
            f"Feature {feature.name!r}: {feature.statistic} says something of an account; a user "
            'asks it with scope "account".'
        )


def _a(level: str) -> str:
    return "an account" if level == "account" else "a user"


def _says(condition: Condition) -> bool:
    return bool(condition.one_of) or condition.at_least is not None or condition.at_most is not None


def _check_types(
    feature: Feature, types: Mapping[str, str], attributes: Sequence[Attribute]
) -> None:
    """Whether properties are of the kind that the definition reads."""
    over = STATISTICS[feature.statistic].over if feature.statistic in STATISTICS else "nothing"
    if feature.source == "event" and feature.property is not None:
        found = types[feature.property]
        if (
            (over in ("number", "category") and found != over)
            or (over == "either" and feature.dtype != found)
            or (feature.statistic == "limit_share" and found != "number")
        ):
            raise SchemaMismatch(
                f"Feature {feature.name!r}: {feature.statistic} does not go with the property "
                f"{feature.property!r}, which is a {found}."
            )
    owned = {(item.of, item.name): item.type for item in attributes}
    found = owned.get((feature.source, str(feature.property)), "category")  # type: ignore[arg-type]
    if over == "category" and found != "category":
        raise SchemaMismatch(
            f"Feature {feature.name!r}: {feature.statistic} does not go with the attribute "
            f"{feature.property!r}, which is a {found}."
        )
    for one in feature.where:
        kind = "category" if one.one_of else "number"
        if types[one.property] != kind:
            raise SchemaMismatch(
                f"Feature {feature.name!r}: the property {one.property!r} is a "
                f"{types[one.property]}; compare numbers with at_least and at_most, categories "
                "with one_of."
            )
