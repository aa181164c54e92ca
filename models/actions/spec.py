"""The ``actions:`` block of the settings, and the words that it is written in."""

from typing import Literal, Self, get_args

from pydantic import Field, PositiveInt, model_validator

from features.signals import FirstValue, SignalSpec
from features.spec import Spec

Trigger = Literal[
    "form",
    "support",
    "upsell click",
    "paid feature",
    "limit reached",
    "pricing view",
    "milestone reached",
    "success",
    "team growth",
    "look-alike",
    "score",
]
"""What crossed the line, strongest first: of several the first one is told."""
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
TableAction = Literal[
    "outreach today", "outreach this week", "upgrade offer", "help", "nurture", "wait"
]
Action = TableAction | Literal["follow up"]
Tier = Literal["critical", "hot", "warm", "cold"]


class ActionRule(Spec):
    """A line of the table: what to do when this crossed the line in that tier."""

    triggers: tuple[Trigger, ...] = ()
    """What crossed the line; empty means anything."""
    tiers: tuple[Tier, ...] = ()
    """Of whom; empty means everybody, the cold too."""
    action: TableAction
    """What to do."""
    text: str = Field(min_length=1)
    """How to do it, in a sentence for whoever calls."""


class ActionSpec(Spec):
    """The ``actions:`` block: what to do when what has crossed the line, and when not to."""

    rules: tuple[ActionRule, ...] = ()
    """Lines that are read before the default table; the first that fits decides."""
    milestones: tuple[FirstValue, ...] | None = None
    """Events that mean a milestone from their n-th time on; None: those of
    ``signals.first_value`` and the first of each of ``signals.success``."""
    recent_days: PositiveInt = 7
    """How long something counts as having crossed the line."""
    fresh_days: PositiveInt = 2
    """How long it is a good moment for outreach today; later it is outreach this week."""
    limit_times: PositiveInt = 2
    """Limits reached in ``recent_days`` that count as repeatedly, which is a good moment."""
    new_members: PositiveInt = 2
    """New members of the account in ``recent_days`` that count as team growth."""
    quiet_days: PositiveInt = 7
    """Without an event for so long nobody is called."""
    falling_below: float = Field(default=0.5, ge=0, le=1)
    """Nobody is called whose events of the last 7 days are below this share of the 7 before."""
    trial_days: PositiveInt | None = None
    """Length of a trial from the first event on: its second half is a good moment, its end the end
    of outreach; None for no trial."""
    follow_up_after_days: PositiveInt = 3
    """When to follow up, once, on outreach without an answer."""
    follow_up_until_days: PositiveInt = 7
    """After so many days it is too late to follow up, and a new kind of trigger may ask anew."""
    rest_days: PositiveInt = 28
    """How long the same trigger in the same tier is not asked for again."""
    contact: str | None = "email"
    """Attribute of users that holds their e-mail address; the most active one is whom to write."""
    plan: str | None = "plan"
    """Attribute of what is scored that names the plan it is on."""
    templates: str | None = None
    """Folder of message templates that replace those of the same name, seen from the settings."""

    @model_validator(mode="after")
    def _the_follow_up_has_room(self) -> Self:
        if not self.follow_up_after_days <= self.follow_up_until_days <= self.rest_days:
            raise ValueError(
                "actions needs follow_up_after_days <= follow_up_until_days <= rest_days"
            )
        return self

    def milestones_of(self, signals: SignalSpec) -> tuple[FirstValue, ...]:
        """The milestones that count, each once.

        >>> ActionSpec().milestones_of(SignalSpec(success=("goal_reached",)))
        (FirstValue(event='goal_reached', at_least=1),)
        """
        if self.milestones is not None:
            return tuple(dict.fromkeys(self.milestones))
        firsts = tuple(FirstValue(event=name) for name in signals.success)
        return tuple(dict.fromkeys((*signals.first_value, *firsts)))


def first_value_of(signals: SignalSpec) -> tuple[FirstValue, ...]:
    """What says that an entity has seen value: as named, else any success; empty: nobody knows.

    >>> first_value_of(SignalSpec(success=("goal_reached",)))
    (FirstValue(event='goal_reached', at_least=1),)
    """
    return signals.first_value or tuple(FirstValue(event=name) for name in signals.success)
