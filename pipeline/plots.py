"""Pictures of an evaluation: what people would rather look at than read, all in one manner."""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from models.judging.curves import ReliabilityRow

COLOURS = {"model": "#14647f", "scorecard": "#a8560b"}
MARKERS = {"model": ("o", "-"), "scorecard": ("s", "--")}
"""Marker and line: the colours alone do not survive a black and white printer."""
GREY = "#667380"
GRID = "#e4e8ec"
PART_COLOURS = {"train": "#a9c7d3", "calibrate": "#5d97ae", "test": "#1d4d63"}
WAIT = "#dddddd"
THEME = {
    PART_COLOURS["train"]: "--part-train",
    PART_COLOURS["calibrate"]: "--part-calibrate",
    PART_COLOURS["test"]: "--part-test",
    WAIT: "--wait",
    COLOURS["model"]: "--model",
    COLOURS["scorecard"]: "--scorecard",
    GREY: "--muted",
    GRID: "--grid",
    "#000000": "--ink",
    "#ffffff": "--paper",
}
"""What a page calls these colours; it gives them other values in the dark."""
_WIDTH, _HEIGHT = 5.0, 3.5
"""Inches. At 72 points to the inch a text of 10 points is 10 pixels on a phone's whole width."""
_COLOURED = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
_NAMED = re.compile(r'(id="|href="#|url\(#)')


def reliability_picture(rows: Mapping[str, Sequence[ReliabilityRow]]) -> Any:
    """Observed conversion against predicted probability per bin, with Wilson intervals.

    Both axes are logarithmic where the predictions span more than a factor of ten; bins of which
    nobody, or too few for the axis, converted then stand hollow on its lower edge.
    """
    drawing, axes = figure()
    bins = [row for contender in rows.values() for row in contender]
    top = max(max(row.predicted, row.high) for row in bins)
    floor = max(min(row.predicted for row in bins), 1e-5) / 1.5
    wide = top > 10 * floor
    for name, contender in rows.items():
        _reliability_line(axes, name, contender, floor if wide else 0.0)
    ends = [floor if wide else 0, top]
    axes.plot(ends, ends, ":", color=GREY, linewidth=1)
    if wide:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(bottom=floor / 1.15)
    in_percent(axes.xaxis, log=wide)
    in_percent(axes.yaxis, log=wide)
    axes.set_xlabel("predicted probability of conversion")
    axes.set_ylabel("share that converted")
    axes.legend(frameon=False)
    return drawing


def _reliability_line(axes: Any, name: str, bins: Sequence[ReliabilityRow], floor: float) -> None:
    predicted, observed, low, high = (
        np.array([getattr(row, what) for row in bins])
        for what in ("predicted", "observed", "low", "high")
    )
    colour, marker = COLOURS.get(name), MARKERS.get(name, ("o", "-"))[0]
    shown, low = np.maximum(observed, floor), np.maximum(low, floor)
    reach = np.maximum([shown - low, high - shown], 0)
    axes.errorbar(predicted, shown, reach, fmt="none", color=colour, linewidth=1, capsize=2)
    none = observed < floor
    axes.plot(predicted[~none], shown[~none], marker, color=colour, markersize=5, label=name)
    if none.any():
        axes.plot(predicted[none], shown[none], marker, color=colour, mfc="white", markersize=5)


def gain_picture(curves: Mapping[str, np.ndarray]) -> Any:
    """Share of conversions reached against the share of snapshots called, best score first."""
    drawing, axes = figure()
    for name, curve in curves.items():
        _line(axes, name, curve[:, 0], curve[:, 1])
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1, label="at random")
    axes.set_xlabel("share of snapshots called")
    axes.set_ylabel("share of conversions reached")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    in_percent(axes.xaxis)
    in_percent(axes.yaxis)
    axes.legend(frameon=False, loc="lower right")
    return drawing


def lift_picture(curves: Mapping[str, np.ndarray]) -> Any:
    """The gain curve over its own first axis: conversions as a multiple of the base rate."""
    drawing, axes = figure()
    for name, curve in curves.items():
        _line(axes, name, curve[1:, 0], curve[1:, 1] / curve[1:, 0])
    axes.axhline(1, linestyle=":", color=GREY, linewidth=1, label="at random")
    axes.set_xscale("log")
    axes.set_xlim(0.005, 1)
    axes.set_ylim(bottom=0)
    in_percent(axes.xaxis, log=True)
    axes.set_xlabel("share of snapshots called")
    axes.set_ylabel("times the base rate")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False)
    return drawing


