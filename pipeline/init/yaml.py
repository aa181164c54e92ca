"""YAML for people: texts from the data quoted safely, comments in one column."""

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"(\.{0,2}/)?[A-Za-z_$][A-Za-z0-9_$./-]*( [A-Za-z0-9_$./]+)*", re.ASCII)
_RESERVED = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_LONGEST = 96
"""A flow list longer than this is broken into lines (characters)."""
_COMMENT_COLUMN = 34


def text(value: str) -> str:
    """A scalar that reads back as exactly this text, in YAML 1.1 as in 1.2.

    Plain where nobody could misread it, else in double quotes with everything unprintable escaped.

    >>> text("$pageview"), text("Signed Up"), text("no"), text("1e3"), text("a: b # c")
    ('$pageview', 'Signed Up', '"no"', '"1e3"', '"a: b # c"')
    >>> text('say "hi"' + chr(10))
    '"say \\\\"hi\\\\"\\\\n"'
    """
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char == "\n":
        return "\\n"
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def shown(value: str, most: int = 60) -> str:
    """A text from the data for a comment or a terminal: one line, cut, never a control character.

    >>> shown("a" + chr(10) + "b")
    "'a\\\\nb'"
    """
    cut = value if len(value) <= most else value[: most - 3] + "..."
    return repr(cut)


def flow(values: Iterable[str]) -> str:
    """A list on one line.

    >>> flow(["a", "off"])
    '[a, "off"]'
    """
    return "[" + ", ".join(map(text, values)) + "]"


def mapping(pairs: dict[str, str]) -> str:
    """A mapping on one line; the values are YAML already.

    >>> mapping({"rows": "number", "no": "category"})
    '{rows: number, "no": category}'
    """
    return "{" + ", ".join(f"{text(key)}: {value}" for key, value in pairs.items()) + "}"


class Page:
    """The file as it grows: lines, with comments behind them in one column where they fit."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, depth: int, line: str, comment: str = "") -> None:
        """A line of YAML at `depth` (two spaces each); the comment goes behind it."""
        line = "  " * depth + line
        if comment:
            # One space more than the text needs, so that a long line still has its comment.
            line = f"{line:<{_COMMENT_COLUMN}} # {comment}" if line else f"# {comment}"
        self._lines.append(line)

    def sequence(self, depth: int, key: str, values: list[str], comment: str = "") -> None:
        """A key with a list: on one line where it fits, else one line each."""
        if len(flow(values)) + len(key) + 2 * depth <= _LONGEST:
            self.add(depth, f"{key}: {flow(values)}", comment)
            return
        self.add(depth, f"{key}:", comment)
        for value in values:
            self.add(depth + 1, f"- {text(value)}")

    def say(self, depth: int, *sentences: str) -> None:
        """Comment lines of their own."""
        self._lines += ["  " * depth + f"# {sentence}".rstrip() for sentence in sentences]

    def offer(self, depth: int, *lines: str) -> None:
        """Lines of YAML that are settings once ``# `` is taken away from each."""
        self.say(depth, *lines)

    def gap(self) -> None:
        """A blank line between blocks."""
        self._lines.append("")

    @property
    def content(self) -> str:
        return "\n".join(self._lines) + "\n"
