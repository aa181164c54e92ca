"""What a row's value says, in words: sentences that the model keeps, filled with numbers."""

from collections.abc import Mapping


def show(value: float | str | None) -> str:
    """A value as people write it.

    >>> [show(value) for value in (12.0, 1234.5, 0.0312, "software", None)]
    ['12', '1,234.5', '0.031', 'software', 'unknown']
    """
    if value is None or isinstance(value, str):
        return value or "unknown"
    if abs(value) >= 1 or value == 0:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.2g}"


def tell(phrase: Mapping[str, str], value: float | str | None) -> str:
    """The sentence about one value, in words a rep can check.

    Parameters
    ----------
    phrase
        Sentences with gaps, as `features.wording.phrase` makes them.

    Examples
    --------
    >>> made = {"known": "report created: {n} time{s} so far", "unknown": "none so far"}
    >>> tell(made, 1.0), tell(made, None)
    ('report created: 1 time so far', 'none so far')
    """
    if "only_now" in phrase:
        return _trend(phrase, value)
    shown = show(value)
    if "below_one" in phrase and isinstance(value, float) and value < 1:
        shown = phrase["below_one"]
        return phrase["known"].format(n=shown, s="", percent=shown)
    percent = f"{value:.0%}" if isinstance(value, float) else shown
    text = phrase["unknown" if value is None else "known"]
    return text.format(n=shown, s="" if shown == "1" else "s", percent=percent)


def _trend(phrase: Mapping[str, str], value: float | str | None) -> str:
    """A trend t in [-1, 1] is (this - before) / (this + before), so this / before is known."""
    if value is None or isinstance(value, str):
        return phrase["unknown"].format()
    if value >= 1:
        return phrase["only_now"].format()
    if value <= -1:
        return phrase["only_before"].format()
    often = show((1 + value) / (1 - value))
    return phrase["known"].format(n=often, s="" if often == "1" else "s")
