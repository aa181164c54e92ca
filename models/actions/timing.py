"""Whether this is the moment: what speaks for calling today, and what against calling at all."""

from collections.abc import Sequence

import numpy as np

from features.clock import DAY_US
from features.signals import FirstValue
from models.actions.facts import NEVER, Facts
from models.actions.spec import TRIGGERS, ActionSpec, TableAction
from models.actions.triggers import Crossed
from models.actions.words import Words

HALF_A_TRIAL = 0.5
Hold = tuple[TableAction, str]
"""What to do in place of outreach, and why."""


def holds(
    facts: Facts, first_value: Sequence[FirstValue], spec: ActionSpec, words: Words
) -> list[Hold | None]:
    """What holds outreach back for each row, the gravest reason; None for nothing.

    In this order: the trial is over, no value seen yet, no event for `quiet_days`, and events of
    the last 7 days below `falling_below` of those of the 7 before.

    Parameters
    ----------
    first_value
        Any of them reached means that the row has seen value; empty: nobody knows, nothing held.
    """
    n, as_of = len(facts.week), facts.as_of
    seen = np.zeros(n, bool) if first_value else np.ones(n, bool)
    for one in first_value:
        seen |= facts.reached[one] < NEVER
    quiet = ~(facts.last_at >= as_of - spec.quiet_days * DAY_US) | (facts.last_at == NEVER)
    falling = facts.week < spec.falling_below * facts.week_before
    over = _trial_days_gone(facts) >= (spec.trial_days or np.inf)
    found: list[Hold | None] = [None] * n
    for row in np.flatnonzero(over | ~seen | quiet | falling):
        if over[row]:
            found[row] = ("nurture", words.count("trial_over", spec.trial_days or 0))
        elif not seen[row]:
            found[row] = ("nurture", words.say("too_early"))
        elif quiet[row]:
            found[row] = ("nurture", words.count("quiet", spec.quiet_days))
        else:
            before = words.texts.bound(int(facts.week_before[row]))
            found[row] = ("wait", words.count("falling", int(facts.week[row]), before=before))
    return found


def good_moments(
    facts: Facts,
    crossed: Crossed,
    limit_count: np.ndarray,
    tier: np.ndarray,
    tier_before: np.ndarray,
    today: np.ndarray,
    spec: ActionSpec,
    words: Words,
) -> list[str | None]:
    """Why to call each row today, in words; None where nothing says today.

    A rise to hot or critical since the last scoring; a trigger in [as_of - fresh_days, as_of), be
    it the strongest or another one, for limits one reached repeatedly; the second half of a trial.

    Parameters
    ----------
    limit_count
        int64, shape (n,): limits reached in the recent window.
    tier, tier_before
        object, shape (n,): now, and at the last scoring, None where there was none.
    today
        bool, shape (n_triggers, n): what the table would have called for today.
    """
    since, limit = facts.as_of - spec.fresh_days * DAY_US, TRIGGERS.index("limit reached")
    calls = today & (crossed.each < NEVER) & (crossed.each >= since)
    calls[limit] &= limit_count >= spec.limit_times
    fresh = np.asarray(calls.any(axis=0))
    rows = np.arange(len(tier))
    which = np.where(calls[crossed.trigger, rows], crossed.trigger, calls.argmax(axis=0))
    top = np.isin(tier.astype(str), ("hot", "critical"))
    rose = top & np.isin(tier_before.astype(str), ("warm", "cold"))
    gone, length = _trial_days_gone(facts), spec.trial_days or np.inf
    half = (gone >= HALF_A_TRIAL * length) & (gone < length)
    found: list[str | None] = [None] * len(tier)
    for row in np.flatnonzero(rose | fresh | half):
        if rose[row]:
            found[row] = words.say("rose", tier=words.tier(tier[row]))
        elif fresh[row]:
            ago = words.ago(facts.as_of, crossed.each[which[row], row])
            if which[row] == limit:
                found[row] = words.say("limits", times=words.times(int(limit_count[row])), ago=ago)
            else:
                trigger = words.trigger(TRIGGERS[which[row]])
                found[row] = words.say("fresh", trigger=trigger, ago=ago)
        elif half[row]:
            days = words.texts.bound(spec.trial_days or 0)
            found[row] = words.count("trial_day", int(gone[row]) + 1, days=days)
    return found


def _trial_days_gone(facts: Facts) -> np.ndarray:
    """Days from the first event to as_of: float64, shape (n,); 0 without an event."""
    known = facts.first_at < NEVER
    return np.where(known, (facts.as_of - np.where(known, facts.first_at, 0)) / DAY_US, 0.0)
