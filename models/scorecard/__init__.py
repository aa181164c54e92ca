"""The scorecard: points for rules in five dimensions, the baseline that people own and can read."""

from models.scorecard.card import Scorecard, ScorecardResult
from models.scorecard.columns import column_of, resolved, with_rule_features
from models.scorecard.defaults import DEFAULT_RULES
from models.scorecard.fitting import fit_points
from models.scorecard.hand_raises import HandRaises
from models.scorecard.points_found import RuleFit, ScorecardFit
from models.scorecard.presets import PRESET_NAMES, PRESETS, roles_of
from models.scorecard.rules import Rule
from models.scorecard.spec import ScorecardSpec, Thresholds
from models.scorecard.sql import Tables, to_sql

__all__ = [
    "DEFAULT_RULES",
    "PRESETS",
    "PRESET_NAMES",
    "HandRaises",
    "Rule",
    "RuleFit",
    "Scorecard",
    "ScorecardFit",
    "ScorecardResult",
    "ScorecardSpec",
    "Tables",
    "Thresholds",
    "column_of",
    "fit_points",
    "resolved",
    "roles_of",
    "to_sql",
    "with_rule_features",
]