def precision_recall_picture(curves: Mapping[str, np.ndarray], base_rate: float) -> Any:
    """The gain curve in other axes: share that converts against conversions reached."""
    drawing, axes = figure()
    for name, curve in curves.items():
        _line(axes, name, curve[1:, 1], base_rate * curve[1:, 1] / curve[1:, 0])
    axes.axhline(base_rate, linestyle=":", color=GREY, linewidth=1, label="at random")
    axes.set_xlabel("share of conversions reached (recall)")
    axes.set_ylabel("share that converts (precision)")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    in_percent(axes.xaxis)
    in_percent(axes.yaxis)
    axes.legend(frameon=False)
    return drawing


def _line(axes: Any, name: str, x: np.ndarray, y: np.ndarray) -> None:
    style = MARKERS.get(name, ("o", "-"))[1]
    axes.plot(x, y, style, color=COLOURS.get(name), linewidth=1.8, label=name)


def in_percent(axis: Any, *, log: bool = False) -> None:
    """Plain labels, 1 % and 10 %, in place of 0.01 and 10^-1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if log:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))


def cut(name: str, most: int = 40) -> str:
    """A label that leaves room for the picture.

    >>> cut("any_event_count_28d", 10)
    'any_event…'
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"


def plot_reliability(rows: Mapping[str, Sequence[ReliabilityRow]], path: Path) -> None:
    """`reliability_picture` as a PNG file."""
    save(reliability_picture(rows), path)


def plot_gain(curves: Mapping[str, np.ndarray], path: Path) -> None:
    """`gain_picture` as a PNG file."""
    save(gain_picture(curves), path)


def figure(title: str = "", note: str = "") -> tuple[Any, Any]:
    """A matplotlib figure with one set of axes, in the manner of all our pictures.

    A page tells title and note beside the picture; files have them inside.
    """
    # Figure, not pyplot: no global state and no display.
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(_WIDTH, _HEIGHT), dpi=160, layout="constrained")
    axes = drawing.add_subplot()
    if title:
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    bare(axes)
    if note:
        drawing.supxlabel(note, fontsize=7.5, color=GREY, x=0.01, ha="left")
    return drawing, axes


def bare(axes: Any) -> None:
    """A light grid behind, and no frame but the two axes."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def save(drawing: Any, path: Path) -> None:
    """Write a figure as PNG."""
    # Without the library's stamp equal evaluations give equal files.
    _plain(drawing)
    drawing.savefig(path, metadata={"Software": None})


def svg(drawing: Any, name: str = "picture", alt: str = "") -> str:
    """A figure as an SVG element that takes its colours from the page; equal ones, equal texts.

    Parameters
    ----------
    name
        Unique on the page: ids within the picture begin with it.
    alt
        What a person who can't see the picture is told.
    """
    from matplotlib import rc_context

    _plain(drawing)
    target = io.StringIO()
    stamps = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    # Without a salt of its own matplotlib draws random ids; texts stay texts.
    style = {"svg.hashsalt": name, "svg.fonttype": "none", "text.parse_math": False}
    with rc_context(style):
        drawing.savefig(target, format="svg", metadata=stamps, transparent=True)
    text = target.getvalue()
    text = _COLOURED.sub(_themed, text[text.index("<svg") :])
    text = _NAMED.sub(lambda found: f"{found[1]}{name}-", text)
    inside = re.sub(r' (width|height)="[^"]*pt"', "", text[: text.index(">")])
    told = f' role="img" aria-label="{escape(alt)}"' if alt else ' aria-hidden="true"'
    return inside.replace("<svg", f"<svg{told}", 1) + text[text.index(">") :].strip()


def _themed(found: re.Match[str]) -> str:
    variable = THEME.get(found[2])
    return f"{found[1]}: var({variable})" if variable else found[0]


def _plain(drawing: Any) -> None:
    """Take every text as it is: a name between two dollars would be read as a formula."""
    from matplotlib.text import Text

    for text in drawing.findobj(Text):
        text.set_parse_math(False)
