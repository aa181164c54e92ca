"""Who converted when, and what a snapshot's horizon says about it."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.errors import SettingsError, few
from features.events import EventLog, Level
from features.matrix import Snapshots
from features.spec import Spec

NEVER_US = np.iinfo(np.int64).max


class ConversionSpec(Spec):
    """The ``conversion:`` block: the events that make an entity a customer."""

    events: tuple[str, ...] = Field(min_length=1)
    """The first of these events makes an entity a customer."""


@dataclass(frozen=True)
class Conversions:
    """First conversion per entity, indexed by entity code; `NEVER_US` for none.

    Parameters
    ----------
    occurred_at
        int64, shape (n_entities,): when it happened; labels read this.
    known_at
        int64, shape (n_entities,): when it could first be known; who is a customer reads this.
    """

    occurred_at: np.ndarray
    known_at: np.ndarray

    @property
    def n(self) -> int:
        return int((self.occurred_at < NEVER_US).sum())

    def quiet_days(self, data_end: int) -> float:
        """Days without a known conversion before `data_end`, if alarmingly many, else 0.

        Many is over a week and over ten times the mean time between conversions: with conversions
        at random, that happens once in e^10 (Poisson).
        """
        known = np.sort(self.known_at[self.known_at < data_end])
        if len(known) < 10:
            return 0.0
        mean = (known[-1] - known[0]) / (len(known) - 1)
        quiet = data_end - known[-1]
        return quiet / DAY_US if quiet > max(7 * DAY_US, 10 * mean) else 0.0

    def converted_before(self, entity: np.ndarray, as_of: np.ndarray) -> np.ndarray:
        """True where the entity converted in (-inf, as_of), known or not: no label then."""
        return self.occurred_at[entity] < as_of


def find_conversions(
    log: EventLog, level: Level, spec: ConversionSpec, *, known_before: int = NEVER_US
) -> Conversions:
    """First conversion of every entity.

    Parameters
    ----------
    known_before
        Conversions with known_at in [known_before, inf) do not exist: what a run at that as_of
        can know.

    Raises
    ------
    SettingsError
        When no event of that name is in the log.
    """
    unknown = [name for name in spec.events if name not in log.event_codes]
    if unknown:
        from difflib import get_close_matches

        near = get_close_matches(unknown[0], log.event_codes, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingsError(
            f"conversion.events names {few(unknown)}, but the log has no such event.{hint}"
        )
    import pyarrow.compute as pc

    codes = [log.event_codes[name] for name in spec.events]
    n = len(log.entities(level))
    if not n:
        raise SettingsError(
            f"No event names an {level}: set the column or group that does under data.sources, or "
            "score the other level with `entity`."
        )
    occurred = np.full(n, NEVER_US, np.int64)
    known = np.full(n, NEVER_US, np.int64)
    for shard in range(log.n_shards):
        table = log.shard(shard, [level, "event", "occurred_at", "at"])
        wanted = pc.and_(
            pc.is_in(table["event"], value_set=_int32(codes)), pc.greater_equal(table[level], 0)
        )
        table = table.filter(pc.and_(wanted, pc.less(table["at"], known_before)))
        entity = table[level].to_numpy()
        np.minimum.at(occurred, entity, table["occurred_at"].to_numpy())
        np.minimum.at(known, entity, table["at"].to_numpy())
    return Conversions(occurred, known)


def _int32(codes: list[int]):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    return pa.array(codes, pa.int32())


@dataclass(frozen=True)
class Labels:
    """What each snapshot's horizon [as_of, as_of + horizon_days) says.

    Parameters
    ----------
    label
        bool, shape (n,): converts within the horizon. Meaningless, and False, where not mature.
    mature
        bool, shape (n,): the whole horizon lies inside the data.
    """

    label: np.ndarray
    mature: np.ndarray


def label_snapshots(
    snapshots: Snapshots, conversions: Conversions, horizon_days: int, data_end: int
) -> Labels:
    """Label every snapshot by conversions with occurred_at in [as_of, as_of + horizon_days).

    Examples
    --------
    A conversion exactly at as_of is the future; one exactly at the horizon's end is beyond it.

    >>> at = np.array([0, 7 * DAY_US])
    >>> rows = Snapshots("account", np.array([0, 1]), np.array([0, 0]), np.array(["a", "b"]))
    >>> label_snapshots(rows, Conversions(at, at), horizon_days=7, data_end=7 * DAY_US)
    Labels(label=array([ True, False]), mature=array([ True,  True]))
    """
    end = snapshots.as_of + horizon_days * DAY_US
    when = conversions.occurred_at[snapshots.entity]
    mature = end <= data_end
    return Labels((when >= snapshots.as_of) & (when < end) & mature, mature)
