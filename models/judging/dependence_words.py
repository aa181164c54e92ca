"""Partial dependence in words: which way it goes, and a sentence with its ends."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from models.scoring import show

Direction: TypeAlias = Literal["raises", "lowers", "mixed"]

# Trees go up and down by steps: so much of all movement must go one way to be called a direction.
_ONE_WAY = 0.8
_HARDLY = 0.05


def direction_of(probability: np.ndarray) -> Direction:
    """Which way the mean probability goes along rising values.

    Examples
    --------
    >>> direction_of(np.array([0.02, 0.05, 0.049, 0.09]))
    'raises'
    >>> direction_of(np.array([0.02, 0.09, 0.03]))
    'mixed'
    """
    steps = np.diff(probability)
    up, all_ways = float(steps[steps > 0].sum()), float(np.abs(steps).sum())
    if all_ways <= _HARDLY * float(np.mean(probability)):
        return "mixed"
    if up >= _ONE_WAY * all_ways:
        return "raises"
    return "lowers" if up <= (1 - _ONE_WAY) * all_ways else "mixed"


def sentence(
    meaning: str, values: Sequence[float | str | None], mean: np.ndarray, direction: Direction
) -> str:
    """What a column means, its direction, and the mean probability at both ends of it.

    Parameters
    ----------
    values
        As in `models.judging.partial_dependence.Dependence`: None, at the end, is unknown.

    Examples
    --------
    >>> sentence("pricing views", [0.0, 3.0, None], np.array([0.02, 0.09, 0.01]), "raises")
    'pricing views: higher values raise the chance: 2.0 % at 0, 9.0 % at 3; 1.0 % where unknown.'
    """
    known = [at for at, value in enumerate(values) if value is not None]
    unknown = [f"; {_percent(mean[-1])} where unknown"] if len(known) < len(values) else []
    if not known:
        return f"{meaning}: unknown on all rows."
    low, high = min(known, key=lambda at: mean[at]), max(known, key=lambda at: mean[at])
    if mean[high] - mean[low] <= _HARDLY * float(mean.mean()):
        told = f"alone it hardly moves the chance, {_percent(mean[low])} to {_percent(mean[high])}"
    elif isinstance(values[known[0]], str):
        best, worst = _at(mean, values, high), _at(mean, values, low)
        told = f"the chance is highest for {best}, lowest for {worst}"
    elif direction == "mixed":
        told = f"up and down: lowest {_at(mean, values, low)}, highest {_at(mean, values, high)}"
    else:
        way = f"higher values {'raise' if direction == 'raises' else 'lower'} the chance"
        told = f"{way}: {_at(mean, values, known[0])}, {_at(mean, values, known[-1])}"
    return f"{meaning}: {told}{''.join(unknown)}."


def _at(mean: np.ndarray, values: Sequence[float | str | None], at: int) -> str:
    value = values[at]
    if isinstance(value, str):
        return f"{value} ({_percent(mean[at])})"
    return f"{_percent(mean[at])} at {show(value)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
