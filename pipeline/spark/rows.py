"""Which rows Spark is asked for: a cohort found by the executors, or a table of one's own."""

from dataclasses import dataclass

from features.events import Level
from features.labels import NEVER_US, ConversionSpec
from features.snapshots import CohortSpec


@dataclass(frozen=True)
class CohortRows:
    """Everybody eligible at some times; each executor finds those of its shard.

    Parameters
    ----------
    as_ofs
        Microseconds UTC, for instance `features.snapshots.calendar`.
    known_before
        Conversions with known_at in [known_before, inf) do not exist: for a prediction, as_of.
    """

    level: Level
    cohort: CohortSpec
    conversion: ConversionSpec
    as_ofs: tuple[int, ...]
    known_before: int = NEVER_US


@dataclass(frozen=True)
class OwnRows:
    """A Parquet folder with a row per (entity, as_of), wherever Spark can read it.

    Parameters
    ----------
    entity, as_of
        Names of the columns: ids as text, and dates or timestamps; a time without zone is UTC.
    """

    level: Level
    uri: str
    entity: str = "entity_id"
    as_of: str = "as_of"
