"""`milestones`: which events are searched, the search itself, and the files that tell of it."""

import json
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from features.errors import SettingsError, few
from features.events import EventLog
from features.labels import find_conversions
from models.milestones.eligible import Eligible
from models.milestones.finder import find
from models.milestones.found import Milestones
from models.milestones.journeys import read_journeys
from pipeline.one_thread import in_one_thread
from pipeline.plots_milestones import plot_days, plot_reached
from pipeline.settings import Run, Settings
from pipeline.tables import write_atomically

Say = Callable[[str], None]
FOLDER = "milestones"
JSON_FILE = "milestones.json"


@in_one_thread
def find_milestones(run: Run, log: EventLog, say: Say) -> Milestones:
    """Search the run's log for the milestones that precede conversion.

    Raises
    ------
    SettingsError
        When the settings name an event that the log does not have.
    """
    settings, level = run.settings, run.settings.entity
    aside = set_aside(settings, log)
    conversions = find_conversions(log, level, settings.conversion)
    cohort = settings.cohort
    journeys = read_journeys(
        log, level, conversions, cohort.entered_by, settings.milestones.max_events
    )
    say(
        f"Milestones: searching {len(log.event_names) - len(aside)} events for what goes with "
        f"{conversions.n:,} conversions"
    )
    return find(
        journeys,
        Eligible(cohort.active_within_days, cohort.min_age_days, cohort.max_age_days),
        settings.milestones,
        set_aside=aside,
        seed=settings.seed,
    )


def set_aside(settings: Settings, log: EventLog) -> dict[str, str]:
    """Events that are not searched, with the reason: a key of `REASONS`.

    Raises
    ------
    SettingsError
        When `milestones.events` or `cohort.entered_by` names an event that the log does not have.
    """
    named = settings.milestones.events
    _check("milestones.events", named or (), log)
    _check("cohort.entered_by", settings.cohort.entered_by, log)
    conversion = dict.fromkeys(settings.conversion.events, "side effect")
    if named is not None:
        others = (name for name in log.event_codes if name not in named)
        return dict.fromkeys(others, "not named") | conversion
    return dict.fromkeys(_of_upgrades(settings), "upgrade") | conversion


def _of_upgrades(settings: Settings) -> tuple[str, ...]:
    """Hand-raises, and all that the settings file under the dimension upgrade."""
    signals, events = settings.signals, settings.features.events
    raised = (
        *(signals.limit, signals.pricing, signals.paid_feature),
        *(signals.upsell, signals.form, signals.support),
        () if events is None else events.upgrade,
    )
    return tuple(name for kind in raised for name in kind)


def _check(where: str, names: tuple[str, ...], log: EventLog) -> None:
    if unknown := [name for name in names if name not in log.event_codes]:
        near = get_close_matches(unknown[0], log.event_codes, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"{where} names {few(unknown)}, but the log has no such event.{hint}")


def write_milestones(run: Run, found: Milestones) -> tuple[Path, ...]:
    """Write `found` as JSON and, where there is something to be seen, two pictures.

    Returns
    -------
    tuple of Path
        In the folder ``milestones`` of the run's store, each replaced in one step. Pictures of an
        earlier search that found more are removed.
    """
    folder = run.store / FOLDER
    text = json.dumps(found.as_dict(), indent=2, allow_nan=False) + "\n"
    paths = [folder / JSON_FILE]
    write_atomically(paths[0], lambda path: path.write_text(text, encoding="utf-8"))
    for name, plot in {"reached.png": plot_reached, "days.png": plot_days}.items():
        if found.found:
            write_atomically(folder / name, partial(plot, found))
            paths.append(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return tuple(paths)
