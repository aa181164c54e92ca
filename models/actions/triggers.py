"""What crossed the line for each row, and when: the strongest of what happened lately."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from features.signals import FirstValue, SignalSpec
from models.actions.facts import NEVER, Facts
from models.actions.spec import TRIGGERS, Trigger

EVENT_TRIGGERS: tuple[Trigger, ...] = (
    *("form", "support", "upsell click", "paid feature"),
    *("limit reached", "pricing view", "success"),
)
"""Triggers that are events of a kind of the signals."""
HAND_RAISES = {TRIGGERS.index("form"), TRIGGERS.index("support")}
"""They asked: no timing holds an answer back."""
ALIKE_POINTS = 1.0
"""Likeness to customers is a trigger from so many percentage points of probability on."""


@dataclass(frozen=True)
class Crossed:
    """The trigger of each row.

    Parameters
    ----------
    trigger
        int64, shape (n,): position in `TRIGGERS`.
    at
        int64, shape (n,): when it happened, microseconds UTC; `NEVER` for a trigger without a
        moment (look-alike, score).
    known
        int64, shape (n,): when it was known, likewise.
    each
        int64, shape (n_triggers, n): when each of `TRIGGERS` happened, `NEVER` where it did not
        cross.
    """

    trigger: np.ndarray
    at: np.ndarray
    known: np.ndarray
    each: np.ndarray

    def name(self, row: int) -> Trigger:
        return TRIGGERS[self.trigger[row]]

    def moment(self, row: int) -> tuple[int | None, int | None]:
        """When it happened and when it was known; None for a trigger without a moment."""
        at, known = int(self.at[row]), int(self.known[row])
        return (at, known) if at < NEVER else (None, None)


def events_of(signals: SignalSpec, trigger: Trigger) -> tuple[str, ...]:
    """The events that are this trigger; none for a trigger that is no event.

    >>> events_of(SignalSpec(upsell=("offer_clicked",)), "upsell click")
    ('offer_clicked',)
    """
    kinds: dict[Trigger, tuple[str, ...]] = {
        "form": signals.form,
        "support": signals.support,
        "upsell click": signals.upsell,
        "paid feature": signals.paid_feature,
        "limit reached": signals.limit,
        "pricing view": signals.pricing,
        "success": signals.success,
    }
    return kinds.get(trigger, ())


def find_triggers(
    facts: Facts,
    signals: SignalSpec,
    milestones: Iterable[FirstValue],
    *,
    alike: np.ndarray,
    new_members: int,
    asked_at: np.ndarray,
    asked: np.ndarray,
) -> Crossed:
    """The strongest trigger of each row in [as_of - facts.days, as_of), in the order of `TRIGGERS`.

    An event crosses the line when it becomes known, however late that is: one that came in late is
    a trigger still. Once something was asked for, what crossed since comes before what had by then;
    of that, the trigger of the ask comes first, and a form or support request was answered.

    Parameters
    ----------
    alike
        bool, shape (n,): rows that look like customers.
    new_members
        How many count as team growth.
    asked_at
        int64, shape (n,): when something was asked for that stands, `NEVER` for nothing.
    asked
        int64, shape (n,): position in `TRIGGERS` of what it was asked for, -1 for nothing.
    """
    n, since = len(alike), facts.as_of - facts.days * DAY_US
    known, happened = _moments(facts, signals, milestones, since, new_members)
    never = np.full(n, NEVER)
    there = np.stack([known.get(name, never) < NEVER for name in TRIGGERS])
    there[TRIGGERS.index("look-alike")] = alike
    # Whoever has nothing else has a score.
    there[TRIGGERS.index("score")] = True
    when = np.stack([known.get(name, never) for name in TRIGGERS])
    rows, since_asked = np.arange(n), there & (when < NEVER) & (when >= asked_at)
    same = (asked >= 0) & there[asked, rows]
    open_ = there.copy()
    open_[sorted(HAND_RAISES)] &= asked < 0
    before = np.where(same, asked, open_.argmax(axis=0))
    first = np.where(since_asked.any(axis=0), since_asked.argmax(axis=0), before)
    at = np.stack([happened.get(name, never) for name in TRIGGERS])
    return Crossed(first, at[first, rows], when[first, rows], at)


def _moments(
    facts: Facts,
    signals: SignalSpec,
    milestones: Iterable[FirstValue],
    since: int,
    new_members: int,
) -> tuple[dict[Trigger, np.ndarray], dict[Trigger, np.ndarray]]:
    """When each trigger was last known, `NEVER` where not in [since, inf); and when it happened."""
    n = len(facts.week)
    known: dict[Trigger, np.ndarray] = {}
    happened: dict[Trigger, np.ndarray] = {}
    kinds: dict[Trigger, list[tuple[np.ndarray, np.ndarray]]] = {
        trigger: [(facts.known[name], facts.lately[name]) for name in events_of(signals, trigger)]
        for trigger in EVENT_TRIGGERS
    }
    kinds["milestone reached"] = [(facts.known[one], facts.reached[one]) for one in milestones]
    for trigger, pairs in kinds.items():
        known[trigger] = _latest((told for told, _ in pairs), since, n)
        # The last of those that made it cross, not of one that was known long before.
        lately = (np.where(told >= since, at, NEVER) for told, at in pairs)
        happened[trigger] = _latest(lately, 1 - NEVER, n)
    grown = facts.new_members >= new_members
    known["team growth"] = np.where(grown, facts.joined_known, NEVER)
    happened["team growth"] = np.where(grown, facts.joined_at, NEVER)
    return known, happened


def _latest(times: Iterable[np.ndarray], since: int, n: int) -> np.ndarray:
    """The latest of each row's times where it lies in [since, inf), else `NEVER`."""
    latest = np.full(n, -NEVER)
    for one in times:
        np.maximum(latest, np.where(one < NEVER, one, -NEVER), out=latest)
    return np.where(latest >= since, latest, NEVER)
