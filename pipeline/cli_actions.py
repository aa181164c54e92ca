"""The verb ``message``: a draft for whoever writes to an account. Nothing is ever sent."""

from pathlib import Path

import click

from pipeline.cli_options import (
    as_of_option,
    finish,
    json_option,
    model_option,
    run_of,
    say_to,
    settings_option,
)

_NOTHING_TO_DO = 3


@click.command()
@settings_option
@json_option
@click.option("--entity", required=True, help="Id of the account or user.")
@click.option("--template", help="Another template than the one that fits; see docs/actions.md.")
@as_of_option
@model_option
def message(
    path: Path | None,
    as_json: bool,
    entity: str,
    template: str | None,
    as_of: str | None,
    model: str,
) -> None:
    """Draft a message to one entity from its own facts; you send it, or you do not."""
    run = run_of(path, as_json)

    from pipeline.actions_draft import draft_for

    found = draft_for(run, say_to(True), entity=entity, as_of=as_of, model=model, template=template)
    finish(as_json, found.as_dict(), lambda: click.echo(found.text, nl=False))
    if found.draft is None:
        raise click.exceptions.Exit(_NOTHING_TO_DO)


VERBS: tuple[click.Command, ...] = (message,)
