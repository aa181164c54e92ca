"""Which segment each row belongs to: by attributes, by channel, and by tenure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from features.definitions import Feature
from features.errors import SettingsError
from features.spec import Spec
from models.presence import age_days

if TYPE_CHECKING:
    from models.dataset import Dataset

MOST_LEVELS = 6
LEAST_LEVEL_SHARE = 0.01
"""A level on fewer of the training rows joins the others: a name is no segment."""
UNKNOWN, OTHER = "not known", "all others"
TENURE_DAYS = (7.0, 28.0, 90.0)
_TENURE = (
    "under 7 days (cold start)",
    "7 to under 28 days",
    "28 to under 90 days",
    "90 days and more",
)


class SegmentSpec(Spec):
    """The ``evaluation.segments`` block: in which groups the score is judged by itself.

    ``auto`` takes every attribute, and where an entity came from: the first value of categorical
    properties in the fit dimension, such as the channel of its sign-up. Tenure is always judged.
    """

    by: Literal["auto"] | tuple[str, ...] = "auto"
    """Names of features."""
    min_converting: int = Field(default=10, ge=5)
    """Fewer converting accounts than this and no claim is made."""


@dataclass(frozen=True)
class Segmentation:
    """One way to divide the rows.

    Parameters
    ----------
    of
        What divides them, in words.
    feature
        Name of the column; None for tenure where no feature knows it.
    order
        Names of the segments that hold rows, in order.
    member
        int64, shape (n,): position in `order` of each row's segment.
    """

    of: str
    feature: str | None
    order: tuple[str, ...]
    member: np.ndarray


def segmentations(
    train: "Dataset", test: "Dataset", spec: SegmentSpec, seen: "Sequence[Dataset]" = ()
) -> tuple[Segmentation, ...]:
    """Divide the test rows; levels and bands come from the training rows.

    Categories have their most frequent levels, at most 6, then the others and the unknown; numbers
    three bands [low, high) with a third of the training rows each. A column that puts all test
    rows into one segment is left out.

    Parameters
    ----------
    seen
        All rows that may tell since when an entity is there, if no feature does.

    Raises
    ------
    SettingsError
        When `spec.by` names no feature.
    """
    divided = [_divide(feature, train, test) for feature in _chosen(train.matrix.features, spec)]
    divided.append(_tenure(test, (train, *seen)))
    return tuple(one for one in divided if len(one.order) > 1)


def _chosen(features: Sequence[Feature], spec: SegmentSpec) -> list[Feature]:
    if spec.by == "auto":
        return _automatic(features)
    known = {feature.name: feature for feature in features}
    for name in spec.by:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise SettingsError(
                f"evaluation.segments.by names {name!r}, which is no feature.{hint}"
            )
    return [known[name] for name in spec.by]


def _automatic(features: Sequence[Feature]) -> list[Feature]:
    attributes = [feature for feature in features if feature.statistic == "attribute"]
    origins: dict[tuple, Feature] = {}
    # Where both exist, the first value tells where an entity came from, the last where it is now.
    for statistic in ("first", "last"):
        for feature in features:
            of_fit = feature.dimension == "fit" and feature.dtype == "category"
            if feature.statistic == statistic and of_fit and feature.days is None:
                origins.setdefault((feature.property, feature.events, feature.scope), feature)
    return [*attributes, *origins.values()]


def _divide(feature: Feature, train: "Dataset", test: "Dataset") -> Segmentation:
    before, now = (rows.matrix.column(feature.name) for rows in (train, test))
    divide: Callable[[np.ndarray, np.ndarray], tuple[list[str], np.ndarray]]
    divide = _levels if feature.dtype == "category" else _bands
    return _segmentation(feature.property or feature.meaning, feature.name, *divide(before, now))


def _segmentation(
    of: str, feature: str | None, names: Sequence[str], place: np.ndarray
) -> Segmentation:
    held, member = np.unique(place, return_inverse=True)
    return Segmentation(of, feature, tuple(names[at] for at in held), member)


def _levels(train: np.ndarray, test: np.ndarray) -> tuple[list[str], np.ndarray]:
    """
    >>> now = np.array(["z", "b", None], object)
    >>> names, place = _levels(np.array(["a", "b", "a"], object), now)
    >>> names, place.tolist()
    (['a', 'b', 'all others', 'not known'], [2, 1, 3])
    """
    counts = Counter(level for level in train if level is not None)
    often = [level for level in counts if counts[level] >= LEAST_LEVEL_SHARE * len(train)]
    kept = sorted(often, key=lambda level: (-counts[level], level))[:MOST_LEVELS]
    code = {level: place for place, level in enumerate(kept)} | {None: len(kept) + 1}
    return [*kept, OTHER, UNKNOWN], np.array([code.get(level, len(kept)) for level in test])


def _bands(train: np.ndarray, test: np.ndarray) -> tuple[list[str], np.ndarray]:
    """
    >>> names, place = _bands(np.arange(9.0), np.array([2.9, 3.0, np.nan, 99.0]))
    >>> names, place.tolist()
    (['under 3', '3 to under 6', '6 and more', 'not known'], [0, 1, 3, 2])
    """
    known = train[~np.isnan(train)]
    # The edges are values that exist, so that whole numbers stay whole.
    edges = np.unique(np.quantile(known, [1 / 3, 2 / 3], method="higher")) if len(known) else known
    shown = [f"{edge:,.0f}" if abs(edge) >= 1e5 else f"{edge:,.6g}" for edge in edges]
    names = ["any value"]
    if len(edges):
        between = [f"{low} to under {high}" for low, high in pairwise(shown)]
        names = [f"under {shown[0]}", *between, f"{shown[-1]} and more"]
    place = np.searchsorted(edges, test, side="right")
    return [*names, UNKNOWN], np.where(np.isnan(test), len(names), place)


def _tenure(rows: "Dataset", seen: "Sequence[Dataset]") -> Segmentation:
    age = age_days(rows, seen)
    return _segmentation(
        "tenure", age.feature, _TENURE, np.searchsorted(TENURE_DAYS, age.values, side="right")
    )
