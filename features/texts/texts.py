"""The sentences of one language, by key, with gaps and the forms that a number asks for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

FORMS = ("zero", "one", "two", "few", "many")
"""Plural categories of Unicode's CLDR beside ``other``, which every sentence has."""
_SAID_BY_MODELS = ("numbers", "plurals", "reasons", "parts", "tiers")


@dataclass(frozen=True)
class Texts:
    """What is said in one language.

    Parameters
    ----------
    language
        BCP 47 tag, such as ``de``.
    sentences
        By key (``facts.count``) and plural form; ``other`` is always there.
    names
        What events, properties and groups are called, by their own name in words.
    missing
        Keys that the language has no sentence for: they are said in English.
    """

    language: str
    sentences: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def __contains__(self, key: str) -> bool:
        return key in self.sentences

    def say(self, key: str, count: int | None = None, /, **words: str) -> str:
        """The sentence with its gaps filled, in the form that `count` asks for.

        >>> from features.texts import english
        >>> [english().say("windows.last", days, days=str(days)) for days in (1, 7)]
        ['in the last day', 'in the last 7 days']
        """
        forms = self.sentences[key]
        form = "other" if count is None else self.form(count)
        return forms.get(form, forms["other"]).format(**words)

    def form(self, count: int) -> str:
        """The plural form of a whole number: the first whose patterns it matches, or ``other``.

        Patterns are those of `fnmatch`, on the digits; `models.scoring.Language` reads the same
        ones, for numbers with decimals too.
        """
        for name in FORMS:
            if any(fnmatchcase(str(count), one) for one in self._patterns(name)):
                return name
        return "other"

    def _patterns(self, name: str) -> Iterable[str]:
        return (one for one in self.sentences[f"plurals.{name}"]["other"].split() if "." not in one)

    def listed(self, key: str, items: Iterable[str]) -> str:
        """Items joined by a sentence with the gaps ``first`` and ``second``; "" without any."""
        told = ""
        for item in items:
            told = self.say(key, first=told, second=item) if told else item
        return told

    def bound(self, value: float) -> str:
        """A number exactly as it is, with the language's marks: a condition is what it says.

        >>> from features.texts import english
        >>> english().bound(1234.56), english().bound(5.0)
        ('1,234.56', '5')
        """
        marks: dict[str, str | int | None] = {
            ",": self.say("numbers.thousands"),
            ".": self.say("numbers.decimal"),
        }
        return f"{value:,}".removesuffix(".0").translate(str.maketrans(marks))

    def name(self, raw: str) -> str:
        """What an event or property is called: by the translation, or by its own name in words.

        >>> from features.texts import english
        >>> english().name("$page_viewed")
        'page viewed'
        """
        return self.names.get(in_words(raw), in_words(raw))

    def of_models(self) -> dict[str, dict[str, str]]:
        """The part that models say themselves: what `models.scoring.Language` reads."""
        return {
            key: dict(forms)
            for key, forms in self.sentences.items()
            if key.split(".")[0] in _SAID_BY_MODELS
        }


def in_words(name: str) -> str:
    """A name without its underscores and leading marks.

    >>> in_words("$pageview"), in_words("report_created")
    ('pageview', 'report created')
    """
    return re.sub(r"[_\s]+", " ", name).strip(" $")
