"""From a page's parts to one HTML file that needs nothing else."""

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report.glossary import TERMS
from pipeline.report.page import Page
from pipeline.tables import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_CODE = re.compile("`([^`]+)`")
_FOLDER = resources.files("pipeline") / "report"


def write_page(page: Page, path: Path) -> Path:
    """Write `render`'s text; returns the path."""
    text = render(page)
    write_atomically(path, lambda target: target.write_text(text, encoding="utf-8"))
    return path


def render(page: Page) -> str:
    """The page as HTML: equal pages, equal texts.

    Everything is escaped but the SVG of pictures, whose writer escapes what it draws. The page
    forbids its browser every request and every script but its own.
    """
    environment = _environment()
    script = _read("page.js")
    terms = Terms(environment)
    template = environment.get_template("page.html")
    # The glossary comes last and lists what the sections used, so they are rendered first.
    environment.globals["term"] = terms
    blocks = environment.get_template("blocks.html").make_module()
    text = template.render(
        page=page,
        blocks=blocks,
        terms=terms,
        style=_read("style.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    # A percent sign alone at the beginning of a line is hard to read.
    return text.replace(" %", "\u00a0%")


class Terms:
    """Turns a name that has a definition into a button that shows it, and keeps which were used."""

    def __init__(self, environment: "Environment"):
        self._button = environment.get_template("term.html")
        self._used: set[str] = set()

    def __call__(self, name: str) -> "str | Markup":
        from markupsafe import Markup

        if name not in TERMS:
            return name
        self._used.add(name)
        return Markup(self._button.render(name=name, key=_key(name), meaning=TERMS[name]).strip())

    @property
    def used(self) -> list[tuple[str, str, str]]:
        """Key, name and meaning of the terms that were used so far, in the glossary's order."""
        return [(_key(name), name, TERMS[name]) for name in TERMS if name in self._used]


def _key(name: str) -> str:
    """
    >>> _key("lift at 10 %")
    'lift-at-10'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower())
    return "-".join(words.split())


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["words"] = words
    environment.filters["breakable"] = breakable
    return environment


def words(text: str) -> "Markup":
    """Escaped text in which what stands between backticks is code.

    >>> print(words("set `a.b` <now>"))
    set <code>a.b</code> &lt;now&gt;
    """
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def breakable(name: str) -> "Markup":
    """An escaped name that may go on in the next line after each underscore.

    >>> print(breakable("any_event<"))
    any_<wbr>event&lt;
    """
    from markupsafe import Markup, escape

    return Markup(str(escape(name)).replace("_", "_<wbr>"))


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
