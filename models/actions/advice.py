"""Trigger, table, timing and what was asked before, put together: one piece of advice a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from features.signals import FirstValue, SignalSpec
from models.actions.facts import NEVER, Facts
from models.actions.spec import TRIGGERS, Action, ActionSpec, Tier, Trigger, first_value_of
from models.actions.standing import ASKING, FOLLOW_UP, Ask, stand
from models.actions.table import Decided, rule_for
from models.actions.timing import good_moments, holds
from models.actions.triggers import HAND_RAISES, Crossed, events_of, find_triggers
from models.actions.words import Words

OUTREACH: tuple[Action, ...] = (
    *("outreach today", "outreach this week", FOLLOW_UP),
    "upgrade offer",
)
"""What goes out to people who did not ask, and is held back at a bad time."""
ORDER: tuple[Action, ...] = (
    *("outreach today", FOLLOW_UP, "help", "outreach this week"),
    *("upgrade offer", "nurture", "wait"),
)
"""The most pressing first."""
_HOW: dict[Action, str] = {FOLLOW_UP: "follow_up", "nurture": "nurture", "wait": "wait"}
"""How to do what no line of the table says: keys of the texts."""


@dataclass(frozen=True)
class Advice:
    """What to do about one row, and how it came about.

    Parameters
    ----------
    trigger, triggered_at
        What crossed the line; when it happened, microseconds UTC, None for a trigger without a
        moment.
    action, text
        What to do, and how.
    why_not_now
        What holds outreach back, or makes it less urgent than the table; None for nothing.
    asked_at
        The as_of that first asked for what stands; None where nothing was asked for.
    rule
        The line of the table that decided, in words.
    moment
        Why this is a good moment; None where nothing says so.
    """

    trigger: Trigger
    triggered_at: int | None
    action: Action
    text: str
    why_not_now: str | None
    asked_at: int | None
    rule: str
    moment: str | None


def advise(
    facts: Facts,
    signals: SignalSpec,
    spec: ActionSpec,
    *,
    ids: Sequence[str],
    tier: np.ndarray,
    tier_before: np.ndarray,
    alike: np.ndarray,
    asks: Mapping[str, Ask],
    words: Words,
) -> list[Advice | None]:
    """Advice for each row; None where the table has no line for it and nothing asked is open.

    Parameters
    ----------
    ids
        Entity ids, shape (n,).
    tier, tier_before
        object, shape (n,): now, and at the last scoring, None where there was none.
    alike
        bool, shape (n,): rows that look like customers.
    asks
        By entity id, of `models.actions.standing.asks_of`.
    """
    crossed = find_triggers(
        facts,
        signals,
        spec.milestones_of(signals),
        alike=alike,
        new_members=spec.new_members,
        asked_at=np.array([asks[who].at if who in asks else NEVER for who in ids], np.int64),
        asked=np.array(
            [TRIGGERS.index(asks[who].trigger) if who in asks else -1 for who in ids], np.int64
        ),
    )
    limits = sum(
        (facts.count[name] for name in events_of(signals, "limit reached")),
        start=np.zeros(len(tier), np.int64),
    )
    held = holds(facts, first_value_of(signals), spec, words)
    lines: dict[tuple[int, Tier], Decided | None] = {
        (index, name): rule_for(trigger, name, spec.rules)
        for index, trigger in enumerate(TRIGGERS)
        for name in get_args(Tier)
    }
    today = np.array(
        [[_calls_today(lines[index, name]) for name in tier] for index in range(len(TRIGGERS))],
        bool,
    ).reshape(len(TRIGGERS), len(tier))
    moments = good_moments(facts, crossed, limits, tier, tier_before, today, spec, words)
    found: list[Advice | None] = [None] * len(tier)
    for row, key in enumerate(zip(crossed.trigger.tolist(), tier, strict=True)):
        decided, ask = lines[key], asks.get(ids[row])
        if decided or ask:
            found[row] = _advice(
                row,
                facts.as_of,
                crossed,
                tier[row],
                decided,
                held[row],
                moments[row],
                ask,
                spec,
                words,
            )
    return found


def _calls_today(decided: Decided | None) -> bool:
    return decided is not None and decided.rule.action == "outreach today"


def _advice(
    row: int,
    as_of: int,
    crossed: Crossed,
    tier: Tier,
    decided: Decided | None,
    held: tuple[Action, str] | None,
    moment: str | None,
    ask: Ask | None,
    spec: ActionSpec,
    words: Words,
) -> Advice | None:
    trigger, at, known = crossed.name(row), *crossed.moment(row)
    hand_raise = int(crossed.trigger[row]) in HAND_RAISES
    table: Action | None = decided.rule.action if decided else None
    action, why = table, None
    if table == "outreach today" and moment is None and not hand_raise:
        action, why = "outreach this week", words.count("not_today", spec.fresh_days)
    standing = stand(
        *(ask, as_of, trigger, known, tier, action, spec, words),
        hand_raise=hand_raise,
        dropped=_dropped(ask, tier, spec, words),
    )
    text, asked_at = decided.text(words) if decided else "", standing.asked_at
    if standing.action is not None:
        action, why = standing.action, standing.why
        text = words.how(_HOW[action]) if action in _HOW else _text_then(ask, spec, words)
    if action is None:
        return None
    if held and action in OUTREACH and not _answers(ask, action, known, hand_raise=hand_raise):
        action, why = held
        text, asked_at = words.how(_HOW[action]), None if ask is None else ask.at
    source = "the settings" if decided and decided.own else "the default table"
    rule = f"{trigger} x {tier}: {table or 'nothing'} ({source})"
    return Advice(trigger, at, action, text, why, asked_at, rule, moment)


def _answers(ask: Ask | None, action: Action, known: int | None, *, hand_raise: bool) -> bool:
    """Whether what goes out answers who asked: since the ask, or by the ask while it is due."""
    if ask is None:
        return hand_raise
    by_ask = TRIGGERS.index(ask.trigger) in HAND_RAISES and action == ask.action
    return by_ask or (hand_raise and known is not None and known >= ask.at)


def _dropped(ask: Ask | None, tier: Tier, spec: ActionSpec, words: Words) -> str | None:
    """Why what was asked for is given up: the table has no line for it any more, or forbids it.

    A default line of nurture, as the warm have it, gives up nothing: one follow-up is due to them.
    """
    if ask is None:
        return None
    decided = rule_for(ask.trigger, tier, spec.rules)
    if decided is None:
        return words.say("tier_now", tier=words.tier(tier))
    if decided.own and decided.rule.action not in ASKING:
        return words.say("settings_say", action=words.action(decided.rule.action))
    return None


def _text_then(ask: Ask | None, spec: ActionSpec, words: Words) -> str:
    """How to do what stands: the text of its own line, where that still says the same."""
    decided = rule_for(ask.trigger, ask.tier, spec.rules) if ask else None
    if ask is None or decided is None:
        return words.how("standing")
    softened = (decided.rule.action, ask.action) == ("outreach today", "outreach this week")
    same = softened or decided.rule.action == ask.action
    return decided.text(words) if same else words.how("standing")


def first_value_unknown(signals: SignalSpec) -> bool:
    """Whether nothing says when an entity has seen value, so that nothing can be too early."""
    return not first_value_of(signals)


def events_read(
    signals: SignalSpec, spec: ActionSpec
) -> tuple[tuple[str, ...], tuple[FirstValue, ...]]:
    """What `models.actions.facts.read_facts` must read: events to count, and milestones."""
    milestones = (*spec.milestones_of(signals), *first_value_of(signals))
    names = (*signals.events(), *(one.event for one in milestones))
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(milestones))
