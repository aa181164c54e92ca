"""Time to an event when some have not got there yet: Kaplan-Meier and what is read off it."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US
from models.judging.curves import wilson
from models.monitoring.delays import share_known

_RECENT_US = 90 * DAY_US
_MOSTLY = 0.95


@dataclass(frozen=True)
class Survival:
    """Share that has not converted by each time.

    Parameters
    ----------
    time
        float64, shape (k,): days at which somebody converted, ascending.
    open
        float64, shape (k,): share still open just after each.
    here, at_risk
        int64, shape (k,): how many converted then, of how many still open and watched.
    watched
        float64, shape (n,): days that each was watched or needed, ascending.
    """

    time: np.ndarray
    open: np.ndarray
    here: np.ndarray
    at_risk: np.ndarray
    watched: np.ndarray

    def converted_by(self, days: float) -> float:
        """Share converted in [0, days]; NaN where nobody was watched as long and some are open."""
        at = int(np.searchsorted(self.time, days, side="right"))
        share = 1 - float(self.open[at - 1]) if at else 0.0
        return float("nan") if days > self.watched.max(initial=0) and share < 1 else share

    def interval(self, days: float, design: float = 1) -> tuple[float, float]:
        """95 % interval of `converted_by`: Wilson's, as if from n persons all watched so long.

        n gives a binomial share the variance of Greenwood 1926 (Rothman 1978, "Estimation of
        confidence limits for the cumulative probability of survival in life table analysis");
        where none or all converted there is no variance to see, and n are those at risk last.

        Parameters
        ----------
        design
            How many times persons repeat each other (design effect): n / design is counted.
        """
        share = self.converted_by(days)
        if share != share:
            return share, share
        upto = self.time <= days
        here, at_risk = self.here[upto], self.at_risk[upto]
        if 0 < share < 1:
            n = share / (1 - share) / float((here / (at_risk * (at_risk - here))).sum())
        else:
            n = float(at_risk[-1] if share else (self.watched >= days).sum())
        return wilson(share * n / design, n / design)

    @property
    def median(self) -> float:
        """Days by which half have converted; NaN where fewer than half ever do."""
        at = np.flatnonzero(self.open <= 0.5)
        return float(self.time[at[0]]) if len(at) else float("nan")

    def mean_of_converting(self) -> float:
        """Mean days to conversion of those who convert while they are watched; NaN for nobody.

        The mean over the curve's steps (its falls are the weights), so the short times of recent
        entities, who could only have converted fast so far, do not pull it down.
        """
        falls = -np.diff(np.concatenate([[1.0], self.open]))
        return float((falls * self.time).sum() / falls.sum()) if falls.sum() else float("nan")


def kaplan_meier(days: np.ndarray, converted: np.ndarray) -> Survival:
    """The product limit of Kaplan and Meier 1958, "Nonparametric estimation from incomplete ...".

    Parameters
    ----------
    days
        float64, shape (n,): days to conversion, or watched so far where there is none.
    converted
        bool, shape (n,).

    Examples
    --------
    One converts after a day, one after three; one was watched for two:

    >>> curve = kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    >>> curve.open.round(2), curve.median
    (array([0.67, 0.  ]), 3.0)
    """
    time = np.unique(days[converted])
    ended = np.searchsorted(np.sort(days[converted]), time, side="right")
    here = np.diff(np.concatenate([[0], ended]))
    at_risk = len(days) - np.searchsorted(np.sort(days), time, side="left")
    return Survival(time, np.cumprod(1 - here / at_risk), here, at_risk, np.sort(days))


def mostly_known_until(occurred_at: np.ndarray, known_at: np.ndarray, now: int) -> int:
    """The moment before which 95 % of what happened is known by now, microseconds UTC.

    It is now less the delay that 95 % of the conversions of the last 90 days do not exceed, told
    by `models.monitoring.delays.share_known`: short delays are seen more often than they are, so
    a plain quantile of those seen would be too short.

    Parameters
    ----------
    occurred_at, known_at
        int64 microseconds, shape (n,): conversions with known_at < now.

    Examples
    --------
    All were known at once, so all is known until now; then one of three took four days:

    >>> day = 86_400_000_000
    >>> occurred = np.array([0, 4, 9]) * day
    >>> mostly_known_until(occurred, occurred, 10 * day) // day
    10
    >>> mostly_known_until(occurred, occurred + np.array([4, 0, 0]) * day, 10 * day) // day
    6
    """
    recent = occurred_at >= now - _RECENT_US
    occurred, delay = occurred_at[recent], (known_at - occurred_at)[recent]
    if not len(occurred):
        return now
    sure = share_known(occurred, occurred + delay, now) >= _MOSTLY
    # Between two delays that were seen the share stays the same.
    return now - int(delay[delay < now - occurred[sure].max()].max())
