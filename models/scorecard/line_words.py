"""Words, names and numbers of a scorecard's lines: what is quoted, what a number looks like."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches

from features.errors import SettingsError

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|>=|<=|[<>=]|[^\s"<>=]+')
NUMBER = re.compile(r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?(e[+-]?\d+)?")
BARE = re.compile(r"[^\s\"<>=|:,][^\s\"<>=|]*")
WORDS = {
    *("no", "any", "event", "events", "first", "feature", "data", "on", "in", "by", "is", "or"),
    *("to", "ever", "times", "time", "days", "day", "weeks", "week", "members", "member", "ago"),
    *("a", "row", "active", "different", "minutes", "minute", "per", "session"),
}
"""Words of the grammar: a name that is one stands in double quotes."""
OF_VALUES = {"or"}
"""Words that end a value."""


def unquoted(token: str) -> str:
    """The text between double quotes.

    Raises
    ------
    SettingsError
        When it is none.
    """
    try:
        return json.loads(token, strict=False)
    except ValueError:
        raise SettingsError(f"{token} is no text in double quotes as JSON has it") from None


def quoted(name: str, reserved: Iterable[str] = WORDS) -> str:
    """A name as a line has it, in double quotes only where it needs them.

    >>> quoted("$pageview"), quoted("Signed Up"), quoted("ever"), quoted("7")
    ('$pageview', '"Signed Up"', '"ever"', '"7"')
    """
    plain = BARE.fullmatch(name) and name not in reserved and not NUMBER.fullmatch(name)
    return name if plain else json.dumps(name, ensure_ascii=False)


def number(value: float) -> str:
    """
    >>> number(3.0), number(0.5)
    ('3', '0.5')
    """
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def plural(value: float | None) -> str:
    """The ending of the noun behind a number."""
    return "" if value == 1 else "s"


def nearest(given: str, known: Iterable[str]) -> str:
    """Which of the known words may be meant, else all of them."""
    near = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
