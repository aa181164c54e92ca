"""Tables and texts on a terminal, or in a log, which has no width."""

from typing import Any

_NUMBERS = {
    *("rows", "converting rows", "purged", "base rate", "entities", "ever", "days ago"),
    *("score", "probability", "model", "scorecard", "difference", "log-odds"),
}


def table(*names: str) -> Any:
    """A table with these columns; numbers stand to the right."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        made.add_column(name, justify="right" if name in _NUMBERS else "left")
    return made


def show(*items: Any) -> None:
    """Print tables to fit, and texts as they are: a command that is folded can't be pasted."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        # A log has no width; 80 columns would fold every table.
        console = Console(highlight=False, markup=False, width=160)
    for item in items:
        console.print(item, soft_wrap=isinstance(item, str))
