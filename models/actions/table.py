"""What a good sales team does when something crosses the line: tier x trigger -> action, text."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.actions.spec import Action, ActionRule, Tier, Trigger
from models.actions.words import Words

_TOP: tuple[Tier, ...] = ("critical", "hot")
_WARM: tuple[Tier, ...] = ("warm",)
_COLD: tuple[Tier, ...] = ("cold",)


def _rule(trigger: Trigger, tiers: tuple[Tier, ...], action: Action, how: str) -> ActionRule:
    return ActionRule.model_validate(
        {"triggers": (trigger,), "tiers": tiers, "action": action, "text": how}
    )


DEFAULT_RULES: tuple[ActionRule, ...] = (
    _rule("form", (*_TOP, *_WARM), "outreach today", "form_above_cold"),
    _rule("form", _COLD, "outreach this week", "form_cold"),
    _rule("support", (), "help", "support_any"),
    _rule("upsell click", _TOP, "outreach today", "upsell_click_top"),
    _rule("upsell click", _WARM, "upgrade offer", "upsell_click_warm"),
    _rule("paid feature", _TOP, "outreach today", "paid_feature_top"),
    _rule("paid feature", _WARM, "upgrade offer", "paid_feature_warm"),
    _rule("limit reached", _TOP, "outreach today", "limit_reached_top"),
    _rule("limit reached", _WARM, "upgrade offer", "limit_reached_warm"),
    _rule("pricing view", _TOP, "outreach today", "pricing_view_top"),
    _rule("pricing view", _WARM, "nurture", "pricing_view_warm"),
    _rule("milestone reached", _TOP, "outreach today", "milestone_reached_top"),
    _rule("milestone reached", _WARM, "nurture", "milestone_reached_warm"),
    _rule("success", _TOP, "outreach today", "success_top"),
    _rule("success", _WARM, "nurture", "success_warm"),
    _rule("team growth", _TOP, "outreach today", "team_growth_top"),
    _rule("team growth", _WARM, "nurture", "team_growth_warm"),
    _rule("look-alike", _TOP, "outreach this week", "look_alike_top"),
    _rule("look-alike", _WARM, "nurture", "look_alike_warm"),
    _rule("score", _TOP, "outreach this week", "score_top"),
    _rule("score", _WARM, "nurture", "score_warm"),
)
"""Read after the rules of the settings; who is cold and did not ask gets none of them. Their texts
are keys of the catalogue of sentences, section ``how``."""


@dataclass(frozen=True)
class Decided:
    """The line of the table that decided, and whether it is one of the settings'."""

    rule: ActionRule
    own: bool

    def text(self, words: Words) -> str:
        """How to do it: in the words of the settings, or of the catalogue of sentences."""
        return self.rule.text if self.own else words.how(self.rule.text)


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
