"""Scores rows with a saved model: numpy and LightGBM only, because this folder travels alone.

It is copied into the registered model and imports nothing of this project. `PropensityModel`
calls this very code, so there is one scoring path. A row's result never depends on which other
rows are in the batch, nor on their order.
"""

from .columns import KEYS, ColumnError, check_columns, encode
from .learners import Learner, term_values
from .probability import TIERS, calibrate, high_low, move_odds, sigmoid, tier_basis, tier_of
from .reference import SIMILARITY, Reference, similarity, to_ranks
from .scorer import FORMAT_VERSION, VIEWS, Scorer, assemble

__all__ = [
    "FORMAT_VERSION",
    "KEYS",
    "SIMILARITY",
    "TIERS",
    "VIEWS",
    "ColumnError",
    "Learner",
    "Reference",
    "Scorer",
    "assemble",
    "calibrate",
    "check_columns",
    "encode",
    "high_low",
    "move_odds",
    "sigmoid",
    "similarity",
    "term_values",
    "tier_basis",
    "tier_of",
    "to_ranks",
]
