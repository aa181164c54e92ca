"""Why a row scores as it does: contributions to the raw score, told as facts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from features.definitions import Feature
from features.wording import show, tell

_FAMILY = {
    "count": "volume",
    "sum": "volume",
    "mean": "volume",
    "max": "volume",
    "active_days": "activity",
    "sessions": "activity",
    "session_minutes": "activity",
    "days_since_last": "recency",
    "days_since_first": "tenure",
}
_LIKE_TEXT = {
    "raises": "looks like customers did just before they bought",
    "lowers": "does not look like customers did just before they bought",
}


@dataclass(frozen=True)
class Reason:
    """One fact and its weight.

    Parameters
    ----------
    feature
        Name of the column that tells the fact.
    contribution
        Log-odds added to the raw score by this column and the others that tell the same fact.
    value
        The raw value; None when unknown, and for similarities, whose text needs no number.
    text
        The fact in words, with the training median or most frequent value beside it.
    """

    feature: str
    contribution: float
    value: float | str | None
    direction: Literal["raises", "lowers"]
    text: str


def reasons(
    contributions: Mapping[str, np.ndarray],
    features: Sequence[Feature],
    columns: list[dict],
    values: Mapping[str, Any],
    top: int,
) -> list[list[Reason]]:
    """The `top` facts of each row with the largest absolute contribution, strongest first.

    Windows of the same events and family of statistic tell one fact: their contributions are
    added, and the strongest of them is shown. Contributions of exactly 0 are no reason.
    """
    known = {feature.name: feature for feature in features}
    typical = {column["name"]: column["typical"] for column in columns}
    facts: dict[tuple, list[str]] = defaultdict(list)
    for name in contributions:
        if name:
            facts[_fact(known.get(name))].append(name)
    members = list(facts.values())
    n = len(next(iter(contributions.values())))
    added = np.zeros((n, len(members)))
    for at, names in enumerate(members):
        for name in names:
            added[:, at] += contributions[name]
    order = np.argsort(-np.abs(added), axis=1, kind="stable")[:, :top]
    return [
        [
            _reason(row, members[at], float(added[row, at]), contributions, known, typical, values)
            for at in order[row]
            if added[row, at]
        ]
        for row in range(n)
    ]


def _fact(feature: Feature | None) -> tuple:
    if feature is None:
        return ("similarity",)
    family = _FAMILY.get(feature.statistic, feature.statistic)
    return feature.events, feature.property, family, feature.scope


def _reason(
    row: int,
    names: list[str],
    added: float,
    contributions: Mapping[str, np.ndarray],
    known: Mapping[str, Feature],
    typical: Mapping[str, Any],
    values: Mapping[str, Any],
) -> Reason:
    sign = 1 if added > 0 else -1
    name = max(names, key=lambda one: sign * contributions[one][row])
    direction: Literal["raises", "lowers"] = "raises" if added > 0 else "lowers"
    if name not in known:
        return Reason(name, added, None, direction, _LIKE_TEXT[direction])
    value = values[name][row]
    value = None if value is None or value != value else value
    if value is not None and not isinstance(value, str):
        value = float(value)
    return Reason(name, added, value, direction, _told(known[name], value, typical[name]))


def _told(feature: Feature, value: float | str | None, typical: float | str | None) -> str:
    """The fact in words, with what is typical in training beside it."""
    fact = tell(feature, value)
    # A typical trend or a typical absence says nothing to a reader.
    return (
        fact
        if feature.statistic == "trend" or typical is None
        else f"{fact} (typical: {show(typical)})"
    )
