"""Drafts of messages from templates: sandboxed, filled with known facts only, never sent."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import SettingsError, few
from models.actions.wording import FACT_MEANINGS, MESSAGES, Fact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment, Template

SHIPPED = Path(__file__).parent / "messages"
_MOST_CHARACTERS = 20_000
_ALLOWED = (
    *("Output", "TemplateData", "If", "Name", "Const", "CondExpr", "Compare", "Operand"),
    *("And", "Or", "Not", "Test", "Filter", "Concat", "Add", "Sub", "Neg", "Keyword"),
)
"""Parts of jinja's language: no loops, calls, attributes or assignments, so that a message ends."""
_FILTERS = {"capitalize", "default", "lower", "title", "trim", "upper"}
_SAMPLE: dict[str, Fact] = {
    **{name: f"a {name}" for name in FACT_MEANINGS},
    **dict.fromkeys(("days", "limit_times", "milestone_times", "success_times", "events"), 2),
    **dict.fromkeys(("members", "new_members"), 2),
}


class _UnknownFactError(Exception):
    """A template says a fact that is not known of this account."""


class _Unknown:
    """A fact that is not known, inside a template: like nothing to a condition, never a text."""

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, _Unknown)

    def __hash__(self) -> int:
        return hash(None)

    def __str__(self) -> str:
        raise _UnknownFactError


@dataclass(frozen=True)
class Templates:
    """The three templates, checked; by name."""

    by_name: "Mapping[str, Template]"

    @classmethod
    def load(cls, folder: Path | None) -> "Templates":
        """The shipped templates, those in `folder` in their place.

        Raises
        ------
        SettingsError
            When the folder can't be read or holds a template of another name; when a template is
            no template, asks for a fact that there is not, or does what a sandbox forbids.
        """
        texts = {name: (SHIPPED / f"{name}.txt") for name in MESSAGES}
        if folder is not None:
            texts |= _own(folder)
        environment = _environment()
        return cls({name: _checked(environment, path) for name, path in texts.items()})

    def draft(self, name: str, facts: "Mapping[str, Fact]") -> str | None:
        """The message, or None where it would say a fact that is not known.

        Raises
        ------
        SettingsError
            When the template fails on these facts.
        """
        try:
            return _rendered(self.by_name[name], facts)
        except _UnknownFactError:
            return None

    def lacking(self, name: str, facts: "Mapping[str, Fact]") -> tuple[str, ...]:
        """The unknown facts that a template can't do without, were all others known."""
        unknown = [fact for fact, value in facts.items() if value is None]
        whole = {**facts, **{fact: _SAMPLE[fact] for fact in unknown}}
        return tuple(fact for fact in unknown if self.draft(name, {**whole, fact: None}) is None)


def _own(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SettingsError(f"actions.templates: there is no folder {str(folder)!r}.")
    found = {path.stem: path for path in sorted(folder.glob("*.txt"))}
    if other := [name for name in found if name not in MESSAGES]:
        raise SettingsError(
            f"actions.templates: {str(folder)!r} holds {few(f'{name}.txt' for name in other)}, "
            f"which nothing uses; the templates are {few(f'{name}.txt' for name in MESSAGES)}."
        )
    return found


def _checked(environment: "Environment", path: Path) -> "Template":
    """The template of a file, after a trial with all facts known, and with none."""
    from jinja2 import TemplateSyntaxError

    try:
        text = path.read_text(encoding="utf-8")
        # Before anything is compiled: the compiler computes what it can of constants.
        _check_parts(environment, text, path)
        template = environment.from_string(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Can't read the template {str(path)!r}: {error}.") from error
    except TemplateSyntaxError as error:
        raise SettingsError(f"{path}:{error.lineno}: not a valid template: {error}") from error
    template.name = str(path)
    for facts in (_SAMPLE, dict.fromkeys(FACT_MEANINGS)):
        try:
            _rendered(template, facts)
        except _UnknownFactError:
            # Which is how a template without its matter is left out.
            continue
    return template


def _check_parts(environment: "Environment", text: str, path: Path) -> None:
    """Whether a template asks for facts that there are, and holds only what a message needs."""
    from jinja2 import nodes

    if len(text) > _MOST_CHARACTERS:
        raise SettingsError(
            f"{path}: the template has {len(text):,} characters, more than {_MOST_CHARACTERS:,}."
        )
    tree = environment.parse(text)
    asked = {node.name for node in tree.find_all(nodes.Name)}
    if unknown := sorted(asked - FACT_MEANINGS.keys()):
        raise SettingsError(
            f"{path}: the template asks for {few(unknown)}, and there is no such fact. The facts "
            f"are {', '.join(FACT_MEANINGS)}."
        )
    allowed = tuple(getattr(nodes, name) for name in _ALLOWED)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, allowed):
            raise SettingsError(
                f"{path}:{node.lineno}: a message holds text, facts and conditions, but this one "
                f"has {type(node).__name__!r}."
            )


def _rendered(template: "Template", facts: "Mapping[str, Fact]") -> str:
    from jinja2 import TemplateError

    known = {name: _Unknown() if value is None else value for name, value in facts.items()}
    try:
        text = template.render(known)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        if any(value is None for value in facts.values()) and isinstance(error, TypeError):
            # An unknown number was compared or counted with.
            raise _UnknownFactError from error
        raise SettingsError(f"{template.name}: the template fails: {error}") from error
    return text.strip() + "\n"


@cache
def _environment() -> "Environment":
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=_known, keep_trailing_newline=True, autoescape=False
    )
    environment.globals.clear()
    for name in environment.filters.keys() - _FILTERS:
        del environment.filters[name]
    environment.tests["none"] = lambda value: value is None or isinstance(value, _Unknown)
    return environment


def _known(value: object) -> object:
    if value is None:
        raise _UnknownFactError
    return value
