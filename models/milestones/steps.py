"""When each entity did something for the first, second, ... time."""

from dataclasses import dataclass

import numpy as np

from features.kernels import latest_before
from features.labels import NEVER_US


@dataclass(frozen=True)
class Steps:
    """The steps of entities in time order: ``time[start[e] + k - 1]`` is the k-th step of e.

    Parameters
    ----------
    start
        int64, shape (n_entities + 1,).
    time
        int64, shape (n_steps,), microseconds UTC, ascending within an entity.
    """

    start: np.ndarray
    time: np.ndarray

    @classmethod
    def of(cls, entity: np.ndarray, time: np.ndarray, n_entities: int) -> "Steps":
        """Steps from pairs sorted by (entity, time)."""
        sizes = np.bincount(entity, minlength=n_entities)
        return cls(np.r_[0, np.cumsum(sizes)], np.ascontiguousarray(time))

    @property
    def counts(self) -> np.ndarray:
        """Steps per entity, int64, shape (n_entities,)."""
        return np.diff(self.start)

    def reached_at(self, entity: np.ndarray, at_least: int) -> np.ndarray:
        """When the count of each entity reached `at_least`, `NEVER_US` where it never did.

        >>> steps = Steps.of(np.array([0, 0, 2]), np.array([5, 8, 3]), 3)
        >>> bool((steps.reached_at(np.array([0, 1, 2]), 2) == [8, NEVER_US, NEVER_US]).all())
        True
        """
        place = self.start[entity] + at_least - 1
        reached = place < self.start[entity + 1]
        found = np.full(len(entity), NEVER_US, np.int64)
        found[reached] = self.time[place[reached]]
        return found

    def before(self, entity: np.ndarray, limit: np.ndarray) -> np.ndarray:
        """Steps of each row's entity in (-inf, limit), int64, shape (n_rows,).

        A step exactly at the limit is the future.

        >>> steps = Steps.of(np.array([0, 0, 2]), np.array([5, 8, 3]), 3)
        >>> steps.before(np.array([0, 0, 1]), np.array([8, 9, 9]))
        array([1, 2, 0])
        """
        left = self.start[entity]
        found = latest_before(self.time, left, self.start[entity + 1], limit)
        return np.where(found < 0, 0, found - left + 1)


def steps_of_one(
    entity: np.ndarray, member: np.ndarray, time: np.ndarray, n_entities: int
) -> Steps:
    """Steps of the member of each entity who was the first to get as far.

    The k-th step is the moment at which any one member had done it k times.

    Parameters
    ----------
    entity, member, time
        Events, in any order; member -1 is nobody.

    Examples
    --------
    Ann and Bob do it in turns; Ann is the first to have done it twice.

    >>> who = np.array([0, 1, 0, 1])
    >>> steps_of_one(np.zeros(4, int), who, np.array([1, 2, 3, 4]), 1).time
    array([1, 3])
    """
    known = member >= 0
    entity, member, time = entity[known], member[known], time[known]
    order = np.lexsort((time, member, entity))
    entity, member, time = entity[order], member[order], time[order]
    position = np.arange(len(order))
    begins = np.ones(len(order), bool)
    begins[1:] = (entity[1:] != entity[:-1]) | (member[1:] != member[:-1])
    rank = position - np.maximum.accumulate(np.where(begins, position, 0))
    order = np.lexsort((time, rank, entity))
    entity, rank, time = entity[order], rank[order], time[order]
    first = np.ones(len(order), bool)
    first[1:] = (entity[1:] != entity[:-1]) | (rank[1:] != rank[:-1])
    return Steps.of(entity[first], time[first], n_entities)
