"""What became of scores once their labels were mature: calibration and lift by tier and month."""

from dataclasses import dataclass

import numpy as np

from models.judging.bootstrap import interval
from models.judging.curves import effective_rows, wilson

_Z = 1.959963984540054


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
    to_come_error
        float64, shape (n,): standard error of `to_come` from having seen few delays; rows share
        it, so it adds up. None for none.
    as_of
        int64, shape (n,): of each row. None takes all as of one date.
    """

    probability: np.ndarray
    tier: np.ndarray
    month: np.ndarray
    label: np.ndarray
    to_come: np.ndarray
    cluster: np.ndarray
    to_come_error: np.ndarray | None = None
    as_of: np.ndarray | None = None

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
            None if self.to_come_error is None else self.to_come_error[rows],
            None if self.as_of is None else self.as_of[rows],
        )


@dataclass(frozen=True)
class Realised:
    """One tier, or all, in one month, or in all.

    Parameters
    ----------
    tier, month
        ``all`` for all of them.
    conversions, converting
        Rows that converted as far as known, and accounts that have such a row: one account counts
        on as many nights as it was scored.
    expected
        Accounts that were to convert by what was promised, at least: the sum over accounts of the
        highest probability given.
    promised, converted
        Mean probability, and share of rows that converted as far as known.
    low, high
        95 % interval of `converted` (Wilson, on the effective number of rows).
    to_come
        Conversions that have probably happened in these rows and are not known yet.
    ratio, ratio_low, ratio_high
        Conversions, those to come included, over the sum of probabilities; 1 is calibrated. 95 %
        interval of `_ratio_interval`.
    lift, lift_low, lift_high
        `converted` over that of all tiers in the same month. 95 % bootstrap interval.
    """

    month: str
    tier: str
    rows: int
    accounts: int
    conversions: int
    converting: int
    expected: float
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

    For lifts whole accounts are drawn with replacement (pairs cluster bootstrap), all tiers of a
    month on the same draws, so that a lift's two parts vary together.

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
        error = 0.0 if rows.to_come_error is None else float(rows.to_come_error[mask].sum())
        rate = _ratio_interval(
            ratio, sums[sums[:, 0, at] > 0, :, at].T, _size(rows.take(mask)), error
        )
        rise = interval(draws[:, at])
        if not label.any():
            # Rows drawn again from none that converted never convert: Wilson's end goes further.
            rise = (0.0, high / rows.label.mean() if rows.label.any() else float("nan"))
        found.append(
            Realised(
                month=month,
                tier=tier,
                rows=int(mask.sum()),
                accounts=len(np.unique(rows.cluster[mask])),
                conversions=int(label.sum()),
                converting=len(np.unique(rows.cluster[mask][label])),
                expected=_expected(rows.probability[mask], rows.cluster[mask]),
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


def _expected(probability: np.ndarray, cluster: np.ndarray) -> float:
    _, member = np.unique(cluster, return_inverse=True)
    most = np.zeros(int(member.max(initial=-1)) + 1)
    np.maximum.at(most, member, probability)
    return float(most.sum())


def _size(rows: Outcomes) -> np.ndarray:
    """Most rows of each account on one date: how many convert with it, if all do.

    Nights do not count: who converts is not scored again, and would seem small by that.
    """
    codes, member = np.unique(rows.cluster, return_inverse=True)
    dates = np.zeros(len(rows), int) if rows.as_of is None else rows.as_of
    _, date = np.unique(dates, return_inverse=True)
    night, count = np.unique(member + len(codes) * date, return_counts=True)
    size = np.zeros(len(codes))
    np.maximum.at(size, night % len(codes), count)
    return size


def _ratio_interval(
    ratio: float, parts: np.ndarray, size: np.ndarray, error: float
) -> tuple[float, float]:
    """95 % interval of conversions over promised ones.

    All ratios r that lie within 1.96 standard errors of the one found, where the variance of
    conversions is r v + error^2: what r itself would bring, as in Wilson's interval, so that few
    conversions do not look certain. v is the largest of three: what the accounts' residuals show
    (cluster-robust), what they show of accounts of these sizes, and that of independent rows. The
    first is too small where a few large accounts hold most rows and just have not converted. So
    the second lets accounts of all sizes tell how variance grows with their size: binomial
    variance (a + b size), by weighted least squares (generalised variance function: Wolter 2007,
    "Introduction to variance estimation", chapter 7).

    Parameters
    ----------
    parts
        Of `_sums`, of one cell and the clusters that have rows there, shape (5, n_clusters).
    size
        Of `_size`, shape (n_clusters,).
    error
        Standard error of the number still to come.
    """
    rows, _, told, promised, squared = parts
    total, clusters = promised.sum(), len(rows)
    if not total:
        return float("nan"), float("nan")
    chance = promised - min(ratio, 1.0) * squared
    if ratio and clusters > 1:
        residual = clusters / (clusters - 1) * (told - ratio * promised) ** 2 / ratio
        unit = max(residual.sum(), _by_size(residual, chance, size), chance.sum())
    else:
        # No variance to see: all rows of an account share their luck.
        unit = (chance * rows).sum()
    spread = _Z**2 * unit / total**2
    half = np.sqrt(spread * ratio + spread**2 / 4 + (_Z * error / total) ** 2)
    centre = ratio + spread / 2
    return max(0.0, float(centre - half)), float(centre + half)


def _by_size(residual: np.ndarray, chance: np.ndarray, size: np.ndarray) -> float:
    """Sum of the variances chance (a + b size) that fit squared residuals best, a and b >= 0.

    Weights are 1 / (chance size^3), about the inverse variances of the squares where rows of an
    account convert together.
    """
    of_a, of_both, of_b = ((chance / size**power).sum() for power in (3, 2, 1))
    found_a, found_b = ((residual / size**power).sum() for power in (3, 2))
    singular = of_a * of_b - of_both**2
    a = b = 0.0
    if singular > 1e-9 * of_a * of_b:
        a = (found_a * of_b - found_b * of_both) / singular
        b = (found_b * of_a - found_a * of_both) / singular
    if a <= 0:
        a, b = 0.0, found_b / of_b
    elif b < 0:
        a, b = found_a / of_a, 0.0
    return float((chance * (a + b * size)).sum())


def _sums(rows: Outcomes, inside: list[np.ndarray]) -> np.ndarray:
    """Of each account and cell five sums, shape (n_clusters, 5, n_cells).

    Rows, conversions, those with what is to come, probabilities, and squares of those.
    """
    _, member = np.unique(rows.cluster, return_inverse=True)
    n = int(member.max(initial=-1)) + 1
    ones, label = np.ones(len(rows)), rows.label.astype(float)
    parts = (ones, label, label + rows.to_come, rows.probability, rows.probability**2)
    sums = np.zeros((n, len(parts), len(inside)))
    for at, mask in enumerate(inside):
        for which, values in enumerate(parts):
            sums[:, which, at] = np.bincount(member[mask], values[mask], minlength=n)
    return sums


def _measures(sums: np.ndarray) -> np.ndarray:
    """Ratio to what was promised and lift of each cell, shape (2, n_cells).

    The last cell holds all rows.
    """
    rows, label, all_told, promised, _ = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        converted = label / rows
        return np.array([all_told / promised, converted / converted[-1]])


def _draws(sums: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    """Lifts, shape (n_bootstrap, n_cells); NaN where a draw has none."""
    rng = np.random.default_rng(seed)
    n = len(sums)
    flat = sums.reshape(n, -1)
    draws = np.empty((n_bootstrap, sums.shape[2]))
    for draw in draws:
        weight = np.bincount(rng.integers(n, size=n), minlength=n)
        lift = _measures((weight @ flat).reshape(sums.shape[1:]))[1]
        draw[:] = np.where(np.isfinite(lift), lift, np.nan)
    return draws
