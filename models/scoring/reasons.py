"""Why a row scores as it does: contributions to the raw score, told as facts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from .facts import limit_of, tell, usual
from .language import Language, signed

_LIKE = {"raises": "reasons.like", "lowers": "reasons.unlike"}

PARTS = ("engagement", "team", "value", "upgrade", "fit", "similarity")
"""What a score is made of: the dimensions of the features, and likeness to customers."""
_MOVED = 1e-9
_TOLD_CHANGE = 0.5
"""Percentage points: what changed less is not said to have changed."""


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
    change
        Of the points since an earlier time; None where that is not known.
    value
        The raw value; None when unknown, and for similarities, whose text needs no number.
    text
        The fact in words, with the training median or most frequent value beside it.
    told
        The text with its points, and how they changed where that is known, not little and of this
        fact's own making: what a table shows.
    """

    feature: str
    part: str
    contribution: float
    points: float
    change: float | None
    value: float | str | None
    direction: Literal["raises", "lowers"]
    text: str
    told: str


@dataclass(frozen=True)
class Former:
    """The same entities at an earlier time.

    Parameters
    ----------
    values
        Columns by name, as `Scorer.score` takes them, shape (m,).
    place
        int64, shape (n,): where in `values` each row of now stands, -1 where it does not.
    since
        That time, in words.
    """

    values: Mapping[str, Any]
    place: np.ndarray
    since: str


@dataclass(frozen=True)
class Facts:
    """What each fact of each row brings.

    Windows of the same events and family of statistic tell one fact: their contributions are added.

    Parameters
    ----------
    names
        Of the columns of each fact.
    added
        Log-odds, shape (n, n_facts).
    per_log_odds
        Of `points_per_log_odds`, shape (n,).
    """

    names: list[list[str]]
    added: np.ndarray
    per_log_odds: np.ndarray

    @classmethod
    def of(
        cls,
        contributions: Mapping[str, np.ndarray],
        per_log_odds: np.ndarray,
        wording: Mapping[str, Mapping[str, Any]],
    ) -> "Facts":
        """From what each column adds, by name; "" is the constant, which is no fact."""
        facts: dict[int | None, list[str]] = defaultdict(list)
        for name in contributions:
            if name:
                facts[wording[name]["fact"] if name in wording else None].append(name)
        added = np.zeros((len(per_log_odds), len(facts)))
        for at, names in enumerate(facts.values()):
            for name in names:
                added[:, at] += contributions[name]
        return cls(list(facts.values()), added, per_log_odds)

    def take(self, place: np.ndarray) -> "Facts":
        """The rows at places, NaN where a place is -1."""
        added = np.vstack([self.added, np.full((1, len(self.names)), np.nan)])[place]
        return Facts(self.names, added, np.r_[self.per_log_odds, np.nan][place])

    def between(self, start: int, end: int) -> "Facts":
        """The rows in [start, end), as views."""
        return Facts(self.names, self.added[start:end], self.per_log_odds[start:end])

    @property
    def points(self) -> np.ndarray:
        """Percentage points of probability, shape (n, n_facts)."""
        return self.added * self.per_log_odds[:, None]


