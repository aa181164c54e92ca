"""Train < calibrate < test in time, with a purge so that no label window reaches the next fold."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from features.clock import DAY_US, to_text, to_us
from features.errors import NotEnoughHistory
from features.spec import Spec

if TYPE_CHECKING:
    from models.dataset import Dataset

FOLDS = ("train", "calibrate", "test")
_MOST_BOUNDARIES = 400


class FoldSpec(Spec):
    """How the history is divided.

    Shares are of the calendar time left after the purge gaps; they give way where a fold would
    hold fewer than `min_positives` conversions. Dates, when given, are obeyed exactly: a fold
    begins at the first as_of at or after its date.
    """

    train_share: float = Field(default=0.6, gt=0, lt=1)
    """Share of the time that models are fitted on."""
    calibrate_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the time that calibration and tiers are fitted on; what is left is the test."""
    embargo_days: int = Field(default=0, ge=0)
    """Waiting time between parts, on top of the horizon."""
    min_positives: int = Field(default=5, ge=1)
    """A share gives way where a part would hold fewer conversions."""
    calibrate_from: date | None = None
    """Date at which the calibrate part begins, in place of ``train_share``."""
    test_from: date | None = None
    """Date at which the test part begins, in place of ``calibrate_share``."""

    @model_validator(mode="after")
    def _check(self) -> "FoldSpec":
        if self.train_share + self.calibrate_share >= 1:
            raise ValueError("train_share + calibrate_share must leave a share for the test fold")
        shares = {"train_share", "calibrate_share"} & self.model_fields_set
        if shares and self.calibrate_from:
            raise ValueError("give shares or dates, not both")
        if (self.calibrate_from is None) != (self.test_from is None):
            raise ValueError("give calibrate_from and test_from together, or neither")
        if self.calibrate_from and self.test_from and self.calibrate_from >= self.test_from:
            raise ValueError("calibrate_from must lie before test_from")
        return self


@dataclass(frozen=True)
class Fold:
    """One line of the table of folds; times are the first and last as_of, microseconds UTC."""

    name: str
    first_as_of: int
    last_as_of: int
    rows: int
    positives: int
    entities: int
    purged: int


@dataclass(frozen=True)
class Split:
    """Disjoint masks over the rows of a dataset, bool of shape (n,)."""

    train: np.ndarray
    calibrate: np.ndarray
    test: np.ndarray
    folds: tuple[Fold, ...]

    def describe(self) -> list[dict[str, str | int]]:
        """Rows for printing: fold, from, to (last as_of), rows, positives, entities, purged."""
        return [
            {
                "fold": fold.name,
                "from": to_text(fold.first_as_of),
                "to": to_text(fold.last_as_of),
                "rows": fold.rows,
                "positives": fold.positives,
                "entities": fold.entities,
                "purged": fold.purged,
            }
            for fold in self.folds
        ]


def conversions(dataset: "Dataset") -> np.ndarray:
    """The last converting row of each entity, bool of shape (n,): one per conversion.

    A conversion makes a row positive at every date of the horizon before it; these rows are
    witnesses of one event.
    """
    rows = np.flatnonzero(dataset.mature & dataset.label)
    newest = rows[np.lexsort((dataset.as_of[rows], dataset.entity[rows]))][::-1]
    last = np.unique(dataset.entity[newest], return_index=True)[1]
    found = np.zeros(len(dataset), bool)
    found[newest[last]] = True
    return found


