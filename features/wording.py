"""What a feature means, and what its value says of a row: the sentences of `features.texts`.

The meaning in a definition is English, whatever people are shown: definitions are hashed, and a
language must not make another feature of the same column.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from features.definitions import DIMENSIONS, Condition, Feature
from features.texts import Texts, english
from features.texts.texts import in_words

_ANY = "any event"
"""The subject of a definition that counts every event."""
_GROUP = " events"
"""Ends the subject of a definition that counts a group of events."""
_FURTHER = ("zero", "negative", "below_one", "only_now", "only_before")
"""Sentences for values that read badly as a number."""

Call = Callable[[str], str]
"""From the name of a property to what it is called."""


def meaning(feature: Feature, texts: Texts | None = None) -> str:
    """One sentence for the catalogue; in English where no texts are given.

    >>> meaning(Feature("x", "value", "count", ("report_created",), None, 7, "entity", "number",
    ...                 "", "", subject="report created"))
    'how often: report created in the last 7 days'
    """
    texts = texts or english()
    # The catalogue is for those who know the columns: these keep their names.
    call = partial(_column, texts)
    words = _words(feature, texts, call)
    key = _of_known("meanings", feature, texts)
    told = texts.sentences[key]["other"].format(**words)
    return _whole(told, feature, texts, call).format()


def in_language(features: Iterable[Feature], texts: Texts) -> tuple[Feature, ...]:
    """The features with their meanings in a language: to be shown, never to be hashed.

    A meaning that the settings' author wrote stays as it is.
    """
    return tuple(
        replace(feature, meaning=meaning(feature, texts))
        if feature.meaning == meaning(feature)
        else feature
        for feature in features
    )


def phrase(feature: Feature, texts: Texts | None = None) -> dict[str, Any]:
    """The sentences about a row's value, with gaps for its number: what a model keeps.

    Returns
    -------
    dict
        ``known``, by plural form, with the gaps ``{n}`` or ``{percent}``, and ``unknown``. Where
        they say it better, by plural form too: ``zero``, ``negative`` and ``below_one`` for such
        values; of trends ``only_now`` and ``only_before``; of shares of a limit ``of_limit`` with
        the gaps ``{n}`` and ``{limit}``, and ``limit``, a number, where all rows have the same.
        Braces of names are doubled, as `str.format` reads them.

    Examples
    --------
    >>> made = Feature("x", "value", "count", ("report_created",), None, 7, "entity", "number",
    ...                "", "", subject="report created")
    >>> phrase(made)["known"]["other"]
    'report created: {n} times in the last 7 days'
    """
    texts = texts or english()
    fill = partial(_filled, feature, texts, _words(feature, texts, texts.name))
    told: dict[str, Any] = {"known": fill(_of_known("facts", feature, texts))}
    told["unknown"] = fill(_unknown(feature, texts))["other"]
    for which in _FURTHER:
        if (key := _key(which, feature, texts)) in texts:
            told[which] = fill(key)
    if feature.limit is not None:
        constant = feature.limit.source == "constant"
        members = feature.property is None and not constant
        told["of_limit"] = fill("of_limit.members" if members else "of_limit.usage")
        if constant:
            told["limit"] = float(feature.limit.name)
    return told


def _filled(feature: Feature, texts: Texts, words: Mapping[str, str], key: str) -> dict[str, str]:
    """A sentence by plural form with the feature's words, ready to take a number."""
    gaps = {**words, "n": "{n}", "percent": "{percent}"}
    if key.startswith("of_limit."):
        gaps["limit"] = "{limit}"
    return {
        form: _whole(text.format(**gaps), feature, texts, texts.name)
        for form, text in texts.sentences[key].items()
    }


def _key(section: str, feature: Feature, texts: Texts) -> str:
    """The subject goes without saying if the texts know how: where every event counts, and where
    it is all events with the property."""
    of_all = f"{section}_of_all.{feature.statistic}"
    property_ = (feature.property or "").replace("_", " ")
    unsaid = not feature.events or feature.subject == f"{property_}{_GROUP}"
    return of_all if unsaid and of_all in texts else f"{section}.{feature.statistic}"


def _of_known(section: str, feature: Feature, texts: Texts) -> str:
    """The sentence of a statistic; one that others registered has none of its own."""
    key = _key(section, feature, texts)
    return key if key in texts else f"{section}.of_ones_own"


def _unknown(feature: Feature, texts: Texts) -> str:
    if (own := _key("unknown", feature, texts)) in texts:
        return own
    if feature.property:
        return "unknown.property"
    return "unknown.events" if feature.events else "unknown_of_all.events"


def _words(feature: Feature, texts: Texts, call: Call) -> dict[str, str]:
    """What fills the gaps, beside the value; braces are doubled."""
    days, limit = feature.days, feature.limit.name if feature.limit else ""
    spans = dict.fromkeys(("before", "first", "span", "thrice"), "")
    if days is not None:
        spans = {name: texts.say(f"windows.{name}", days, days=str(days)) for name in spans}
    of_members = feature.statistic == "member_share"
    everything = texts.say("subjects.any" if of_members else "subjects.all")
    usage = call(feature.property) if feature.property else texts.say("subjects.members")
    words = {
        **spans,
        **_subjects(feature, texts),
        "statistic": feature.statistic.replace("_", " "),
        "when": texts.say("windows.ever" if days is None else "windows.last", days, days=str(days)),
        "days": str(days),
        "property": call(feature.property or ""),
        "source": texts.say(f"subjects.{feature.source}"),
        "against": ", ".join(map(texts.name, feature.against or ())) or everything,
        "usage": usage,
        "limit": call(limit),
        "name": call(limit),
    }
    return {name: _escaped(word) for name, word in words.items()}


def _subjects(feature: Feature, texts: Texts) -> dict[str, str]:
    """What is counted: as such, as several and as one, "team events" and "team event"."""
    own = feature.subject
    told = _ANY if not own else texts.names.get(own, own)
    if not feature.events:
        told = texts.say("subjects.any") if told == _ANY else told
        several, one = texts.say("subjects.events"), texts.say("subjects.event")
    elif len(feature.events) > 1 and own.endswith(_GROUP):
        group = own.removesuffix(_GROUP)
        name = texts.say(f"parts.{group}") if group in DIMENSIONS else texts.name(group)
        told = several = texts.say("subjects.group", name=name)
        one = texts.say("subjects.of_group", name=name)
    else:
        several = one = told
    return {"subject": told, "events": several, "event": one}


def _whole(text: str, feature: Feature, texts: Texts, call: Call) -> str:
    """With its conditions, and whose events they are: for a user's row the account's."""
    told = [part for one in feature.where for part in _condition(one, texts, call)]
    if told:
        conditions = texts.listed("conditions.and", told)
        text = texts.say("conditions.where", text=text, conditions=conditions)
    return texts.say("subjects.in_account", text=text) if feature.scope == "account" else text


def _condition(one: Condition, texts: Texts, call: Call) -> Iterable[str]:
    """The bounds in words: plan is pro or team, seats is at least 5."""
    about = {"property": _escaped(call(one.property))}
    if one.one_of:
        values = [_escaped(texts.names.get(value, value)) for value in one.one_of]
        yield texts.say("conditions.is", values=texts.listed("conditions.or", values), **about)
    for key, bound in (("at_least", one.at_least), ("at_most", one.at_most)):
        if bound is not None:
            yield texts.say(f"conditions.{key}", n=texts.bound(bound), **about)


def _column(texts: Texts, raw: str) -> str:
    return texts.names.get(in_words(raw), raw)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
