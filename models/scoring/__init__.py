"""Scores rows with a saved model: numpy and LightGBM only, because this folder travels alone.

It is copied into the registered model and imports nothing of this project. `PropensityModel`
calls this very code, so there is one scoring path. A row's result never depends on which other
rows are in the batch, nor on their order.
"""

from .columns import KEYS, ColumnError, check_columns, encode
from .learners import Additive, Boosted, Learner, read_learner, term_values
from .probability import TIERS, calibrate, sigmoid, tier_of
from .reference import SIMILARITY, Reference, similarity, to_ranks
from .scorer import FORMAT_VERSION, Scorer, assemble

__all__ = [
    "FORMAT_VERSION",
    "KEYS",
    "SIMILARITY",
    "TIERS",
    "Additive",
    "Boosted",
    "ColumnError",
    "Learner",
    "Reference",
    "Scorer",
    "assemble",
    "calibrate",
    "check_columns",
    "encode",
    "read_learner",
    "sigmoid",
    "similarity",
    "term_values",
    "tier_of",
    "to_ranks",
]
