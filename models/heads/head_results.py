"""What heads are worth on rows that nothing was chosen on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.labels import Conversions
from models.choosing.walk_forward import paired_gain
from models.dataset import Dataset
from models.heads.account_value import Amounts, value_target
from models.heads.aggregation import AccountScores, Outcomes, aggregate
from models.heads.converters import Converters
from models.heads.heads import Heads
from models.heads.timing import days_target
from models.judging.bootstrap import Contender, evaluate, interval
from models.learners.encoding import values_of

if TYPE_CHECKING:
    import pandas as pd

ACCOUNT, LIKELIEST = "account", "likeliest member"


@dataclass(frozen=True)
class DaysResult:
    """Days said against days taken, over test rows that converted in time.

    Parameters
    ----------
    error, constant_error
        Mean absolute error in days, of the head and of the constant.
    gain_error
        Clustered standard error of their difference.
    inside
        Share of the rows between ``days_low`` and ``days_high``: 0.8 is promised.
    """

    rows: int
    converting: int
    error: float
    constant_error: float
    gain_error: float
    inside: float


@dataclass(frozen=True)
class ValueResult:
    """Sum of expected values against the sum that came, over mature test rows.

    Parameters
    ----------
    unknown
        Rows that converted with an unknown value: they are in neither sum.
    ratio, low, high
        Said / came with a 95 % bootstrap interval over clusters; NaN where nothing came.
    said_each, came_each
        Means per converting row, which leave the probability out; NaN where none converts.
    """

    rows: int
    converting: int
    unknown: int
    said: float
    came: float
    ratio: float
    low: float
    high: float
    said_each: float
    came_each: float


def judge_days(
    heads: Heads, rows: Dataset, conversions: Conversions, data_end: int
) -> DaysResult | None:
    """Rows whose window is over by `data_end`; None without the head, or without such rows."""
    if heads.days is None:
        return None
    head = heads.days
    known = Converters.settled(rows, days_target(rows, conversions, head.within_days), data_end)
    if not len(known.value):
        return None
    said = heads.predict(values_of(known.rows.matrix), np.zeros(len(known.value)))
    days = said["expected_days"]
    inside = (known.value >= said["days_low"]) & (known.value <= said["days_high"])
    ours = head.scale.losses(known.value, days)
    base = head.scale.losses(known.value, np.full(len(days), head.forecast.constant))
    _, error = paired_gain(base, ours, known.rows.cluster)
    return DaysResult(
        len(days),
        known.clusters,
        float(ours.mean()),
        float(base.mean()),
        error,
        float(inside.mean()),
    )


def judge_value(
    heads: Heads,
    rows: Dataset,
    probability: np.ndarray,
    amounts: Amounts | None,
    *,
    data_end: int,
    horizon_days: int,
    n_bootstrap: int,
    seed: int,
) -> ValueResult | None:
    """Mature rows, as sums; None without the head.

    Parameters
    ----------
    amounts
        None where a feature stands in for value: what came is then the feature of the rows that
        convert.
    """
    if heads.value is None:
        return None
    said = heads.predict(values_of(rows.matrix), probability)
    if amounts is None:
        came = np.where(rows.label, said["conversion_value"], np.nan)
    else:
        target = value_target(rows, amounts, horizon_days)
        came = np.where(target.settled(data_end), target.value, np.nan)
    unknown = rows.label & np.isnan(came)
    seen, kept = rows.mature, rows.mature & ~unknown
    cluster = np.unique(rows.cluster[seen], return_inverse=True)[1]
    sums = np.array(
        [
            np.bincount(cluster, said["expected_value"][seen]),
            np.bincount(cluster, np.nan_to_num(came[seen])),
            np.bincount(cluster, (kept & rows.label)[seen]),
            np.bincount(cluster, rows.label[seen]),
        ]
    )
    rng, n = np.random.default_rng(seed), sums.shape[1]
    draws = np.array([_ratio(sums[:, rng.integers(n, size=n)]) for _ in range(n_bootstrap)])
    low, high = interval(draws)
    return ValueResult(
        rows=int(seen.sum()),
        converting=len(np.unique(cluster[(kept & rows.label)[seen]])),
        unknown=int((unknown & rows.mature).sum()),
        said=_said(sums),
        came=float(sums[1].sum()),
        ratio=_ratio(sums),
        low=low,
        high=high,
        said_each=_mean(said["conversion_value"][kept & rows.label]),
        came_each=_mean(came[kept & rows.label]),
    )


def judge_accounts(
    accounts: AccountScores,
    probability: np.ndarray,
    account: np.ndarray,
    as_of: np.ndarray,
    outcomes: Outcomes,
    *,
    capacity: int,
    n_bootstrap: int,
    seed: int,
) -> "pd.DataFrame":
    """`models.judging.bootstrap.evaluate` of account rows, beside the likeliest member's chance.

    Parameters
    ----------
    probability, account, as_of
        Of mature user rows, as `models.heads.aggregation.aggregate` takes them.
    capacity
        Accounts that sales can work per as_of.
    """
    rows = accounts.score(probability, account, as_of)
    rows = rows.take(outcomes.leads(rows))
    single = aggregate(probability, account, as_of, "max")
    place = {key: at for at, key in enumerate(zip(single.account, single.as_of, strict=True))}
    likeliest = single.probability[
        [place[key] for key in zip(rows.account, rows.as_of, strict=True)]
    ]
    contenders = {
        ACCOUNT: Contender(rows.raw, rows.probability),
        LIKELIEST: Contender(likeliest, likeliest),
    }
    return evaluate(
        outcomes.label(rows, account, as_of),
        contenders,
        rows.account,
        rows.as_of,
        capacity=capacity,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _said(sums: np.ndarray) -> float:
    """What was expected of the share of conversions whose value is known.

    Leaving out only the rows that convert with an unknown value would leave out what came, and
    hardly anything of what was said: most of that lies on rows that do not convert.
    """
    said, _, known, converting = sums.sum(axis=1)
    return float(said * known / converting) if converting else float(said)


def _ratio(sums: np.ndarray) -> float:
    came = float(sums[1].sum())
    return _said(sums) / came if came > 0 else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
