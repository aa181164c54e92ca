"""How long an entity has been here and how active it is, read from features by what they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.clock import DAY_US
from features.definitions import Feature, Statistic

if TYPE_CHECKING:
    from models.dataset import Dataset

_RECENT_DAYS = 28


@dataclass(frozen=True)
class Presence:
    """One number per row, float64 of shape (n,) without missing values, and where it came from.

    `feature` is the name of the column, None where it is not one.
    """

    values: np.ndarray
    source: str
    feature: str | None = None


def age_days(rows: "Dataset", seen: "Sequence[Dataset]") -> Presence:
    """Days from each entity's first event to as_of.

    Without such a feature: days from the entity's first row in `seen` to as_of, which is less.
    """
    for feature in rows.matrix.features:
        if _of_any_event(feature, "days_since_first"):
            return Presence(_filled(rows, feature), _told(feature), feature.name)
    entity = np.concatenate([part.entity for part in (rows, *seen)])
    as_of = np.concatenate([part.as_of for part in (rows, *seen)])
    first = np.full(entity.max(initial=0) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, entity, as_of)
    days = (rows.as_of - first[rows.entity]) / DAY_US
    return Presence(days, "days since the first row of the entity: no feature knows its age")


def recent_events(rows: "Dataset") -> Presence | None:
    """Events in the widest window of at most 28 days, else in the narrowest there is.

    Without a count of any event: the sum of the counts of single ones. None when nothing counts.
    """
    counts = [f for f in rows.matrix.features if _of_any_event(f, "count")]
    if counts:
        chosen = [min(counts, key=_distance)]
    else:
        single = [f for f in rows.matrix.features if _counts_one_event(f)]
        if not single:
            return None
        nearest = min(map(_distance, single))
        chosen = [feature for feature in single if _distance(feature) == nearest]
    values = np.sum([_filled(rows, feature) for feature in chosen], axis=0)
    if len(chosen) == 1:
        return Presence(values, _told(chosen[0]), chosen[0].name)
    days = chosen[0].days
    window = "so far" if days is None else f"in the last {days} day{'' if days == 1 else 's'}"
    return Presence(values, f"the sum of {len(chosen)} counts of single events {window}")


def days_since_event(rows: "Dataset") -> np.ndarray | None:
    """Days from the latest event of any name to as_of, shape (n,); None when no feature knows."""
    for feature in rows.matrix.features:
        if _of_any_event(feature, "days_since_last") and feature.days is None:
            return rows.matrix.column(feature.name)
    return None


def _told(feature: Feature) -> str:
    return f"`{feature.name}`: {feature.meaning}"


def _of_any_event(feature: Feature, statistic: Statistic) -> bool:
    return feature.events == () and _bare(feature, statistic)


def _counts_one_event(feature: Feature) -> bool:
    return len(feature.events) == 1 and _bare(feature, "count")


def _bare(feature: Feature, statistic: Statistic) -> bool:
    """Of the entity's own events, whatever their properties."""
    own = feature.scope == "entity" and feature.property is None
    return feature.statistic == statistic and own and not feature.where


def _distance(feature: Feature) -> float:
    """How far a window lies from 28 days; every wider one is farther than every narrower."""
    if feature.days is None:
        return np.inf
    wider = feature.days > _RECENT_DAYS
    return float(feature.days if wider else (_RECENT_DAYS - feature.days) / _RECENT_DAYS)


def _filled(rows: "Dataset", feature: Feature) -> np.ndarray:
    """An entity without events has no age and no count: both are 0."""
    return np.nan_to_num(rows.matrix.column(feature.name).astype(np.float64), nan=0.0)
