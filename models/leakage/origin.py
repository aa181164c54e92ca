"""Where a feature comes from: what a finding names, and the setting that removes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from features.definitions import Feature

Kind = Literal["event", "property", "attribute", "feature"]


@dataclass(frozen=True, order=True)
class Origin:
    """An event, a property, an attribute, or a feature that stands for itself.

    >>> str(Origin("event", "paid_bill"))
    "event 'paid_bill'"
    """

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    @property
    def remedy(self) -> str:
        """The setting that removes it, or accepts it."""
        ways = {
            "event": f"Leave it out with `data.drop_events: [{self.name}]` (or take it out of "
            "`features.events`)",
            "property": f"Take {self.name!r} out of `features.properties` (or `data.properties`)",
            "attribute": f"Take {self.name!r} out of `features.attributes` (and "
            "`features.member_attributes`)",
            "feature": f"Take what makes {self.name!r} out of `features`",
        }
        return f"{ways[self.kind]}, or accept it with `audit.allow: [{self.name}]`."


def origin_of(feature: Feature) -> Origin | None:
    """What the feature stands on, where that is one thing; None for totals of all events.

    A feature of several events stands for itself.
    """
    if feature.property is not None:
        of_event = feature.source == "event" and feature.statistic != "attribute"
        return Origin("property" if of_event else "attribute", feature.property)
    if feature.sql is not None or len(feature.events) > 1:
        return Origin("feature", feature.name)
    return Origin("event", feature.events[0]) if feature.events else None


def events_read(features: Iterable[Feature]) -> frozenset[str]:
    """Events that features name; those that count in totals only are left out."""
    return frozenset(
        name for feature in features for name in (*feature.events, *(feature.against or ()))
    )


def attributes_read(features: Iterable[Feature]) -> frozenset[tuple[str, str]]:
    """(level, name) of attributes that features read, for themselves or as a limit."""
    own = {
        (feature.source, feature.property)
        for feature in features
        if feature.property is not None and feature.source != "event"
    }
    limits = {
        (feature.limit.source, feature.limit.name)
        for feature in features
        if feature.limit is not None and feature.limit.source in ("user", "account")
    }
    return frozenset(own | limits)


def named_once(suspects: Mapping[str, float], features: Mapping[str, Feature]) -> dict[Origin, str]:
    """The origins behind suspicious features, each with its most suspicious feature.

    What another suspect explains is left out: a total or a group that counts a suspicious event,
    or a property of such an event, is suspicious because of it.

    Parameters
    ----------
    suspects
        How suspicious, by feature.
    """
    ordered = sorted(suspects, key=lambda name: (-suspects[name], name))
    single = {name: origin_of(features[name]) for name in ordered}
    events = {one.name for one in single.values() if one is not None and one.kind == "event"}
    found: dict[Origin, str] = {}
    for name in ordered:
        feature, origin = features[name], single[name]
        if origin is None:
            if any(single.values()):
                continue
            origin = Origin("feature", name)
        elif origin.kind != "event" and events & set(feature.events):
            continue
        found.setdefault(origin, name)
    return found
