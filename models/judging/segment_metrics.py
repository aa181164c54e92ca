"""How a score does within each segment, with what it takes to say that one stands out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from models.judging.bootstrap import Contender, interval
from models.judging.parts import PART_METRICS, Part, draw_parts
from models.judging.segments import Segmentation, SegmentSpec

if TYPE_CHECKING:
    import pandas as pd

SEGMENT_METRICS = (
    "base_rate",
    "mean_probability",
    "calibration_in_the_large",
    "roc_auc",
    "pr_auc_over_base_rate",
    "lift_10pct",
)
ALL_ROWS = "all rows"
_ROC = PART_METRICS.index("roc_auc")


def measure_segments(
    label: np.ndarray,
    who: Contender,
    cluster: np.ndarray,
    divided: Sequence[Segmentation],
    spec: SegmentSpec,
    *,
    n_bootstrap: int,
    seed: int,
) -> "pd.DataFrame":
    """Metrics of a score within each segment of the same rows, all arrays of shape (n,).

    Returns
    -------
    DataFrame
        First all rows, then segment by segment: ``of, segment, rows, positives, converting``
        (clusters), each of `SEGMENT_METRICS` with ``_low`` and ``_high`` (95 %, over draws of
        clusters), ``expected_rate``, ``others_roc_auc``, ``calibration_p`` and ``ranking_p``, NaN
        where too few convert to test:

        - ``expected_rate`` is the mean probability once all probabilities are moved by one shift
          of log-odds to the base rate of all rows: what is wrong everywhere is no segment's fault.
        - ``calibration_p`` is two-sided, of the segment's conversions against that expectation.
        - ``ranking_p`` is one-sided, of the segment's ROC-AUC against ``others_roc_auc``, the mean
          within the other segments of the same column. The ROC-AUC of all rows would be no
          fair mark: it also counts what telling the segments apart is worth.
    """
    import pandas as pd

    level = _to_base_rate(who.probability, label)
    masks = [np.ones(len(label), bool)]
    masks += [one.member == at for one in divided for at in range(len(one.order))]
    parts = [_part(rows, label, who, cluster) for rows in masks]
    draws = draw_parts(parts, n_bootstrap, seed)
    values = np.array([part.measure() for part in parts])
    table = pd.DataFrame(
        [_described(*row) for row in zip(parts, values, draws.swapaxes(0, 1), strict=True)]
    )
    names = [(one.of, name) for one in divided for name in one.order]
    table.insert(0, "of", ["", *(of for of, _ in names)])
    table.insert(1, "segment", [ALL_ROWS, *(name for _, name in names)])
    table["expected_rate"] = [float(level[rows].mean()) for rows in masks]
    table["calibration_p"] = [_calibration_p(rows, label, level, cluster, spec) for rows in masks]
    table["others_roc_auc"] = table["ranking_p"] = np.nan
    first = 1
    for one in divided:
        rows = np.arange(first, first + len(one.order))
        first += len(one.order)
        for at in rows.tolist():
            found = _ranking(parts, values[:, _ROC], draws[:, :, _ROC], at, rows[rows != at], spec)
            table.loc[at, ["others_roc_auc", "ranking_p"]] = found
    return table


def _part(rows: np.ndarray, label: np.ndarray, who: Contender, cluster: np.ndarray) -> Part:
    return Part(label[rows], Contender(who.score[rows], who.probability[rows]), cluster[rows])


def _described(part: Part, values: np.ndarray, draws: np.ndarray) -> dict[str, float]:
    row: dict[str, float] = {
        "rows": len(part.label),
        "positives": int(part.label.sum()),
        "converting": part.converting,
    }
    for metric in SEGMENT_METRICS:
        place = PART_METRICS.index(metric)
        low, high = interval(draws[:, place])
        row |= {metric: values[place], f"{metric}_low": low, f"{metric}_high": high}
    return row


def _to_base_rate(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Probabilities after the one shift of log-odds that makes their mean the base rate."""
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    rate = float(label.mean())
    if not 0 < rate < 1:
        return np.full(len(label), rate)
    odds = logit(np.clip(probability, 1e-12, 1 - 1e-12))
    return expit(odds + brentq(lambda shift: expit(odds + shift).mean() - rate, -60, 60))


def _rows_per_conversion(label: np.ndarray, cluster: np.ndarray) -> float:
    """How many rows one conversion turns positive: E[m^2] / E[m] over converting clusters.

    Conversions that each make m rows positive are a compound Poisson process, whose variance is
    its mean times this (Daley & Vere-Jones 2003, section 2.4).
    """
    _, m = np.unique(cluster[label], return_counts=True)
    return float((m**2).sum() / m.sum()) if len(m) else 1.0


def _calibration_p(
    rows: np.ndarray,
    label: np.ndarray,
    expected: np.ndarray,
    cluster: np.ndarray,
    spec: SegmentSpec,
) -> float:
    """Whether this many of all conversions would fall on these rows, by what is expected.

    Two Poisson means given their sum (Przyborowski & Wilenski 1940), mid-p, in effective numbers:
    positive rows over rows per conversion. The variance is that of the expectation, not of the
    outcome: a segment in which too few convert also varies too little, and would seem certain.
    Few conversions are judged too, if enough were expected.
    """
    from scipy.special import betainc

    found, means = [], []
    for inside in (rows, ~rows):
        enough = len(np.unique(cluster[inside & label])) >= spec.min_converting
        known = inside if enough else np.ones(len(label), bool)
        size = _rows_per_conversion(label[known], cluster[known])
        found.append(float(label[inside].sum()) / size)
        means.append(float(expected[inside].sum()) / size)
    most = max(len(np.unique(cluster[rows & label])), means[0])
    if most < spec.min_converting or not means[1] or not sum(found):
        return float("nan")
    share = means[0] / sum(means)
    # P(X >= found) and P(X > found) of a binomial variable, continued to fractions.
    at_least = betainc(found[0], found[1] + 1, share) if found[0] else 1.0
    above = betainc(found[0] + 1, found[1], share) if found[1] else 0.0
    upper = (at_least + above) / 2
    return float(2 * min(upper, 1 - upper))


def _ranking(
    parts: Sequence[Part],
    values: np.ndarray,
    draws: np.ndarray,
    at: int,
    others: np.ndarray,
    spec: SegmentSpec,
) -> tuple[float, float]:
    """Mean ROC-AUC of the other segments, weighted by conversions, and p of a lower one here.

    The spread comes from the draws. It is a mean over the converting, so with few of them its
    error follows Student's t.
    """
    from scipy.stats import t

    weight = np.array([parts[place].label.sum() for place in others], np.float64)
    weight[np.isnan(values[others])] = 0
    n = min(parts[at].converting, sum(parts[place].converting for place in others))
    if not weight.sum() or np.isnan(values[at]):
        return float("nan"), float("nan")
    mean = float(np.nansum(weight * values[others]) / weight.sum())
    if n < spec.min_converting:
        return mean, float("nan")
    drawn = np.where(np.isnan(draws[:, others]), 0, weight)
    sums = (drawn * np.nan_to_num(draws[:, others])).sum(axis=1), drawn.sum(axis=1)
    gap = draws[:, at] - sums[0] / np.where(sums[1], sums[1], np.nan)
    gap = gap[~np.isnan(gap)]
    error = float(gap.std(ddof=1)) * np.sqrt(n / (n - 1)) if len(gap) > 1 else 0.0
    if not error > 0:
        return mean, float("nan")
    return mean, float(t.cdf((values[at] - mean) / error, n - 1))
