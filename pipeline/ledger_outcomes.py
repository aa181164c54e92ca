"""What the ledger counts as said, and what has become of it by a date."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.events import EventLog
from features.labels import Conversions, label_snapshots
from features.matrix import Snapshots
from models.monitoring.delays import share_known, still_to_come, still_to_come_error
from models.monitoring.realised import Outcomes
from pipeline import ledger
from pipeline.dataset import kinship
from pipeline.registry import CHAMPION

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("entity_id", "as_of", "model_version", "probability", "tier", "sequence")


@dataclass(frozen=True)
class Joined:
    """Mature scored rows with their outcomes.

    Parameters
    ----------
    rows
        With their as_of.
    version
        int64, shape (n,), of each row.
    unknown
        Entities of the ledger that the log does not have.
    immature
        Rows whose horizon has not passed.
    """

    rows: Outcomes
    version: np.ndarray
    unknown: int
    immature: int


@dataclass(frozen=True)
class Said:
    """What the champions of their time said before a date.

    Parameters
    ----------
    rows
        With the columns that were asked for.
    seen
        Dates that are left out, since the champion had learnt from their outcomes.
    late
        Dates that are left out, since their scores were written too late to act on them by then:
        `with_backfilled` counts them. Both are told of the ledger as it stands now.
    """

    rows: "pd.DataFrame"
    seen: int
    late: int


def counted(
    store: Path,
    model: str,
    before: int,
    *,
    with_backfilled: bool = False,
    columns: tuple[str, ...] = COLUMNS,
) -> Said:
    """What the champion said with as_of in (-inf, before), one entry per as_of.

    Only entries count that were written before `before`, and within two days of their as_of: of
    several for one as_of the last. An entry written in [before, inf) did not exist then, so none
    ever changes these rows.

    Parameters
    ----------
    with_backfilled
        Whether dates without such an entry count by one that was made afterwards (`backfill`, or
        `predict` of a past date): the last written before `before`, or, if all were written later,
        the first. Nobody could act on those, and a date may gain one later.
    """
    entries = [
        entry
        for entry in ledger.entries(store, model)
        if entry.as_of < before and entry.alias == CHAMPION
    ]
    written = sorted(
        (entry for entry in entries if not entry.seen),
        key=lambda entry: (entry.written_at, entry.version, entry.sequence),
    )
    by_then = [entry for entry in written if entry.written_at < before]
    in_time = {entry.as_of: entry for entry in by_then if entry.in_time}
    # Of equal keys the last counts: the first written, else the last by then, else the one in time.
    every = {entry.as_of: entry for entry in [*written[::-1], *by_then, *in_time.values()]}
    chosen = every if with_backfilled else in_time
    seen = {e.as_of for e in entries if e.seen and (with_backfilled or not e.backfill)}
    return Said(
        ledger.read_entries([chosen[as_of] for as_of in sorted(chosen)], columns),
        len(seen - set(every)),
        len(set(every) - set(chosen)),
    )


def microseconds(times: "pd.Series") -> np.ndarray:
    """Times of a table as int64 microseconds UTC, shape (n,)."""
    return times.to_numpy("datetime64[us]").astype(np.int64)


def joined(
    said: "pd.DataFrame", log: EventLog, conversions: Conversions, horizon_days: int, now: int
) -> Joined:
    """Mature rows with their labels, as far as known before `now`.

    Parameters
    ----------
    said
        Of `counted`.
    conversions
        Known before `now`.
    now
        Microseconds UTC: a row is mature when as_of + horizon_days <= now.
    """
    level = log.manifest["level"]
    ids = log.ids(level)
    code = {name: at for at, name in enumerate(ids)}
    entity = np.array([code.get(name, -1) for name in said["entity_id"]], np.int64)
    as_of = microseconds(said["as_of"])
    unknown = len(np.unique(said["entity_id"].to_numpy(str)[entity < 0]))
    said, entity, as_of = (part[entity >= 0] for part in (said, entity, as_of))
    since = int(as_of.min()) if len(as_of) else now
    order = np.lexsort((as_of, entity))
    said, entity, as_of = said.iloc[order], entity[order], as_of[order]
    who = Snapshots.of(level, entity, as_of, ids)
    labels = label_snapshots(who, conversions, horizon_days, now)
    # Who had converted already, unknown to the scoring run, was nobody to call.
    kept = labels.mature & ~conversions.converted_before(entity, as_of)
    said, who, label = said[kept], who.take(kept), labels.label[kept]
    account, _ = kinship(log, who)
    to_come, error = _to_come(conversions, who.entity, label, now, since)
    rows = Outcomes(
        probability=said["probability"].to_numpy(float),
        tier=said["tier"].to_numpy(object),
        month=np.datetime_as_string(who.as_of.astype("datetime64[us]"), unit="M").astype(object),
        label=label,
        to_come=to_come,
        to_come_error=error,
        cluster=np.unique(account.astype(str), return_inverse=True)[1],
        as_of=who.as_of,
    )
    version = said["model_version"].to_numpy(np.int64)
    return Joined(rows, version, unknown, int((~labels.mature).sum()))


def _to_come(
    conversions: Conversions, entity: np.ndarray, label: np.ndarray, now: int, since: int
) -> tuple[np.ndarray, np.ndarray]:
    """What each row's known conversion stands for beside itself, and the standard error of that."""
    seen = np.flatnonzero(conversions.known_at < now)
    history = conversions.occurred_at[seen], conversions.known_at[seen], now
    expected, error = np.zeros((2, len(conversions.known_at)))
    expected[seen] = still_to_come(share_known(*history, happened_from=since))
    error[seen] = still_to_come_error(*history, happened_from=since)
    return np.where(label, expected[entity], 0.0), np.where(label, error[entity], 0.0)
