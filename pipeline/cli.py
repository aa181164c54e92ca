"""The command line: one table a person can read per verb, ``--json`` for programs, exit codes.

0 done, 1 refused by a gate, 2 bad input or settings, 3 nothing to do, 75 locked by another run.
Heavy libraries are imported inside the verbs, so that help and settings errors answer at once.
"""

import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from features.errors import FeatureLeak, Locked, NotFresh, PQLError, SettingsError
from pipeline import (
    cli_actions,
    cli_milestones,
    cli_monitor,
    cli_nightly,
    cli_registry,
    cli_scorecard,
    cli_texts,
)
from pipeline.cli_judging import evaluate, recalibrate
from pipeline.cli_options import (
    DEMO,
    as_of_option,
    check_budget,
    finish,
    json_option,
    model_option,
    now,
    run_of,
    say_to,
    settings_option,
)

REFUSED, BAD_INPUT, NOTHING_TO_DO, LOCKED = 1, 2, 3, 75

# Read when LightGBM loads. Its threads wait for each other in loops, by default for so long that a
# training on a busy machine took twice its time; after shorter waits they sleep.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


class Group(click.Group):
    """Prints our own errors as one sentence and exits 2; anything else is a bug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (FeatureLeak, NotFresh) as error:
            click.echo(f"refused: {error}", err=True)
            ctx.exit(REFUSED)
        except Locked as error:
            click.echo(f"locked: {error}", err=True)
            ctx.exit(LOCKED)
        except PQLError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(BAD_INPUT)
        except BrokenPipeError:
            # The reader (head, less) has seen enough.
            sys.stderr.close()
            ctx.exit(0)


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="pql-pipeline", prog_name="pql")
@click.option("-v", "--verbose", is_flag=True, help="Log every step with its timing.")
def main(verbose: bool) -> None:
    """Find product-qualified leads: who will buy, how likely, and why."""
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    # Other libraries' steps are not this program's: hundreds of lines that nobody asked for.
    for name in ("features", "models", "pipeline"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.WARNING)


@main.command()
@settings_option
@json_option
@click.option("--champion", is_flag=True, help="Make the new version the champion at once.")
@click.option(
    "--tune",
    metavar="BUDGET",
    callback=check_budget,
    help="First search for booster settings: for a time (10m) or a number of trials (40).",
)
def train(path: Path | None, as_json: bool, champion: bool, tune: str | None) -> None:
    """Train, calibrate, judge against the scorecard, and register."""
    run = run_of(path, as_json)

    from pipeline.printing import print_training
    from pipeline.train import train as run_training

    result = run_training(run, say_to(as_json), as_champion=champion, tune_for=tune, now=now())
    finish(as_json, result.as_dict(), lambda: print_training(result))


@main.command()
@settings_option
@json_option
@as_of_option
@model_option
@cli_nightly.stale_option
@cli_nightly.wait_option
@click.option(
    "--top", default=10, show_default=True, type=click.IntRange(min=1), help="Rows to print."
)
def predict(
    path: Path | None,
    as_json: bool,
    as_of: str | None,
    model: str,
    stale_ok: bool,
    wait_seconds: float,
    top: int,
) -> None:
    """Score every eligible entity and write the list of whom to call."""
    run = run_of(path, as_json)

    from pipeline.printing import print_prediction, print_spark_prediction

    how: dict[str, Any] = {"as_of": as_of, "model": model, "now": now()}
    how |= {"stale_ok": stale_ok, "wait_seconds": wait_seconds}
    if run.settings.compute.engine == "spark":
        from pipeline.spark.predict import predict_run

        written = predict_run(run, say_to(as_json), **how)
        told, show = written.as_dict(), partial(print_spark_prediction, written)
    else:
        from pipeline.predict import predict as run_prediction

        result = run_prediction(run, say_to(as_json), **how)
        told, show = result.as_dict(), partial(print_prediction, result, top)
    finish(as_json, told, show)
    if not told["rows"]:
        raise click.exceptions.Exit(NOTHING_TO_DO)


@main.command()
@settings_option
@json_option
@click.option("--entity", required=True, help="Id of the account or user.")
@as_of_option
@model_option
def explain(path: Path | None, as_json: bool, entity: str, as_of: str | None, model: str) -> None:
    """Walk one entity from its events to its tier."""
    run = run_of(path, as_json)

    from pipeline.explain import explain as run_explanation
    from pipeline.printing import print_explanation

    result = run_explanation(run, say_to(True), entity=entity, as_of=as_of, model=model)
    finish(as_json, result.as_dict(), lambda: print_explanation(result))


@main.command()
@settings_option
@json_option
@click.option("--search", help="Only features whose name or meaning holds these words.")
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the catalogue to this file instead, of accounts and of users where both fit.",
)
@click.option("--check", is_flag=True, help="Prove on your events that none sees the future.")
def features(
    path: Path | None, as_json: bool, search: str | None, markdown: Path | None, check: bool
) -> None:
    """List the features: what each column means, its window, unit and dimension."""
    if as_json and markdown is not None:
        raise SettingsError("--json prints and --markdown writes a file: give one of them.")
    run = run_of(path, as_json)

    from pipeline import catalogue
    from pipeline.printing import print_features
    from pipeline.tables import write_atomically
    from pipeline.train import import_events

    if markdown is not None and not markdown.parent.is_dir():
        raise SettingsError(
            f"--markdown {str(markdown)!r}: there is no folder {str(markdown.parent)!r}; make it "
            "first, or name another."
        )
    log = import_events(run, say_to(True))
    if markdown is not None:
        text = catalogue.markdown(run, log)
        write_atomically(markdown, lambda target: target.write_text(text, encoding="utf-8"))
        click.echo(f"Wrote {markdown}")
        return
    listing = catalogue.list_features(run, log, search)
    if check and listing.features:
        listing = catalogue.proved(listing, log)
    finish(as_json, listing.as_dict(), lambda: print_features(listing))
    if not listing.features:
        raise click.exceptions.Exit(NOTHING_TO_DO)


@main.command()
@click.option("--accounts", default=6000, show_default=True, help="How many accounts sign up.")
@click.option("--days", default=365, show_default=True, help="How many days the world runs.")
@click.option("--seed", default=7, show_default=True, help="Another seed is another company.")
@click.option(
    "--out",
    default=DEMO,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to write.",
)
def simulate(accounts: int, days: int, seed: int, out: Path) -> None:
    """Make a product-led company with known conversion probabilities."""
    from pipeline.demo import make_demo

    make_demo(out, accounts=accounts, days=days, seed=seed, say=say_to(False))


@main.command()
@click.option("--events", multiple=True, required=True, help="Event file or glob; repeat for more.")
@click.option(
    "--out",
    default=Path("settings.yaml"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="File to write.",
)
@click.option(
    "--entity",
    type=click.Choice(["account", "user"]),
    help="Default: account where events carry one.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing settings file.")
def init(events: tuple[str, ...], out: Path, entity: str | None, force: bool) -> None:
    """Look at your events and write a commented settings file."""
    from pipeline.init import write_settings

    write_settings(events, out, entity=entity, force=force, say=say_to(False))


@main.command()
@settings_option
@click.option("--port", default=5000, show_default=True, help="Port of 127.0.0.1 to serve on.")
def ui(path: Path | None, port: int) -> None:
    """Open MLflow's UI on the store of these settings."""
    import os
    import socket

    from pipeline.tracking import connect, tracking_uri

    run = run_of(path, quiet=False)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SettingsError(f"Port {port} is in use; name another one: --port {port + 1}.")
    connect(run).search_experiments(max_results=1)  # creates the store's tables quietly
    click.echo(f"MLflow on http://127.0.0.1:{port}, ready in half a minute (stop with Ctrl-C)")
    command = [sys.executable, "-m", "mlflow", "ui", "--workers", "1", "--port", str(port)]
    # Not as an argument, which every user of the machine can read: it may hold a password.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = tracking_uri(run)
    # In place of this process, so that a signal meant for it reaches MLflow.
    sys.stdout.flush()
    os.execv(sys.executable, command)


_MODULES = (
    *(cli_actions, cli_scorecard, cli_milestones, cli_registry),
    *(cli_nightly, cli_monitor, cli_texts),
)
for verb in (evaluate, recalibrate, *(verb for module in _MODULES for verb in module.VERBS)):
    main.add_command(verb)
