"""What a search for milestones says: those found, what they are worth, and what was refused why."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from features.naming import words
from features.rich_html import Cell, Html, paragraph, table
from models.milestones.candidates import Scope
from models.milestones.experiment import Experiment
from models.milestones.figures import Estimate, Shares

REASONS = {
    "upgrade": "speaks for an upgrade: it shows a wish to buy, not value found",
    "side effect": "belongs to the conversion",
    "not named": "is not among milestones.events",
    "too few": "was reached by too few conversions, or by all",
    "chance": "could differ by chance",
    "tenure": "is not shown to add to age",
    "activity": "is not shown to add to overall activity: the more active do it more",
    "stand-in": "stands in for another event that the search found",
    "step of buying": "is probably a step of buying: done by who has decided, and soon before",
    "hold-out": "is not confirmed by later conversions",
    "surplus": "is confirmed, but beyond milestones.most",
}
"""Why an event is no milestone."""

CAVEAT = "Going together is no proof: needs that nobody measured are not held equal."
PROOF = (
    "An experiment that leads some to a milestone, by lot, would tell whether it makes them "
    "convert."
)

_DONE_BY = {
    "account": "whose team did {event} {count}",
    "member": "of which one member did {event} {count}",
    "user": "who did {event} {count}",
}


@dataclass(frozen=True)
class CountRow:
    """Landmarks at which `event` had been done between `least` and `most` times, and their rate.

    `most` None: or more.
    """

    least: int
    most: int | None
    rows: int
    rate: Estimate
    reached: bool


@dataclass(frozen=True)
class Milestone(Shares):
    """A behaviour threshold that precedes conversion, beyond tenure and overall activity.

    Parameters
    ----------
    scope
        ``account``: by all members together. ``member``: by one member. ``user``: by the user.
    within_days
        In the first days since the entity entered; None: any time so far.
    effect
        Hazard ratio of having reached it, other things and the other milestones being equal, on
        the hold-out.
    q_value
        False-discovery rate at which the search finds it.
    median_days
        From reaching it to converting, over the conversions of the hold-out that had reached it.
    by_count
        Conversion rate by how often it was done, at the landmarks of the hold-out.
    by_week
        How many of the hold-out converted in which week after reaching it; the last is open.
    """

    event: str
    at_least: int
    scope: Scope
    within_days: int | None
    effect: Estimate
    q_value: float
    median_days: float | None
    experiment: Experiment | None
    by_count: tuple[CountRow, ...]
    by_week: tuple[int, ...]
    follow_up_days: int

    @property
    def short(self) -> str:
        """As a heading: what has to be done."""
        by = " by one member" if self.scope == "member" else ""
        when = "" if self.within_days is None else f" in the first {self.within_days} days"
        return f"{words(self.event)}: {self.at_least:,} or more{by}{when}"

    @property
    def said(self) -> str:
        """One sentence with the adjusted effect."""
        count = "once" if self.at_least == 1 else f"{self.at_least:,} times"
        done = _DONE_BY[self.scope].format(event=f"'{words(self.event)}'", count=f"{count} or more")
        when = "" if self.within_days is None else f" in their first {self.within_days} days"
        who = "Users" if self.scope == "user" else "Accounts"
        low, high = (f"{end:.1f}" for end in (self.effect.low, self.effect.high))
        return (
            f"{who} {done}{when} convert {self.effect.value:.1f} times as often ({low} to {high}) "
            "as others of the same age and activity."
        )

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "said": self.said}


@dataclass(frozen=True)
class Combination(Shares):
    """At least `needed` of some milestones, at weekly landmarks of the hold-out.

    `parts` are places in `Milestones.found`.
    """

    parts: tuple[int, ...]
    needed: int
    said: str


@dataclass(frozen=True)
class Examined:
    """An event that is no milestone, and why: a key of `REASONS`; q value with all controls."""

    event: str
    reason: str
    n_candidates: int = 0
    q_value: float | None = None


@dataclass(frozen=True)
class Milestones:
    """The outcome of a search, best first.

    Parameters
    ----------
    examined
        The events that are not among the found.
    tried
        Candidates: event, threshold, window and scope.
    conversions
        Eligible conversions of the search and of the hold-out.
    split_at
        Where the hold-out begins, microseconds UTC.
    searched
        False where there were too few conversions to search.
    """

    found: tuple[Milestone, ...]
    combinations: tuple[Combination, ...]
    examined: tuple[Examined, ...]
    tried: int
    conversions: tuple[int, int]
    split_at: int
    follow_up_days: int
    searched: bool
    verdict: str

    @property
    def rejected(self) -> dict[str, int]:
        """Events per reason, in the order of `REASONS`."""
        counts = Counter(one.reason for one in self.examined)
        return {reason: counts[reason] for reason in REASONS if counts[reason]}

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: lists, and null for what is unknown."""
        told = {
            "verdict": self.verdict,
            "searched": self.searched,
            "tried": self.tried,
            "conversions": {"search": self.conversions[0], "hold_out": self.conversions[1]},
            "split_at": self.split_at,
            "follow_up_days": self.follow_up_days,
            "found": [one.as_dict() for one in self.found],
            "combinations": [one.as_dict() for one in self.combinations],
            "rejected": self.rejected,
            "examined": [asdict(one) for one in self.examined],
        }
        return {key: _plain(value) for key, value in told.items()}

    def _repr_html_(self) -> str:
        rows: list[list[Cell]] = [
            [one.short, *(_with_interval(value) for value in _shown(one)), one.q_value]
            for one in self.found
        ]
        heads = ["milestone", "effect", "coverage", "precision", "recall", "lift", "q"]
        parts = [paragraph(self.verdict)]
        if rows:
            parts += [table(heads, rows), paragraph(PROOF)]
        if self.rejected:
            refused: list[list[Cell]] = [
                [REASONS[reason], count] for reason, count in self.rejected.items()
            ]
            parts.append(table(["not a milestone", "events"], refused))
        return Html("".join(parts))


def _plain(value: Any) -> Any:
    """Tuples as lists, NaN as None.

    >>> _plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if value != value else value


def _shown(one: Milestone) -> tuple[Estimate, ...]:
    return one.effect, one.coverage, one.precision, one.recall, one.lift


def _with_interval(one: Estimate) -> str:
    if one.value != one.value:
        return "unknown"
    return f"{one.value:.3g} ({one.low:.2g} to {one.high:.2g})"
