"""Reliability and gain curves: the tables behind the two plots of every evaluation."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from models.metrics import CALIBRATION_BINS, Bins, Ranking

_Z = 1.959963984540054
_MOST_GAIN_POINTS = 200
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class ReliabilityRow:
    """Rows of similar probability: what was predicted, what happened, and how sure that is."""

    group: str
    rows: int
    predicted: float
    observed: float
    low: float
    high: float


def reliability(
    label: np.ndarray,
    probability: np.ndarray,
    n_bins: int = CALIBRATION_BINS,
    cluster: np.ndarray | None = None,
) -> list[ReliabilityRow]:
    """Mean predicted and observed rate per equal-count bin, from the lowest probability up.

    Equal probabilities share a bin, so there may be fewer than `n_bins`.

    Parameters
    ----------
    cluster
        Shape (n,): rows of one cluster hang together and widen the interval (`effective_rows`).
        None takes rows as independent.
    """
    of_row = Bins(label, probability, n_bins).of_rows()
    inside = [of_row == number for number in np.unique(of_row)]
    return [_row(str(at + 1), rows, label, probability, cluster) for at, rows in enumerate(inside)]


def reliability_by(
    label: np.ndarray,
    probability: np.ndarray,
    group: np.ndarray,
    order: tuple[str, ...],
    cluster: np.ndarray | None = None,
) -> list[ReliabilityRow]:
    """The same per named group, such as tiers; groups without rows are left out."""
    inside = {name: group == name for name in order}
    return [
        _row(name, rows, label, probability, cluster) for name, rows in inside.items() if rows.any()
    ]


def _row(
    group: str,
    inside: np.ndarray,
    label: np.ndarray,
    probability: np.ndarray,
    cluster: np.ndarray | None,
) -> ReliabilityRow:
    rows, observed = int(inside.sum()), float(label[inside].mean())
    counted = rows if cluster is None else effective_rows(label[inside], cluster[inside])
    low, high = wilson(observed * counted, counted)
    return ReliabilityRow(group, rows, float(probability[inside].mean()), observed, low, high)


def effective_rows(label: np.ndarray, cluster: np.ndarray) -> float:
    """How many independent rows tell as much about the share of positives as these.

    p (1 - p) over the cluster-robust variance of the share, in [effective clusters / 2, rows]
    (clusters of equal size that would weigh as much; Korn & Graubard 1998, "Confidence intervals
    for proportions with small expected number of positive counts"), and no more than the
    intra-class correlation leaves of clusters of these sizes (Kish 1965, section 8.2; the
    correlation by one-way analysis of variance): that variance sees only the clusters that convert,
    and the large ones may just not have. Where all outcomes are equal there is no variance to see:
    each cluster counts once. A percentile bootstrap has no width there, and too little with a
    handful of positives.

    >>> effective_rows(np.array([True, True, False, False]), np.array([1, 1, 2, 2]))
    1.0
    """
    _, member = np.unique(cluster, return_inverse=True)
    clusters, share = int(member.max()) + 1, float(label.mean())
    if not 0 < share < 1:
        return float(clusters)
    by_cluster = np.bincount(member, label - share)
    # The usual correction for few clusters; one cluster alone has no variance to see.
    correction = clusters / (clusters - 1) if clusters > 1 else np.inf
    variance = correction * float((by_cluster**2).sum()) / len(label) ** 2
    counted = share * (1 - share) / variance if variance else float(len(label))
    counted = min(counted, len(label) / _design_effect(label, member))
    least = len(label) ** 2 / float((np.bincount(member) ** 2).sum()) / 2
    return float(np.clip(counted, least, len(label)))


def _design_effect(label: np.ndarray, member: np.ndarray) -> float:
    """How many times rows of unequal clusters repeat each other: 1 + correlation (size - 1)."""
    size = np.bincount(member)
    n, k = len(label), len(size)
    if k < 2 or k == n:
        return 1.0
    mean = np.bincount(member, label) / size
    between = float((size * (mean - label.mean()) ** 2).sum()) / (k - 1)
    within = float(((label - mean[member]) ** 2).sum()) / (n - k)
    typical = (n - (size**2).sum() / n) / (k - 1)
    whole = between + (typical - 1) * within
    correlation = np.clip((between - within) / whole, 0, 1) if whole > 0 else 0.0
    return float(1 + correlation * ((size**2).sum() / n - 1))


def wilson(positives: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); it has width even at 0 of n.

    >>> [round(x, 3) for x in wilson(0, 10)]
    [0.0, 0.278]
    """
    share, spread = positives / n, _Z * _Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def gain_curve(label: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Share of rows taken from the top, and share of conversions among them, shape (m, 2).

    From (0, 0) to (1, 1), at most 201 points; a block of equal scores is one straight line.
    """
    positive, total = Ranking(label, score).masses()
    taken = np.r_[0.0, np.cumsum(total)] / total.sum()
    found = np.r_[0.0, np.cumsum(positive)] / max(positive.sum(), 1)
    grid = np.linspace(0, 1, _MOST_GAIN_POINTS + 1)
    return np.column_stack([grid, np.interp(grid, taken, found)])


@dataclass(frozen=True)
class PerfectError:
    """What calibration errors perfectly calibrated probabilities would show: mean, 95 % of them."""

    mean: float
    low: float
    high: float


def calibration_error_if_perfect(
    probability: np.ndarray,
    entity: np.ndarray,
    as_of: np.ndarray,
    *,
    horizon_days: int,
    draws: int = 200,
    seed: int = 0,
    n_bins: int = CALIBRATION_BINS,
) -> PerfectError:
    """The expected calibration error of these probabilities if every one of them were true.

    Outcomes are drawn from the probabilities (consistency resampling: Broecker & Smith 2007,
    "Increasing the reliability of reliability diagrams"). Label windows of one entity's
    neighbouring rows overlap, so their outcomes hang together: rows of one entity in one stretch
    of a horizon share their luck, and where stretches begin is drawn anew. Rows that lie d days
    apart thus share it as often as their windows overlap, 1 - d / horizon.

    Parameters
    ----------
    probability, entity, as_of
        Shape (n,), as_of in microseconds UTC.

    Raises
    ------
    ValueError
        When there are no rows.
    """
    if not len(probability):
        raise ValueError("There are no rows to judge a calibration on.")
    rng = np.random.default_rng(seed)
    of_row = Bins(np.zeros(len(probability)), probability, n_bins).of_rows()
    predicted = np.bincount(of_row, probability, n_bins)
    order = np.lexsort((as_of, entity))
    who, when, horizon = entity[order], as_of[order], horizon_days * DAY_US
    errors = np.empty(draws)
    for draw in range(draws):
        stretch = (when - rng.integers(horizon)) // horizon
        begins = np.r_[True, (np.diff(who) != 0) | (np.diff(stretch) != 0)]
        luck = np.empty(len(order))
        luck[order] = rng.random(int(begins.sum()))[np.cumsum(begins) - 1]
        observed = np.bincount(of_row, luck < probability, n_bins)
        errors[draw] = np.abs(predicted - observed).sum() / len(order)
    low, high = np.percentile(errors, _INTERVAL)
    return PerfectError(float(errors.mean()), float(low), float(high))
