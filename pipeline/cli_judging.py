"""Verbs that judge a model on more than one date, and that move it to today's base rate."""

from pathlib import Path

import click

from pipeline.cli_options import (
    finish,
    json_option,
    model_option,
    now,
    run_of,
    say_to,
    settings_option,
)


@click.command()
@settings_option
@json_option
@click.option("--show-folds", is_flag=True, help="Draw the folds and stop: nothing is trained.")
def evaluate(path: Path | None, as_json: bool, show_folds: bool) -> None:
    """Backtest: train and judge again at several dates, and price the usual shortcuts."""
    run = run_of(path, as_json)

    from pipeline.evaluate import evaluate as run_backtest
    from pipeline.evaluate_printing import print_backtest

    result = run_backtest(run, say_to(as_json), show_folds=show_folds)
    finish(as_json, result.as_dict(), lambda: print_backtest(result))


@click.command()
@settings_option
@json_option
@model_option
@click.option(
    "--base-rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of rows that convert from now on. Default: from the newest mature labels.",
)
@click.option(
    "--days",
    default=28,
    show_default=True,
    type=click.IntRange(min=1),
    help="Newest days of mature labels to read.",
)
@click.option("--champion", is_flag=True, help="Make the new version the champion at once.")
def recalibrate(
    path: Path | None,
    as_json: bool,
    model: str,
    base_rate: float | None,
    days: int,
    champion: bool,
) -> None:
    """Move a model's probabilities to today's base rate; the order of scores stays."""
    run = run_of(path, as_json)

    from pipeline.recalibrate import recalibrate as run_recalibration
    from pipeline.recalibrate_printing import print_recalibration

    result = run_recalibration(
        run,
        say_to(as_json),
        model=model,
        days=days,
        rate=base_rate,
        as_champion=champion,
        now=now(),
    )
    finish(as_json, result.as_dict(), lambda: print_recalibration(result))
