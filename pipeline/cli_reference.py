"""The command line reference, written from the commands themselves.

``python -m pipeline.cli_reference docs/cli.md`` writes it again.
"""

import sys
from pathlib import Path

import click

from pipeline.cli import main
from pipeline.tables import write_atomically
from pipeline.value_words import words

_INTRO = """\
# Command line

Made from the program by `make docs`; don't edit.

    .venv/bin/python -m pipeline VERB [OPTIONS]

Where the package is installed, `pql VERB` is the same. Every verb prints one table for people; with
`--json` it prints JSON for programs instead, and its progress goes to stderr. Without `--settings`
a verb reads `settings.yaml` of the current folder, or else the demo company's.
"""
_KINDS = {"integer": "whole number", "float": "number"}
_EXITS = (
    (0, "done", ()),
    (
        1,
        "refused: a leak, data that are not fresh, a rule of promotion, an alarm",
        ("train", "features", "predict", "backfill", "promote", "monitor"),
    ),
    (2, "bad input, settings or options: one sentence says what, where and what to do", ()),
    (
        3,
        "nothing to do: nobody is eligible, all dates are done, nothing was found",
        ("predict", "backfill", "promote", "programme", "features"),
    ),
    (
        75,
        "another run holds the lock, or was faster",
        ("predict", "backfill", "promote"),
    ),
)


def markdown() -> str:
    """``docs/cli.md``: every verb with its options, in the order of `--help`."""
    parts = [_INTRO, "## Exit codes\n", _exit_codes()]
    context = click.Context(main, info_name="python -m pipeline")
    parts += ["## Options before the verb\n", _options(main)]
    for name in main.list_commands(context):
        command = main.commands[name]
        if not command.hidden:
            parts += _verb(name, command)
    return "\n".join(parts).rstrip() + "\n"


def _exit_codes() -> str:
    """The table of exit codes, and which verbs end with them."""
    lines = ["| exit code | meaning | of |", "|---|---|---|"]
    for code, meaning, verbs in _EXITS:
        named = ", ".join(f"`{verb}`" for verb in verbs if verb in main.commands)
        lines.append(f"| {code} | {meaning} | {named or 'every verb'} |")
    return "\n".join(lines) + "\n"


def _verb(name: str, command: click.Command, level: int = 2) -> list[str]:
    """Sections of a verb, and of its own verbs where it has some."""
    parts = [f"{'#' * level} {name}\n", f"{command.help or ''}\n"]
    parts += [_options(command)] if command.params else []
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            parts += _verb(f"{name} {inner}", command.commands[inner], level + 1)
    return parts


def _options(command: click.Command) -> str:
    lines = ["| option | takes | default | what it does |", "|---|---|---|---|"]
    for one in command.params:
        names = one.name or "" if isinstance(one, click.Argument) else "`, `".join(one.opts)
        help_text = one.help or "" if isinstance(one, click.Option) else ""
        cells = (f"`{names}`", _takes(one), _default(one), " ".join(help_text.split()))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _takes(one: click.Parameter) -> str:
    """The values of an option, such as a choice or a range.

    >>> _takes(click.Option(["--top"], type=click.IntRange(min=1))), _takes(click.Option(["--out"]))
    ('whole number, 1 or more', 'text')
    """
    if isinstance(one, click.Option) and one.is_flag:
        return ""
    kind = one.type
    if isinstance(kind, click.Choice):
        said = words([str(choice) for choice in kind.choices])
    elif isinstance(kind, click.IntRange | click.FloatRange):
        said = _KINDS.get(kind.name.split()[0], "number") + _range(kind)
    else:
        said = "path" if isinstance(kind, click.Path) else _KINDS.get(kind.name, "text")
    return said + (", may be repeated" if one.multiple else "")


def _range(kind: click.IntRange | click.FloatRange) -> str:
    if kind.min is not None and kind.max is not None:
        left, right = "(" if kind.min_open else "[", ")" if kind.max_open else "]"
        return f" in {left}{kind.min:g}, {kind.max:g}{right}"
    if kind.min is None:
        return ""
    return f" above {kind.min:g}" if kind.min_open else f", {kind.min:g} or more"


def _default(one: click.Parameter) -> str:
    if one.required:
        return "required"
    shown = isinstance(one, click.Option) and one.show_default
    return f"`{one.default}`" if shown else ""


if __name__ == "__main__":
    write_atomically(
        Path(sys.argv[1]), lambda target: target.write_text(markdown(), encoding="utf-8")
    )
