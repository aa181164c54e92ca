"""Folds that walk back through time, so that every stretch of the history is once the future.

A fold trains on the past, calibrates on what follows and is tested on what follows that; the next
older fold asks the same one test window earlier (rolling origin: Tashman 2000, "Out-of-sample tests
of forecasting accuracy"). One as_of a week, horizon_days 14, calibrate_days 28, test_days 28, the
newest known outcome at day 196; first and last as_of of each part:

    fold 1   train 0 .. 98    calibrate 112 .. 133   test 147 .. 168
    fold 2   train 0 .. 126   calibrate 140 .. 161   test 175 .. 196
"""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from features.clock import DAY_US
from features.spec import Spec
from models.splits import FOLDS, Fold, FoldSpec, Split, conversions, temporal_split

if TYPE_CHECKING:
    from models.dataset import Dataset

_TRAIN_PER_TEST = 2
"""The booster holds part of its training rows back and refuses fewer than ten of them."""


class BacktestSpec(Spec):
    """The ``evaluation.backtest:`` block: how many folds, and how long their parts are.

    Where a part would hold fewer than `min_positives` conversions (train: twice as many), this
    gives way, in this order: test, then calibrate, then a train window of `train_days` reach
    further back, date by date; then there are fewer than `folds` folds; and where not even one
    fits, or its train would be shorter than `calibrate_days`, the whole history is divided once,
    60 : 20 : 20 as nearly as conversions allow.
    """

    folds: int = Field(default=4, ge=1)
    """At most so many; the newest are made first."""
    test_days: int = Field(default=28, ge=1)
    """Length of a test part."""
    calibrate_days: int = Field(default=56, ge=1)
    """Length of a calibrate part."""
    train_days: int | None = Field(default=None, ge=1)
    """Length of a train part; none: everything before (an expanding window)."""
    embargo_days: int = Field(default=0, ge=0)
    """Waiting time between parts, on top of the horizon."""
    min_positives: int = Field(default=10, ge=1)
    """A part that had to reach back for its last conversion begins with one, so its base rate
    reads too high by about 1 in this many."""


def rolling_folds(dataset: "Dataset", horizon_days: int, spec: BacktestSpec) -> "tuple[Split, ...]":
    """Train < calibrate < test, walking back from the newest date with mature labels.

    A part of `days` whose last as_of is t holds whole as_of times in (t - days, t]. Test windows
    follow each other without gap or overlap. A row is left out of its part if as_of + horizon +
    embargo > the next part's first as_of, so label windows [as_of, as_of + horizon) never reach
    the next part, and no entity is learned from and judged by one outcome.

    Returns
    -------
    tuple of Split
        Oldest first, at least one. `Fold.purged` counts rows between a part and the next.

    Raises
    ------
    NotEnoughHistory
        When not even one division gives each part `min_positives` conversions.
    """
    history = _History(dataset, horizon_days, spec)
    splits: list[Split] = []
    end = len(history.times)
    while len(splits) < spec.folds and (spans := history.spans(end)) is not None:
        splits.append(_split(dataset, history.times, spans))
        end = spans[-1][0]
    if not splits:
        least = min(spec.min_positives, FoldSpec().min_positives)
        shares = FoldSpec(embargo_days=spec.embargo_days, min_positives=least)
        splits.append(temporal_split(dataset, horizon_days, shares))
    return tuple(reversed(splits))


Span = tuple[int, int]
"""Positions [first, last) in the sorted as_of times."""


class _History:
    """The as_of times with known outcomes, and how many conversions end before each of them."""

    def __init__(self, dataset: "Dataset", horizon_days: int, spec: BacktestSpec):
        self._spec = spec
        self._gap = (horizon_days + spec.embargo_days) * DAY_US
        self.times = np.unique(dataset.as_of[dataset.mature])
        converting = dataset.as_of[conversions(dataset)]
        at_time = np.bincount(np.searchsorted(self.times, converting), minlength=len(self.times))
        self._before = np.concatenate([[0], np.cumsum(at_time)])

    def spans(self, end: int) -> tuple[Span, Span, Span] | None:
        """Train, calibrate and test of the fold whose test window ends before position `end`."""
        spec = self._spec
        test = self._reach_back(end, spec.test_days, spec.min_positives)
        if test is None:
            return None
        calibrate = self._reach_back(
            self._end_before(test), spec.calibrate_days, spec.min_positives
        )
        if calibrate is None:
            return None
        end = self._end_before(calibrate)
        train = self._reach_back(end, spec.train_days, _TRAIN_PER_TEST * spec.min_positives)
        least = min(spec.calibrate_days, spec.train_days or spec.calibrate_days)
        if train is None or self.times[train[1] - 1] - self.times[0] < least * DAY_US:
            return None
        return train, calibrate, test

    def _end_before(self, later: Span) -> int:
        """One past the last time whose label window ends where the later part begins, or before."""
        return int(np.searchsorted(self.times, self.times[later[0]] - self._gap, side="right"))

    def _reach_back(self, end: int, days: int | None, positives: int) -> Span | None:
        """The times in (last - days, last], or more of them with `positives` conversions."""
        if not end or self._before[end] < positives:
            return None
        last = self.times[end - 1]
        wished = (
            0 if days is None else np.searchsorted(self.times, last - days * DAY_US, side="right")
        )
        enough = np.searchsorted(self._before, self._before[end] - positives, side="right") - 1
        return int(min(wished, enough)), end


def _split(dataset: "Dataset", times: np.ndarray, spans: tuple[Span, Span, Span]) -> Split:
    # Position of each row's time; immature rows may lie between or beyond, and are never taken.
    place = np.where(dataset.mature, np.searchsorted(times, dataset.as_of), -1)
    inside = [(place >= first) & (place < last) for first, last in spans]
    next_part = [spans[1][0], spans[2][0], spans[2][1]]
    folds = []
    for name, rows, (_, last), until in zip(FOLDS, inside, spans, next_part, strict=True):
        as_of = dataset.as_of[rows]
        folds.append(
            Fold(
                name,
                int(as_of.min()),
                int(as_of.max()),
                rows=len(as_of),
                positives=int(dataset.label[rows].sum()),
                entities=len(np.unique(dataset.entity[rows])),
                purged=int(((place >= last) & (place < until)).sum()),
            )
        )
    train, calibrate, test = inside
    return Split(train, calibrate, test, tuple(folds))
