"""The verb backfill: scores of past dates, for the ledger only."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli_options import (
    check_as_of,
    finish,
    json_option,
    model_option,
    now,
    run_of,
    say_to,
    settings_option,
)

if TYPE_CHECKING:
    from pipeline.backfill import Backfill

NOTHING_TO_DO = 3
wait_option = click.option(
    "--wait",
    "wait_seconds",
    default=0.0,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long for another run of the same store and model. Default: not at all.",
)
stale_option = click.option(
    "--stale-ok",
    is_flag=True,
    help="Score although the newest data are too old or far off their history.",
)


@click.command()
@settings_option
@json_option
@click.option("--from", "first", required=True, callback=check_as_of, help="First date.")
@click.option("--to", "last", required=True, callback=check_as_of, help="Last date, included.")
@click.option(
    "--every-days",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Days between the dates.",
)
@model_option
@click.option(
    "--allow-seen",
    is_flag=True,
    help="Also dates whose outcomes the model has learnt from; never judge it by them.",
)
@wait_option
def backfill(
    path: Path | None,
    as_json: bool,
    first: str,
    last: str,
    every_days: int,
    model: str,
    allow_seen: bool,
    wait_seconds: float,
) -> None:
    """Score past dates as they were known then, into the ledger only; dates done are skipped."""
    run = run_of(path, as_json)

    from pipeline.backfill import backfill as run_backfill

    result = run_backfill(
        run,
        say_to(as_json),
        first=first,
        last=last,
        every_days=every_days,
        model=model,
        now=now(),
        allow_seen=allow_seen,
        wait_seconds=wait_seconds,
    )
    finish(as_json, result.as_dict(), lambda: print_backfill(result))
    if not result.added:
        raise click.exceptions.Exit(NOTHING_TO_DO)


def print_backfill(result: "Backfill") -> None:
    """One line per date, and how many are new in the ledger."""
    from features.clock import to_text
    from pipeline.console import show, table

    listed = table("as of", "entities", "")
    for one in result.dates:
        said = "was there" if one.done_before else "added" if one.rows else "nobody is eligible"
        listed.add_row(to_text(one.as_of), f"{one.rows:,}", said)
    n, version = result.added, result.version
    show(
        listed,
        f"{n:,} date{'' if n == 1 else 's'} added to the ledger of {version.name} version "
        f"{version.number}, marked as backfill; no table was written.",
    )


VERBS: tuple[click.Command, ...] = (backfill,)
