"""How a model says numbers, plurals and its own sentences: texts that travel with it."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np

_FORMS = ("zero", "one", "two", "few", "many")
_MARKS = {",": "numbers.thousands", ".": "numbers.decimal"}
_DAY_US = 86_400_000_000
_NOT_EXACT = 1e7
"""From here on a feature's float32 misses the last digits: what is shown is rounded."""
_NO_POINTS = 0.0005

Forms = Mapping[str, str]
"""A sentence by plural form of Unicode's CLDR; ``other`` is always there."""


class Language:
    """The words of a model.

    Parameters
    ----------
    texts
        Sentences by key, such as ``reasons.like``, and plural form, of
        `features.texts.Texts.of_models`. One that is not there is told by its key: words never stop
        a score.
    """

    def __init__(self, texts: Mapping[str, Forms] | None = None):
        self.texts = dict(texts or {})
        marks = {plain: self._mark(name, plain) for plain, name in _MARKS.items()}
        # Most languages have few rules, and English marks need no change: reasons are many.
        self._marks = str.maketrans({plain: own for plain, own in marks.items() if plain != own})
        rules = [
            (form, pattern)
            for form in _FORMS
            for pattern in self.texts.get(f"plurals.{form}", {"other": ""})["other"].split()
        ]
        self._rules = {
            decimal: [rule for rule in rules if ("." in rule[1]) == decimal]
            for decimal in (False, True)
        }

    def _mark(self, key: str, plain: str) -> str:
        return self.texts[key]["other"] if key in self.texts else plain

    def say(self, key: str, **words: str) -> str:
        forms = self.texts.get(key)
        return forms["other"].format(**words) if forms else key

    def pick(self, forms: Forms, plain: str) -> str:
        """The form of a sentence that a number in plain digits asks for.

        Patterns are those of `fnmatch`; a number with decimals matches only those with a point.

        >>> days = Language({"plurals.one": {"other": "1"}, "plurals.few": {"other": "[2-4] 0.*"}})
        >>> [days.pick({"one": "a day", "other": "days"}, plain) for plain in ("1", "3", "1.5")]
        ['a day', 'days', 'days']
        """
        return forms.get(self._form(plain), forms["other"]) if len(forms) > 1 else forms["other"]

    def _form(self, plain: str) -> str:
        number = plain.removeprefix("-")
        for form, pattern in self._rules["." in number]:
            if number == pattern or fnmatchcase(number, pattern):
                return form
        return "other"

    def number(self, plain: str) -> str:
        """Digits with the language's marks."""
        return plain.translate(self._marks) if self._marks else plain

    def show(self, value: float | str | None) -> str:
        """A value as people write it; without texts as Python writes it.

        >>> [Language().show(value) for value in (12.0, 1234.5, 0.0312, "software")]
        ['12', '1,234.5', '0.031', 'software']
        """
        if value is None or isinstance(value, str):
            return value or self.say("numbers.unknown")
        return self.number(in_digits(value))

    def percent(self, share: float) -> str:
        """A share in whole percent."""
        return self.say("numbers.percent", n=self.number(f"{100 * share:,.0f}"))

    def points(self, points: float) -> str:
        """Percentage points of probability, with their sign."""
        plain = signed(points)
        forms = self.texts.get("reasons.points", {"other": "{n}"})
        return self.pick(forms, plain.removeprefix("+")).format(n=self.number(plain))

    def date(self, us: int) -> str:
        """A day of microseconds since 1970, UTC."""
        year, month, day = str(np.datetime64(us // _DAY_US, "D")).split("-")
        return self.say("numbers.date", year=year, month=month, day=day)

    def part(self, name: str) -> str:
        """What one of `models.scoring.PARTS` is called."""
        return self.say(f"parts.{name}")

    def tier(self, name: str) -> str:
        """What one of `models.scoring.TIERS` is called."""
        return self.say(f"tiers.{name}")


def show(value: float | str | None) -> str:
    """A value as reports write it, which are in English whatever a model speaks.

    >>> show(1234.5), show(None)
    ('1,234.5', 'unknown')
    """
    if value is None or isinstance(value, str):
        return value or "unknown"
    return in_digits(value)


def in_digits(value: float) -> str:
    """As many digits as matter, with commas between thousands.

    >>> [in_digits(value) for value in (12.0, 1234.5, 0.0312, 0.0000123, 736052124.0)]
    ['12', '1,234.5', '0.031', '0.000012', '736,100,000']
    """
    if abs(value) >= _NOT_EXACT:
        value = float(f"{value:.4g}")
    if abs(value) >= 1 or value == 0:
        return f"{value:,.1f}".removesuffix(".0")
    text = f"{value:.2g}"
    # Not 1.2e-05, which nobody reads.
    return np.format_float_positional(float(text), trim="-") if "e" in text else text


def signed(points: float) -> str:
    """
    >>> [signed(points) for points in (12.34, -0.567, 0.0123, 0.0)]
    ['+12.3', '-0.57', '+0.012', '0']
    """
    if abs(points) < _NO_POINTS:
        return "0"
    if abs(points) >= 1:
        return f"{points:+.1f}"
    return in_digits(points) if points <= 0 else f"+{in_digits(points)}"
