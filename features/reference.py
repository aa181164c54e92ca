"""How the entities that began earlier behaved in their first days, as far as it was known."""

from dataclasses import dataclass

import numpy as np

from features.clock import DAY_US


@dataclass(frozen=True)
class Reference:
    """First periods that are over, by the UTC day on which they ended.

    Whole days and whole numbers, so that it is small, exact, and the same whatever the order in
    which entities were added up.

    Parameters
    ----------
    first_day
        UTC day number of the first entry.
    n
        int64, shape (n_days,): entities whose first period ended on that day or an earlier one.
    total
        int64, shape (n_days,): the sum of their events in it.
    """

    first_day: int
    n: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, end: np.ndarray, count: np.ndarray) -> "Reference":
        """From the end (microseconds UTC) and the events of every entity's first period."""
        if not len(end):
            return cls(0, np.zeros(1, np.int64), np.zeros(1, np.int64))
        day = end // DAY_US
        first = int(day.min())
        n = np.bincount(day - first)
        total = np.zeros(len(n), np.int64)
        np.add.at(total, day - first, count.astype(np.int64))
        return cls(first, np.cumsum(n), np.cumsum(total))

    def mean_before(self, as_of: np.ndarray) -> np.ndarray:
        """Mean over the periods that ended on a UTC day before that of as_of; 0 if none did.

        >>> reference = Reference.of(np.array([0, DAY_US]), np.array([10, 20]))
        >>> reference.mean_before(np.array([0, DAY_US - 1, DAY_US, 9 * DAY_US]))
        array([ 0.,  0., 10., 15.])
        """
        place = as_of // DAY_US - self.first_day - 1
        known = place >= 0
        place = np.clip(place, 0, len(self.n) - 1)
        return np.where(known, self.total[place] / np.maximum(self.n[place], 1), 0.0)
