"""What the ledger counts as said, and what has become of it by a date."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.clock import DAY_US
from features.events import EventLog
from features.labels import Conversions
from features.matrix import Snapshots
from models.monitoring.delays import share_known, still_to_come
from models.monitoring.realised import Outcomes
from pipeline import ledger
from pipeline.dataset import kinship
from pipeline.registry import CHAMPION

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("entity_id", "as_of", "model_version", "probability", "tier", "scored_at"),
    *("alias", "backfill", "sequence"),
)


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


def counted(
    store: Path,
    model: str,
    before: int,
    *,
    with_backfilled: bool = False,
    columns: tuple[str, ...] = COLUMNS,
) -> "pd.DataFrame":
    """What the champion said with as_of in (-inf, before), one entry per as_of.

    Of several entries for one as_of the last one written before `before` counts, or, if all were
    written later, the first. So what counted at a date does not change by what is written after.

    Parameters
    ----------
    with_backfilled
        Whether scores count that were made for past dates afterwards (`backfill`): nobody could
        act on those.
    columns
        Must hold those of `COLUMNS`.
    """
    import pandas as pd

    chosen = [entry for entry in ledger.entries(store, model) if entry.as_of < before]
    rows = ledger.read_entries(chosen, columns)
    rows = rows[rows["alias"] == CHAMPION]
    if not with_backfilled:
        rows = rows[~rows["backfill"].astype(bool)]
    keys = ["as_of", "scored_at", "model_version", "sequence"]
    # A score without a time of writing was written at its as_of.
    rows = rows.assign(scored_at=rows["scored_at"].fillna(rows["as_of"]))
    entries = rows[keys].drop_duplicates().sort_values(keys)
    late = entries["scored_at"] >= np.datetime64(before, "us")
    in_time = entries[~late].drop_duplicates("as_of", keep="last")
    first = entries[late & ~entries["as_of"].isin(in_time["as_of"])].drop_duplicates("as_of")
    return rows.merge(pd.concat([in_time, first]), on=keys)


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
    mature = as_of + horizon_days * DAY_US <= now
    unknown = len(np.unique(said["entity_id"].to_numpy(str)[entity < 0]))
    kept = (entity >= 0) & mature
    # Who had converted already, unknown to the scoring run, was nobody to call.
    kept[kept] &= conversions.occurred_at[entity[kept]] >= as_of[kept]
    said, entity, as_of = said[kept], entity[kept], as_of[kept]
    order = np.lexsort((as_of, entity))
    said, entity, as_of = said.iloc[order], entity[order], as_of[order]
    account, _ = kinship(log, Snapshots.of(level, entity, as_of, ids))
    when = conversions.occurred_at[entity]
    label = (when >= as_of) & (when < as_of + horizon_days * DAY_US)
    rows = Outcomes(
        probability=said["probability"].to_numpy(float),
        tier=said["tier"].to_numpy(object),
        month=np.datetime_as_string(as_of.astype("datetime64[us]"), unit="M").astype(object),
        label=label,
        to_come=_to_come(conversions, entity, label, now),
        cluster=np.unique(account.astype(str), return_inverse=True)[1],
    )
    version = said["model_version"].to_numpy(np.int64)
    return Joined(rows, as_of, version, unknown, int((~mature).sum()))


def _to_come(
    conversions: Conversions, entity: np.ndarray, label: np.ndarray, now: int
) -> np.ndarray:
    seen = np.flatnonzero(conversions.known_at < now)
    known = np.ones(len(conversions.known_at))
    known[seen] = share_known(conversions.occurred_at[seen], conversions.known_at[seen], now)
    return np.where(label, still_to_come(known[entity]), 0.0)
