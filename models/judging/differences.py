"""What sets one group of rows apart from another: standardised differences of their features."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.judging.bootstrap import interval
from models.scoring import show

if TYPE_CHECKING:
    from features.definitions import Feature
    from models.dataset import Dataset

MEANING = (
    "Mean of the first group less that of the second, in standard deviations (Austin 2009; numbers "
    "beyond the 1st and 99th percentile count as these), with a 95 % interval over accounts for "
    "this feature alone. A difference stands out if it is larger than the largest of all features "
    "in 95 % of random divisions of the same accounts (Westfall and Young 1993): where the groups "
    "are alike, one list of twenty has any."
)
LEAST_ROWS = 10
"""Known values that a group must have for a feature to be compared."""

_CLIP = (1, 99)
_MOST_LEVELS = 8
_SIMULTANEOUS = 95


@dataclass(frozen=True)
class Difference:
    """One feature of two groups.

    Parameters
    ----------
    level
        The category whose share is compared; "" for a number, whose mean is.
    here, there
        Mean or share in the first and in the second group, of rows where it is known.
    difference, low, high
        Standardised, with the 95 % interval of this feature alone.
    stands_out
        Among all features compared, see `MEANING`.
    """

    feature: str
    meaning: str
    level: str
    here: float
    there: float
    difference: float
    low: float
    high: float
    stands_out: bool
    text: str


@dataclass(frozen=True)
class _Column:
    feature: "Feature"
    level: str
    values: np.ndarray


def differences(
    rows: "Dataset",
    first: np.ndarray,
    *,
    most: int = 8,
    n_bootstrap: int = 200,
    n_permutations: int = 400,
    seed: int = 0,
) -> tuple[tuple[Difference, ...], int]:
    """The `most` surely different features of two groups of rows, and how many were compared.

    Of several features of the same events and property, such as windows, only the surest is told.

    Parameters
    ----------
    rows
        One of each cluster: rows of one account are not divided at random by chance alone.
    first
        bool, shape (n,): the rows of the first group; all others are the second.

    Returns
    -------
    tuple
        `Difference`, the surest first, that is the largest in its own standard errors; and the
        number of columns compared: every number, and every frequent category of a text.
    """
    columns = list(_columns(rows, first))
    if not columns:
        return (), 0
    values = _Values(np.column_stack([column.values for column in columns]))
    sides = first.astype(np.float64)[None, :]
    here, there, size, surely = (part[0] for part in values.compared(sides, 1 - sides))
    rng = np.random.default_rng(seed)
    drawn = values.compared(
        _drawn(first, n_bootstrap, rng), _drawn(~first, n_bootstrap, rng), size_only=True
    )[2]
    mixed = rng.permuted(np.repeat(sides, n_permutations, axis=0), axis=1)
    by_chance = np.nanmax(np.abs(values.compared(mixed, 1 - mixed)[3]), axis=1)
    limit = np.percentile(by_chance, _SIMULTANEOUS)
    told: dict[tuple, Difference] = {}
    for at in np.argsort(-np.abs(surely), kind="stable"):
        feature = columns[at].feature
        # The windows of one behaviour differ together: once is enough to read.
        about = (feature.events, feature.property, feature.scope, feature.where)
        if about not in told and len(told) < most:
            groups = float(here[at]), float(there[at]), float(size[at])
            stands_out = bool(abs(surely[at]) > limit)
            told[about] = _told(columns[at], *groups, *interval(drawn[:, at]), stands_out)
    return tuple(told.values()), len(columns)


def _columns(rows: "Dataset", first: np.ndarray) -> Iterator[_Column]:
    """What can be compared: numbers clipped, categories as 0 and 1, unknown as NaN."""
    for feature in rows.matrix.features:
        raw = rows.matrix.column(feature.name)
        if feature.dtype == "number":
            values = raw.astype(np.float64)
            if np.isnan(values).all():
                continue
            low, high = np.nanpercentile(values, _CLIP)
            candidates = [("", np.clip(values, low, high))]
        else:
            candidates = _levels(raw)
        for level, values in candidates:
            known = ~np.isnan(values)
            enough = min(int((known & first).sum()), int((known & ~first).sum())) >= LEAST_ROWS
            if enough and np.ptp(values[known]) > 0:
                yield _Column(feature, level, values)


def _levels(raw: np.ndarray) -> list[tuple[str, np.ndarray]]:
    known = np.array([value is not None for value in raw])
    levels, counts = np.unique(raw[known].astype(str), return_counts=True)
    frequent = levels[np.argsort(-counts, kind="stable")[:_MOST_LEVELS]]
    return [(str(one), np.where(known, raw == one, np.nan)) for one in frequent]


class _Values:
    """Columns of values, shape (n, n_columns), to be divided into two groups again and again."""

    def __init__(self, values: np.ndarray):
        known = ~np.isnan(values)
        # Variances are differences of large numbers unless the mean is taken out before.
        self._middle = np.nanmean(values, axis=0)
        self._values = np.where(known, values - self._middle, 0.0)
        self._squares, self._known = self._values**2, known.astype(np.float64)
        # Of both groups together, so that no division changes it.
        self._spread = np.nanstd(values, axis=0)

    def compared(
        self, first: np.ndarray, second: np.ndarray, size_only: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Means of both groups, their standardised difference, and that in standard errors.

        Parameters
        ----------
        first, second
            How often each row counts, shape (n_draws, n); results have shape (n_draws, n_columns).
        size_only
            Leaves the last result empty.
        """
        (n, here, spread), (m, there, other) = self._moments(first), self._moments(second)
        pooled = np.sqrt((spread + other) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Neither group varies, or is known at all: nothing can be said.
            size = np.where(pooled > 0, (here - there) / pooled, np.nan)
            error = self._spread * np.sqrt(1 / n + 1 / m)
            surely = np.empty(0) if size_only else np.where(n * m > 0, (here - there) / error, 0.0)
        return here + self._middle, there + self._middle, size, surely

    def _moments(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows known, mean and variance; no mean where none is known."""
        count = weights @ self._known
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = weights @ self._values / count
            variance = weights @ self._squares / count - mean**2
        return count, mean, np.maximum(variance, 0.0)


def _drawn(group: np.ndarray, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """How often each row is drawn of its group with replacement, shape (n_bootstrap, n)."""
    return rng.multinomial(int(group.sum()), group / group.sum(), size=n_bootstrap).astype(float)


def _told(
    column: _Column, here: float, there: float, size: float, low: float, high: float, out: bool
) -> Difference:
    feature = column.feature
    share = bool(column.level)
    said = [f"{100 * one:.0f} %" if share else show(one) for one in (here, there)]
    what = f"{feature.meaning}: {column.level}" if share else f"{feature.meaning}, on average"
    return Difference(
        feature=feature.name,
        meaning=feature.meaning,
        level=column.level,
        here=here,
        there=there,
        difference=size,
        low=low,
        high=high,
        stands_out=out,
        text=f"{what} {said[0]} against {said[1]}",
    )
