"""Hand-raises as rules: a form, a question to support, a look at prices, a limit, an offer."""

from collections.abc import Iterable

from pydantic import Field

from features.signals import SignalSpec
from features.spec import Spec
from models.scorecard.measures import Measure
from models.scorecard.rules import Rule

HAND_RAISE_DAYS = 14

_NAMES = {
    "form": "form filled in",
    "limit": "limit reached",
    "upsell": "upgrade offer clicked",
    "pricing": "pricing looked at",
    "support": "support asked",
}


class HandRaises(Spec):
    """Points of what ``signals`` names, seen in the last 14 days; 0 leaves a kind out."""

    form: int = Field(default=30, ge=0, le=100)
    """A form to be called, or for a demo, was filled in."""
    limit: int = Field(default=20, ge=0, le=100)
    """A limit of the free plan was reached."""
    upsell: int = Field(default=20, ge=0, le=100)
    """An offer to upgrade was clicked."""
    pricing: int = Field(default=15, ge=0, le=100)
    """The pricing page was looked at, or a checkout begun."""
    support: int = Field(default=10, ge=0, le=100)
    """Support was asked."""


def hand_raise_rules(
    points: HandRaises, signals: SignalSpec, counted: Iterable[str] = ()
) -> tuple[Rule, ...]:
    """A rule of the upgrade dimension for every kind that has events and points.

    Parameters
    ----------
    counted
        Events that other rules of the dimension count already: they raise no second hand.

    Examples
    --------
    >>> signals = SignalSpec(limit=("quota_hit",), support=("ticket_opened",))
    >>> [rule.line for rule in hand_raise_rules(HandRaises(), signals, {"quota_hit"})]
    ['support asked | +10 upgrade: ticket_opened >= 1 time in 14 days']
    """
    known, made = set(counted), []
    for kind, name in _NAMES.items():
        earned = getattr(points, kind)
        events = tuple(event for event in getattr(signals, kind) if event not in known)
        if earned and events:
            made.append(_rule(name, earned, events))
    return tuple(made)


def _rule(name: str, points: int, events: tuple[str, ...]) -> Rule:
    return Rule(
        dimension="upgrade",
        points=points,
        name=name,
        measure=Measure(statistic="count", events=events, days=HAND_RAISE_DAYS),
        at_least=1,
    )
