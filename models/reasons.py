"""The words a model keeps for its reasons: one sentence with gaps for every column."""

from collections.abc import Sequence
from typing import Any

from features.definitions import Feature, Limit
from features.texts import Texts
from features.wording import phrase
from models.scoring import Language, Scorer, usual

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


def reword(scorer: Scorer, features: Sequence[Feature], texts: Texts) -> None:
    """Let a model say its reasons in a language; nothing that it computes changes.

    Parameters
    ----------
    features
        The definitions of the model's columns.
    """
    scorer.language = Language(texts.of_models())
    scorer.wording = dict(wording(features, scorer.columns, texts))


def wording(
    features: Sequence[Feature], columns: list[dict], texts: Texts
) -> dict[str, dict[str, Any]]:
    """What `models.scoring.strongest` reads, by column: JSON-ready, in the columns' order.

    Windows of the same events and family of statistic share the number of a ``fact``.
    ``typical`` is the training median or most frequent value in words, None where it would say
    nothing to a reader: for a trend, or a typical absence. A share of a limit that is a column
    itself names it, so that "80% of the limit" can be told as "4 of 5".
    """
    language = Language(texts.of_models())
    typical = {column["name"]: column["typical"] for column in columns}
    limits = {limit: feature.name for feature in features if (limit := _as_limit(feature))}
    facts: dict[tuple, int] = {}
    words = {}
    for feature in features:
        family = _FAMILY.get(feature.statistic, feature.statistic)
        fact = feature.events, feature.property, family, feature.scope
        sentences = phrase(feature, texts)
        if feature.limit in limits and "limit" not in sentences:
            sentences["limit"] = limits[feature.limit]
        words[feature.name] = {
            "fact": facts.setdefault(fact, len(facts)),
            "part": feature.dimension,
            "phrase": sentences,
            "typical": usual(sentences, typical[feature.name], language),
        }
    return words


def _as_limit(feature: Feature) -> Limit | None:
    """A number that is known of a person or company is what a usage may be compared with."""
    if feature.statistic != "attribute" or feature.dtype != "number" or not feature.property:
        return None
    return Limit(feature.source, feature.property)
