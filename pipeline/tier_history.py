"""The tier each entity had at the date before, read from the ledger of scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.clock import to_text
from features.definitions import Feature
from features.events import EventLog
from features.matrix import FeatureMatrix
from models.scoring.probability import tier_basis
from models.tiering.hysteresis import HysteresisSpec, happened_since, settle
from pipeline import ledger
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
    """What one earlier run said.

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
    """What this very version said at its newest as_of in (-inf, as_of); None for nothing.

    Of several entries of the ledger for that date the last counts. The date itself and later ones
    are never read, so scoring a date again, after later ones too, gives what it gave.

    Raises
    ------
    SettingsError
        When a file of the ledger can't be read.
    """
    earlier = [
        entry
        for entry in ledger.entries(run.store, version.name)
        if entry.version == version.number and entry.as_of < as_of
    ]
    if not earlier:
        return None
    table = ledger.read_entries(earlier[-1:], ["entity_id", "tier"])
    return History(earlier[-1].as_of, dict(zip(table["entity_id"], table["tier"], strict=True)))


def unrecorded(run: Run, version: "Version") -> str | None:
    """A sentence when this version has scores and no ledger: they are older than the ledger."""
    files = (run.store / "scores").glob(f"{version.name}-v{version.number}-*.parquet")
    known = any(e.version == version.number for e in ledger.entries(run.store, version.name))
    if known or not (n := sum(1 for _ in files)):
        return None
    return (
        f"The store has {n} score table{'' if n == 1 else 's'} of {version.name} version "
        f"{version.number} from before there was a ledger: tiers begin anew, without regard to them"
    )


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
