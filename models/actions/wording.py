"""Triggers as facts with their own numbers, and the facts that message templates may use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from features.clock import DAY_US
from features.naming import words
from features.signals import FirstValue, SignalSpec
from models.actions.advice import Advice
from models.actions.facts import NEVER, Facts
from models.actions.spec import Action, Trigger
from models.actions.triggers import events_of
from models.actions.words import date, days_ago, one_line, times

Fact = str | int | None
MESSAGES: dict[str, Trigger] = {
    "limit_reached": "limit reached",
    "milestone_reached": "milestone reached",
    "success": "success",
}
"""Templates of messages, and what each is about; for other triggers the first that fits."""
MESSAGE_ACTIONS: tuple[Action, ...] = ("outreach today", "outreach this week", "upgrade offer")
OWN_MESSAGE: tuple[Trigger, ...] = ("form", "support")
"""They wrote themselves: an answer is no draft."""
FACT_MEANINGS = {
    "name": "what the account or user is called",
    "contact": "e-mail address of the most active reachable member",
    "plan": "the plan they are on",
    "date": "the date of the scoring",
    "days": "length of the recent window in days",
    "limit": "the limit reached last in the window, in words",
    "limit_times": "how often limits were reached in the window",
    "limit_on": "date of the last limit reached",
    "milestone": "the milestone reached in the window, in words",
    "milestone_times": "how many of its events it takes",
    "milestone_on": "date it was reached",
    "success": "the last success in the window, in words",
    "success_times": "how often in the window",
    "success_on": "date of the last success",
    "events": "events in the last 7 days",
    "members": "members of the account so far",
    "new_members": "members who joined in the window",
    "since": "date of the first event",
}
"""What a template may ask for; each may be unknown."""


@dataclass(frozen=True)
class Person:
    """What is known of whom to write to, and of the plan."""

    name: str
    contact: str | None
    plan: str | None


def trigger_fact(
    advice: Advice,
    row: int,
    facts: Facts,
    signals: SignalSpec,
    milestones: Sequence[FirstValue],
    *,
    alike: str | None,
    reason: str | None,
) -> str | None:
    """What crossed the line, with its own numbers.

    Parameters
    ----------
    alike
        The nearest customer and what is shared, in words.
    reason
        The strongest reason of the score.
    """
    trigger, at = advice.trigger, advice.triggered_at
    if trigger == "look-alike":
        return alike and f"looks like {alike}"
    if trigger == "score" or at is None:
        return reason
    ago = days_ago(facts.as_of, at)
    if trigger == "team growth":
        new, members = int(facts.new_members[row]), int(facts.members[row])
        joined = f"{times(new, 'new member')} in {times(facts.days, 'day')}"
        return f"{joined}, {members:,} so far, last {ago}"
    if trigger == "milestone reached":
        one = next(one for one in milestones if facts.reached[one][row] == at)
        return f"{milestone_words(one)} {ago}"
    counts = [
        f"{words(name)} {times(int(facts.count[name][row]))}"
        for name in events_of(signals, trigger)
        if facts.count[name][row]
    ]
    if not counts:
        # It came in late: it crossed the line, but did not happen in the window.
        late = next(one for one in events_of(signals, trigger) if facts.last[one][row] == at)
        return f"{words(late)} {ago}, which was known only lately"
    return f"{', '.join(counts)} in {times(facts.days, 'day')}, last {ago}"


def milestone_words(one: FirstValue) -> str:
    """
    >>> milestone_words(FirstValue(event="report_created", at_least=3))
    'report created 3 times, reached'
    >>> milestone_words(FirstValue(event="goal_reached"))
    'goal reached for the first time'
    """
    if one.at_least == 1:
        return f"{words(one.event)} for the first time"
    return f"{words(one.event)} {times(one.at_least)}, reached"


def message_for(
    advice: Advice, row: int, facts: Facts, signals: SignalSpec, milestones: Sequence[FirstValue]
) -> str | None:
    """The template that fits: that of the trigger, else the first whose matter is recent.

    None for an action that sends nothing, for who asked by themselves, and where nothing fits.
    """
    if advice.action not in MESSAGE_ACTIONS or advice.trigger in OWN_MESSAGE:
        return None
    for name, about in MESSAGES.items():
        if advice.trigger == about:
            return name
    known = message_facts(row, facts, signals, milestones, Person("", None, None))
    matter = {"limit_reached": "limit", "milestone_reached": "milestone", "success": "success"}
    return next((name for name, fact in matter.items() if known[fact] is not None), None)


def message_facts(
    row: int,
    facts: Facts,
    signals: SignalSpec,
    milestones: Sequence[FirstValue],
    person: Person,
) -> dict[str, Fact]:
    """The facts of `FACT_MEANINGS` of one row; None where one is not known."""
    limit, limits = _last_of(row, facts, signals.limit)
    success, _ = _last_of(row, facts, signals.success)
    one = _reached(row, facts, milestones)
    members = int(facts.members[row])
    return {
        "name": one_line(person.name) or None,
        "contact": person.contact and one_line(person.contact),
        "plan": person.plan and one_line(person.plan),
        "date": date(facts.as_of),
        "days": facts.days,
        "limit": None if limit is None else words(limit),
        "limit_times": limits,
        "limit_on": None if limit is None else date(facts.last[limit][row]),
        "milestone": None if one is None else words(one.event),
        "milestone_times": None if one is None else one.at_least,
        "milestone_on": None if one is None else date(facts.reached[one][row]),
        "success": None if success is None else words(success),
        "success_times": None if success is None else int(facts.count[success][row]),
        "success_on": None if success is None else date(facts.last[success][row]),
        "events": int(facts.week[row]),
        "members": members or None,
        "new_members": int(facts.new_members[row]) if members else None,
        "since": date(facts.first_at[row]) if facts.first_at[row] < NEVER else None,
    }


def _last_of(row: int, facts: Facts, names: Iterable[str]) -> tuple[str | None, int | None]:
    """Of those events in the window: the name of the last one, and how many there were of all."""
    recent = [name for name in names if facts.count[name][row]]
    if not recent:
        return None, None
    last = max(recent, key=lambda name: facts.last[name][row])
    return last, sum(int(facts.count[name][row]) for name in recent)


def _reached(row: int, facts: Facts, milestones: Iterable[FirstValue]) -> FirstValue | None:
    """The milestone reached last in the recent window."""
    since = facts.as_of - facts.days * DAY_US
    there = [one for one in milestones if since <= facts.reached[one][row] < NEVER]
    return max(there, key=lambda one: facts.reached[one][row], default=None)
