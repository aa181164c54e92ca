"""Time to an event when some have not got there yet: Kaplan-Meier and what is read off it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Survival:
    """Share that has not converted by each time.

    Parameters
    ----------
    time
        float64, shape (k,): days at which somebody converted, ascending.
    open
        float64, shape (k,): share still open just after each.
    longest
        Longest time that anybody was watched, days.
    """

    time: np.ndarray
    open: np.ndarray
    longest: float

    def converted_by(self, days: float) -> float:
        """Share converted in [0, days]; NaN where nobody was watched as long."""
        if days > self.longest:
            return float("nan")
        at = int(np.searchsorted(self.time, days, side="right"))
        return 1 - float(self.open[at - 1]) if at else 0.0

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
    return Survival(time, np.cumprod(1 - here / at_risk), float(days.max(initial=0)))
