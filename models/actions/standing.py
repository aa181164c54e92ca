"""What was asked for before: nobody is called twice for one thing, and there is one follow-up."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.clock import DAY_US
from models.actions.spec import Action, ActionSpec, Tier, Trigger
from models.actions.words import Words
from models.scoring import TIERS

if TYPE_CHECKING:
    import pandas as pd

ASKING: tuple[Action, ...] = ("outreach today", "outreach this week", "upgrade offer", "help")
"""Actions that somebody does once and then waits for an answer."""
FOLLOW_UP: Action = "follow up"
_DUE_DAYS = {"outreach this week": 6}
"""How long after the day that it is first asked for an action is still to be done; else 0."""


@dataclass(frozen=True)
class Ask:
    """The latest thing that was asked for of one entity.

    Parameters
    ----------
    at
        The as_of that asked first, microseconds UTC.
    followed_up
        Whether a follow-up was asked for since.
    """

    at: int
    trigger: Trigger
    tier: Tier
    action: Action
    followed_up: bool


@dataclass(frozen=True)
class Standing:
    """What to do while an ask stands.

    Parameters
    ----------
    asked_at
        Of the ask, as_of where it is asked anew, None where nothing was asked for.
    action
        None: as the table says.
    why
        Why not outreach (or not again), in words; None where it is.
    """

    asked_at: int | None
    action: Action | None
    why: str | None


def asks_of(said: "pd.DataFrame", as_of: int, rest_days: int) -> dict[str, Ask]:
    """The latest ask of each entity that was first said in (as_of - rest_days, as_of).

    Parameters
    ----------
    said
        Rows of the ledger with ``entity_id, as_of, asked_at`` (both microseconds UTC), ``trigger,
        tier, next_action``, in the order of as_of; of an entity's rows with one as_of the last
        counts. Rows with as_of in [as_of, inf) do not exist.
    """
    since = as_of - rest_days * DAY_US
    known = said[(said["as_of"] < as_of) & (said["asked_at"] > since)]
    found: dict[str, Ask] = {}
    columns = ("entity_id", "as_of", "asked_at", "trigger", "tier", "next_action")
    for who, when, asked_at, trigger, tier, action in zip(
        *(known[name] for name in columns), strict=True
    ):
        if when == asked_at:
            found[who] = Ask(int(asked_at), trigger, tier, action, followed_up=False)
        elif who in found and asked_at == found[who].at and action == FOLLOW_UP:
            ask = found[who]
            found[who] = Ask(ask.at, ask.trigger, ask.tier, ask.action, followed_up=True)
    return found


def stand(
    ask: Ask | None,
    as_of: int,
    trigger: Trigger,
    known_at: int | None,
    tier: Tier,
    action: Action | None,
    spec: ActionSpec,
    words: Words,
    *,
    hand_raise: bool,
    dropped: str | None = None,
) -> Standing:
    """Whether what the table says is asked for now, or what was asked for before still stands.

    It is asked anew when they asked (form, support) since the ask; when the tier is higher than it
    was then, after help `follow_up_after_days` later and never for the same request; when outreach
    this week became outreach today; and when another trigger crossed since and
    `follow_up_until_days` (after help `follow_up_after_days`) have passed. Else the ask stands:
    to be done while it is due, then nothing, then one follow-up in [follow_up_after_days,
    follow_up_until_days] after it was due, then nurture until `rest_days` after the ask. Up to the
    follow-up it stands whatever the table says now; after it only against what would ask again.

    Parameters
    ----------
    known_at
        When the trigger was known, microseconds UTC; None for a trigger without a moment.
    action
        What the table and the moment say; None where the table has no line.
    dropped
        Why what was asked for is given up before its follow-up, in words; None where it is not.
    """
    asking = action in ASKING
    if ask is None:
        return Standing(as_of if asking else None, None, None)
    if asking and _anew(ask, as_of, trigger, known_at, tier, action, spec, hand_raise):
        return Standing(as_of, None, None)
    due = _DUE_DAYS.get(ask.action, 0)
    age = (as_of - ask.at) // DAY_US
    told = words.say("asked", action=words.action(ask.action), date=words.date(ask.at))
    promised = not ask.followed_up and age <= due + spec.follow_up_until_days
    if not promised and not asking:
        return Standing(ask.at, None, None)
    if promised and dropped:
        if age > due:
            why = words.say("follow_up_dropped", text=told, why=dropped)
        else:
            action_then = words.action(ask.action)
            why = words.say("dropped", action=action_then, text=told, why=dropped)
        return Standing(ask.at, "nurture", why)
    if age <= due:
        return Standing(ask.at, ask.action, None)
    if ask.followed_up:
        return Standing(ask.at, "nurture", words.say("followed_up", text=told))
    if age < due + spec.follow_up_after_days:
        on = words.date(ask.at + (due + spec.follow_up_after_days) * DAY_US)
        return Standing(ask.at, "wait", words.say("follow_up_on", text=told, date=on))
    if age <= due + spec.follow_up_until_days:
        return Standing(ask.at, FOLLOW_UP, None)
    return Standing(ask.at, "nurture", words.say("too_long_ago", text=told))


def _anew(
    ask: Ask,
    as_of: int,
    trigger: Trigger,
    known_at: int | None,
    tier: Tier,
    action: Action | None,
    spec: ActionSpec,
    hand_raise: bool,
) -> bool:
    since = known_at is not None and known_at >= ask.at
    days = spec.follow_up_after_days if ask.action == "help" else spec.follow_up_until_days
    rested = as_of - ask.at >= days * DAY_US
    # A request that was answered is not asked for again because somebody rose.
    if action == "help" and not since:
        return False
    rose = TIERS.index(tier) > TIERS.index(ask.tier)
    return (
        (hand_raise and since)
        or (rose and (ask.action != "help" or rested))
        or (ask.action == "outreach this week" and action == "outreach today")
        or (trigger != ask.trigger and since and rested)
    )
