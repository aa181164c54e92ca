"""Rows whose outcome neither model has seen, and what each contender says of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US, midnight_at_or_before, to_text
from features.errors import NotEnoughHistory, PQLError
from features.events import EventLog
from features.labels import Conversions, find_conversions, label_snapshots
from features.matrix import FeatureMatrix, Snapshots
from features.snapshots import eligible
from models.dataset import Dataset
from models.judging.bootstrap import Contender
from models.judging.champion import unseen_by
from models.judging.gate_evidence import (
    ANCHOR,
    CHALLENGER,
    CHAMPION,
    SCORECARD,
    as_fitted,
    moved_only,
)
from models.monitoring.delays import share_known
from models.propensity import PropensityModel
from models.scorecard import Scorecard, resolved
from pipeline.champion import Champion, events_for, load_champion
from pipeline.dataset import compute, engine_session, kinship
from pipeline.settings import Run, Settings

Say = Callable[[str], None]
KNOWN = 0.95
"""Least share of a date's conversions that must be known for its labels to be read."""


@dataclass(frozen=True)
class FreshRows:
    """What the gate is held to.

    Parameters
    ----------
    rows
        Mature, with the challenger's features.
    contenders
        The challenger first; champion and anchor where there is one to compare with; the
        scorecard.
    tiers
        Of the cohort at the newest midnight by each model's own cut-offs: object arrays of str.
    note
        What a reader must know of the rows; empty for nothing.
    """

    rows: Dataset
    contenders: dict[str, Contender]
    tiers: dict[str, np.ndarray]
    note: str


def fresh_rows(
    run: Run,
    challenger: Champion,
    champion: Champion | None,
    say: Say,
    anchor: Champion | None = None,
) -> FreshRows:
    """The challenger's cohort at dates beyond all that either model has seen, scored by both.

    The calendar is the challenger's own, from its calibrate period on: the scorecard's points are
    mapped to probabilities on the very rows that the challenger was calibrated on.

    Parameters
    ----------
    champion
        None where there is none, or none that answers the same question.
    anchor
        A former champion to compare with, too; it was calibrated before either of the others.

    Raises
    ------
    NotEnoughHistory
        When the data no longer hold the dates that the challenger was calibrated on.
    """
    with engine_session(run.settings):
        log = events_for(run, challenger, say)
        data = _labelled(run, challenger, log, say)
        newest = data.as_of == midnight_at_or_before(log.data_end)
        fresh, note = _fresh(run, challenger, champion, anchor, data)
        kept = fresh | newest
        rows, fresh, newest = data.take(kept), fresh[kept], newest[kept]
        say(f"Judging on {fresh.sum():,} rows whose outcome neither model has seen")
        contenders, tiers = {}, {}
        for name, one in ((CHALLENGER, challenger), (CHAMPION, champion), (ANCHOR, anchor)):
            if one is None:
                continue
            raw, probability, tier = _scores(run, one, log, rows.matrix, say)
            contenders[name] = Contender(raw[fresh], probability[fresh])
            tiers[name] = tier[newest]
    scorecard = _scorecard(challenger, data)
    judged = rows.take(fresh)
    points = scorecard.score(judged.matrix).points
    contenders[SCORECARD] = Contender(points.astype(float), scorecard.probability(points))
    return FreshRows(judged, contenders, tiers, note)


def _labelled(run: Run, challenger: Champion, log: EventLog, say: Say) -> Dataset:
    """The cohort from the calibrate period on to the newest mature date, and at midnight."""
    settings = challenger.settings
    conversions = find_conversions(log, settings.entity, settings.conversion)
    rows = eligible(
        log,
        settings.entity,
        settings.cohort,
        _dates(challenger, log),
        conversions,
        threads=run.settings.compute.threads,
        memory_mb=run.settings.compute.memory_mb,
    ).snapshots
    labels = label_snapshots(rows, conversions, settings.horizon_days, log.data_end)
    matrix = compute(log, rows, challenger.model.features, run.settings, "Features")
    dates = np.unique(rows.as_of[labels.mature])
    known = nearly_known(dates, conversions, settings.horizon_days, log.data_end, say)
    mature = labels.mature & np.isin(rows.as_of, known)
    return Dataset(matrix, labels.label & mature, mature, *kinship(log, rows))


def nearly_known(
    dates: np.ndarray, conversions: Conversions, horizon_days: int, data_end: int, say: Say
) -> np.ndarray:
    """Those of the mature dates whose conversions are nearly all known, by the delays so far.

    What becomes known late is missing from the labels of the newest dates, and would pass for a
    lower rate.

    Parameters
    ----------
    dates
        int64 microseconds, rising.
    """
    seen = conversions.known_at < data_end
    occurred, known = conversions.occurred_at[seen], conversions.known_at[seen]
    left = len(dates)
    # The younger a date, the less of it is known.
    while left and _share(occurred, known, dates[left - 1], horizon_days, data_end) < KNOWN:
        left -= 1
    if left < len(dates):
        say(
            f"Left out {len(dates) - left:,} of {len(dates):,} dates, the newest: by the delays so "
            f"far over {100 * (1 - KNOWN):.0f} % of their conversions are not known yet"
        )
    return dates[:left]


def _share(
    occurred: np.ndarray, known: np.ndarray, as_of: int, horizon_days: int, data_end: int
) -> float:
    """Share of a horizon's conversions known by now, in (0, 1]: the mean over its days."""
    # A probe that is known at once asks for the share of its moment, and no delay grows by it.
    days = as_of + (np.arange(horizon_days) + 0.5) * DAY_US
    found = [
        share_known(np.r_[occurred, day], np.r_[known, day], data_end)[-1]
        for day in days.astype(np.int64)
    ]
    return float(np.mean(found))


