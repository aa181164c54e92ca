"""The rolling-origin backtest: every fold's model and scorecard judged on what came after it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.dataset import Dataset
from models.judging.bootstrap import Contender, evaluate
from models.judging.curves import (
    PerfectError,
    ReliabilityRow,
    calibration_error_if_perfect,
    reliability,
    reliability_by,
)
from models.judging.evaluation import verdict
from models.judging.out_of_fold import Entrant, OutOfFold, out_of_fold
from models.scoring import TIERS
from models.splits import Split

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldResult:
    """One fold: its parts, and `models.judging.bootstrap.evaluate` of its test rows."""

    split: Split
    base_rate: float
    converting: int
    table: "pd.DataFrame"


@dataclass(frozen=True)
class Backtest:
    """What all folds say.

    Parameters
    ----------
    table
        `models.judging.bootstrap.evaluate` of the test rows of all folds together; differences are
        model minus the other. Intervals are over clusters, with the fitted models as they are.
    converting
        Accounts (or entities without one) that convert in the test rows.
    reliability, tiers
        By contender: per bin, and per tier; intervals by cluster.
    if_perfect
        By contender: the calibration error that its probabilities would show if all were true.
    verdict
        One sentence on model and scorecard.
    """

    folds: tuple[FoldResult, ...]
    table: "pd.DataFrame"
    base_rate: float
    converting: int
    reliability: dict[str, list[ReliabilityRow]]
    tiers: dict[str, list[ReliabilityRow]]
    if_perfect: dict[str, PerfectError]
    verdict: str
    out_of_fold: OutOfFold


def backtest(
    splits: Sequence[Split],
    dataset: Dataset,
    entrants: Mapping[str, Entrant],
    *,
    horizon_days: int,
    capacity: int,
    n_bootstrap: int = 500,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Fit and judge all entrants on each fold of `models.judging.rolling.rolling_folds`.

    Parameters
    ----------
    entrants
        ``model`` first: differences are model minus the other; ``scorecard`` among them.
    capacity
        Rows that sales can work per as_of.
    progress
        Called with (steps done, steps in all).

    Raises
    ------
    NotEnoughHistory
        When a fold's conversions are too few to learn or to calibrate from.
    """
    steps = _Steps(len(splits) * (len(entrants) + 1) + 1, progress)
    found = out_of_fold(splits, dataset, entrants, steps.one_more)

    def judge(contenders: Mapping[str, Contender], rows: np.ndarray) -> "pd.DataFrame":
        taken = {
            name: Contender(who.score[rows], who.probability[rows])
            for name, who in contenders.items()
        }
        table = evaluate(
            found.rows.label[rows],
            taken,
            found.cluster[rows],
            found.rows.as_of[rows],
            capacity=capacity,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        steps.one_more()
        return table

    label, cluster = found.rows.label, found.cluster
    folds = []
    for number, split in enumerate(splits):
        rows = found.fold == number
        rate, converting = float(label[rows].mean()), _clusters(cluster, label & rows)
        folds.append(FoldResult(split, rate, converting, judge(found.scores, rows)))
    table, converting = judge(found.pooled, np.ones(len(label), bool)), _clusters(cluster, label)
    told = verdict(table, converting)
    log.info("Backtest: %d folds, %d rows: %s", len(splits), len(label), told)
    probability = {name: who.probability for name, who in found.scores.items()}
    return Backtest(
        folds=tuple(folds),
        table=table,
        base_rate=float(label.mean()),
        converting=converting,
        reliability={
            name: reliability(label, probability[name], cluster=cluster) for name in found.tier
        },
        tiers={
            name: reliability_by(label, probability[name], tier, TIERS, cluster)
            for name, tier in found.tier.items()
        },
        if_perfect={
            name: calibration_error_if_perfect(
                values,
                found.rows.entity,
                found.rows.as_of,
                horizon_days=horizon_days,
                seed=seed,
            )
            for name, values in probability.items()
        },
        verdict=told,
        out_of_fold=found,
    )


def _clusters(cluster: np.ndarray, rows: np.ndarray) -> int:
    return len(np.unique(cluster[rows]))


class _Steps:
    """Counts what is done."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None):
        self._done, self._total, self._progress = 0, total, progress

    def one_more(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
