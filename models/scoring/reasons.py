"""Why a row scores as it does: contributions to the raw score, told as facts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .facts import tell

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


def strongest(
    contributions: Mapping[str, np.ndarray],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    top: int,
) -> list[list[Reason]]:
    """The `top` facts of each row with the largest absolute contribution, strongest first.

    Windows of the same events and family of statistic tell one fact: their contributions are
    added, and the strongest of them is shown. Contributions of exactly 0 are no reason.

    Parameters
    ----------
    contributions
        What each column adds, by name; "" is the constant, which is no reason.
    wording
        By column: ``fact``, equal where columns tell the same one, ``phrase`` and ``typical``,
        which is put behind the sentence. A column that is not there is a similarity.
    values
        Columns by name, as `Scorer.score` takes them.
    """
    facts: dict[int | None, list[str]] = defaultdict(list)
    for name in contributions:
        if name:
            facts[wording[name]["fact"] if name in wording else None].append(name)
    members = list(facts.values())
    n = len(next(iter(contributions.values())))
    added = np.zeros((n, len(members)))
    for at, names in enumerate(members):
        for name in names:
            added[:, at] += contributions[name]
    # Equal ones stay in the order of the columns, whatever the last bits of their sums say.
    order = np.argsort(-np.abs(added).round(9), axis=1, kind="stable")[:, :top]
    return [
        [
            _reason(row, members[at], float(added[row, at]), contributions, wording, values)
            for at in order[row]
            if added[row, at]
        ]
        for row in range(n)
    ]


def raising(reasons: list[Reason], most: int) -> list[str]:
    """Texts of the first `most` reasons that raise a score: what a table shows a rep."""
    return [reason.text for reason in reasons if reason.direction == "raises"][:most]


def _reason(
    row: int,
    names: list[str],
    added: float,
    contributions: Mapping[str, np.ndarray],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
) -> Reason:
    sign = 1 if added > 0 else -1
    name = max(names, key=lambda one: sign * contributions[one][row])
    direction: Literal["raises", "lowers"] = "raises" if added > 0 else "lowers"
    if name not in wording:
        return Reason(name, added, None, direction, _LIKE_TEXT[direction])
    value = values[name][row]
    value = None if value is None or value != value else value
    if value is not None and not isinstance(value, str):
        value = float(value)
    text = tell(wording[name]["phrase"], value) + wording[name]["typical"]
    return Reason(name, added, value, direction, text)
