"""The tier each entity had at the date before, read from the ledger of scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.clock import to_text
from features.definitions import Feature
from features.matrix import FeatureMatrix
from models.scoring.probability import tier_basis
from models.tiering.hysteresis import happened_since, settle
from pipeline import ledger
from pipeline.settings import Run

if TYPE_CHECKING:
    from pipeline.champion import Champion
    from pipeline.registry import Version

LAST_EVENT = Feature(
    name="_days_since_last_event",
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
"""What tiers are settled by besides; no catalogue begins a name with an underscore."""


@dataclass(frozen=True)
class History:
    """What one earlier run said.

    Parameters
    ----------
    as_of, sequence
        Of its entry in the ledger; as_of in microseconds UTC.
    tier
        By entity id.
    """

    as_of: int
    sequence: int
    tier: Mapping[str, str]

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Tiers of those ids, None for who was not there; object array, shape (n,)."""
        return np.array([self.tier.get(name) for name in ids], object)


def scores_stem(version: "Version", as_of: int) -> str:
    """File name of a scores table without its ending."""
    return f"{version.name}-v{version.number}-{to_text(as_of).replace(':', '')}"


def history_of(run: Run, version: "Version", as_of: int) -> History | None:
    """What this very version said at the date that tiers of as_of are settled against.

    That is the last entry of the newest as_of in (-inf, as_of) that it has scored; None where
    there is none. Once as_of has been scored by `predict` it stays the very entry that it was then:
    what is scored or backfilled later, for whatever date, changes no score that was given. Where
    that entry was moved away, the last of its date takes its place, else that of the newest date.

    Raises
    ------
    SettingsError
        When a file of the ledger can't be read.
    """
    own = [e for e in ledger.entries(run.store, version.name) if e.version == version.number]
    given = [entry for entry in own if entry.as_of == as_of and not entry.backfill]
    earlier = {(entry.as_of, entry.sequence): entry for entry in own if entry.as_of < as_of}
    against = given[0].settled_by if given else max(earlier, default=None)
    if against is not None and against not in earlier:
        same_date = [key for key in earlier if key[0] == against[0]]
        against = max(same_date or earlier, default=None)
    if against is None:
        return None
    table = ledger.read_entries([earlier[against]], ["entity_id", "tier"])
    return History(*against, dict(zip(table["entity_id"], table["tier"], strict=True)))


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
    champion: "Champion",
    matrix: FeatureMatrix,
    last_event: np.ndarray,
    probability: np.ndarray,
    tier: np.ndarray,
    history: History | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Tiers of one as_of with regard to the date before, and the tiers then.

    Parameters
    ----------
    matrix
        Rows of one as_of.
    last_event
        float32, shape (n,): `LAST_EVENT` of these rows.
    probability, tier
        Of these rows, as the model alone gives them.
    history
        Of `history_of`.

    Returns
    -------
    object arrays of str, shape (n,)
        Settled tiers, and those of the date before, None where there was none. On a first run, and
        with hysteresis off, the first is `tier` itself.
    """
    rows, spec = matrix.snapshots, champion.settings.model.hysteresis
    if history is None or not spec.enabled or not len(rows):
        return tier, np.full(len(rows), None, object)
    new_event = happened_since(last_event, int(rows.as_of.max()) - history.as_of)
    tiers = champion.model.scorer.tiers
    worth = tiers.get("value")
    values = {worth["column"]: matrix.column(worth["column"])} if worth else {}
    previous = history.of(rows.ids)
    basis = tier_basis(tiers, probability, values)
    return settle(basis, previous, new_event, tiers, spec.margin), previous