def strongest(
    facts: Facts,
    contributions: Mapping[str, np.ndarray],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    top: int,
    language: Language,
    former: Facts | None = None,
    since: str = "",
) -> list[list[Reason]]:
    """The `top` facts of each row with the largest absolute contribution, strongest first.

    Of the columns of a fact the strongest is shown. Contributions of exactly 0 are no reason.

    Parameters
    ----------
    contributions
        What each column adds, by name.
    wording
        By column: ``fact``, equal where columns tell the same one, ``part``, ``phrase`` and
        ``typical``, which is put behind the sentence where the row's own value is another. A column
        that is not there is a similarity.
    values
        Columns by name, as `Scorer.score` takes them.
    former
        The same rows' facts at an earlier time, NaN where there was no row.
    since
        That time, in words.
    """
    # Equal ones stay in the order of the columns, whatever the last bits of their sums say.
    order = np.argsort(-np.abs(facts.added).round(9), axis=1, kind="stable")[:, :top]
    change, moved = None, np.zeros(facts.added.shape, bool)
    if former is not None:
        change = facts.points - former.points
        # The points of a fact that stays move with all others: people would read that it moved.
        moved = np.abs(facts.added - former.added) > _MOVED
    return [
        [
            _reason(facts, row, at, None if change is None else change[row, at], contributions,
                    wording, values, language, since if moved[row, at] else "")
            for at in order[row]
            if facts.added[row, at]
        ]
        for row in range(len(facts.added))
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


class Rest(NamedTuple):
    """What is needed beside a row's shown reasons for both columns to add up.

    Parameters
    ----------
    points, contribution
        Of all facts that are not shown, as in `Reason`.
    start
        Log-odds of a row of which nothing is known; it has no points.
    """

    points: float
    contribution: float
    start: float


def rest_of(reasons: Sequence[Reason], points: float, raw_score: float) -> Rest:
    """What the reasons leave of a row's points, all of them together, and of its raw score.

    Examples
    --------
    >>> shown = Reason("a", "value", 0.5, 10.0, None, 3.0, "raises", "3 a", "3 a (+10)")
    >>> rest_of([shown], 14.0, -1.0)
    Rest(points=4.0, contribution=0.2, start=-1.7)
    """
    left = points - sum(reason.points for reason in reasons)
    # One factor holds for the whole row: see `points_per_log_odds`.
    factor = next((one.points / one.contribution for one in reasons if one.contribution), 0.0)
    contribution = left / factor if factor else 0.0
    told = sum(reason.contribution for reason in reasons)
    return Rest(left, contribution, raw_score - told - contribution)


def texts(reasons: list[Reason], direction: str, most: int) -> list[str]:
    """The first `most` reasons that raise, or lower, a score: what a table shows a rep."""
    return [reason.told for reason in reasons if reason.direction == direction][:most]


def _part(name: str, wording: Mapping[str, Mapping[str, Any]]) -> str:
    return str(wording[name]["part"]) if name in wording else "similarity"


def _reason(
    facts: Facts,
    row: int,
    at: int,
    change: float | None,
    contributions: Mapping[str, np.ndarray],
    wording: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Any],
    language: Language,
    since: str,
) -> Reason:
    added = float(facts.added[row, at])
    sign = 1 if added > 0 else -1
    name = max(facts.names[at], key=lambda one: sign * contributions[one][row])
    value, words = None, wording.get(name)
    if words is not None:
        value = values[name][row]
        value = None if value is None or value != value else value
        value = float(value) if value is not None and not isinstance(value, str) else value
    direction: Literal["raises", "lowers"] = "raises" if added > 0 else "lowers"
    points = float(added * facts.per_log_odds[row])
    change = None if change is None or change != change else float(change)
    limit = None if words is None else limit_of(words["phrase"], values, row)
    text = _text(words, value, limit, language) if words else language.say(_LIKE[direction])
    return Reason(
        feature=name,
        part=_part(name, wording),
        contribution=added,
        points=points,
        change=change,
        value=value,
        direction=direction,
        text=text,
        told=_told(text, points, change, since, language),
    )


def _text(
    words: Mapping[str, Any], value: float | str | None, limit: float | None, language: Language
) -> str:
    text, typical = tell(words["phrase"], value, language, limit), words["typical"]
    if typical is None or typical == usual(words["phrase"], value, language):
        return text
    return language.say("reasons.typical", text=text, value=typical)


def _told(text: str, points: float, change: float | None, since: str, language: Language) -> str:
    told = language.say("reasons.with_points", text=text, points=language.points(points))
    if not since or change is None or abs(change) < _TOLD_CHANGE:
        return told
    changed = language.number(signed(change))
    return language.say("reasons.since", text=told, change=changed, date=since)
