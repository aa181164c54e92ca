"""Contenders on the same rows: every metric with an interval, and their paired differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.metrics import (
    LIFT_SHARES,
    PRECISION_SHARES,
    Bins,
    Ranking,
    area_under_roc,
    average_precision,
    lifts,
    precisions,
    row_log_loss,
)

if TYPE_CHECKING:
    import pandas as pd

METRICS = (
    "roc_auc",
    "pr_auc",
    *LIFT_SHARES,
    *PRECISION_SHARES,
    "precision_at_capacity",
    "brier",
    "log_loss",
    "calibration_error",
    "max_calibration_error",
    "calibration_in_the_large",
)
"""In the order of the table. Calibration in the large is mean probability minus base rate."""

INTERVAL = (2.5, 97.5)
"""Percentiles of the 95 % interval."""


def signed(value: float) -> str:
    """With three decimals, and more where the sign of a small number would be lost.

    >>> signed(0.05), signed(-0.0004), signed(0.0)
    ('+0.050', '-0.0004', '0.000')
    """
    for decimals in (3, 4, 5, 6):
        text = f"{value:+.{decimals}f}"
        if float(text):
            return text
    return "0.000"


def pr_auc_difference(table: "pd.DataFrame", contender: str) -> tuple[float, float, str]:
    """Both ends of the 95 % interval of the first contender minus this one, and all in words.

    Parameters
    ----------
    table
        Of `evaluate`.
    """
    row = table[(table["metric"] == "pr_auc") & (table["contender"] == contender)].iloc[0]
    low, high = row["difference_low"], row["difference_high"]
    told = (
        f"PR-AUC difference {signed(row['difference'])}, 95 % interval {signed(low)} to "
        f"{signed(high)}"
    )
    return low, high, told


@dataclass(frozen=True)
class Contender:
    """What ranks the rows, and what claims their probability; both float64, shape (n,).

    They differ for the scorecard: points rank, a map of points predicts.
    """

    score: np.ndarray
    probability: np.ndarray


class _Judged:
    """A contender with everything sorted that does not depend on weights."""

    def __init__(self, label: np.ndarray, as_of: np.ndarray, capacity: int, who: Contender):
        self._capacity = capacity
        self._gap = who.probability - label
        self._log_loss = row_log_loss(label, who.probability)
        self._bins = Bins(label, who.probability)
        self._ranking = Ranking(label, who.score)
        self._by_date = Ranking(label, who.score, as_of)

    def measure(self, weight: np.ndarray) -> list[float]:
        """Values of `METRICS`."""
        masses = self._ranking.masses(weight)
        mean = weight / weight.sum()
        return [
            area_under_roc(*masses),
            average_precision(*masses),
            *lifts(*masses, list(LIFT_SHARES.values())),
            *precisions(*masses, list(PRECISION_SHARES.values())),
            self._by_date.precision_at(self._capacity, weight),
            float((mean * self._gap**2).sum()),
            float((mean * self._log_loss).sum()),
            *self._bins.errors(weight),
            float((mean * self._gap).sum()),
        ]


def evaluate(
    label: np.ndarray,
    contenders: Mapping[str, Contender],
    entity: np.ndarray,
    as_of: np.ndarray,
    *,
    capacity: int,
    n_bootstrap: int,
    seed: int,
) -> "pd.DataFrame":
    """All metrics of all contenders on the same rows, with 95 % intervals.

    Whole entities are drawn with replacement (pairs cluster bootstrap: Field & Welsh 2007,
    "Bootstrapping clustered data"), because rows of one entity repeat each other; intervals are
    percentiles. All contenders are measured on the same draws, so differences are paired.

    Parameters
    ----------
    capacity
        Rows that sales can work per as_of.

    Returns
    -------
    DataFrame
        ``metric, contender, value, low, high, difference, difference_low, difference_high``;
        difference is the first contender's value minus this one's, NaN for the first itself.
    """
    import pandas as pd

    judged = [_Judged(label, as_of, capacity, who) for who in contenders.values()]
    values = np.array([who.measure(np.ones(len(label))) for who in judged])
    draws = _draws(judged, entity, n_bootstrap, seed)
    rows = []
    for place, metric in enumerate(METRICS):
        for at, name in enumerate(contenders):
            gap = draws[:, 0, place] - draws[:, at, place]
            rows.append(
                (metric, name, values[at, place], *interval(draws[:, at, place]))
                + ((values[0, place] - values[at, place], *interval(gap)) if at else (np.nan,) * 3)
            )
    names = ["metric", "contender", "value", "low", "high"]
    return pd.DataFrame(rows, columns=[*names, "difference", "difference_low", "difference_high"])


def _draws(judged: list[_Judged], entity: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    """Metrics of each draw, shape (n_bootstrap, n_contenders, n_metrics)."""
    rng = np.random.default_rng(seed)
    codes, member = np.unique(entity, return_inverse=True)
    draws = np.empty((n_bootstrap, len(judged), len(METRICS)))
    for draw in draws:
        weight = np.bincount(rng.integers(len(codes), size=len(codes)), minlength=len(codes))
        draw[:] = [who.measure(weight[member]) for who in judged]
    return draws


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the draws that have a value; NaN where none has."""
    known = draws[~np.isnan(draws)]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return float(low), float(high)
