"""Who was flagged and did not convert, and who converted unflagged, with what the ledger said."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.clock import DAY_US
from features.labels import NEVER_US, Conversions
from features.matrix import Snapshots
from models.monitoring.programme import People
from pipeline import ledger
from pipeline.ledger_outcomes import microseconds

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ["entity_id", "as_of", "model_version", "sequence"]
_SAID = ["name", "tier", "probability", "reasons"]


def false_positives(
    store: Path,
    model: str,
    said: "pd.DataFrame",
    who: Snapshots,
    people: People,
    conversions: Conversions,
    horizon_days: int,
) -> "pd.DataFrame":
    """PQLs whose horizon [as_of, as_of + horizon_days) has passed without a known conversion.

    Who had converted before the flag is no PQL in `people`, and not here.

    ``converted_at`` is filled for who converted later. The most confident come first.
    """
    end = np.where(people.is_pql, people.first_pql, 0) + horizon_days * DAY_US
    when = conversions.occurred_at[who.entity]
    within = (when >= people.first_pql) & (when < end)
    rows = people.is_pql & (end <= people.now) & ~within
    found = _with_words(store, model, said, who.ids[rows], people.first_pql[rows])
    found["converted_at"] = _times(when[rows])
    return found.sort_values(["probability", "entity_id"], ascending=[False, True]).reset_index(
        drop=True
    )


def false_negatives(
    store: Path,
    model: str,
    said: "pd.DataFrame",
    flagged: np.ndarray,
    conversions: Conversions,
    ids: np.ndarray,
) -> "pd.DataFrame":
    """Who converted since the ledger begins, unflagged until that was known, and the last score.

    That score is the last before the conversion. Empty cells mean that there was none: the cohort
    did not hold it, or it signed up and converted between two nights. The newest conversions come
    first.

    Parameters
    ----------
    flagged
        int64, shape (n,), by entity code: as_of of the first score in a PQL tier, microseconds UTC,
        given before the conversion or after it; `NEVER_US` for none.
    ids
        Of all entities of the log, by code.
    """
    if not len(said):
        return _columns(["converted_at"])
    begin = int(microseconds(said["as_of"]).min())
    when = conversions.occurred_at
    missed = np.flatnonzero((when >= begin) & (when < NEVER_US) & (flagged > conversions.known_at))
    converted = dict(zip(ids[missed], when[missed], strict=True))
    before = said[said["entity_id"].isin(converted)]
    limit = np.array([converted[name] for name in before["entity_id"]], np.int64)
    before = before[microseconds(before["as_of"]) <= limit]
    last = before.sort_values("as_of", kind="stable").drop_duplicates("entity_id", keep="last")
    words = _with_words(
        store, model, said, last["entity_id"].to_numpy(object), microseconds(last["as_of"])
    )
    found = words.set_index("entity_id").reindex(list(converted)).reset_index()
    # Without a score there is no version either, which would make numbers of all others.
    found["model_version"] = found["model_version"].astype("Int64")
    found["converted_at"] = _times(np.array(list(converted.values()), np.int64))
    return found.sort_values(["converted_at", "entity_id"], ascending=[False, True]).reset_index(
        drop=True
    )


def _with_words(
    store: Path, model: str, said: "pd.DataFrame", entity: np.ndarray, as_of: np.ndarray
) -> "pd.DataFrame":
    """What the ledger said of each (entity, as_of), one night's file after the other."""
    import pandas as pd

    wanted = pd.DataFrame({"entity_id": entity, "as_of": as_of.astype("datetime64[us]")})
    keys = wanted.merge(said[_KEYS], on=["entity_id", "as_of"])
    entries = {
        (entry.as_of, entry.version, entry.sequence): entry
        for entry in ledger.entries(store, model)
    }
    parts = [_columns([])]
    for key, rows in keys.groupby([microseconds(keys["as_of"]), "model_version", "sequence"]):
        as_of_us, version, sequence = (int(part) for part in key)
        entry = entries[as_of_us, version, sequence]
        night = ledger.read_entries([entry], [*_KEYS, *_SAID])
        parts.append(night[night["entity_id"].isin(rows["entity_id"])])
    found = pd.concat([part for part in parts if len(part)] or parts)
    found["reasons"] = ["; ".join(reasons) for reasons in found["reasons"]]
    return found.drop(columns="sequence").reset_index(drop=True)


def _columns(more: list[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns=[*_KEYS, *_SAID, *more])


def _times(us: np.ndarray) -> np.ndarray:
    """As datetimes, missing for `NEVER_US`."""
    return np.where(us < NEVER_US, us, np.iinfo(np.int64).min).astype("datetime64[us]")
