"""The `scorecard:` block: rules of one's own, a preset, hand-raises, and where tiers begin."""

from pydantic import Field, model_validator

from features.signals import SignalSpec
from features.spec import Spec
from models.scorecard.defaults import DEFAULT_RULES
from models.scorecard.hand_raises import HandRaises, hand_raise_rules
from models.scorecard.presets import PresetName, check_roles, preset_rules
from models.scorecard.rules import Rule


class Thresholds(Spec):
    """Points at which tiers begin: 0-50 not qualified, 51-75 warm, 76-100 hot, above critical."""

    warm: float = 51
    """Points from which an entity is warm."""
    hot: float = 76
    """Points from which it is hot."""
    critical: float = 101
    """Points from which it is critical."""

    @model_validator(mode="after")
    def _check(self) -> "Thresholds":
        if not self.critical >= self.hot >= self.warm:
            raise ValueError("must fall from critical over hot to warm")
        return self


class ScorecardSpec(Spec):
    """Rules as data: those of a preset and your own; without either, the shipped ones."""

    preset: PresetName | None = None
    """Rules for a kind of product: collaboration, project_management, analytics or design."""
    events: dict[str, tuple[str, ...]] = {}
    """Your events for each role of the preset; a role left out makes a rule without data."""
    rules: tuple[Rule, ...] = DEFAULT_RULES
    """Rules of your own, each a line of text or a mapping; they join those of a preset."""
    hand_raises: bool | HandRaises = True
    """Rules for what ``signals`` names; true for the shipped points, false for none."""
    thresholds: Thresholds = Field(default_factory=Thresholds)
    """Points at which tiers begin."""

    @model_validator(mode="after")
    def _check(self) -> "ScorecardSpec":
        check_roles(self.preset, self.events)
        return self

    @property
    def written(self) -> tuple[Rule, ...]:
        """Rules of the preset and one's own, or the shipped ones, before any data is seen."""
        if self.preset is None:
            return self.rules
        own = self.rules if "rules" in self.model_fields_set else ()
        of_preset = preset_rules(self.preset, self.events)
        said = {(rule.measure, rule.dimension) for rule in own if rule.measure is not None}
        # A rule of one's own on the same count and dimension stands for the preset's.
        kept = [rule for rule in of_preset if (rule.measure, rule.dimension) not in said]
        return (*kept, *own)

    def raised(self, signals: SignalSpec, counted: tuple[str, ...] = ()) -> tuple[Rule, ...]:
        """Rules for hand-raises, but for events that others of the upgrade dimension count."""
        if self.hand_raises is False:
            return ()
        points = HandRaises() if self.hand_raises is True else self.hand_raises
        return hand_raise_rules(points, signals, counted)
