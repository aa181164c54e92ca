"""Verbs that look back: what became of the scores, and what the programme brought."""

from pathlib import Path

import click

from pipeline.cli_options import (
    check_as_of,
    finish,
    json_option,
    model_option,
    run_of,
    say_to,
    settings_option,
)

_REFUSED, _NOTHING_TO_DO = 1, 3
backfilled_option = click.option(
    "--backfilled",
    is_flag=True,
    help="Count scores that were made afterwards for past dates, too (backfill, late predict).",
)
look_option = click.option(
    "--as-of",
    callback=check_as_of,
    help="Date to look from: only what was known before it counts. Default: the newest complete "
    "day.",
)


@click.command()
@settings_option
@json_option
@look_option
@model_option
@backfilled_option
def monitor(
    path: Path | None, as_json: bool, as_of: str | None, model: str, backfilled: bool
) -> None:
    """Compare outcomes with what was promised, and tonight with the training; 1 for an alarm."""
    run = run_of(path, as_json)

    from pipeline.monitor import monitor as run_monitor
    from pipeline.printing_monitor import print_monitoring
    from pipeline.report.monitor import write_monitor_page

    found = run_monitor(run, say_to(as_json), as_of=as_of, model=model, with_backfilled=backfilled)
    page = write_monitor_page(run, found)
    finish(as_json, found.as_dict() | {"page": str(page)}, lambda: print_monitoring(found, page))
    if found.verdict.crossed:
        raise click.exceptions.Exit(_REFUSED)


@click.command()
@settings_option
@json_option
@look_option
@model_option
@backfilled_option
def programme(
    path: Path | None, as_json: bool, as_of: str | None, model: str, backfilled: bool
) -> None:
    """PQLs and what became of them: rates, times, revenue, and lists of the mistakes."""
    run = run_of(path, as_json)

    from pipeline.printing_monitor import print_programme
    from pipeline.programme import programme as run_programme

    found = run_programme(
        run, say_to(as_json), as_of=as_of, model=model, with_backfilled=backfilled
    )
    finish(as_json, found.as_dict(), lambda: print_programme(found))
    if not found.metrics:
        raise click.exceptions.Exit(_NOTHING_TO_DO)


VERBS: tuple[click.Command, ...] = (monitor, programme)
