"""The words a model keeps for its reasons: one sentence with gaps for every column."""

from collections.abc import Sequence
from typing import Any

from features.definitions import Feature
from features.wording import phrase
from models.scoring import show

_FAMILY = {
    "count": "volume",
    "sum": "volume",
    "mean": "volume",
    "max": "volume",
    "active_days": "activity",
    "sessions": "activity",
    "session_minutes": "activity",
    "days_since_last": "recency",
    "days_since_first": "tenure",
}


def wording(features: Sequence[Feature], columns: list[dict]) -> dict[str, dict[str, Any]]:
    """What `models.scoring.strongest` reads, by column: JSON-ready, in the columns' order.

    Windows of the same events and family of statistic share the number of a ``fact``.
    ``typical`` is the training median or most frequent value in words, None where it would say
    nothing to a reader: for a trend, or a typical absence.
    """
    typical = {column["name"]: column["typical"] for column in columns}
    facts: dict[tuple, int] = {}
    words = {}
    for feature in features:
        family = _FAMILY.get(feature.statistic, feature.statistic)
        fact = feature.events, feature.property, family, feature.scope
        usual = typical[feature.name]
        silent = feature.statistic == "trend" or usual is None
        words[feature.name] = {
            "fact": facts.setdefault(fact, len(facts)),
            "part": feature.dimension,
            "phrase": phrase(feature),
            "typical": None if silent else show(usual),
        }
    return words
