"""The reference that `monitor` compares with: pinned at training, or made from the log now."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from features.clock import midnight_at_or_before
from features.errors import NotEnoughHistory, SchemaMismatch
from features.events import EventLog
from features.labels import find_conversions
from features.lifespans import lifespans
from features.matrix import Snapshots
from features.snapshots import eligible
from models.dataset import Dataset
from models.monitoring.event_volumes import daily_counts, event_reference
from models.monitoring.reference import FORMAT, NIGHTS, reference, reference_nights, to_json
from models.monitoring.rows import MOST_ROWS, newcomers, thinned
from models.propensity import PropensityModel
from pipeline.dataset import compute, kinship
from pipeline.settings import Run, Settings

Say = Callable[[str], None]


def pinned(
    run: Run, settings: Settings, model: PropensityModel, log: EventLog, say: Say
) -> dict[str, Any] | None:
    """The reference to keep with a model, up to the log's newest complete day; None without one."""
    try:
        newest = midnight_at_or_before(log.data_end)
        return make_reference(run, settings, model, log, newest, say)
    except NotEnoughHistory as error:
        say(f"Reference: none. {error}")
        return None


def make_reference(
    run: Run, settings: Settings, model: PropensityModel, log: EventLog, newest: int, say: Say
) -> dict[str, Any]:
    """What the model's columns, its scores and the events looked like up to `newest`.

    Parameters
    ----------
    run
        Says only what the machine may be used for.
    settings
        Those that the model was trained by: cohort, conversion, seed.
    newest
        Midnight, microseconds UTC; of the nights before it only those in the data are used.

    Raises
    ------
    NotEnoughHistory
        When nobody was eligible in those nights.
    """
    nights = reference_nights(newest)
    nights = nights[nights > log.first_at]
    say(f"Reference: the cohort of {len(nights)} nights, for `monitor`")
    rows = cohort(run, settings, model, log, nights)
    if not len(rows):
        raise NotEnoughHistory(
            f"Nobody was eligible in the {len(nights)} nights that monitoring compares with."
        )
    return reference(
        rows.matrix,
        probability_of(model, rows),
        rows.cluster,
        newcomer_rows(log, settings, rows, run.settings.monitor.newcomers_days),
        event_reference(
            daily_counts(log, newest, NIGHTS), newest, run.settings.freshness.volume.holidays
        ),
    )


def cohort(
    run: Run, settings: Settings, model: PropensityModel, log: EventLog, nights: np.ndarray
) -> Dataset:
    """Who was eligible then, with the model's features and no labels; thinned beyond a limit."""
    known_before = int(nights.max(initial=0))
    conversions = find_conversions(
        log, settings.entity, settings.conversion, known_before=known_before
    )
    machine = run.settings.compute
    who: Snapshots = eligible(
        log,
        settings.entity,
        settings.cohort,
        nights,
        conversions,
        threads=machine.threads,
        memory_mb=machine.memory_mb,
    ).snapshots
    who = who.take(thinned(who.entity, MOST_ROWS, settings.seed))
    matrix = compute(log, who, model.features, run.settings, "Features")
    unknown = np.zeros(len(who), bool)
    return Dataset(matrix, unknown, unknown, *kinship(log, who))


def probability_of(model: PropensityModel, rows: Dataset) -> np.ndarray:
    """As the model gives it, float64, shape (n,)."""
    return model.predict(rows.matrix, rows.account, rows.domain)["probability"].to_numpy()


def newcomer_rows(log: EventLog, settings: Settings, rows: Dataset, days: int) -> np.ndarray:
    """Who entered in [as_of - days, as_of), bool, shape (n,)."""
    entered = lifespans(log, settings.entity, settings.cohort.entered_by)[0]
    return newcomers(entered[rows.entity], rows.as_of, days)


def write_reference(found: dict[str, Any], path: Path) -> None:
    """As JSON, in the form that a bundle has it in."""
    path.write_text(to_json(found), encoding="utf-8", newline="\n")


def read_reference(path: Path) -> dict[str, Any] | None:
    """A reference that was written, None where there is none.

    Raises
    ------
    SchemaMismatch
        When it is damaged or of another format.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SchemaMismatch(f"{str(path)!r} is damaged: {error}. Train again.") from error
    if found.get("format") != FORMAT:
        raise SchemaMismatch(
            f"{str(path)!r} has format {found.get('format')!r}, this program reads {FORMAT}. Train "
            "again, or use the version that wrote it."
        )
    return dict(found)
