"""Pictures of an evaluation: what people would rather look at than read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.judging.curves import ReliabilityRow

COLOURS = {"model": "#1f6f8b", "scorecard": "#d17a22"}
GREY = "#8a8a8a"


def plot_reliability(rows: Mapping[str, Sequence[ReliabilityRow]], path: Path) -> None:
    """Observed conversion against predicted probability per bin, with Wilson intervals."""
    drawing, axes = figure(
        "Do the probabilities come true?",
        "Test rows in bins of equal size, 95 % Wilson intervals. On the dashed line: calibrated.",
    )
    top = 0.0
    for name, bins in rows.items():
        predicted = np.array([row.predicted for row in bins])
        observed = np.array([row.observed for row in bins])
        reach = np.array([[row.observed - row.low, row.high - row.observed] for row in bins]).T
        axes.errorbar(
            predicted,
            observed,
            np.maximum(reach, 0),
            fmt="o-",
            markersize=4,
            linewidth=1.2,
            capsize=2,
            color=COLOURS.get(name),
            label=name,
        )
        top = max(top, *predicted, *(row.high for row in bins))
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--")
    axes.set_xlabel("predicted probability of conversion")
    axes.set_ylabel("share that converted")
    axes.legend(frameon=False)
    save(drawing, path)


def plot_gain(curves: Mapping[str, np.ndarray], path: Path) -> None:
    """Share of conversions reached against the share of snapshots called, best score first."""
    drawing, axes = figure(
        "How many conversions does a call list reach?",
        "Test rows, best score first. The dashed line is calling at random.",
    )
    for name, curve in curves.items():
        axes.plot(curve[:, 0], curve[:, 1], color=COLOURS.get(name), linewidth=1.8, label=name)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    axes.set_xlabel("share of snapshots called")
    axes.set_ylabel("share of conversions reached")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.legend(frameon=False, loc="lower right")
    save(drawing, path)


def figure(title: str, note: str = "") -> tuple[Any, Any]:
    """A matplotlib figure with one set of axes, in the manner of all our pictures."""
    # Figure, not pyplot: no global state and no display.
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6.4, 4.6), dpi=130, layout="constrained")
    axes = drawing.add_subplot()
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    drawing.supxlabel(note, fontsize=7.5, color=GREY, x=0.01, ha="left")
    return drawing, axes


def save(drawing: Any, path: Path) -> None:
    """Write a figure as PNG."""
    # Without the library's stamp equal evaluations give equal files.
    drawing.savefig(path, metadata={"Software": None})
