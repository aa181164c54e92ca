"""The verb milestones."""

from pathlib import Path

import click

from pipeline.cli_options import finish, json_option, run_of, say_to, settings_option

_NOTHING_TO_DO = 3


@click.command()
@settings_option
@json_option
@click.option(
    "--as-rules",
    "rules",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write those found as scorecard rules (YAML) into this file.",
)
def milestones(path: Path | None, as_json: bool, rules: Path | None) -> None:
    """Find the behaviour thresholds that precede conversion, or say that there are none."""
    run = run_of(path, as_json)

    from pipeline.milestones import find_milestones, write_milestones
    from pipeline.milestones_printing import print_milestones
    from pipeline.milestones_rules import write_rules
    from pipeline.train import import_events

    say = say_to(as_json)
    log = import_events(run, say)
    found = find_milestones(run, log, say)
    written = write_milestones(run, found)
    if rules is not None:
        written = (*written, write_rules(run, log, found, rules))
    result = found.as_dict() | {"files": [str(file) for file in written]}
    finish(as_json, result, lambda: print_milestones(found, written))
    if not found.searched:
        click.get_current_context().exit(_NOTHING_TO_DO)


VERBS: tuple[click.Command, ...] = (milestones,)
