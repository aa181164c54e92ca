"""The tier each entity had at the date before, read from the scores that were written then."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.clock import to_text
from features.definitions import Feature
from features.errors import SettingsError
from features.events import EventLog
from features.matrix import FeatureMatrix
from models.scoring.probability import tier_basis
from models.tiering.hysteresis import HysteresisSpec, happened_since, settle
from pipeline.dataset import compute
from pipeline.settings import Run

if TYPE_CHECKING:
    from pipeline.champion import Champion
    from pipeline.registry import Version

LAST_EVENT = Feature(
    name="days_since_last_event",
    dimension="engagement",
    statistic="days_since_last",
    events=(),
    property=None,
    days=None,
    scope="entity",
    dtype="number",
    unit="days",
    meaning="Days from the latest event of any name to as_of.",
)


@dataclass(frozen=True)
class History:
    """What one earlier scores table said.

    Parameters
    ----------
    as_of
        Its as_of, microseconds UTC.
    tier
        By entity id.
    """

    as_of: int
    tier: Mapping[str, str]

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Tiers of those ids, None for who was not there; object array, shape (n,)."""
        return np.array([self.tier.get(name) for name in ids], object)


def scores_stem(version: "Version", as_of: int) -> str:
    """File name of a scores table without its ending."""
    return f"{version.name}-v{version.number}-{to_text(as_of).replace(':', '')}"


def newest_before(run: Run, version: "Version", as_of: int) -> History | None:
    """The newest scores table of this very version with as_of in (-inf, as_of); None for none.

    Tables of the date itself and of later ones are never read, so scoring a date again, after
    later ones too, gives what it gave.

    Raises
    ------
    SettingsError
        When a table of the version can't be read.
    """
    import pandas as pd

    newest: tuple[int, Path] | None = None
    for path in sorted((run.store / "scores").glob(f"{version.name}-v{version.number}-*.parquet")):
        at = _as_of(path)
        # The name holds the version: one model's may begin like another's.
        if at is None or path.stem != scores_stem(version, at) or at >= as_of:
            continue
        if newest is None or at > newest[0]:
            newest = at, path
    if newest is None:
        return None
    table = pd.read_parquet(newest[1], columns=["entity_id", "tier"])
    return History(newest[0], dict(zip(table["entity_id"], table["tier"], strict=True)))


def _as_of(path: Path) -> int | None:
    """The as_of of a scores table, None for an empty one."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                return None
            first = next(file.iter_batches(batch_size=1, columns=["as_of"]))
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(
            f"Can't read the scores in {str(path)!r}: {error}. Delete the file, and score its date "
            "again if you need it."
        ) from error
    instants = first.column(0).to_numpy(zero_copy_only=False).astype("datetime64[us]")
    return int(instants[0].astype(np.int64))


def settled_tiers(
    run: Run,
    champion: "Champion",
    log: EventLog,
    matrix: FeatureMatrix,
    probability: np.ndarray,
    tier: np.ndarray,
    spec: HysteresisSpec,
) -> tuple[np.ndarray, np.ndarray]:
    """Tiers of one as_of with regard to the date before, and the tiers then.

    Parameters
    ----------
    matrix
        Rows of one as_of.
    probability, tier
        Of these rows, as the model alone gives them.

    Returns
    -------
    object arrays of str, shape (n,)
        Settled tiers, and those of the date before, None where there was none. On a first run, and
        with hysteresis off, the first is `tier` itself.
    """
    rows = matrix.snapshots
    as_of = int(rows.as_of.max(initial=0))
    history = newest_before(run, champion.version, as_of) if spec.enabled and len(rows) else None
    if history is None:
        return tier, np.full(len(rows), None, object)
    since = compute(log, rows, (LAST_EVENT,), run.settings, "Latest events")
    new_event = happened_since(since.column(LAST_EVENT.name), as_of - history.as_of)
    tiers = champion.model.scorer.tiers
    worth = tiers.get("value")
    values = {worth["column"]: matrix.column(worth["column"])} if worth else {}
    previous = history.of(rows.ids)
    basis = tier_basis(tiers, probability, values)
    return settle(basis, previous, new_event, tiers, spec.margin), previous
