"""What became of scores once their labels were mature: calibration and lift by tier and month."""

from dataclasses import dataclass

import numpy as np

from models.judging.bootstrap import interval
from models.judging.curves import effective_rows, wilson


@dataclass(frozen=True)
class Outcomes:
    """Scored rows whose horizon lies before the date of monitoring.

    Parameters
    ----------
    probability
        float64, shape (n,): as it was given.
    tier, month
        object arrays of str, shape (n,): the tier given, and the month of as_of as ``2024-06``.
    label
        bool, shape (n,): converted within the horizon, as far as known.
    to_come
        float64, shape (n,): conversions that this row's known one stands for beside itself
        (`models.monitoring.delays`), 0 where there is none.
    cluster
        int64, shape (n,): rows of one account hang together.
    """

    probability: np.ndarray
    tier: np.ndarray
    month: np.ndarray
    label: np.ndarray
    to_come: np.ndarray
    cluster: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: np.ndarray) -> "Outcomes":
        """The rows of a boolean mask."""
        return Outcomes(
            self.probability[rows],
            self.tier[rows],
            self.month[rows],
            self.label[rows],
            self.to_come[rows],
            self.cluster[rows],
        )


@dataclass(frozen=True)
class Realised:
    """One tier, or all, in one month, or in all.

    Parameters
    ----------
    tier, month
        ``all`` for all of them.
    promised, converted
        Mean probability, and share of rows that converted as far as known.
    low, high
        95 % interval of `converted` (Wilson, on the effective number of rows).
    to_come
        Conversions that have probably happened in these rows and are not known yet.
    ratio, ratio_low, ratio_high
        Conversions, those to come included, over the sum of probabilities; 1 is calibrated.
    lift, lift_low, lift_high
        `converted` over that of all tiers in the same month.
    """

    month: str
    tier: str
    rows: int
    accounts: int
    conversions: int
    promised: float
    converted: float
    low: float
    high: float
    to_come: float
    ratio: float
    ratio_low: float
    ratio_high: float
    lift: float
    lift_low: float
    lift_high: float


ALL = "all"


def realised(
    rows: Outcomes, tiers: tuple[str, ...], *, n_bootstrap: int, seed: int
) -> list[Realised]:
    """Every month and all months, by tier and together, with 95 % intervals.

    For ratios and lifts whole accounts are drawn with replacement (pairs cluster bootstrap), all
    tiers of a month on the same draws, so that a lift's two parts vary together.

    Parameters
    ----------
    tiers
        In the order wanted. Tiers without rows in a month are left out.
    """
    found = []
    for month in np.unique(rows.month):
        part = rows.take(rows.month == month)
        found += _tiers_of(part, str(month), tiers, n_bootstrap, seed)
    return found + (_tiers_of(rows, ALL, tiers, n_bootstrap, seed) if len(rows) else [])


def _tiers_of(
    rows: Outcomes, month: str, tiers: tuple[str, ...], n_bootstrap: int, seed: int
) -> list[Realised]:
    named = [tier for tier in tiers if (rows.tier == tier).any()]
    inside = [rows.tier == tier for tier in named] + [np.ones(len(rows), bool)]
    sums = _sums(rows, inside)
    point = _measures(sums.sum(axis=0))
    draws = _draws(sums, n_bootstrap, seed)
    found = []
    for at, (tier, mask) in enumerate(zip([*named, ALL], inside, strict=True)):
        ratio, lift = (float(value) for value in point[:, at])
        converted = float(rows.label[mask].mean())
        promised, label = float(rows.probability[mask].mean()), rows.label[mask]
        counted = effective_rows(label, rows.cluster[mask])
        low, high = wilson(converted * counted, counted)
        rate, rise = (interval(draws[:, which, at]) for which in range(2))
        if not label.any():
            # Rows drawn again from none that converted never convert: Wilson's end goes further.
            rate, rise = (0.0, high / promised), (0.0, _over(high, float(rows.label.mean())))
        found.append(
            Realised(
                month=month,
                tier=tier,
                rows=int(mask.sum()),
                accounts=len(np.unique(rows.cluster[mask])),
                conversions=int(label.sum()),
                promised=promised,
                converted=converted,
                low=low,
                high=high,
                to_come=float(rows.to_come[mask].sum()),
                ratio=ratio,
                ratio_low=rate[0],
                ratio_high=rate[1],
                lift=lift,
                lift_low=rise[0],
                lift_high=rise[1],
            )
        )
    return found


def _over(share: float, base: float) -> float:
    return share / base if base else float("nan")


def _sums(rows: Outcomes, inside: list[np.ndarray]) -> np.ndarray:
    """Rows, conversions, those with what is to come, and probabilities of each account and cell.

    Shape (n_clusters, 4, n_cells).
    """
    _, member = np.unique(rows.cluster, return_inverse=True)
    n = int(member.max(initial=-1)) + 1
    ones, label = np.ones(len(rows)), rows.label.astype(float)
    parts = (ones, label, label + rows.to_come, rows.probability)
    sums = np.zeros((n, len(parts), len(inside)))
    for at, mask in enumerate(inside):
        for which, values in enumerate(parts):
            sums[:, which, at] = np.bincount(member[mask], values[mask], minlength=n)
    return sums


def _measures(sums: np.ndarray) -> np.ndarray:
    """Ratio to what was promised and lift of each cell, shape (2, n_cells).

    The last cell holds all rows.
    """
    rows, label, all_told, promised = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        converted = label / rows
        return np.array([all_told / promised, converted / converted[-1]])


def _draws(sums: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = len(sums)
    flat = sums.reshape(n, -1)
    draws = np.empty((n_bootstrap, 2, sums.shape[2]))
    for draw in draws:
        weight = np.bincount(rng.integers(n, size=n), minlength=n)
        measured = _measures((weight @ flat).reshape(sums.shape[1:]))
        draw[:] = np.where(np.isfinite(measured), measured, np.nan)
    return draws
