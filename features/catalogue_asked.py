"""Columns that others ask of a catalogue, by definition: an equal one is never made twice."""

from collections.abc import Iterable
from dataclasses import replace

from features.definitions import Feature, fingerprint


def definition(feature: Feature) -> Feature:
    """The feature without what it is called: equal for columns that hold the same numbers.

    Examples
    --------
    >>> from features.naming import define
    >>> one = define("count", "value", "entity", "sold", ("sold",), 7)
    >>> two = define("count", "upgrade", "entity", "group", ("sold",), 7)
    >>> definition(one) == definition(two)
    True
    """
    return replace(feature, name="", dimension="fit", unit="", meaning="", subject="")


def joined(features: tuple[Feature, ...], asked: Iterable[Feature]) -> tuple[Feature, ...]:
    """A catalogue and what is asked of it beside; its own columns keep their places.

    A name that is taken by another definition gets a short hash of its own.

    Returns
    -------
    tuple of Feature
        With unique names.
    """
    known = {definition(feature) for feature in features}
    names = {feature.name for feature in features}
    out = list(features)
    for feature in asked:
        if definition(feature) in known:
            continue
        if feature.name in names:
            feature = replace(feature, name=f"{feature.name}_{fingerprint((feature,))[:6]}")
        known.add(definition(feature))
        names.add(feature.name)
        out.append(feature)
    return tuple(out)
