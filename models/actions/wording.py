"""Triggers as facts with their own numbers, and the facts that message templates may use."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from features.clock import DAY_US
from features.signals import FirstValue, SignalSpec
from models.actions.advice import Advice
from models.actions.facts import NEVER, Facts
from models.actions.spec import Action, Trigger
from models.actions.triggers import events_of
from models.actions.words import Words, one_line

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
    "name": "what the account or user is called, if more than an id",
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

    name: str | None
    contact: str | None
    plan: str | None


def trigger_fact(
    advice: Advice,
    row: int,
    facts: Facts,
    signals: SignalSpec,
    milestones: Sequence[FirstValue],
    words: Words,
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
        return alike and words.say("like", text=alike)
    if trigger == "score" or at is None:
        return reason
    ago, when = words.ago(facts.as_of, at), words.count("window", facts.days)
    if trigger == "team growth":
        new, members = int(facts.new_members[row]), int(facts.members[row])
        so_far = words.texts.bound(members)
        return words.count("joined", new, when=when, members=so_far, ago=ago)
    if trigger == "milestone reached":
        one = next(one for one in milestones if facts.reached[one][row] == at)
        event = words.event(one.event)
        if one.at_least == 1:
            return words.say("first_time", event=event, ago=ago)
        return words.say("reached", event=event, times=words.times(one.at_least), ago=ago)
    counts = [
        words.say(
            "counted", event=words.event(name), times=words.times(int(facts.count[name][row]))
        )
        for name in events_of(signals, trigger)
        if facts.count[name][row]
    ]
    if not counts:
        # It came in late: it crossed the line, but did not happen in the window.
        late = next(one for one in events_of(signals, trigger) if facts.lately[one][row] == at)
        return words.say("late", event=words.event(late), ago=ago)
    return words.say("counts", text=words.texts.listed("advice.and", counts), when=when, ago=ago)


def message_for(advice: Advice, facts: Callable[[], Mapping[str, Fact]]) -> str | None:
    """The template that fits: that of the trigger, else the first whose matter is recent.

    None for an action that sends nothing, for who asked by themselves, and where nothing fits.

    Parameters
    ----------
    facts
        Gives those of `message_facts`, and is asked only where they decide.
    """
    if advice.action not in MESSAGE_ACTIONS or advice.trigger in OWN_MESSAGE:
        return None
    for name, about in MESSAGES.items():
        if advice.trigger == about:
            return name
    known = facts()
    matter = {"limit_reached": "limit", "milestone_reached": "milestone", "success": "success"}
    return next((name for name, fact in matter.items() if known[fact] is not None), None)


def message_facts(
    row: int,
    facts: Facts,
    signals: SignalSpec,
    milestones: Sequence[FirstValue],
    person: Person,
    words: Words,
) -> dict[str, Fact]:
    """The facts of `FACT_MEANINGS` of one row; None where one is not known."""
    limit, limits = _last_of(row, facts, signals.limit)
    success, _ = _last_of(row, facts, signals.success)
    one = _reached(row, facts, milestones)
    members = int(facts.members[row])
    return {
        "name": person.name and (one_line(person.name) or None),
        "contact": person.contact and one_line(person.contact),
        "plan": person.plan and one_line(person.plan),
        "date": words.date(facts.as_of),
        "days": facts.days,
        "limit": None if limit is None else words.event(limit),
        "limit_times": limits,
        "limit_on": None if limit is None else words.date(facts.last[limit][row]),
        "milestone": None if one is None else words.event(one.event),
        "milestone_times": None if one is None else one.at_least,
        "milestone_on": None if one is None else words.date(facts.reached[one][row]),
        "success": None if success is None else words.event(success),
        "success_times": None if success is None else int(facts.count[success][row]),
        "success_on": None if success is None else words.date(facts.last[success][row]),
        "events": int(facts.week[row]),
        "members": members or None,
        "new_members": int(facts.new_members[row]) if members else None,
        "since": words.date(facts.first_at[row]) if facts.first_at[row] < NEVER else None,
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
