"""Small pictures of how the probability depends on one feature at a time."""

from typing import Any

import numpy as np

from models.judging.partial_dependence import Dependence
from pipeline.plots import COLOURS, cut, figure, in_percent, svg

_WIDTH, _HEIGHT = 3.4, 2.1
_ROOM = 40
"""Letters that fit below a picture side by side, were all names as long as the longest."""


def dependence_picture(one: Dependence, name: str, top: float) -> str:
    """Mean probability over a feature's values, unknown last, as an SVG element.

    A line joins numbers; categories stand alone.

    Parameters
    ----------
    name
        Unique on the page.
    top
        The highest probability of the axis: one for all pictures, so that they compare.
    """
    drawing, axes = figure()
    drawing.set_size_inches(_WIDTH, _HEIGHT)
    known = [at for at, value in enumerate(one.values) if value is not None]
    _points(axes, one)
    if all(isinstance(one.values[at], int | float) for at in known):
        axes.plot(known, [one.probability[at] for at in known], color=COLOURS["model"])
    in_percent(axes.yaxis)
    axes.set_ylim(0, top)
    axes.tick_params(labelsize=9)
    axes.locator_params(axis="y", nbins=4)
    return svg(drawing, name, one.text)


def _points(axes: Any, one: Dependence) -> None:
    """All values at equal distances: most of what is counted has a few large values."""
    value, low, high = (np.array(each) for each in (one.probability, one.low, one.high))
    axes.errorbar(
        np.arange(len(value)),
        value,
        np.maximum([value - low, high - value], 0),
        fmt="o",
        color=COLOURS["model"],
        markersize=4,
        capsize=2,
        linewidth=1,
    )
    names = [_named(each) for each in one.values]
    turned = {"rotation": 35, "ha": "right"} if len(names) * max(map(len, names)) > _ROOM else {}
    axes.set_xticks(range(len(names)), names, **turned)
    axes.margins(x=0.08)


def _named(value: float | str | None) -> str:
    """
    >>> _named(0.25), _named(92_345_678.0), _named(None)
    ('0.25', '92.3M', 'unknown')
    """
    if value is None:
        return "unknown"
    from matplotlib.ticker import EngFormatter

    if isinstance(value, str):
        return cut(value, 12)
    return f"{value:.3g}" if abs(value) < 1_000 else EngFormatter(sep="")(float(f"{value:.3g}"))
