"""What pages are made of: sections of sentences, tables, pictures and foldouts. No HTML here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

Tone: TypeAlias = Literal["", "bad", "strong", "whole"]
"""``whole`` is never broken into two lines, ``bad`` is an alarm."""


@dataclass(frozen=True)
class Cell:
    """What stands in a table's cell.

    Parameters
    ----------
    text
        In one line.
    note
        Smaller, below it: an interval, mostly.
    items
        Short sentences, below each other.
    """

    text: str
    note: str = ""
    tone: Tone = ""
    items: tuple[str, ...] = ()
    code: bool = False


Row: TypeAlias = Sequence[Cell | str]


@dataclass(frozen=True)
class Column:
    """A column's head; `number` for figures, which stand to the right."""

    name: str
    number: bool = False


def columns(*names: str) -> tuple[Column, ...]:
    """Columns of text, and of figures where the name begins with ``#``.

    >>> columns("tier", "#rows")
    (Column(name='tier', number=False), Column(name='rows', number=True))
    """
    return tuple(Column(name.removeprefix("#"), name.startswith("#")) for name in names)


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str
    strong: bool = False
    muted: bool = False


@dataclass(frozen=True)
class Bullets:
    """Sentences below each other; a pair begins with its term."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str | tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of cells under a caption; the first cell of a row is its head.

    Parameters
    ----------
    nothing
        Said in the place of a table without rows.
    stacked
        Of long texts: on a phone a row's cells stand below each other, each with its column's name.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    nothing: str = "None."
    stacked: bool = False


@dataclass(frozen=True)
class Picture:
    """An SVG element of `pipeline.plots.svg` with the words below it.

    Parameters
    ----------
    wide
        Takes the whole width, and scrolls on a phone.
    """

    kind: ClassVar[str] = "picture"
    svg: str
    title: str
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side, as many as there is room for.

    Parameters
    ----------
    small
        Three in a row, not two.
    """

    kind: ClassVar[str] = "gallery"
    pictures: Sequence[Picture]
    small: bool = False


@dataclass(frozen=True)
class Number:
    """A number that one remembers: its name, its value, its range, what it is held against."""

    name: str
    value: str
    note: str = ""
    versus: str = ""


@dataclass(frozen=True)
class Numbers:
    """The few that come first."""

    kind: ClassVar[str] = "numbers"
    items: Sequence[Number]


@dataclass(frozen=True)
class Square:
    """One field of a matrix; `heat` in [0, 4] colours it."""

    text: str
    note: str
    meaning: str
    heat: int


@dataclass(frozen=True)
class Matrix:
    """Fields by two properties.

    Parameters
    ----------
    squares
        One list per row, as long as `across`.
    """

    kind: ClassVar[str] = "matrix"
    caption: str
    across: Sequence[str]
    down: Sequence[str]
    squares: Sequence[Sequence[Square]]


@dataclass(frozen=True)
class Heading:
    """The name of a part of a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Fold:
    """Blocks that are closed until asked for; open on paper."""

    kind: ClassVar[str] = "fold"
    summary: str
    blocks: Sequence["Block"]


Block: TypeAlias = Text | Bullets | Table | Picture | Gallery | Numbers | Matrix | Heading | Fold


@dataclass(frozen=True)
class Section:
    """A part of the page with a place in its contents.

    Parameters
    ----------
    key
        Its anchor: lower case letters and hyphens.
    """

    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole page.

    Parameters
    ----------
    verdict
            Sentences, each with what it answers; told on top.
    alarm
        Whether the verdict asks for somebody to act.
    facts
        A line of small print below the verdict.
    """

    title: str
    kicker: str
    verdict: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    facts: str = ""
    alarm: bool = False
    numbers: Sequence[Number] = field(default=())
