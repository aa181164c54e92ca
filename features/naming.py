"""Building definitions: names, units and words that follow from what is asked."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from features.definitions import Dimension, Feature, Scope, Statistic, fingerprint, slug
from features.errors import SchemaMismatch
from features.statistics import STATISTICS
from features.wording import meaning

_NAMES = {"value_trend": "trend"}


def define(
    statistic: Statistic,
    dimension: Dimension,
    scope: Scope,
    subject: str,
    events: tuple[str, ...] = (),
    days: int | None = None,
    property: str | None = None,
    **more: Any,
) -> Feature:
    """A definition with its name, unit and sentence.

    Parameters
    ----------
    subject
        What is counted, as an identifier: an event, a group, a property.
    more
        Further fields of `Feature`; `name`, `meaning` and `unit` replace what is made here.

    Raises
    ------
    SchemaMismatch
        When there is no such statistic, or `events` is a text and not a tuple of names.
    """
    if statistic not in STATISTICS:
        near = get_close_matches(statistic, STATISTICS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SchemaMismatch(f"There is no statistic {statistic!r}.{hint}")
    if isinstance(events, str):
        raise SchemaMismatch(f"events must be a tuple of names: ({events!r},), not {events!r}.")
    name = f"{slug(subject)}_{_NAMES.get(statistic, statistic)}"
    if STATISTICS[statistic].window != "none":
        name += f"_{days}d" if days else "_life"
    spoken = words(subject if property is None else "any event" if not events else events[0])
    if len(events) > 1:
        # A named group, or the events that a property is read from.
        spoken = f"{words(subject).removeprefix('any ')} events"
    feature = Feature(
        name=more.pop("name", f"account_{name}" if scope == "account" else name),
        dimension=dimension,
        statistic=statistic,
        events=tuple(sorted(events)),
        property=property,
        days=days,
        scope=scope,
        dtype=more.pop("dtype", "number"),
        unit=more.pop("unit", STATISTICS[statistic].unit or "as given"),
        meaning=more.pop("meaning", ""),
        subject=spoken,
        **more,
    )
    feature = feature if feature.dtype == "number" else replace(feature, unit="category")
    return replace(feature, meaning=feature.meaning or meaning(feature))


def words(name: str) -> str:
    """
    >>> words("$pageview"), words("report_created")
    ('pageview', 'report created')
    """
    return re.sub(r"[_\s]+", " ", name).strip(" $")


def unique(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Give features whose slugs collide a short hash of their definition, all of them alike."""
    features = tuple(features)
    counts = Counter(feature.name for feature in features)
    return tuple(
        feature
        if counts[feature.name] == 1
        else replace(feature, name=f"{feature.name}_{_short(feature)}")
        for feature in features
    )


def _short(feature: Feature) -> str:
    return fingerprint((feature,))[:6]