def _dates(challenger: Champion, log: EventLog) -> np.ndarray:
    settings = challenger.settings
    step = settings.cohort.every_days * DAY_US
    first, last = challenger.model.training.calibrate_period
    newest = midnight_at_or_before(log.data_end)
    mature = log.data_end - settings.horizon_days * DAY_US
    dates = np.r_[np.arange(last, first - 1, -step), np.arange(last + step, mature + 1, step)]
    return np.unique(np.r_[dates[dates <= mature], newest])


def _fresh(
    run: Run,
    challenger: Champion,
    champion: Champion | None,
    anchor: Champion | None,
    data: Dataset,
) -> tuple[np.ndarray, str]:
    """Which rows none has seen, bool of shape (n,), and what to say of them."""
    models = [one.model for one in (challenger, champion, anchor) if one is not None]
    horizon, note = challenger.settings.horizon_days, ""
    fresh = data.mature & _unseen(models, data, horizon)
    if champion is not None and moved_only(challenger.model, champion.model):
        # Outcomes told one number of the challenger, its odds factor. To wait until rows beyond
        # those are mature would hold up a correction for a whole horizon.
        wider = data.mature & _unseen([as_fitted(model) for model in models], data, horizon)
        if wider.sum() > fresh.sum():
            fresh, note = wider, "some of them told the odds factor, which alone was moved"
    days = run.settings.promotion.newest_days
    if days is not None and fresh.any():
        fresh &= data.as_of > data.as_of[fresh].max() - days * DAY_US
    return fresh, note


def _unseen(models: list[PropensityModel], data: Dataset, horizon_days: int) -> np.ndarray:
    return np.all([unseen_by(model, data, horizon_days) for model in models], axis=0)


def _scores(
    run: Run, model: Champion, log: EventLog, matrix: FeatureMatrix, say: Say
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw score, probability and bare tier of the matrix' rows by a model's own features."""
    own = events_for(run, model, lambda text: say(f"Version {model.version.number}: {text}"))
    rows, order = matrix.snapshots, np.arange(len(matrix))
    same = own.fingerprint == log.fingerprint
    if not same:
        rows, order = in_log(own, rows)
    if not same or model.model.features != matrix.features:
        title = f"Features of version {model.version.number}"
        matrix = compute(own, rows, model.model.features, run.settings, title)
    scores = model.model.predict(matrix, *kinship(own, rows)).iloc[order]
    return (
        scores["raw_score"].to_numpy(),
        scores["probability"].to_numpy(),
        scores["tier"].to_numpy(object),
    )


def in_log(log: EventLog, rows: Snapshots) -> tuple[Snapshots, np.ndarray]:
    """The same rows by the codes of another import, and the place of each of them there.

    Two models may read different properties of the same events, imported apart.
    """
    ids = log.ids(rows.level)
    code = {name: at for at, name in enumerate(ids)}
    entity = np.array([code[name] for name in rows.ids], np.int64)
    order = np.lexsort((rows.as_of, entity))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows))
    return Snapshots.of(rows.level, entity, rows.as_of, ids), place


def _scorecard(challenger: Champion, data: Dataset) -> Scorecard:
    """The scorecard of the challenger's settings, mapped on the challenger's calibrate rows."""
    settings, (first, last) = challenger.settings, challenger.model.training.calibrate_period
    rows = data.take(data.mature & (data.as_of >= first) & (data.as_of <= last))
    if not 0 < rows.label.sum() < len(rows):
        raise NotEnoughHistory(
            f"The scorecard is calibrated where the challenger was, from {to_text(first)} to "
            f"{to_text(last)}, and these data hold {int(rows.label.sum())} conversions among "
            f"{len(rows)} rows there. Keep that period in the data, or train again."
        )
    card = resolved(settings.scorecard, settings.signals, data.matrix.features)
    return Scorecard(card).fit(
        rows,
        settings.model.calibration,
        horizon_days=settings.horizon_days,
        seed=settings.seed,
    )


def comparable(
    run: Run, challenger: Champion, number: int, say: Say
) -> tuple[Champion | None, list[str]]:
    """A former or present champion by number; None where nothing compares the two, and why."""
    try:
        champion = load_champion(run, str(number))
        events_for(run, champion, lambda _: None)
    except PQLError as error:
        # It must not stand in the way of the one that would replace it.
        say(f"Warning: version {number} can't score today's data: {error}")
        return None, [f"the champion can't score these data: {str(error).splitlines()[0]}"]
    if champion.settings.rows is not None:
        return None, ["the champion was trained on a table of rows, whose cohort is not known"]
    differences = question_differences(challenger.settings, champion.settings)
    return (None if differences else champion), differences


def question_differences(challenger: Settings, champion: Settings) -> list[str]:
    """In words, what makes the two models answer different questions; empty where nothing does.

    How often the cohort is asked about is no difference: it changes no row's outcome.
    """
    asked = {"entity", "horizon_days", "conversion", "cohort"}
    ours, theirs = (one.model_dump(include=asked) for one in (challenger, champion))
    found = []
    for block in sorted(asked):
        new, old = ours[block], theirs[block]
        pairs = [(block, new, old)]
        if isinstance(new, dict):
            pairs = [(f"{block}.{key}", new[key], old[key]) for key in new if key != "every_days"]
        found += [f"{name} is {a!r}, the champion's {b!r}" for name, a, b in pairs if a != b]
    return found
