"""From a model and a log to the scores table of an as_of; nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from features.events import EventLog
from features.labels import Conversions, find_conversions
from features.matrix import FeatureMatrix, Snapshots
from features.snapshots import eligible
from models.learners.encoding import values_of
from models.scoring import TIERS, Former
from pipeline.champion import Champion
from pipeline.dataset import compute, display_names, kinship
from pipeline.heads import with_heads
from pipeline.settings import Run, Settings
from pipeline.tier_history import LAST_EVENT, History, settled_tiers

if TYPE_CHECKING:
    import pandas as pd

Say = Callable[[str], None]
LOOK_ALIKES = 3
REASONS = 3


@dataclass(frozen=True)
class Scorable:
    """Rows with the model's features.

    Parameters
    ----------
    last_event
        float32, shape (n,): days from the latest event of any name to as_of.
    """

    matrix: FeatureMatrix
    last_event: np.ndarray

    def at(self, as_of: int) -> "Scorable":
        """The rows of one as_of."""
        rows = self.matrix.snapshots.as_of == as_of
        return Scorable(self.matrix.take(rows), self.last_event[rows])


def cohort_at(run: Run, champion: Champion, log: EventLog, as_ofs: Sequence[int]) -> Snapshots:
    """Who is eligible at each of the dates, as far as was known before that date."""
    settings, machine = champion.settings, run.settings.compute
    # Who is known to have converted differs by date: the first one's are left out at all of them.
    known = known_conversions(log, settings, min(as_ofs))
    rows: Snapshots = eligible(
        log,
        settings.entity,
        settings.cohort,
        np.array(as_ofs, np.int64),
        known,
        threads=machine.threads,
        memory_mb=machine.memory_mb,
    ).snapshots
    asked = np.zeros(len(rows), bool)
    for as_of in as_ofs:
        date = np.flatnonzero(rows.as_of == as_of)
        conversions = known_conversions(log, settings, as_of)
        asked[date] = ~conversions.converted_before(rows.entity[date], rows.as_of[date])
    return rows.take(asked)


def scorable(run: Run, champion: Champion, log: EventLog, rows: Snapshots) -> Scorable:
    """Rows with all that scoring them reads, in one pass over the events."""
    features = champion.model.features
    matrix = compute(log, rows, (*features, LAST_EVENT), run.settings, "Features")
    own = matrix.table.select([feature.name for feature in features])
    return Scorable(FeatureMatrix(rows, features, own), matrix.column(LAST_EVENT.name))


def scores_table(
    champion: Champion,
    log: EventLog,
    rows: Scorable,
    history: History | None,
    *,
    now: datetime | None,
    look_back: Callable[[Snapshots], Scorable] | None = None,
) -> "pd.DataFrame":
    """All that is said of the rows of one as_of, best first.

    Parameters
    ----------
    history
        What tiers are settled against, of `pipeline.tier_history.history_of`.
    look_back
        `scorable` of other rows: reasons of whoever is above cold say how their points changed
        since then. None for not.
    """
    matrix = rows.matrix
    frame = champion.model.predict(matrix, *kinship(log, matrix.snapshots))
    bare, probability = frame["tier"].to_numpy(object), frame["probability"].to_numpy()
    tier, before = settled_tiers(champion, matrix, rows.last_event, probability, bare, history)
    frame["tier"] = tier
    frame.insert(frame.columns.get_loc("tier") + 1, "tier_before", before)
    former = None
    if look_back is not None and history is not None:
        former = _former(champion, log, matrix.snapshots, tier != TIERS[0], history, look_back)
    return with_heads(champion.heads, matrix, told(champion, log, matrix, frame, now, former))


def _former(
    champion: Champion,
    log: EventLog,
    rows: Snapshots,
    chosen: np.ndarray,
    history: History,
    look_back: Callable[[Snapshots], Scorable],
) -> Former | None:
    """The chosen rows as they were at the date before, where they were scored then."""
    there = np.flatnonzero(chosen & np.isin(rows.ids.astype(str), list(history.tier)))
    if not len(there):
        return None
    as_of = np.full(len(there), history.as_of)
    then = Snapshots.of(rows.level, rows.entity[there], as_of, log.ids(rows.level))
    place = np.full(len(rows), -1)
    place[there] = np.arange(len(there))
    values = values_of(look_back(then).matrix, *kinship(log, then))
    return Former(values, place, champion.model.scorer.language.date(history.as_of))


def known_conversions(log: EventLog, settings: Settings, as_of: int) -> Conversions:
    """Conversions that were known before as_of: later ones do not exist for the scoring run."""
    return find_conversions(log, settings.entity, settings.conversion, known_before=as_of)


def score(
    champion: Champion, log: EventLog, matrix: FeatureMatrix, now: datetime | None
) -> "pd.DataFrame":
    """The model's own part of the table, without regard to what was said before."""
    frame = champion.model.predict(matrix, *kinship(log, matrix.snapshots))
    return told(champion, log, matrix, frame, now)


def told(
    champion: Champion,
    log: EventLog,
    matrix: FeatureMatrix,
    scores: "pd.DataFrame",
    now: datetime | None,
    former: Former | None = None,
) -> "pd.DataFrame":
    """Scores with who each row is, why, and like whom; best first, ties in the order of entities.

    Parameters
    ----------
    scores
        Of `PropensityModel.predict`, in the order of the rows of one as_of.
    """
    model, snapshots = champion.model, matrix.snapshots
    kin = kinship(log, snapshots)
    names = display_names(log, snapshots.level, int(snapshots.as_of.max(initial=0)))
    scores.insert(0, "entity_id", snapshots.ids.astype(str))
    scores.insert(1, "name", names[snapshots.entity].astype(str))
    scores.insert(2, "as_of", snapshots.as_of.astype("datetime64[us]"))
    scores.insert(3, "model_version", champion.version.number)
    scores = scores.assign(**model.told(matrix, *kin, most=REASONS, former=former))
    alike = model.look_alikes(matrix, *kin, k=LOOK_ALIKES)
    scores["look_alikes"] = [[one.name for one in found] for found in alike]
    scores["look_alikes_share"] = [[one.told for one in found] for found in alike]
    scores["scored_at"] = np.datetime64(now.replace(tzinfo=None) if now else "NaT", "us")
    order = np.lexsort((snapshots.entity, -scores["raw_score"].to_numpy()))
    return scores.iloc[order].reset_index(drop=True)
