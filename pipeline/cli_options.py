"""What the verbs of the command line share: options, the run they name, how they end."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.settings import Run

DEMO = Path("data/demo")


def now() -> datetime:
    """The clock, which only the command line may ask."""
    return datetime.now(UTC)


settings_option = click.option(
    "--settings",
    "path",
    type=click.Path(path_type=Path),
    help="Settings file. Default: ./settings.yaml, else the demo world.",
)
model_option = click.option(
    "--model", default="champion", show_default=True, help="Registry alias or version number."
)


def check_budget(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no budget before anything long begins."""
    from models.choosing.tuning import read_budget

    if value is not None:
        read_budget(value)
    return value


def check_as_of(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no time before anything long begins."""
    from features.clock import to_us
    from features.errors import EventLogError

    if value is not None:
        try:
            to_us(value)
        except ValueError as error:
            raise EventLogError(
                f"{option.opts[-1]} {value!r} is no date; write it like 2024-06-01."
            ) from error
    return value


as_of_option = click.option(
    "--as-of",
    callback=check_as_of,
    help="Date (its midnight UTC) or time to score at. Default: the newest complete day.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def run_of(path: Path | None, quiet: bool) -> "Run":
    """The named settings file, ./settings.yaml, or the demo world, made on first use."""
    from pipeline.settings import load

    if path is None:
        path = Path("settings.yaml")
        if not path.exists():
            from pipeline.demo import demo_of

            path = demo_of(DEMO, say=say_to(quiet))
    return load(path)


def say_to(quiet: bool) -> Callable[[str], None]:
    """Progress lines go to stderr when stdout is for a program."""
    return lambda text: click.echo(text, err=quiet)


def once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Says a line the first time only.

    >>> told: list[str] = []
    >>> [once_told := once(told.append), once_told("read"), once_told("read")][1:], told
    ([None, None], ['read'])
    """
    said: set[str] = set()

    def first(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    return first


def finish(as_json: bool, result: dict[str, Any], show: Callable[[], None]) -> None:
    if as_json:
        click.echo(json.dumps(_without_nan(result), indent=2, allow_nan=False))
    else:
        show()


def _without_nan(value: Any) -> Any:
    """NaN as null: Python would write it bare, and other programs refuse that."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if value != value else value
