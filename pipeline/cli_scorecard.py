"""The verb scorecard: its rules, points learnt from data, and the same points in SQL."""

from pathlib import Path

import click

from features.errors import SettingsError
from pipeline.cli_options import (
    check_as_of,
    finish,
    json_option,
    run_of,
    say_to,
    settings_option,
)

_out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead."
)
_force_option = click.option("--force", is_flag=True, help="Overwrite an existing file.")


@click.group()
def scorecard() -> None:
    """Show the points scorecard, learn its points, or write it as SQL."""


@scorecard.command()
@settings_option
@json_option
def show(path: Path | None, as_json: bool) -> None:
    """List rules, points and what earns them, as the settings have them; no data is read."""
    run = run_of(path, as_json)

    from pipeline.scorecard import show_rules
    from pipeline.scorecard_printing import print_rules

    shown = show_rules(run)
    finish(as_json, shown.as_dict(), lambda: print_rules(shown))


@scorecard.command()
@settings_option
@json_option
@_out_option
@_force_option
def fit(path: Path | None, as_json: bool, out: Path | None, force: bool) -> None:
    """Learn whole points from your data, never against a rule's direction, and judge them."""
    run = run_of(path, True)
    _check_out(out, force)

    from pipeline.scorecard import learn_points
    from pipeline.scorecard_printing import print_fit
    from pipeline.scorecard_yaml import fitted_block

    found = learn_points(run, say_to(True))
    block = fitted_block(found)
    _write(out, block)
    finish(as_json, found.as_dict() | {"yaml": block}, lambda: print_fit(found))
    if not as_json:
        click.echo(
            f"Written: {out}"
            if out
            else f"To paste into the settings, if you take them:\n\n{block}"
        )


@scorecard.command()
@settings_option
@click.option(
    "--as-of",
    callback=check_as_of,
    help="Date (its midnight UTC) or time. Default: the day on which the query runs.",
)
@click.option(
    "--dialect",
    type=click.Choice(["duckdb", "postgres"]),
    default="duckdb",
    show_default=True,
    help="Whose SQL to write.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="KEY=NAME",
    help="What your warehouse calls events, accounts, users (tables), account, user, event, "
    "known_at, valid_from (columns); repeat for more.",
)
@click.option("--without", multiple=True, help="Leave out the rule of this name; repeat for more.")
@_out_option
@_force_option
def sql(
    path: Path | None,
    as_of: str | None,
    dialect: str,
    names: tuple[str, ...],
    without: tuple[str, ...],
    out: Path | None,
    force: bool,
) -> None:
    """Write one query that gives the same points over a table of events."""
    run = run_of(path, True)
    _check_out(out, force)
    if wrong := [pair for pair in names if "=" not in pair]:
        raise SettingsError(f"--name {wrong[0]!r} is no KEY=NAME, such as events=analytics.events.")

    from features.clock import to_us
    from pipeline.scorecard import export_sql, tables_of

    query = export_sql(
        run,
        say_to(True),
        as_of=None if as_of is None else to_us(as_of),
        dialect="postgres" if dialect == "postgres" else "duckdb",
        tables=tables_of(dict(pair.split("=", 1) for pair in names)),
        without=without,
    )
    _write(out, query)
    click.echo(f"Written: {out}" if out else query, nl=out is not None)


def _check_out(out: Path | None, force: bool) -> None:
    if out is None:
        return
    if not out.parent.is_dir():
        raise SettingsError(f"--out {str(out)!r}: there is no folder {str(out.parent)!r}.")
    if out.exists() and not force:
        raise SettingsError(f"{str(out)!r} exists; add --force to overwrite it, or name another.")


def _write(out: Path | None, content: str) -> None:
    from pipeline.tables import write_atomically

    if out is not None:
        write_atomically(out, lambda target: target.write_text(content, encoding="utf-8"))


VERBS: tuple[click.Command, ...] = (scorecard,)
