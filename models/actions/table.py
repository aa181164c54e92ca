"""What a good sales team does when something crosses the line: tier x trigger -> action, text."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.actions.spec import Action, ActionRule, Tier, Trigger

_TOP: tuple[Tier, ...] = ("critical", "hot")
_WARM: tuple[Tier, ...] = ("warm",)
_COLD: tuple[Tier, ...] = ("cold",)


def _rule(triggers: str, tiers: tuple[Tier, ...], action: Action, text: str) -> ActionRule:
    return ActionRule.model_validate(
        {"triggers": (triggers,), "tiers": tiers, "action": action, "text": text}
    )


DEFAULT_RULES: tuple[ActionRule, ...] = (
    _rule("form", (*_TOP, *_WARM), "outreach today", "They asked to be called: answer in person."),
    _rule("form", _COLD, "outreach this week", "They asked to be called: find out what they need."),
    _rule("support", (), "help", "Solve their question first; sell nothing until it is solved."),
    _rule("upsell click", _TOP, "outreach today", "Offer to go through the plans together."),
    _rule("upsell click", _WARM, "upgrade offer", "Send the offer that they clicked on."),
    _rule("paid feature", _TOP, "outreach today", "Ask what they need the feature for; show it."),
    _rule("paid feature", _WARM, "upgrade offer", "Offer the feature for a week, on trial."),
    _rule("limit reached", _TOP, "outreach today", "Name the limit and the plan that lifts it."),
    _rule("limit reached", _WARM, "upgrade offer", "Offer the next plan where the limit stands."),
    _rule("pricing view", _TOP, "outreach today", "Offer help with choosing a plan."),
    _rule("pricing view", _WARM, "nurture", "Send the comparison of plans; watch for a limit."),
    _rule("milestone reached", _TOP, "outreach today", "Name what they reached and what is next."),
    _rule("milestone reached", _WARM, "nurture", "Send a tip that builds on the milestone."),
    _rule("success", _TOP, "outreach today", "Name what they achieved and what a plan adds."),
    _rule("success", _WARM, "nurture", "Congratulate; show how others go on from there."),
    _rule("team growth", _TOP, "outreach today", "Offer to bring the new members on board."),
    _rule("team growth", _WARM, "nurture", "Send what helps a team to begin."),
    _rule("look-alike", _TOP, "outreach this week", "Tell them how customers like them work."),
    _rule("look-alike", _WARM, "nurture", "Send a story of a customer like them."),
    _rule("score", _TOP, "outreach this week", "Ask what they want to reach; begin with the why."),
    _rule("score", _WARM, "nurture", "Light touch: keep in the programme, watch for signals."),
)
"""Read after the rules of the settings; who is cold and did not ask gets none of them."""


@dataclass(frozen=True)
class Decided:
    """The line of the table that decided, and whether it is one of the settings'."""

    rule: ActionRule
    own: bool


def rule_for(trigger: Trigger, tier: Tier, own: Sequence[ActionRule]) -> Decided | None:
    """The first rule that fits, those of the settings first; None where nothing is to be done.

    >>> rule_for("limit reached", "warm", ()).rule.action
    'upgrade offer'
    >>> rule_for("limit reached", "cold", ()) is None
    True
    """
    for rule in (*own, *DEFAULT_RULES):
        if (not rule.triggers or trigger in rule.triggers) and (
            not rule.tiers or tier in rule.tiers
        ):
            return Decided(rule, any(rule is one for one in own))
    return None
