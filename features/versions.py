"""Which formula each statistic of a model was computed by, and whether it is still the same."""

from collections.abc import Iterable, Mapping

from features.definitions import Feature
from features.statistics import STATISTICS

_FIRST = 1
"""Of an attribute's latest value, which is no formula, and of models that recorded none."""


def versions_of(features: Iterable[Feature]) -> dict[str, int]:
    """Version of every statistic that the features are made of, sorted by name.

    >>> from dataclasses import replace
    >>> logins = Feature("logins", "engagement", "count", (), None, 7, "entity", "number", "", "")
    >>> versions_of([logins, replace(logins, statistic="attribute", property="plan", days=None)])
    {'attribute': 1, 'count': 1}
    """
    known = (name for name in _names(features) if name in STATISTICS or name == "attribute")
    return {name: _version(name) for name in known}


def other_versions(recorded: Mapping[str, int], features: Iterable[Feature]) -> list[str]:
    """Statistics that this program computes otherwise than the one that wrote `recorded`.

    Returns
    -------
    list of str
        Such as ``count: model 1, this program 2``; empty when all are the same.
    """
    told = []
    for name in _names(features):
        before = recorded.get(name, _FIRST)
        if name not in STATISTICS and name != "attribute":
            told.append(f"{name}: model {before}, this program has none")
        elif before != _version(name):
            told.append(f"{name}: model {before}, this program {_version(name)}")
    return told


def _names(features: Iterable[Feature]) -> list[str]:
    return sorted({str(feature.statistic) for feature in features})


def _version(name: str) -> int:
    return STATISTICS[name].version if name in STATISTICS else _FIRST
