"""A page as its reader gets it: headings, tables and texts, by the standard library's parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from pipeline.report.page import Page, Section
from pipeline.report.render import render

VOID = {"meta", "link", "br", "wbr", "img", "hr", "input"}
HEADINGS = ("h1", "h2", "h3", "h4")
TOLD = (*HEADINGS, "caption", "th", "td")


@dataclass
class ReadTable:
    """Texts of a table; notes below a number are apart, after a bar: ``0.293 | 0.193 to 0.516``."""

    caption: str = ""
    names: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def row(self, head: str) -> dict[str, str]:
        """The only row with this head, by column."""
        (found,) = (row for row in self.rows if row[0].split(" | ")[0] == head)
        return dict(zip(self.names, found, strict=True))


class Reader(HTMLParser):
    """Reads a whole page; `tags` are (name, attributes) in the order they open."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[ReadTable] = []
        self.headings: list[tuple[int, str]] = []
        self.unclosed: list[str] = []
        self._words: list[str] = []
        self._cell: list[str] | None = None
        self.feed(text)
        self.close()

    @property
    def text(self) -> str:
        """All that is read, with single spaces."""
        return " ".join(" ".join(self._words).split())

    def table(self, caption: str) -> ReadTable:
        """The only table with this caption."""
        (found,) = (table for table in self.tables if table.caption == caption)
        return found

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)
        if tag == "table":
            self.tables.append(ReadTable())
        elif tag == "tr" and "tbody" in self.unclosed:
            self.tables[-1].rows.append([])
        elif tag in TOLD:
            self._cell = []
        elif tag == "small" and self._cell is not None:
            self._cell.append(" | ")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.unclosed.pop() == tag, f"</{tag}> closes something else"
        if tag not in TOLD:
            return
        words = " ".join("".join(self._cell or []).split())
        self._cell = None
        if tag in HEADINGS:
            self.headings.append((int(tag[1]), words))
        elif tag == "caption":
            self.tables[-1].caption = words
        elif "tbody" in self.unclosed:
            self.tables[-1].rows[-1].append(words)
        else:
            self.tables[-1].names.append(words)

    def handle_data(self, data):
        if {"style", "script"} & set(self.unclosed):
            return
        self._words.append(data)
        if self._cell is not None:
            self._cell.append(data)


def read(page: Path | str) -> Reader:
    """The page at a path, or of a text."""
    return Reader(page.read_text(encoding="utf-8") if isinstance(page, Path) else page)


def read_sections(*sections: Section) -> Reader:
    """A page of nothing but these."""
    return read(render(Page("title", "kicker", [("asked", "told")], sections)))
