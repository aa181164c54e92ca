"""What the ledger counts as said, and what has become of it by a date."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.events import EventLog
from features.labels import Conversions, label_snapshots
from features.matrix import Snapshots
from models.monitoring.delays import share_known, still_to_come
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
    as_of, version
        int64, shape (n,), of each row.
    unknown
        Entities of the ledger that the log does not have.
    immature
        Rows whose horizon has not passed.
    """

    rows: Outcomes
    as_of: np.ndarray
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
    """

    rows: "pd.DataFrame"
    seen: int


def counted(
    store: Path,
    model: str,
    before: int,
    *,
    with_backfilled: bool = False,
    columns: tuple[str, ...] = COLUMNS,
) -> Said:
    """What the champion said with as_of in (-inf, before), one entry per as_of.

    Of several entries for one as_of the last one written before `before` counts, or, if all were
    written later, the first. So what counted at a date does not change by what is written after.

    Parameters
    ----------
    with_backfilled
        Whether scores count that were made for past dates afterwards (`backfill`): nobody could
        act on those.
    """
    entries = [
        entry
        for entry in ledger.entries(store, model)
        if entry.as_of < before
        and entry.alias == CHAMPION
        and (with_backfilled or not entry.backfill)
    ]
    chosen = _one_per_date([entry for entry in entries if not entry.seen], before)
    seen = {entry.as_of for entry in entries} - {entry.as_of for entry in chosen}
    return Said(ledger.read_entries(chosen, columns), len(seen))


def _one_per_date(entries: "list[ledger.Entry]", before: int) -> "list[ledger.Entry]":
    def written(entry: ledger.Entry) -> tuple[int, int, int]:
        # A score without a time of writing was written at its as_of.
        at = entry.as_of if entry.scored_at is None else entry.scored_at
        return at, entry.version, entry.sequence

    chosen: dict[int, ledger.Entry] = {}
    for entry in sorted(entries, key=written):
        if written(entry)[0] < before:
            chosen[entry.as_of] = entry
        else:
            chosen.setdefault(entry.as_of, entry)
    return [chosen[as_of] for as_of in sorted(chosen)]


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
    order = np.lexsort((as_of, entity))
    said, entity, as_of = said.iloc[order], entity[order], as_of[order]
    who = Snapshots.of(level, entity, as_of, ids)
    labels = label_snapshots(who, conversions, horizon_days, now)
    # Who had converted already, unknown to the scoring run, was nobody to call.
    kept = labels.mature & ~conversions.converted_before(entity, as_of)
    said, who, label = said[kept], who.take(kept), labels.label[kept]
    account, _ = kinship(log, who)
    rows = Outcomes(
        probability=said["probability"].to_numpy(float),
        tier=said["tier"].to_numpy(object),
        month=np.datetime_as_string(who.as_of.astype("datetime64[us]"), unit="M").astype(object),
        label=label,
        to_come=_to_come(conversions, who.entity, label, now),
        cluster=np.unique(account.astype(str), return_inverse=True)[1],
    )
    version = said["model_version"].to_numpy(np.int64)
    return Joined(rows, who.as_of, version, unknown, int((~labels.mature).sum()))


def _to_come(
    conversions: Conversions, entity: np.ndarray, label: np.ndarray, now: int
) -> np.ndarray:
    seen = np.flatnonzero(conversions.known_at < now)
    known = np.ones(len(conversions.known_at))
    known[seen] = share_known(conversions.occurred_at[seen], conversions.known_at[seen], now)
    return np.where(label, still_to_come(known[entity]), 0.0)
