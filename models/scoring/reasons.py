"""Why a row scores as it does: contributions to the raw score, told as facts."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .facts import show, tell

_LIKE_TEXT = {
    "raises": "looks like customers did just before they bought",
    "lowers": "does not look like customers did just before they bought",
}


PARTS = ("engagement", "team", "value", "upgrade", "fit", "similarity")
"""What a score is made of: the dimensions of the features, and likeness to customers."""


@dataclass(frozen=True)
class Reason:
    """One fact and its weight.

    Parameters
    ----------
    feature
        Name of the column that tells the fact.
    part
        Of `PARTS`.
    contribution
        Log-odds added to the raw score by this column and the others that tell the same fact.
    points
        The same in percentage points of probability, see `points_per_log_odds`.
    value
        The raw value; None when unknown, and for similarities, whose text needs no number.
    text
        The fact in words, with the training median or most frequent value beside it.
    """

    feature: str
    part: str
    contribution: float
    points: float
    value: float | str | None
    direction: Literal["raises", "lowers"]
    text: str


def strongest(
    contributions: Mapping[str, np.ndarray],
    per_log_odds: np.ndarray,
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
    per_log_odds
        Of `points_per_log_odds`, shape (n,).
    wording
        By column: ``fact``, equal where columns tell the same one, ``part``, ``phrase`` and
        ``typical``, which is put behind the sentence where the row's own value is another. A column
        that is not there is a similarity.
    values
        Columns by name, as `Scorer.score` takes them.
    """
    facts: dict[int | None, list[str]] = defaultdict(list)
    for name in contributions:
        if name:
            facts[wording[name]["fact"] if name in wording else None].append(name)
    members = list(facts.values())
    n = len(per_log_odds)
    added = np.zeros((n, len(members)))
    for at, names in enumerate(members):
        for name in names:
            added[:, at] += contributions[name]
    # Equal ones stay in the order of the columns, whatever the last bits of their sums say.
    order = np.argsort(-np.abs(added).round(9), axis=1, kind="stable")[:, :top]
    return [
        [
            _reason(row, members[at], added[row, at], per_log_odds[row], contributions, wording,
                    values)
            for at in order[row]
            if added[row, at]
        ]
        for row in range(n)
    ]  # fmt: skip


def by_part(
    contributions: Mapping[str, np.ndarray],
    per_log_odds: np.ndarray,
    wording: Mapping[str, Mapping[str, Any]],
) -> dict[str, np.ndarray]:
    """Percentage points of probability by name of `PARTS`, shape (n,) each.

    Together they are the row's probability less that of a row of which nothing is known.
    """
    points = {part: np.zeros(len(per_log_odds)) for part in PARTS}
    for name, added in contributions.items():
        if name:
            points[_part(name, wording)] += added * per_log_odds
    return points


def worded(reason: Reason) -> str:
    """The fact and its points, as a table shows them.

    >>> many = Reason("a", "value", 0.5, 3.14159, 12.0, "raises", "reports: 12 times")
    >>> worded(many)
    'reports: 12 times: +3.1 points'
    """
    return f"{reason.text}: {show_points(reason.points)}"


def show_points(points: float) -> str:
    """
    >>> [show_points(points) for points in (12.34, -0.567, 0.0123, 0.0)]
    ['+12.3 points', '-0.57 points', '+0.012 points', '0 points']
    """
    if not points:
        return "0 points"
    return f"{points:+.1f} points" if abs(points) >= 1 else f"{points:+.2g} points"


def texts(reasons: list[Reason], direction: str, most: int) -> list[str]:
    """The first `most` reasons that raise, or lower, a score: what a table shows a rep."""
    return [worded(reason) for reason in reasons if reason.direction == direction][:most]


def _part(name: str, wording: Mapping[str, Mapping[str, Any]]) -> str:
    return str(wording[name]["part"]) if name in wording else "similarity"


def _reason(
    row: int,
    names: list[str],
    added: float,
    per_log_odds: float,
    contributions: Mapping[str, np.ndarray],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
) -> Reason:
    added, points = float(added), float(added * per_log_odds)
    sign = 1 if added > 0 else -1
    name = max(names, key=lambda one: sign * contributions[one][row])
    direction: Literal["raises", "lowers"] = "raises" if added > 0 else "lowers"
    part = _part(name, wording)
    if name not in wording:
        return Reason(name, part, added, points, None, direction, _LIKE_TEXT[direction])
    value = values[name][row]
    value = None if value is None or value != value else value
    if value is not None and not isinstance(value, str):
        value = float(value)
    text, usual = tell(wording[name]["phrase"], value), wording[name]["typical"]
    if usual not in (None, show(value)):
        text += f" (typical: {usual})"
    return Reason(name, part, added, points, value, direction, text)
