"""What features read of a log, and what of that another log lacks or holds as another type."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from features.definitions import Feature
from features.events import EventLog, Level, ValueType
from features.statistics import STATISTICS


@dataclass(frozen=True, order=True)
class Need:
    """A property of events, or an attribute of users or accounts, with the type it is read as."""

    of: Literal["event", "user", "account"]
    name: str
    type: ValueType

    def __str__(self) -> str:
        kind = "property" if self.of == "event" else f"attribute of the {self.of}"
        return f"{kind} {self.name!r} ({self.type})"


def needs(features: Iterable[Feature]) -> set[Need]:
    """Properties and attributes that the definitions read; SQL features name theirs in their text.

    >>> plan = Feature("plan", "fit", "attribute", (), "plan", None, "entity", "category", "", "",
    ...     source="account")
    >>> [str(need) for need in needs([plan])]
    ["attribute of the account 'plan' (category)"]
    """
    found = set()
    for feature in features:
        if feature.property is not None:
            found.add(Need(feature.source, feature.property, _type_read(feature)))
        if feature.limit is not None and feature.limit.source != "constant":
            found.add(Need(feature.limit.source, feature.limit.name, "number"))
        for one in feature.where:
            found.add(Need("event", one.property, "category" if one.one_of else "number"))
    return found


def _type_read(feature: Feature) -> ValueType:
    if feature.statistic == "attribute":
        return feature.dtype
    over = STATISTICS[feature.statistic].over
    if over == "number" or over == "category":
        return over
    return feature.dtype if over == "either" else "number"


def unmet(wanted: Iterable[Need], log: EventLog) -> dict[Need, str]:
    """What the log lacks or holds as another type, sorted, each with a line that says so."""
    there: dict[tuple[str, str], ValueType] = {
        ("event", item.name): item.type for item in log.properties
    }
    there |= {(item.of, item.name): item.type for item in log.attributes}
    told = {}
    for need in sorted(set(wanted)):
        found = there.get((need.of, need.name))
        if found is None:
            told[need] = f"- {need}"
        elif found != need.type:
            told[need] = f"! {need}: these data have a {found}"
    return told


def listed(lines: Sequence[str], most: int = 10) -> str:
    """The first `most` lines below each other, and how many more there are.

    >>> listed(["- a", "- b", "- c"], most=2).splitlines()
    ['- a', '- b', '... and 1 more']
    """
    more = [f"... and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])


def filled(log: EventLog) -> set[tuple[str, str]]:
    """What has any value: (``event``, ``user`` or ``account``, name of the property or attribute).

    What the settings declare is in a log even where no row has it.
    """
    seen = np.unique(log.attribute_values["attribute"].to_numpy())
    attributes = {(log.attributes[kind].of, log.attributes[kind].name) for kind in seen}
    return attributes | {("event", item.name) for item in log.properties if item.n_events}


def about_log(log: EventLog, level: Level, features: Iterable[Feature]) -> dict[str, Any]:
    """What a model should remember of the log that it was trained on.

    Returns
    -------
    dict
        ``properties``: the type of each; ``filled``: as `filled`; ``events``: of each event that
        the features count or compare with, the share of the log's entities that did it, in [0, 1].
    """
    read = {name for one in features for name in (*one.events, *(one.against or ()))}
    entities = max(1, len(log.entities(level)))
    doing = {
        event.name: event.n_accounts if level == "account" else event.n_users
        for event in log.event_names
        if event.name in read
    }
    return {
        "properties": {item.name: item.type for item in log.properties},
        "filled": [list(pair) for pair in sorted(filled(log))],
        "events": {name: round(n / entities, 6) for name, n in doing.items()},
    }
