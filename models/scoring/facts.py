"""What a row's value says, in words: sentences that the model keeps, filled with numbers."""

from collections.abc import Mapping
from typing import Any

from .language import Forms, Language, in_digits

_WHOLE = 1e-4
"""A share times its limit that is as near to a whole number as float32 can tell is that number."""


def tell(
    phrase: Mapping[str, Any],
    value: float | str | None,
    language: Language,
    limit: float | None = None,
) -> str:
    """The sentence about one value, in words a rep can check.

    Parameters
    ----------
    phrase
        Sentences with gaps, as `features.wording.phrase` makes them.
    limit
        Of the row, where the value is a share of it and it is known.

    Examples
    --------
    >>> made = {"known": {"one": "{n} report", "other": "{n} reports"}, "unknown": "no report"}
    >>> english = Language({"plurals.one": {"other": "1"}})
    >>> [tell(made, value, english) for value in (1.0, 2.0, None)]
    ['1 report', '2 reports', 'no report']
    """
    if value is None:
        return phrase["unknown"].format()
    if isinstance(value, str):
        return phrase["known"]["other"].format(n=language.show(value), percent=value)
    if "only_now" in phrase:
        return _trend(phrase, value, language)
    if "of_limit" in phrase and limit is not None and limit > 0:
        return _of_limit(phrase["of_limit"], value, limit, language)
    if value < 0 and "negative" in phrase:
        return _said(phrase["negative"], -value, language)
    for name, so in (("zero", value == 0), ("below_one", value < 1)):
        if so and name in phrase:
            return phrase[name]["other"].format()
    return _said(phrase["known"], value, language)


def limit_of(phrase: Mapping[str, Any], values: Mapping[str, Any], row: int) -> float | None:
    """What a row's value is a share of: the same for all rows, or the row's in another column."""
    limit = phrase.get("limit")
    return float(values[limit][row]) if isinstance(limit, str) else limit


def usual(phrase: Mapping[str, Any], value: float | str | None, language: Language) -> str | None:
    """A typical value in the unit of its sentence; None where it would say nothing to a reader."""
    if value is None or "only_now" in phrase or "negative" in phrase:
        return None
    return _numbers(phrase["known"], value, language)


def _numbers(forms: Forms, value: float | str, language: Language) -> str:
    share = "{percent}" in forms["other"] and not isinstance(value, str)
    return language.percent(float(value)) if share else language.show(value)


def _said(forms: Forms, value: float, language: Language) -> str:
    if "{percent}" in forms["other"]:
        return forms["other"].format(n=language.show(value), percent=language.percent(value))
    digits = in_digits(value)
    return language.pick(forms, digits.replace(",", "")).format(n=language.number(digits))


def _of_limit(forms: Forms, share: float, limit: float, language: Language) -> str:
    used = share * limit
    used = round(used) if abs(used - round(used)) <= _WHOLE * max(1.0, used) else used
    plain = in_digits(used).replace(",", "")
    return language.pick(forms, plain).format(n=language.show(used), limit=language.show(limit))


def _trend(phrase: Mapping[str, Any], value: float, language: Language) -> str:
    """A trend t in [-1, 1] is (this - before) / (this + before), so this / before is known."""
    if value >= 1:
        return phrase["only_now"]["other"].format()
    if value <= -1:
        return phrase["only_before"]["other"].format()
    return _said(phrase["known"], (1 + value) / (1 - value), language)
