"""Whether the names in the settings' catalogue are names of the log."""

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

from features.catalogue_spec import FeatureSpec
from features.definitions import DIMENSIONS, slug
from features.errors import SettingsError, few
from features.events import EventLog

_SLIP = 0.85
"""Likeness of a misspelt event to the right one (`difflib`)."""


def check_names(spec: FeatureSpec, log: EventLog) -> None:
    """Whether properties and attributes are in the log, and events named once.

    Raises
    ------
    SettingsError
        See `features.catalogue.build_catalogue`.
    """
    if spec.events is not None:
        named = [name for d in DIMENSIONS[:4] for name in getattr(spec.events, d)]
        if twice := [name for name, n in Counter(named).items() if n > 1]:
            raise SettingsError(
                f"features.events names {few(twice)} more than once; keep one each."
            )
    events = {slug(name) for name in log.event_codes}
    if alike := sorted(name for name in spec.groups if slug(name) in events):
        raise SettingsError(
            f"features.groups: {few(alike)} would be taken for an event of the log; choose "
            "another name."
        )
    properties = {item.name for item in log.properties}
    attributes = {item.name for item in log.attributes}
    known = {
        "properties": (properties, set(spec.properties or {})),
        "attributes": (attributes, set(spec.attributes)),
        "member_attributes": (
            {i.name for i in log.attributes if i.of == "user" and i.type == "category"},
            set(spec.member_attributes),
        ),
        "limits": (
            properties | attributes,
            {item.limit for item in spec.limits.values() if isinstance(item.limit, str)},
        ),
        "limits.usage": (
            properties,
            {item.usage for item in spec.limits.values() if item.usage != "members"},
        ),
        "custom": (
            properties,
            {
                name
                for item in spec.custom.values()
                for name in (*item.where, *([item.property] if item.property else []))
            },
        ),
    }
    for block, (there, asked) in known.items():
        if lacking := sorted(asked - there):
            raise SettingsError(
                f"features.{block} names {few(lacking)}, which the imported log does not carry "
                f"(it has {few(sorted(there)) or 'none'}). Declare it under data."
            )


def named_events(spec: FeatureSpec) -> list[str]:
    """Every event that the settings name."""
    named = [event for group in spec.groups.values() for event in group.events]
    named += [event for item in (spec.properties or {}).values() for event in item.events]
    named += [event for limit in spec.limits.values() for event in limit.events]
    for own in spec.custom.values():
        named += [*own.events, *(own.against or ())]
    if spec.events:
        named += [event for one in DIMENSIONS[:4] for event in getattr(spec.events, one)]
    return named


def unknown_events(spec: FeatureSpec, log: EventLog) -> list[str]:
    """Events that the settings name and the log does not have: they count as never happened.

    Raises
    ------
    SettingsError
        When one is so close to an event of the log that it must be a slip of the pen.
    """
    return refuse_slips("features names", sorted(set(named_events(spec))), log)


def refuse_slips(who: str, events: Iterable[str], log: EventLog) -> list[str]:
    """Those of the events that the log does not have, in their order.

    Parameters
    ----------
    who
        Who names them, with a verb.

    Raises
    ------
    SettingsError
        When one is so close to an event of the log that it must be a slip of the pen.
    """
    unknown = [event for event in dict.fromkeys(events) if event not in log.event_codes]
    for event in unknown:
        if near := get_close_matches(event, log.event_codes, n=1, cutoff=_SLIP):
            raise SettingsError(
                f"{who} the event {event!r}, which the log does not have. Did you mean {near[0]!r}?"
            )
    return unknown