def temporal_split(dataset: "Dataset", horizon_days: int, spec: FoldSpec) -> Split:
    """Divide the mature rows by whole as_of times.

    A row is purged from its fold if as_of + horizon + embargo > the next fold's first as_of, so
    label windows [as_of, as_of + horizon) never overlap the next fold.

    Raises
    ------
    NotEnoughHistory
        When no pair of boundaries gives each fold `min_positives` conversions.
    """
    gap = (horizon_days + spec.embargo_days) * DAY_US
    as_of, mature = dataset.as_of, dataset.mature
    times = np.unique(as_of[mature])
    place = np.searchsorted(times, as_of[conversions(dataset)])
    per_time = np.bincount(place, minlength=len(times))
    boundaries = _boundaries(times, per_time, gap, spec)
    if boundaries is None:
        n, least = int(per_time.sum()), spec.min_positives
        few = n < len(FOLDS) * least
        reason = "There are too few conversions" if few else "The history is too short"
        remedy = (
            "Wait for more, bring a longer history, or look whether conversion.events names the "
            "right event."
        )
        if not few:
            remedy = "Bring a longer history or shorten horizon_days."
        raise NotEnoughHistory(
            f"{reason} to train, calibrate and test: {n} in {int(mature.sum())} rows with a known "
            f"outcome, at {len(times)} dates {_range(times)}; each of the three needs {least} "
            f"(evaluation.folds.min_positives), and {gap // DAY_US} days lie between them. "
            f"{remedy}{_dates_given(spec)}"
        )
    starts = [times[0], *boundaries]
    ends = [*boundaries, np.iinfo(np.int64).max]
    in_fold = [mature & (as_of >= a) & (as_of < b) for a, b in zip(starts, ends, strict=True)]
    kept = [
        rows & (as_of <= end - gap) if end in boundaries else rows
        for rows, end in zip(in_fold, ends, strict=True)
    ]
    folds = tuple(
        _fold(name, dataset, rows, int(whole.sum()))
        for name, rows, whole in zip(FOLDS, kept, in_fold, strict=True)
    )
    train, calibrate, test = kept
    return Split(train, calibrate, test, folds)


def _fold(name: str, dataset: "Dataset", rows: np.ndarray, whole: int) -> Fold:
    as_of = dataset.as_of[rows]
    return Fold(
        name,
        int(as_of.min()),
        int(as_of.max()),
        rows=len(as_of),
        positives=int(dataset.label[rows].sum()),
        entities=len(np.unique(dataset.entity[rows])),
        purged=whole - len(as_of),
    )


def _boundaries(
    times: np.ndarray, positives: np.ndarray, gap: int, spec: FoldSpec
) -> tuple[int, int] | None:
    """First as_of of calibrate and of test, nearest to the wished shares; None if none will do."""
    if len(times) < len(FOLDS):
        return None
    if spec.calibrate_from is not None and spec.test_from is not None:
        wished = np.searchsorted(times, [to_us(spec.calibrate_from), to_us(spec.test_from)])
        first, second = np.minimum(wished, len(times) - 1)[:, None]
    else:
        # Irregular as_of times can be as many as rows: try evenly spaced ones.
        tried = np.unique(np.linspace(1, len(times) - 1, _MOST_BOUNDARIES).astype(int))
        first, second = (tried[at] for at in np.triu_indices(len(tried), 1))
    # One past the last kept time of the fold that ends at times[i].
    kept = np.searchsorted(times, times - gap, side="right")
    total = np.concatenate([[0], np.cumsum(positives)])
    counts = np.array(
        [total[kept[first]], total[kept[second]] - total[first], total[-1] - total[second]]
    )
    possible = (kept[first] > 0) & (kept[second] > first) & (second > first)
    possible &= (counts >= spec.min_positives).all(axis=0)
    if not possible.any():
        return None
    # Of those that are not possible a fold may have no day, or less than none.
    first, second = first[possible], second[possible]
    lasts = [kept[first] - 1, kept[second] - 1, np.full(len(first), len(times) - 1)]
    starts = [np.zeros(len(first), int), first, second]
    days = np.array(
        [times[last] - times[start] + DAY_US for last, start in zip(lasts, starts, strict=True)]
    )
    wanted = np.array([[spec.train_share], [spec.calibrate_share], [0.0]])
    wanted[2] = 1 - wanted.sum()
    cost = np.abs(days / days.sum(axis=0) - wanted).sum(axis=0)
    best = int(np.argmin(cost))
    return int(times[first[best]]), int(times[second[best]])


def _range(times: np.ndarray) -> str:
    return f"({to_text(times[0])} to {to_text(times[-1])})" if len(times) else "(none)"


def _dates_given(spec: FoldSpec) -> str:
    if spec.calibrate_from is None:
        return ""
    return f" The folds' dates are {spec.calibrate_from} and {spec.test_from}; check them."
