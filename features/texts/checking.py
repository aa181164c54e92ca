"""A translation against the English sentences: keys, forms, and the gaps that they leave.

Files of texts are untrusted: a gap is a plain name or it is refused, so that filling it can reach
nothing but the words that it is given.
"""

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from features.errors import SettingsError, few
from features.texts.texts import FORMS, Texts, in_words

_MOST_LINES = 5
_MAY_BE_EMPTY = {"numbers.thousands", *(f"plurals.{form}" for form in FORMS)}
_OF_A_SUBJECT = {"subject", "events", "event"}
"""Forms of one word: a language takes the one that its grammar asks for."""
_COUNTED = {"n", "days"}
"""Gaps that a form for few numbers may leave out: "every day" in place of "every 1 days"."""
_PATTERN = re.compile(r"[0-9.*?!\[\]-]+")
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")

Forms = Mapping[str, Any]


def translation(data: Any, english: Texts, source: str) -> Texts:
    """Texts from what a file of them says; what it leaves out is said in English.

    Parameters
    ----------
    data
        Sections by name, in them sentences by name: one text, or several by plural form. Beside the
        sections ``language`` and, where wanted, ``names``.
    source
        What errors call the file.

    Raises
    ------
    SettingsError
        With a line for each of the first five mistakes: its key, and what is expected there.
    """
    if not isinstance(data, Mapping):
        raise SettingsError(f"{source}: expected `language: de` and sections such as `facts:`.")
    sections = {name: part for name, part in data.items() if name not in ("language", "names")}
    given, names = flat(sections), data.get("names") or {}
    plurals = {form for form in FORMS if _rule(form, given, english.sentences)}
    mistakes = [*_of_language(data.get("language")), *_of_names(names)]
    for key, forms in given.items():
        mistakes += _of_sentence(key, forms, english.sentences, plurals)
    if mistakes:
        more = len(mistakes) - _MOST_LINES
        rest = [f"... and {more} more."] if more > 0 else []
        raise SettingsError("\n".join([f"{source}: {it}" for it in mistakes[:_MOST_LINES]] + rest))
    return Texts(
        language=data["language"],
        sentences={**english.sentences, **given},
        names={in_words(name): text for name, text in names.items()},
        missing=tuple(_missing(given, english.sentences, plurals)),
    )


def flat(sections: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sentences by key, each by plural form, unchecked.

    >>> flat({"windows": {"ever": "so far", "span": {"one": "day", "other": "{days} days"}}})
    {'windows.ever': {'other': 'so far'}, 'windows.span': {'one': 'day', 'other': '{days} days'}}
    """
    found = {}
    for section, sentences in sections.items():
        if not isinstance(sentences, Mapping):
            sentences = {"": sentences}
        for name, forms in sentences.items():
            key = f"{section}.{name}".removesuffix(".")
            found[key] = dict(forms) if isinstance(forms, Mapping) else {"other": forms}
    return found


def gaps(text: str) -> set[str]:
    """Names of the gaps in a sentence.

    Raises
    ------
    ValueError
        When a brace is anything but the border of a plain name: what `str.format` would look up,
        convert or pad is refused.

    Examples
    --------
    >>> sorted(gaps("{subject}: {n} times"))
    ['n', 'subject']
    >>> gaps("{n.__class__}")
    Traceback (most recent call last):
    ValueError: {n.__class__} is no gap
    """
    found = set()
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        raise ValueError("braces stand for gaps only, such as {n}") from None
    for plain, name, spec, conversion in parts:
        if "{" in plain or "}" in plain:
            raise ValueError("braces stand for gaps only, such as {n}")
        if name is None:
            continue
        if spec or conversion or not name.isidentifier():
            whole = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise ValueError(f"{{{whole}}} is no gap")
        found.add(name)
    return found


def _rule(form: str, given: Mapping[str, Forms], english: Mapping[str, Forms]) -> str:
    return str(given.get(key := f"plurals.{form}", english[key]).get("other") or "").strip()


def _of_language(language: Any) -> Iterator[str]:
    if not isinstance(language, str) or not _TAG.fullmatch(language):
        yield f"language: expected a tag such as de or pt-BR, found {language!r}."


def _of_names(names: Any) -> Iterator[str]:
    if not isinstance(names, Mapping):
        yield f"names: expected words by name, such as `report_created: Bericht`, found {names!r}."
        return
    for name, text in names.items():
        if not isinstance(name, str) or not isinstance(text, str) or not text.strip():
            yield f"names.{name}: expected a text, found {text!r}."


def _of_sentence(
    key: str, forms: Forms, english: Mapping[str, Forms], plurals: set[str]
) -> Iterator[str]:
    """What is wrong with one sentence of a translation."""
    if key not in english:
        from difflib import get_close_matches

        near = get_close_matches(key, english, n=1)
        yield f"{key}: unknown" + (f"; did you mean {near[0]!r}?" if near else ".")
        return
    for form, text in forms.items():
        if form != "other" and form not in plurals:
            yield (
                f"{key}.{form}: no number asks for this form; known here: "
                f"{few([*sorted(plurals), 'other'])} (see `plurals`)."
            )
        elif not isinstance(text, str) or not (text.strip() or key in _MAY_BE_EMPTY):
            yield f"{key}.{form}: expected a text, found {text!r}."
        elif key.startswith("plurals."):
            if wrong := [one for one in text.split() if not _PATTERN.fullmatch(one)]:
                yield f"{key}: {few(wrong)} is no pattern of digits, such as 1 or *[2-4]."
        else:
            yield from _of_gaps(f"{key}.{form}", form, text, english[key]["other"])
    if "other" not in forms:
        yield f"{key}.other: is missing; it is the form for all other numbers."


def _of_gaps(place: str, form: str, text: str, model: str) -> Iterator[str]:
    try:
        found = gaps(text)
    except ValueError as error:
        yield f"{place}: {error}; expected {_listed(gaps(model))}."
        return
    here, there = ({"subject" if one in _OF_A_SUBJECT else one for one in it}
                   for it in (found, gaps(model)))  # fmt: skip
    optional = _COUNTED if form != "other" else set()
    if here - there or there - here - optional:
        yield f"{place}: has {_listed(found)}; expected {_listed(gaps(model))}."


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names)) or "no gaps"


def _missing(
    given: Mapping[str, Forms], english: Mapping[str, Forms], plurals: set[str]
) -> Iterator[str]:
    """Keys of what has no sentence, and of the plural forms that a counting one lacks."""
    for key, forms in english.items():
        if key not in given:
            if key not in _MAY_BE_EMPTY:
                yield key
        elif len(forms) > 1:
            yield from (f"{key}.{form}" for form in sorted(plurals - given[key].keys()))
