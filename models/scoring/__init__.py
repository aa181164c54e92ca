"""Scores rows with a saved model: numpy and LightGBM only, because this folder travels alone.

It is copied into the registered model and imports nothing of this project. `PropensityModel`
calls this very code, so there is one scoring path. A row's result never depends on which other
rows are in the batch, nor on their order.
"""

from .alike import LookAlike
from .columns import KEYS, ColumnError, check_columns, encode, expected
from .facts import tell, usual
from .intake import check_frame, to_frame, to_values
from .language import Language, show, signed
from .learners import Learner, TermFunction
from .probability import TIERS, calibrate, high_low, move_odds, sigmoid, tier_basis, tier_of
from .reasons import PARTS, Former, Reason, Rest, rest_of
from .reference import SIMILARITY, Reference, Similarity, to_ranks
from .scorer import FORMAT_VERSION, TEXTS_FILE, VIEWS, WORDING_FILE, Scorer, assemble

__all__ = [
    "FORMAT_VERSION",
    "KEYS",
    "PARTS",
    "SIMILARITY",
    "TEXTS_FILE",
    "TIERS",
    "VIEWS",
    "WORDING_FILE",
    "ColumnError",
    "Former",
    "Language",
    "Learner",
    "LookAlike",
    "Reason",
    "Reference",
    "Rest",
    "Scorer",
    "Similarity",
    "TermFunction",
    "assemble",
    "calibrate",
    "check_columns",
    "check_frame",
    "encode",
    "expected",
    "high_low",
    "move_odds",
    "rest_of",
    "show",
    "sigmoid",
    "signed",
    "tell",
    "tier_basis",
    "tier_of",
    "to_frame",
    "to_ranks",
    "to_values",
    "usual",
]
