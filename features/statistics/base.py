"""What a statistic is: a function from a selection of events to one number per row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.definitions import Feature
from features.selection import Selection

Compute = Callable[[Selection, Feature], np.ndarray]
Window = Literal["any", "bounded", "none"]


@dataclass(frozen=True)
class Statistic:
    """One statistic, computed for every window and every selection of events alike.

    Parameters
    ----------
    compute
        From a selection and a definition to the value of each row: an array of numbers, shape
        (n_rows,), NaN for unknown; for a category int32 codes, -1 for unknown.
    unit
        Of the result; empty for the unit of the property.
    empty
        The value where the shard has no such event at all. None: `compute` knows.
    window
        ``any`` look-back, ``bounded`` (a number of days is needed), or ``none`` (it has no window).
    asked
        The windows in which the settings' catalogue asks for it: ``every`` one, those for
        ``detail``, the ``shortest`` of these and life, those of a ``trend``, or the ``first`` days.
    over
        What kind of property it reads, if any.
    of_members
        It counts users, so it says something of an account only.
    of_share
        It compares with the events of `Feature.against`.
    of_usage
        It may read a property, and counts members without one.
    reads_users
        It asks who did an event.
    version
        Raised by one whenever the same events would give another number: a model that was
        trained on the former numbers is then refused, see `features.versions`.
    """

    compute: Compute
    unit: str
    empty: float | None = np.nan
    window: Window = "any"
    over: Literal["nothing", "number", "category", "either"] = "nothing"
    asked: Literal["every", "detail", "shortest", "trend", "first"] = "detail"
    of_members: bool = False
    of_share: bool = False
    of_usage: bool = False
    reads_users: bool = False
    version: int = 1


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """float64 quotient, NaN where `below` is 0.

    >>> ratio(np.array([1, 0]), np.array([2, 0]))
    array([0.5, nan])
    """
    some = below != 0
    return np.divide(above, below, out=np.full(len(some), np.nan), where=some)


def at_rows(values: np.ndarray, places: np.ndarray, known: np.ndarray) -> np.ndarray:
    """float64 values at the places of the rows where `known`, NaN elsewhere."""
    out = np.full(len(places), np.nan)
    out[known] = values[places[known]]
    return out
