"""How all entities behaved whose first days were over, as far as it was known."""

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

    @classmethod
    def of_days(cls, day: np.ndarray, n: np.ndarray, total: np.ndarray) -> "Reference":
        """From what ended on single UTC days, ascending: the inverse of `by_day`.

        >>> found = Reference.of(np.array([0, 2 * DAY_US]), np.array([10, 20]))
        >>> again = Reference.of_days(*found.by_day())
        >>> again.n, again.total
        (array([1, 1, 2]), array([10, 10, 30]))
        """
        if not len(day):
            return cls.of(day, total)
        every_n, every_total = np.zeros((2, day[-1] - day[0] + 1), np.int64)
        every_n[day - day[0]], every_total[day - day[0]] = n, total
        return cls(int(day[0]), np.cumsum(every_n), np.cumsum(every_total))

    def by_day(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """UTC days on which periods ended, how many, and the sum of their events: three int64."""
        n = np.diff(self.n, prepend=0)
        some = np.flatnonzero(n)
        return self.first_day + some, n[some], np.diff(self.total, prepend=0)[some]

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
