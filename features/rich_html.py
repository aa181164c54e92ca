"""The HTML of notebooks: one table, one definition, one foldout for everything that is shown."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

# Inherits colours from the page, so that it reads on light and on dark ones.
_LINE = "1px solid rgba(127,127,127,.4)"
_TABLE = "border-collapse:collapse;font-size:.92em;margin:.3em 0"
_CELL = f"padding:.2em .7em;vertical-align:top;border-bottom:{_LINE}"


class Html(str):
    """Text that is HTML already: `escaped` and templates leave it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


Cell: TypeAlias = str | int | float | None


def escaped(value: Cell) -> Html:
    """A value as HTML: what came from files or settings can't become markup.

    Whole numbers get thousands separators, others three digits; None and NaN are empty.

    Examples
    --------
    >>> escaped("<b>Acme & Co</b>")
    '&lt;b&gt;Acme &amp; Co&lt;/b&gt;'
    >>> escaped(Html("<b>Acme</b>")), escaped(12345), escaped(0.12345), escaped(None)
    ('<b>Acme</b>', '12,345', '0.123', '')
    """
    if isinstance(value, Html):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Html("")
    if isinstance(value, str | bool):
        return Html(html.escape(str(value)))
    return Html(f"{value:,}" if isinstance(value, int) else three_digits(value))


def three_digits(value: float) -> str:
    """A number with three digits that count, whole from a thousand on.

    Examples
    --------
    >>> [three_digits(value) for value in (0.4, 12.345, 0.0012345, 123456.7, -100.0)]
    ['0.400', '12.3', '0.00123', '123,457', '-100']
    """
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".removesuffix(".")


def table(headers: Sequence[Cell], rows: Iterable[Sequence[Cell]], *, caption: str = "") -> Html:
    """An HTML table that needs nothing from outside; everything in it is `escaped`.

    Parameters
    ----------
    headers
        Empty for a table without a head.
    rows
        As many cells each as there are headers. Numbers stand to the right, all else to the left.
    caption
        Above the table, in bold.

    Examples
    --------
    >>> "<td" in table(["who", "points"], [["Acme", 3]]), "<th" in table([], [["Acme", 3]])
    (True, False)
    """
    parts = [f'<table style="{_TABLE}">']
    if caption:
        parts.append(
            '<caption style="caption-side:top;text-align:left;font-weight:bold;color:inherit">'
            f"{escaped(caption)}</caption>"
        )
    body = [list(row) for row in rows]
    # A column is numeric if its first row is: heads stand over their numbers.
    first: list[Cell] = body[0] if body else []
    if headers:
        cells = [
            f'<th scope="col" style="{_style(first[at] if at < len(first) else "")}">'
            f"{escaped(name)}</th>"
            for at, name in enumerate(headers)
        ]
        parts.append(f"<thead><tr>{''.join(cells)}</tr></thead>")
    lines = [
        "".join(f'<td style="{_style(value)}">{escaped(value)}</td>' for value in row)
        for row in body
    ]
    parts.append("<tbody>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</tbody></table>")
    return Html("".join(parts))


def definition(term: str, meaning: str) -> Html:
    """A term that tells its meaning on hover."""
    return Html(f'<dfn title="{escaped(meaning)}" style="font-style:normal">{escaped(term)}</dfn>')


def foldout(summary: str, meanings: Mapping[str, str]) -> Html:
    """Terms with their meanings, folded away: for keyboards, fingers and paper."""
    terms = "".join(
        f"<dt><b>{escaped(term)}</b></dt><dd>{escaped(text)}</dd>"
        for term, text in meanings.items()
    )
    return Html(f"<details><summary>{escaped(summary)}</summary><dl>{terms}</dl></details>")


def paragraph(text: str) -> Html:
    """A sentence or more on lines of its own."""
    return Html(f"<p>{escaped(text)}</p>")


def _style(value: Cell) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{_CELL};text-align:{'right' if number else 'left'}"
