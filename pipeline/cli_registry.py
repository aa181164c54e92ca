"""The verbs promote, rollback and versions."""

from pathlib import Path

import click

from pipeline.cli_options import finish, json_option, now, once, run_of, say_to, settings_option

REFUSED, NOTHING_TO_DO, LOCKED = 1, 3, 75
_CODES = {"refused": REFUSED, "nothing": NOTHING_TO_DO, "overtaken": LOCKED}


@click.command()
@settings_option
@json_option
@click.option(
    "--model", default="challenger", show_default=True, help="Registry alias or version number."
)
@click.option("--force", is_flag=True, help="Promote whatever the rules say; needs --reason.")
@click.option("--reason", default="", help="Why: kept in the record of promotions.")
def promote(path: Path | None, as_json: bool, model: str, force: bool, reason: str) -> None:
    """Judge the challenger rule by rule; make it the champion if all rules pass."""
    run = run_of(path, as_json)

    from pipeline.printing_promote import print_decision
    from pipeline.promote import promote as run_promotion

    # Challenger, champion and anchor read the same log.
    say = once(say_to(as_json))
    result = run_promotion(run, say, now=now(), model=model, force=force, reason=reason)
    finish(as_json, result.as_dict(), lambda: print_decision(result))
    if code := _CODES.get(result.outcome):
        raise click.exceptions.Exit(code)


@click.command()
@settings_option
@json_option
@click.option("--reason", default="", help="Why: kept in the record of promotions.")
def rollback(path: Path | None, as_json: bool, reason: str) -> None:
    """Make the former champion the champion again; its scores are the same to the byte."""
    run = run_of(path, as_json)

    from pipeline.printing_promote import print_rollback
    from pipeline.promote import rollback as run_rollback

    result = run_rollback(run, now=now(), reason=reason)
    finish(as_json, result.as_dict(), lambda: print_rollback(result))


@click.command()
@settings_option
@json_option
def versions(path: Path | None, as_json: bool) -> None:
    """List the registered versions, and who was champion when."""
    run = run_of(path, as_json)

    from pipeline.printing_promote import print_versions
    from pipeline.versions import list_versions

    result = list_versions(run)
    finish(as_json, result.as_dict(), lambda: print_versions(result))


VERBS: tuple[click.Command, ...] = (promote, rollback, versions)
